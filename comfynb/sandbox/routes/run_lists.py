"""The lists of runs."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from pydantic import TypeAdapter

from comfynb.sandbox import run_views
from comfynb.sandbox.http import Answer, Call, HttpError, PlainServerError, Routes, answer
from comfynb.sandbox.routes.bodies import BOOL, MAYBE_UUID, Gpu, RunStatus
from comfynb.sandbox.routes.common import limits, loose_uuid, page, the_workflow
from comfynb.sandbox.signing import signed
from comfynb.sandbox.world.run import Run

__all__ = ["register"]

MAYBE_INT: TypeAdapter[int | None] = TypeAdapter(int | None)
MAYBE_GPU: TypeAdapter[Gpu | None] = TypeAdapter(Gpu | None)
MAYBE_STATUS: TypeAdapter[RunStatus | None] = TypeAdapter(RunStatus | None)
BAD_TIME = "Invalid time format. Please provide UTC time in ISO format (e.g. 2024-03-15T10:00:00Z)"


def register(routes: Routes) -> None:
    """Add the routes of lists of runs."""
    routes.on("GET", "/workflow/{workflow_id}/runs")(list_v1)
    routes.on("GET", "/v2/workflow/{workflow_id}/runs")(list_v2)
    routes.on("GET", "/workflow/{workflow_id}/run/latest")(latest)
    routes.on("GET", "/workflow/{workflow_id}/runs/day")(of_the_day)
    routes.on("GET", "/v2/clickhouse-run-logs/{run_id}")(logs)
    routes.on("GET", "/runs/count")(count)


def _newest(call: Call, workflow_id: str) -> list[Run]:
    user = call.tenant.user_id
    found = [each for each in call.world.runs_of.get(workflow_id, ()) if each.user_id == user]
    found.sort(key=lambda each: each.created_at, reverse=True)
    return found


def list_v1(call: Call) -> Answer:
    """Return the old list: heavy, with what `GET /run` hides. An unknown workflow has no runs."""
    workflow_id = loose_uuid(call.params["workflow_id"])
    limit, offset = limits(call)
    with_outputs, with_inputs = call.value("with_outputs", BOOL, True), call.value("with_inputs", BOOL, True)
    world = call.world
    pace = world.pace.now()
    rows = []
    for run in page(_newest(call, workflow_id), limit, offset):
        version = world.versions.get(run.workflow_version_id or "")
        state = run.plan.states[run.index(pace)]
        workflow = world.workflows[run.workflow_id]
        rows.append(run_views.run_v1(run, state, version, workflow, with_outputs=with_outputs, with_inputs=with_inputs))
    return answer(signed(world, rows))


def list_v2(call: Call) -> Answer:
    """Return the new list: light. An unknown workflow is 404, and an unknown status breaks the query."""
    workflow_id = loose_uuid(call.params["workflow_id"])
    limit, offset = limits(call)
    deployment = call.value("deployment_id", MAYBE_UUID, None)
    since = call.value("rf", MAYBE_INT, None)
    status = call.text("status")
    if status is not None and status not in {each.value for each in RunStatus}:
        raise PlainServerError
    the_workflow(call, workflow_id)
    pace = call.world.pace.now()
    rows = []
    for run in _newest(call, workflow_id):
        if deployment is not None and run.deployment_id != str(deployment):
            continue
        if since is not None and run.created_at.timestamp() < since:
            continue
        state = run.plan.states[run.index(pace)]
        if status is None or state.status == status:
            rows.append((run, state))
    return answer([run_views.run_v2(run, state) for run, state in page(rows, limit, offset)])


def latest(call: Call) -> Answer:
    """List the newest runs of a workflow, with their outputs."""
    workflow_id = loose_uuid(call.params["workflow_id"])
    limit, offset = limits(call, 1)
    workflow = the_workflow(call, workflow_id)
    pace = call.world.pace.now()
    rows = [
        run_views.run_v1(
            run, run.plan.states[run.index(pace)], None, workflow, with_outputs=True, with_inputs=True, times=False
        )
        for run in page(_newest(call, workflow_id), limit, offset)
    ]
    return answer(signed(call.world, rows))


def of_the_day(call: Call) -> Answer:
    """List runs of the last day: id, time and status."""
    workflow_id = loose_uuid(call.params["workflow_id"])
    the_workflow(call, workflow_id)
    deployment = call.value("deployment_id", MAYBE_UUID, None)
    pace, now = call.world.pace.now(), call.world.clock.now
    rows = []
    for run in _newest(call, workflow_id):
        if (now - run.created_at).total_seconds() > 86400:
            continue
        if deployment is None or run.deployment_id == str(deployment):
            row = run_views.run_v2(run, run.plan.states[run.index(pace)])
            rows.append({name: row[name] for name in ("id", "created_at", "status")})
    return answer(rows)


def logs(call: Call) -> Answer:
    """List logs of a run: none are kept."""
    try:
        run = call.world.runs.get(str(UUID(call.params["run_id"])))
    except ValueError:
        raise PlainServerError from None
    if run is None or run.user_id != call.tenant.user_id:
        raise HttpError(404, "Run not found")
    return answer([])


def count(call: Call) -> Answer:
    """Count runs, of every tenant; a status breaks it."""
    start, end = _time(call, "start_time"), _time(call, "end_time")
    gpu = call.value("gpu", MAYBE_GPU, None)
    if call.value("status", MAYBE_STATUS, None) is not None:
        raise HttpError(500, body={"error": "Internal server error"})
    wanted = {name: call.text(name) for name in ("origin", "workflow_id", "machine_id", "deployment_id")}
    wanted["gpu"] = gpu.value if gpu else None
    filters = {name: value for name, value in wanted.items() if value is not None}
    found = sum(
        (start is None or run.created_at >= start)
        and (end is None or run.created_at <= end)
        and all(getattr(run, name) == value for name, value in filters.items())
        for run in call.world.runs.values()
    )
    times = {"start_time": call.text("start_time"), "end_time": call.text("end_time")}
    return answer({"count": found, **times, "filters": filters or None})


def _time(call: Call, name: str) -> datetime | None:
    text = call.text(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise HttpError(400, body={"error": f"{BAD_TIME}: {error}"}) from None
    return moment.replace(tzinfo=moment.tzinfo or UTC)
