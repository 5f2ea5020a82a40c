"""Tables of names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.rules.lookup import Candidate
from comfynb.rules.names_compare import NamePair
from comfynb.rules.names_table import NO_NAMES, NamesTable

__all__ = ["names_frame", "standard_names_frame"]


def names_frame(pairs: Sequence[NamePair], *, source: str = "", as_of: datetime | None = None) -> pd.DataFrame:
    """Return one row per pair of names, in the given order.

    Parameters
    ----------
    pairs : sequence of NamePair
        The rows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["names"]` declares them.
    """
    return frame(
        TABLES["names"],
        {
            "name": [pair.api.name or None if pair.api is not None else None for pair in pairs],
            "id": [pair.api.id if pair.api is not None else None for pair in pairs],
            "database_name": [pair.database for pair in pairs],
            "standard_name": [pair.standard for pair in pairs],
            "match": [pair.match for pair in pairs],
            "score": [pair.score for pair in pairs],
            "notes": [pair.notes for pair in pairs],
        },
        source=source,
        as_of=as_of,
    )


def standard_names_frame(
    workflows: Iterable[Candidate], names: NamesTable = NO_NAMES, *, source: str = "", as_of: datetime | None = None
) -> pd.DataFrame:
    """Return one row per workflow with its standard name, by standard name.

    Parameters
    ----------
    workflows : iterable of Candidate
        The workflows.
    names : NamesTable
        The names that mean others.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["standard_names"]` declares them.
    """
    listed = list(workflows)
    rows = list(zip(names.standardize_all([workflow.name for workflow in listed]), listed, strict=True))
    rows.sort(key=lambda row: (row[0] or row[1].name, row[1].name, row[1].id))
    sharing: defaultdict[str | None, list[Candidate]] = defaultdict(list)
    for standard, workflow in rows:
        sharing[standard].append(workflow)
    origins = [None if s is None else "alias" if names.renames(w.name) else "rule" for s, w in rows]
    return frame(
        TABLES["standard_names"],
        {
            "name": [workflow.name or None for _, workflow in rows],
            "id": [workflow.id for _, workflow in rows],
            "standard_name": [standard for standard, _ in rows],
            "origin": origins,
            "database_name": [names.source_name(standard or "", "database") for standard, _ in rows],
            "collides_with": [
                tuple((other.name, other.id) for other in sharing[standard] if standard and other.id != workflow.id)
                for standard, workflow in rows
            ],
        },
        source=source,
        as_of=as_of,
    )
