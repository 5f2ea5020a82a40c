"""The table of machines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from comfynb.api.models import Machine
from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.rules.machine_types import can_cancel

__all__ = ["machines_frame"]


def machines_frame(machines: Iterable[Machine], *, source: str = "", as_of: datetime | None = None) -> pd.DataFrame:
    """Return one row per machine, in the given order.

    Parameters
    ----------
    machines : iterable of Machine
        The rows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["machines"]` declares them.

    Examples
    --------
    >>> machines_frame([Machine(id="m1", name="a", type="classic")])["can_cancel"].tolist()
    [False]
    """
    rows = list(machines)
    return frame(
        TABLES["machines"],
        {
            "name": [row.name for row in rows],
            "id": [row.id or None for row in rows],
            "type": [row.type for row in rows],
            "status": [row.status for row in rows],
            "gpu": [row.gpu for row in rows],
            "can_cancel": [can_cancel(row.type) for row in rows],
            "comfyui_version": [row.comfyui_version for row in rows],
            "created": [row.created_at for row in rows],
            "updated": [row.updated_at for row in rows],
        },
        source=source,
        as_of=as_of,
    )
