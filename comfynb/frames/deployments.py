"""The table of deployments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from comfynb.api.models import Deployment, Machine, Workflow
from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.rules.inputs import InputDefinition, input_definitions
from comfynb.services.isolation import DeploymentList

__all__ = ["deployments_frame"]


def deployments_frame(
    listed: DeploymentList,
    workflows: Iterable[Workflow] | None = None,
    machines: Iterable[Machine] | None = None,
    *,
    source: str = "",
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """Return one row per deployment, in the given order; those that cannot be read come last.

    Parameters
    ----------
    listed : DeploymentList
        The deployments, and what is known of those that cannot be read.
    workflows : iterable of Workflow, optional
        For the names of the workflows.
    machines : iterable of Machine, optional
        For the names, statuses and GPUs of the machines.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["deployments"]` declares them.

    Examples
    --------
    >>> table = deployments_frame(DeploymentList((Deployment(id="d1", environment="staging"),)))
    >>> table.loc[0, ["id", "environment"]].tolist()
    ['d1', 'staging']
    """
    rows, broken = listed.deployments, listed.broken
    names = {workflow.id: workflow.name for workflow in workflows or ()}
    places = {machine.id: machine for machine in machines or ()}
    standing = [places.get(row.machine_id or "") for row in rows]
    definitions = _definitions(rows)
    unknown = [None] * len(broken)
    return frame(
        TABLES["deployments"],
        {
            "name": [*(_workflow_name(row, names) for row in rows), *(names.get(b.workflow_id or "") for b in broken)],
            "id": [row.id or None for row in rows] + unknown,
            "environment": [row.environment for row in rows] + [b.environment for b in broken],
            "workflow_id": [row.workflow_id for row in rows] + [b.workflow_id for b in broken],
            "version": [None if row.version is None else row.version.version for row in rows] + unknown,
            "version_id": [_version_id(row) for row in rows] + unknown,
            "machine": [None if machine is None else machine.name for machine in standing] + unknown,
            "machine_id": [row.machine_id for row in rows] + unknown,
            "machine_status": [None if machine is None else machine.status for machine in standing] + unknown,
            "gpu": [
                row.gpu or (None if machine is None else machine.gpu)
                for row, machine in zip(rows, standing, strict=True)
            ]
            + unknown,
            "fluid": [row.modal_image_id is not None for row in rows] + unknown,
            "inputs": [None if found is None else tuple(d.name for d in found) for found in definitions] + unknown,
            "required": [None if found is None else tuple(d.name for d in found if d.required) for found in definitions]
            + unknown,
            "concurrency_limit": [row.concurrency_limit for row in rows] + unknown,
            "run_timeout": [row.run_timeout for row in rows] + unknown,
            "idle_timeout": [row.idle_timeout for row in rows] + unknown,
            "keep_warm": [row.keep_warm for row in rows] + unknown,
            "share_slug": [row.share_slug for row in rows] + unknown,
            "created": [row.created_at for row in rows] + unknown,
            "updated": [row.updated_at for row in rows] + unknown,
            "problem": [None] * len(rows) + [b.problem for b in broken],
        },
        source=source,
        as_of=as_of,
    )


def _workflow_name(row: Deployment, names: dict[str, str | None]) -> str | None:
    name = names.get(row.workflow_id or "")
    return row.workflow.name if name is None and row.workflow is not None else name


def _version_id(row: Deployment) -> str | None:
    return row.workflow_version_id or (row.version.id or None if row.version is not None else None)


def _definitions(rows: Iterable[Deployment]) -> list[tuple[InputDefinition, ...] | None]:
    """Return the inputs of each deployment; None where neither the server nor a graph tells them.

    A version's inputs are worked out once, however many environments pin it.
    """
    by_version: dict[str, tuple[InputDefinition, ...]] = {}
    found: list[tuple[InputDefinition, ...] | None] = []
    for row in rows:
        graph = None if row.version is None else row.version.workflow_api
        if row.input_types is None and graph is None:
            found.append(None)
            continue
        version_id = _version_id(row) if graph is not None else None
        definitions = by_version.get(version_id or "")
        if definitions is None:
            definitions = input_definitions(row.input_types, graph)
            if version_id:
                by_version[version_id] = definitions
        found.append(definitions)
    return found
