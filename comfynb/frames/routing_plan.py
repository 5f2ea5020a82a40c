"""The tables of the testing plan of routing."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES

__all__ = ["load_frame", "plan_frame_of"]


def plan_frame_of(rows: Sequence[tuple[str, str, str, str, str]]) -> pd.DataFrame:
    """Return one row per case: kind, case, expected, seen, verdict.

    Examples
    --------
    >>> plan_frame_of([("inputs", "no inputs", "a", "a", "passed")])["verdict"].tolist()
    ['passed']
    """
    names = TABLES["routing_plan"].names()
    columns = {name: [row[place] or None for row in rows] for place, name in enumerate(names)}
    return frame(TABLES["routing_plan"], columns)


def load_frame(rows: Sequence[tuple[str, int, int, float, float, float | None, float | None, int]]) -> pd.DataFrame:
    """Return one row per measurement under load, rounded for people.

    Examples
    --------
    >>> load_frame([("runs", 10, 10, 0.5, 20.0, 31.44, None, 0)])["median_ms"].tolist()
    [31.4]
    """

    def cell(name: str, value: object) -> object:
        return round(value, 2 if name == "seconds" else 1) if isinstance(value, float) else value

    names = TABLES["routing_load"].names()
    columns = {name: [cell(name, row[place]) for row in rows] for place, name in enumerate(names)}
    return frame(TABLES["routing_load"], columns)
