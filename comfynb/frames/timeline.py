"""The table of a run's changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES

__all__ = ["Change", "timeline_frame"]


class Change(Protocol):
    """What was seen of a run at one time."""

    @property
    def at(self) -> datetime | None:
        """When it was seen, with a time zone."""

    @property
    def status(self) -> str | None:
        """The status."""

    @property
    def live_status(self) -> str | None:
        """What the machine said it was doing."""

    @property
    def progress(self) -> float | None:
        """The share of its nodes that have begun, 0 to 1."""

    @property
    def queue_position(self) -> int | None:
        """Its place in the queue."""

    @property
    def outputs(self) -> int | None:
        """How many outputs were there."""


def timeline_frame(changes: Iterable[Change], *, source: str = "", as_of: datetime | None = None) -> pd.DataFrame:
    """Return one row per change, in the given order.

    Parameters
    ----------
    changes : iterable of Change
        Objects with the attributes of `Change`.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["timeline"]` declares them.

    Examples
    --------
    >>> len(timeline_frame([]))
    0
    """
    rows = list(changes)
    return frame(
        TABLES["timeline"],
        {
            "at": [row.at for row in rows],
            "status": [row.status for row in rows],
            "live_status": [row.live_status for row in rows],
            "progress": [row.progress for row in rows],
            "queue_position": [row.queue_position for row in rows],
            "outputs": [row.outputs for row in rows],
        },
        source=source,
        as_of=as_of,
    )
