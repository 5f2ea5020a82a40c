"""How long names take: a million of them standardised, and two thousand compared with two thousand.

Run it: `python tests/benchmarks/bench_names.py`. A column of names is standardised against `Series.map` of a ready
dict, twice: where equal names are one object, as in what is read of a file, and where each cell has an object of its
own, as in what numpy or a database gives. The names are known from the round that does not count. The first time they
have to be standardised, too, for which the ready dict has no match: that figure has a limit of its own.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pandas as pd
from figures import Figure, medians, show, timed
from rapidfuzz import fuzz, process

import comfynb
from comfynb.frames.names import names_frame
from comfynb.rules.lookup import Candidate
from comfynb.rules.names_compare import compare_names

CELLS = 1_000_000
DISTINCT = 10_000
SIDE = 2_000
LIMIT = 1.0
APART_LIMIT = 1.1
"""Where each cell has an object, both sides do one look-up by text a cell, and nothing can be saved."""
FIRST_LIMIT = 1.5
FUZZY_LIMIT = 2.0

_DRAW = random.Random(7)
_NUMBERS = itertools.count()
_KINDS = ("Text to Image", "img2vid", "Inpaint", "UPSCALE", "Portrait", "style-transfer", "depth map", "control net")
_MODELS = ("flux.1 [dev]", "wan 2.1", "SDXL", "sd 1.5", "hunyuan", "LTX")


def _name(number: int) -> str:
    return f"{_DRAW.choice(_KINDS)} - {_DRAW.choice(_MODELS)} v{number}"


def _column_figures() -> list[Figure]:
    distinct = [_name(number) for number in range(DISTINCT)]
    drawn = _DRAW.choices(distinct, k=CELLS)
    table = comfynb.example_names()
    ready = {name: comfynb.standardize_workflow_name(name, table) for name in distinct}
    found = []
    apart = ["".join(list(name)) for name in drawn]
    for what, names, limit in (("", drawn, LIMIT), (", an object each", apart, APART_LIMIT)):
        column = pd.Series(names)
        assert comfynb.standardize_workflow_name(column, table).equals(column.map(ready))
        ours, first, bare = medians(
            timed(_standardizing(column, lambda: table)),
            timed(_standardizing(column, _new_table)),
            timed(lambda column=column: column.map(ready)),
        )
        label = f"standard names of {CELLS:,} cells{what}"
        found.append(Figure(f"{label} / Series.map of a dict", ours, bare, limit))
        found.append(Figure(f"{label}, the first time / the same", first, bare, FIRST_LIMIT))
    return found


def _new_table() -> comfynb.NamesTable:
    """Return a table that has seen no names yet, and is like none that has."""
    return comfynb.NamesTable({f"x{next(_NUMBERS)}": ["makeimage"]})


def _standardizing(column: pd.Series, table: Callable[[], comfynb.NamesTable]) -> Callable[[], object]:
    return lambda: comfynb.standardize_workflow_name(column, table())


def _fuzzy_figure() -> Figure:
    api = [Candidate(f"id-{number}", _name(number)) for number in range(SIDE)]
    database = [_name(number).replace(" ", "_") for number in range(SIDE)]
    names = [each.name for each in api]
    ours, bare = medians(
        timed(lambda: names_frame(compare_names(api, database))),
        timed(lambda: process.cdist(names, database, scorer=fuzz.WRatio, workers=-1)),
        rounds=3,
    )
    return Figure(f"comparison of {SIDE:,} names with {SIDE:,} / bare cdist", ours, bare, FUZZY_LIMIT)


def measure() -> list[Figure]:
    """Measure columns of both kinds, then the comparison."""
    return [*_column_figures(), _fuzzy_figure()]


if __name__ == "__main__":
    show(measure())
