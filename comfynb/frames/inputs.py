"""The table of a workflow's inputs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from comfynb.frames.build import as_cell, frame
from comfynb.frames.schema import TABLES
from comfynb.rules.inputs import InputDefinition

__all__ = ["inputs_frame"]


def inputs_frame(
    definitions: Iterable[InputDefinition], *, source: str = "", as_of: datetime | None = None
) -> pd.DataFrame:
    """Return one row per input, in the given order.

    Parameters
    ----------
    definitions : iterable of InputDefinition
        The rows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["inputs"]` declares them.

    Examples
    --------
    >>> steps = InputDefinition("steps", "Steps", "ComfyUIDeployExternalNumberInt", "integer", default=20)
    >>> inputs_frame([steps]).loc[0, "label"]
    'Steps'
    """
    rows = list(definitions)
    return frame(
        TABLES["inputs"],
        {
            "name": [row.name for row in rows],
            "label": [row.label for row in rows],
            "kind": [row.kind for row in rows],
            "class_type": [row.class_type or None for row in rows],
            "required": [row.required for row in rows],
            "default": [as_cell(row.default) if row.has_default else None for row in rows],
            "minimum": [row.minimum for row in rows],
            "maximum": [row.maximum for row in rows],
            "step": [row.step for row in rows],
            "options": [tuple(row.options) for row in rows],
            "group": [row.group_name or row.group for row in rows],
            "description": [row.description or None for row in rows],
            "listed": [row.listed for row in rows],
            "problem": [row.problem for row in rows],
        },
        source=source,
        as_of=as_of,
    )
