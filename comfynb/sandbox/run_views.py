"""The shapes in which the server answers about runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from comfynb.sandbox.clock import iso, iso_millis, iso_padded
from comfynb.sandbox.plan import Output, State
from comfynb.sandbox.views import version_row, workflow_plain
from comfynb.sandbox.world.records import Version, Workflow
from comfynb.sandbox.world.run import Run

__all__ = ["deployment_run_row", "run_one", "run_v1", "run_v2", "webhook_outputs"]

Json = dict[str, Any]


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def _text(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.6f}"


def _maybe(moment: datetime | None, shape: Any) -> Any:
    return None if moment is None else shape(moment)


def run_one(run: Run, state: State, status: str) -> Json:
    """As in `GET /run/{id}`, which hides what no node made: errors and timings."""
    queued, started = run.reached(run.plan.queued_at, state), run.reached(run.plan.started_at, state)
    ended = run.ended_at(state)
    shown = [each for each in run.plan.outputs if not each.inside][: state.outputs]
    return {
        "id": run.id,
        "workflow_version_id": run.workflow_version_id,
        "workflow_inputs": run.inputs,
        "workflow_id": run.workflow_id,
        "machine_id": run.machine_id,
        "origin": run.origin,
        "status": status,
        "ended_at": _maybe(ended, iso_padded),
        "created_at": iso_padded(run.created_at),
        "updated_at": iso_padded(run.updated_at(state)),
        "queued_at": _maybe(queued, iso_padded),
        "started_at": _maybe(started, iso_padded),
        "gpu_event_id": None,
        "gpu": run.gpu,
        "machine_version": None,
        "machine_type": run.machine_type,
        "modal_function_call_id": run.modal_function_call_id,
        "user_id": run.user_id,
        "org_id": None,
        "live_status": state.live_status,
        "progress": state.progress,
        "is_realtime": False,
        "webhook": run.webhook,
        "webhook_status": None,
        "webhook_intermediate_status": run.webhook_intermediate_status,
        "outputs": [_output_one(run, each) for each in shown],
        "number": 0,
        "duration": _seconds(run.created_at, ended),
        "cold_start_duration": _seconds(queued, started),
        "cold_start_duration_total": _seconds(run.created_at, started),
        "run_duration": _seconds(started, ended),
        "queue_position": None,
    }


def _node_meta(output: Output) -> Json | None:
    if output.node_id is None:
        return None
    meta: Json = {"node_id": output.node_id}
    if output.node_class:
        meta["node_class"] = output.node_class
    return meta


def _output_one(run: Run, output: Output) -> Json:
    moment = run.created_at + timedelta(seconds=output.at)
    return {
        "id": output.key,
        "output_id": output.output_id,
        "run_id": run.id,
        "data": output.data,
        "node_meta": _node_meta(output),
        "created_at": iso_padded(moment),
        "updated_at": iso_padded(moment),
        "type": None,
        "node_id": None,
    }


def _output_raw(run: Run, output: Output) -> Json:
    moment = run.created_at + timedelta(seconds=output.at)
    row = {
        "data": _named(output) if output.output_id else output.data,
        "run_id": run.id,
        "created_at": iso_millis(moment),
        "id": output.key,
        "node_meta": _node_meta(output),
        "updated_at": iso_millis(moment),
    }
    if output.output_id:
        row["output_id"] = output.output_id
    return row


def _named(output: Output) -> Json | list[Any]:
    """Return data as they were posted: each file has the name of its output, which `GET /run` takes out."""
    if isinstance(output.data, list):
        return output.data
    return {
        key: [{**each, "output_id": output.output_id} if isinstance(each, dict) else each for each in items]
        for key, items in output.data.items()
    }


def webhook_outputs(run: Run, state: State) -> list[Json]:
    """As in the body of a webhook."""
    return [_output_raw(run, each) for each in [each for each in run.plan.outputs if not each.inside][: state.outputs]]


def run_v2(run: Run, state: State) -> Json:
    """As in `GET /v2/workflow/{id}/runs`: light, and durations as texts."""
    queued, started = run.reached(run.plan.queued_at, state), run.reached(run.plan.started_at, state)
    ended = run.ended_at(state)
    return {
        "id": run.id,
        "status": state.status,
        "created_at": iso_millis(run.created_at),
        "updated_at": iso_millis(run.updated_at(state)),
        "ended_at": _maybe(ended, iso_millis),
        "queued_at": _maybe(queued, iso_millis),
        "started_at": _maybe(started, iso_millis),
        "workflow_id": run.workflow_id,
        "user_id": run.user_id,
        "org_id": None,
        "origin": run.origin,
        "gpu": run.gpu,
        "machine_version": None,
        "machine_type": run.machine_type,
        "modal_function_call_id": run.modal_function_call_id,
        "webhook_status": None,
        "webhook_intermediate_status": run.webhook_intermediate_status,
        "batch_id": run.batch_id,
        "workflow_version_id": run.workflow_version_id,
        "deployment_id": run.deployment_id,
        "duration": _text(_seconds(run.created_at, ended)),
        "comfy_deploy_cold_start": _text(_seconds(run.created_at, queued)),
        "cold_start_duration": _text(_seconds(queued, started)),
        "cold_start_duration_total": _text(_seconds(run.created_at, started)),
        "run_duration": _text(_seconds(started, ended)),
    }


def run_v1(
    run: Run,
    state: State,
    version: Version | None,
    workflow: Workflow,
    *,
    with_outputs: bool,
    with_inputs: bool,
    times: bool = True,
) -> Json:
    """As in `GET /workflow/{id}/runs`: heavy, with the graphs, and with the errors that `GET /run` hides."""
    row = run_v2(run, state)
    if not times:
        for name in ("duration", "comfy_deploy_cold_start", "cold_start_duration", "cold_start_duration_total"):
            del row[name]
        del row["run_duration"]
        row["run_log"] = None
    row |= {
        "machine_id": run.machine_id,
        "workflow_api": {},
        "gpu_event_id": None,
        "live_status": state.live_status,
        "model_id": None,
        "progress": state.progress,
        "is_realtime": False,
        "webhook": run.webhook,
    }
    if times:
        row["version"] = version_row(version) if version else None
        row["workflow"] = workflow_plain(workflow)
    if with_inputs:
        row["workflow_inputs"] = run.inputs
    if with_outputs:
        outputs = [each for each in run.plan.outputs if not each.inside][: state.outputs]
        inside = [each for each in run.plan.outputs if each.inside and each.at <= state.at + 0.001]
        row["outputs"] = [_output_raw(run, each) for each in [*inside, *outputs]]
    return row


def deployment_run_row(run: Run, state: State) -> Json:
    """As in `GET /deployment/{id}/runs`."""
    started = run.reached(run.plan.started_at, state)
    return {
        "id": run.id,
        "status": state.status,
        "created_at": iso(run.created_at),
        "started_at": _maybe(started, iso),
        "ended_at": _maybe(run.ended_at(state), iso),
        "workflow_id": run.workflow_id,
        "workflow_version_id": run.workflow_version_id,
        "machine_id": run.machine_id,
        "gpu": run.gpu,
        "origin": run.origin,
        "user_id": run.user_id,
        "deployment_id": run.deployment_id,
        "duration": _seconds(started, run.ended_at(state)),
    }
