"""The runs of a workflow, as far back as it takes to see every run that a submit may have started."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from comfynb.api.client import ComfyDeployClient
from comfynb.api.models import ListedRun

__all__ = ["RunList", "runs_since"]

_SIZES: Final = (50, 200, 800, 3200)
"""Runs that are asked for, one after the other, until the list reaches back far enough."""


@dataclass(frozen=True, slots=True)
class RunList:
    """The newest runs of a workflow.

    Attributes
    ----------
    rows : list of ListedRun
        Newest first, with their inputs.
    complete : bool
        Whether every run is among them that was made since.
    """

    rows: list[ListedRun]
    complete: bool


async def runs_since(client: ComfyDeployClient, workflow_id: str, before: Set[str], since: datetime) -> RunList:
    """Return the runs of a workflow that were made since a moment, and perhaps some more.

    Parameters
    ----------
    client : ComfyDeployClient
        The server.
    workflow_id : str
        The workflow.
    before : set of str
        Runs that were there at that moment, as far as they were seen.
    since : datetime
        The moment, by the server's clock; it may be long before.

    Raises
    ------
    ApiError, TransportError
        If the list cannot be had.
    """
    rows: list[ListedRun] = []
    for size in _SIZES:
        rows = await client.workflow_runs(workflow_id, limit=size)
        reached = any(row.id in before or (row.created_at is not None and row.created_at < since) for row in rows)
        if reached or len(rows) < size:
            return RunList(rows, complete=True)
    return RunList(rows, complete=False)
