"""The table of workflows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from comfynb.api.models import Workflow
from comfynb.errors import InputError
from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.rules.names_table import NO_NAMES, NamesTable
from comfynb.rules.naming import display_name

__all__ = ["standard_name_or_none", "workflows_frame"]


def workflows_frame(
    workflows: Iterable[Workflow], *, names: NamesTable = NO_NAMES, source: str = "", as_of: datetime | None = None
) -> pd.DataFrame:
    """Return one row per workflow, in the given order.

    Parameters
    ----------
    workflows : iterable of Workflow
        The rows.
    names : NamesTable
        The names that mean others.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["workflows"]` declares them.

    Examples
    --------
    >>> workflows_frame([Workflow(id="w1", name="Text  to Image")]).loc[0, "standard_name"]
    'text_to_image'
    """
    rows = list(workflows)
    return frame(
        TABLES["workflows"],
        {
            "name": [row.name for row in rows],
            "id": [row.id or None for row in rows],
            "standard_name": [standard_name_or_none(row.name, names) for row in rows],
            "display_name": [display_name(row.name) or None for row in rows],
            "description": [row.description or None for row in rows],
            "machine_id": [row.selected_machine_id for row in rows],
            "pinned": [row.pinned for row in rows],
            "created": [row.created_at for row in rows],
            "updated": [row.updated_at for row in rows],
            "user": [row.user_name for row in rows],
        },
        source=source,
        as_of=as_of,
    )


def standard_name_or_none(name: str | None, names: NamesTable = NO_NAMES) -> str | None:
    """Return the standard name, by a table of names and the rule, or None for a name that has none.

    Examples
    --------
    >>> standard_name_or_none("Text to Image"), standard_name_or_none("???")
    ('text_to_image', None)
    """
    try:
        return names.standardize(name) if name is not None else None
    except InputError:
        return None
