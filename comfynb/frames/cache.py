"""The table of what was read and is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES

__all__ = ["Answer", "cache_frame"]


class Answer(Protocol):
    """An answer that is kept."""

    @property
    def stored(self) -> float:
        """`time.time()` when the server was asked."""

    @property
    def ttl(self) -> float:
        """Seconds for which it is good."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def away(self) -> bool:
        """Whether it is the last that is known of a server that is away."""


def cache_frame(entries: Mapping[str, Answer], hits: Mapping[str, int], *, now: float) -> pd.DataFrame:
    """Return one row per entry.

    Parameters
    ----------
    entries : mapping of str to Answer
        What is kept, by key.
    hits : mapping of str to int
        How often each was given.
    now : float
        `time.time()`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["cache"]` declares them.

    Examples
    --------
    >>> len(cache_frame({}, {}, now=0.0))
    0
    """
    rows = list(entries.values())
    return frame(
        TABLES["cache"],
        {
            "name": list(entries),
            "read": [datetime.fromtimestamp(row.stored, UTC) for row in rows],
            "age": [round(max(0.0, now - row.stored), 1) for row in rows],
            "good_for": [row.ttl for row in rows],
            "size": [row.size for row in rows],
            "hits": [hits.get(key, 0) for key in entries],
            "last_known": [row.away for row in rows],
        },
    )
