"""The table of the runs of a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from comfynb.display.runs import RunFacts
from comfynb.frames.build import as_cell, frame
from comfynb.frames.schema import TABLES

__all__ = ["form_runs_frame"]


def form_runs_frame(rows: Sequence[tuple[str, RunFacts, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return one row per run: what is known of it, and what it was given as ``input.NAME``.

    Parameters
    ----------
    rows : sequence of (name, RunFacts, inputs)
        The runs.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["form_runs"]` declares them, and one column per input that any run was given.

    Examples
    --------
    >>> table = form_runs_frame([("text2img", RunFacts("r1", "text2img", "success", "finished"), {"seed": 7})])
    >>> table["status"].tolist(), table["input.seed"].tolist()
    (['success'], [7])
    """
    names = dict.fromkeys(name for _, _, inputs in rows for name in inputs)
    facts = [each for _, each, _ in rows]
    return frame(
        TABLES["form_runs"],
        {
            "name": [name for name, _, _ in rows],
            "id": [each.id for each in facts],
            "status": [each.status for each in facts],
            "created": [each.created for each in facts],
            "seconds": [each.duration_seconds for each in facts],
            "machine": [each.machine for each in facts],
            "outputs": [len(each.outputs) for each in facts],
        },
        extra={f"input.{name}": [as_cell(inputs.get(name)) for _, _, inputs in rows] for name in names},
    )
