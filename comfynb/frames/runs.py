"""The table of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from comfynb.api.models import Deployment, ListedRun, Machine, Workflow
from comfynb.frames.build import as_cell, frame
from comfynb.frames.schema import TABLES
from comfynb.rules.diagnosis import Failure, find_failure
from comfynb.rules.text import tidy
from comfynb.services.results import result_files

if TYPE_CHECKING:
    from comfynb.runs.run import Run

__all__ = ["handles_frame", "runs_frame"]

_LONGEST_ERROR: Final = 300
_NO_TIMES: Final[tuple[None, None, None, None, None]] = (None, None, None, None, None)


def runs_frame(
    runs: Iterable[ListedRun],
    *,
    workflows: Iterable[Workflow] | None = None,
    machines: Iterable[Machine] | None = None,
    deployments: Iterable[Deployment] | None = None,
    source: str = "",
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """Return one row per run, in the given order.

    Parameters
    ----------
    runs : iterable of ListedRun
        The rows. Only the v1 list of a workflow's runs tells progress, inputs, outputs and errors.
    workflows, machines, deployments : iterable, optional
        For the names of workflows and machines, and the environments of deployments.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["runs"]` declares them; then one column `input.NAME` per input that any run was given, in
        the order in which they are first seen. Such a column is str, boolean, Int64 or Float64 when all its values
        are, else object. Lists are tuples.

    Notes
    -----
    The server's three spans add up: a run is created, queued (a container has it), started (ComfyUI is ready), ended.
    Classic machines report none of them. A run that is not started but has a start time, as runs of a batch on a
    classic machine do, has placeholders; these and negative spans, which they give, are NA.

    Examples
    --------
    >>> table = runs_frame([ListedRun(id="r1", status="success", workflow_inputs={"seed": 7})])
    >>> table.loc[0, "status"], int(table.loc[0, "input.seed"])
    ('success', 7)
    """
    rows = list(runs)
    workflow_names = {workflow.id: workflow.name for workflow in workflows or ()}
    machine_names = {machine.id: machine.name for machine in machines or ()}
    environments = {deployment.id: deployment.environment for deployment in deployments or ()}
    times = [_times(row) for row in rows]
    failures = [_failure(row) for row in rows]
    return frame(
        TABLES["runs"],
        {
            "name": [workflow_names.get(row.workflow_id or "") for row in rows],
            "id": [row.id or None for row in rows],
            "status": [row.status for row in rows],
            "created": [row.created_at for row in rows],
            "queued": [each[0] for each in times],
            "started": [each[1] for each in times],
            "ended": [row.ended_at for row in rows],
            "queue_seconds": [each[2] for each in times],
            "cold_start_seconds": [each[3] for each in times],
            "run_seconds": [each[4] for each in times],
            "duration_seconds": [row.duration for row in rows],
            "gpu": [row.gpu for row in rows],
            "machine": [machine_names.get(row.machine_id or "") for row in rows],
            "machine_id": [row.machine_id for row in rows],
            "machine_type": [row.machine_type for row in rows],
            "environment": [environments.get(row.deployment_id or "") for row in rows],
            "deployment_id": [row.deployment_id for row in rows],
            "version": [None if row.version is None else row.version.version for row in rows],
            "version_id": [row.workflow_version_id for row in rows],
            "origin": [row.origin for row in rows],
            "progress": [row.progress for row in rows],
            "outputs": [_urls(row) for row in rows],
            "error": [
                None if failure is None else tidy(failure.message, _LONGEST_ERROR) or None for failure in failures
            ],
            "error_node": [None if failure is None else failure.node_class for failure in failures],
            "batch_id": [row.batch_id for row in rows],
        },
        extra=_inputs(rows),
        source=source,
        as_of=as_of,
    )


def handles_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per handle, in the given order, with what is known of its run; nothing is asked of the server.

    Parameters
    ----------
    runs : sequence of Run
        The handles.
    """
    rows = [_listed(run) for run in runs]
    prepared = [run.prepared for run in runs if run.prepared is not None]
    return runs_frame(
        rows,
        workflows=[each.workflow for each in prepared],
        machines=[each.machine for each in prepared if each.machine is not None],
        deployments=[each.deployment for each in prepared if each.deployment is not None],
    )


def _listed(run: Run) -> ListedRun:
    """Return a run as the list would tell it."""
    prepared = run.prepared
    sent: dict[str, Any] = {}
    if prepared is not None:
        sent = {
            "workflow_id": prepared.workflow.id,
            "workflow_version_id": prepared.version.id,
            "machine_id": prepared.machine_id,
            "deployment_id": prepared.deployment.id if prepared.deployment is not None else None,
            "version": {"id": prepared.version.id, "version": prepared.version.version},
        }
    seen = run.model.model_dump(exclude_none=True) if run.model is not None else {}
    latest = {"id": run.id, "status": run.status, "progress": run.progress, "workflow_inputs": run.inputs}
    return ListedRun.model_validate({**sent, **seen, **latest})


def _times(
    row: ListedRun,
) -> tuple[datetime | None, datetime | None, float | None, float | None, float | None]:
    """Return queued, started, and the seconds of queue, cold start and run."""
    queued, started = row.queued_at, row.started_at
    if (queued is None and started is None) or row.machine_type == "classic":
        return _NO_TIMES
    if started is not None and row.status == "not-started":
        return _NO_TIMES
    created = row.created_at
    waited = None if queued is None or created is None else (queued - created).total_seconds()
    return queued, started, _span(waited), _span(row.cold_start_duration), _span(row.run_duration)


def _span(seconds: float | None) -> float | None:
    return seconds if seconds is not None and seconds >= 0 else None


def _failure(row: ListedRun) -> Failure | None:
    return find_failure(row.outputs) if row.status == "failed" else None


def _urls(row: ListedRun) -> tuple[str, ...] | None:
    if row.outputs is None:
        return None
    return tuple([file.url for file in result_files(row.outputs, row.id) if file.url is not None])


def _inputs(rows: Sequence[ListedRun]) -> dict[str, list[Any]]:
    given = [row.workflow_inputs or {} for row in rows]
    names = dict.fromkeys(name for inputs in given for name in inputs)
    columns: dict[str, list[Any]] = {}
    for name in names:
        values = [inputs.get(name) for inputs in given]
        columns[f"input.{name}"] = [as_cell(value) for value in values] if list in map(type, values) else values
    return columns
