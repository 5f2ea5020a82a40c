"""The table of a workflow's versions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from comfynb.api.models import Version, Workflow
from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.rules.graph import describe_graph
from comfynb.rules.inputs import input_definitions

__all__ = ["versions_frame"]


def versions_frame(
    versions: Iterable[Version],
    workflows: Iterable[Workflow] | None = None,
    *,
    source: str = "",
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """Return one row per version, in the given order.

    Parameters
    ----------
    versions : iterable of Version
        The rows.
    workflows : iterable of Workflow, optional
        For the names of the workflows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["versions"]` declares them. What stands in the graph is NA for a version without one.

    Examples
    --------
    >>> graph = {"1": {"class_type": "SaveImage", "inputs": {}}}
    >>> versions_frame([Version(id="v1", version=1, workflow_api=graph)])["output_kind"].tolist()
    ['image']
    """
    rows = list(versions)
    names = {workflow.id: workflow.name for workflow in workflows or ()}
    facts = [describe_graph(row.workflow_api) for row in rows]
    return frame(
        TABLES["versions"],
        {
            "name": [names.get(row.workflow_id or "") for row in rows],
            "id": [row.id or None for row in rows],
            "version": [row.version for row in rows],
            "comment": [row.comment or None for row in rows],
            "inputs": [
                None if fact.unknown else tuple(d.name for d in input_definitions(None, row.workflow_api))
                for row, fact in zip(rows, facts, strict=True)
            ],
            "output_kind": [fact.output_kind for fact in facts],
            "node_count": [None if fact.unknown else fact.node_count for fact in facts],
            "uses_lora": [None if fact.unknown else fact.uses_lora for fact in facts],
            "created": [row.created_at for row in rows],
            "user": [row.user_id for row in rows],
            "machine_id": [row.machine_id for row in rows],
        },
        source=source,
        as_of=as_of,
    )
