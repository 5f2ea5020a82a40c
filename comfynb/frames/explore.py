"""The table of path patterns that were asked for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.services.exploring import Probe

__all__ = ["explore_frame"]


def explore_frame(probes: Iterable[Probe], *, source: str = "", as_of: datetime | None = None) -> pd.DataFrame:
    """Return one row per path, in the order in which they were asked for.

    Parameters
    ----------
    probes : iterable of Probe
        The rows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["explore"]` declares them.
    """
    rows = list(probes)
    return frame(
        TABLES["explore"],
        {
            "path": [f"{row.prefix}{row.resource}" for row in rows],
            "prefix": [row.prefix for row in rows],
            "resource": [row.resource for row in rows],
            "status": [row.status for row in rows],
            "milliseconds": [row.milliseconds for row in rows],
            "exists": [row.verdict.exists for row in rows],
            "verdict": [row.verdict.words for row in rows],
        },
        source=source,
        as_of=as_of,
    )
