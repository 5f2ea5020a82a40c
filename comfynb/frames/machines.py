"""The table of machines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import pandas as pd

from comfynb.api.models import Machine
from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES

__all__ = ["machines_frame"]

_CAN_CANCEL: Final = {
    "modal-serverless": True,
    "comfy-deploy-serverless": True,
    "runpod-serverless": False,
    "classic": False,
}
"""Whether the server can cancel runs on a machine of that type; not known of the types that are not here."""


def machines_frame(
    machines: Iterable[Machine], *, source: str = "", as_of: datetime | None = None
) -> pd.DataFrame:
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
            "can_cancel": [_CAN_CANCEL.get(row.type or "") for row in rows],
            "comfyui_version": [row.comfyui_version for row in rows],
            "created": [row.created_at for row in rows],
            "updated": [row.updated_at for row in rows],
        },
        source=source,
        as_of=as_of,
    )
