"""Submitting, reading and cancelling runs."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

from comfynb.sandbox import run_views
from comfynb.sandbox.engine import Submit
from comfynb.sandbox.http import (
    Answer,
    Call,
    HttpError,
    PlainServerError,
    Routes,
    answer,
    encode,
    parse,
    validation_error,
)
from comfynb.sandbox.routes.bodies import BOOL, ORIGINS, UUID_TYPE, DeploymentRun, Run, WorkflowRun
from comfynb.sandbox.routes.common import the_deployment, the_machine, the_version, the_workflow
from comfynb.sandbox.signing import signed
from comfynb.sandbox.world import run as runs

__all__ = ["register"]

REJECTED = "Error creating run: 400 Bad Request"
NO_CREDITS = "Insufficient GPU credits to create run"
CANCELLED = {"status": "success", "message": "Function cancelled"}
NOT_CANCELLED = "Error cancel function 404: Run not found or has no modal function call ID"
NO_MACHINE_HERE = "Machine not found for this deployment"

Options = DeploymentRun | WorkflowRun | Run


def register(routes: Routes) -> None:
    """Add the routes of runs."""
    routes.on("GET", "/run/{run_id}")(get_run)
    routes.on("GET", "/run")(get_run_by_query)
    routes.on("POST", "/run/{run_id}/cancel")(cancel_run)
    routes.on("POST", "/run/deployment/queue")(queue_deployment)
    routes.on("POST", "/run/workflow/queue")(queue_workflow)
    routes.on("POST", "/run")(create_run)
    routes.on("POST", "/run/queue")(create_run)


# Reading


def get_run(call: Call) -> Answer:
    """One run, as far as its machine has come."""
    return _run_answer(call, call.params["run_id"])


def get_run_by_query(call: Call) -> Answer:
    """Return the same, with the id in the query."""
    run_id = call.text("run_id")
    if run_id is None:
        fault = {"type": "missing", "loc": ["query", "run_id"], "msg": "Field required", "input": None}
        raise validation_error([fault])
    return _run_answer(call, run_id, "query")


def _run_answer(call: Call, run_id: str, where: str = "path") -> Answer:
    world = call.world
    run = world.runs.get(run_id)
    if run is None:
        run = world.runs.get(str(parse(UUID_TYPE, run_id, (where, "run_id"))))
        if run is None:
            raise HttpError(404, "Run not found")
    if run.user_id != call.tenant.user_id:
        raise HttpError(403, "You are not authorized to access this resource")
    index = run.index(world.pace.now())
    key = (index, world.knobs.extra_fields)
    state = run.plan.states[index]
    status = run.computed_status(state, world.clock.now)
    if "queue_position" in call.query and call.value("queue_position", BOOL, False):
        position = call.engine.queue_position(run, world.pace.now())
        return answer(signed(world, {**run_views.run_one(run, state, status), "queue_position": position}))
    if status == "timeout" or world.private:
        return answer(signed(world, run_views.run_one(run, state, status)))
    body = run.cache.get(key)
    if body is None:
        # Only the last state is asked for again.
        run.cache.clear()
        body = run.cache[key] = encode(run_views.run_one(run, state, status))
    return Answer(body)


def cancel_run(call: Call) -> Answer:
    """Cancel a run of a serverless machine. For a finished one the answer is the same, and nothing happens."""
    text = call.params["run_id"]
    try:
        run_id = str(UUID(text))
    except ValueError:
        raise HttpError(500, _sql_error(text, call.tenant.user_id)) from None
    run = call.world.runs.get(run_id)
    if run is None or run.user_id != call.tenant.user_id or run.modal_function_call_id is None:
        raise HttpError(500, NOT_CANCELLED)
    call.engine.cancel(run)
    _announce(call, run)
    return answer(CANCELLED)


def _sql_error(text: str, user_id: str) -> str:
    # No query is made here: the text looks like what the real server shows of its own.
    query = "SELECT modal_function_call_id, status, id FROM workflow_runs WHERE id = $1 AND user_id = $2"
    return (
        "Error cancel function (sqlalchemy.dialects.postgresql.asyncpg.Error) <class 'asyncpg.exceptions.DataError'>: "
        f"invalid input for query argument $1: '{text}' (invalid UUID '{text}': length must be between 32..36 "
        f"characters, got {len(text)})\n[SQL: {query}]\n[parameters: ('{text}', '{user_id}')]"
    )


# Submitting


def queue_deployment(call: Call) -> Answer:
    """Run a deployment. A `machine_id` in the body does nothing, like everything else that is unknown."""
    body = call.model(DeploymentRun)
    ids = _submit_deployment(call, body, str(body.deployment_id))
    if body.is_native_run or len(ids) > 1 or body.batch_number or body.batch_input_params:
        # The runs are there, and then the answer does not fit the server's own model.
        raise PlainServerError
    return answer({"run_id": ids[0]})


def queue_workflow(call: Call) -> Answer:
    """Run a graph that comes with the request."""
    return _submit_graph(call, call.model(WorkflowRun))


def create_run(call: Call) -> Answer:
    """Run a version on a machine, a graph, or a deployment; looked for in this order."""
    body = call.model(Run)
    if body.workflow_version_id is not None:
        return _submit_version(call, body)
    if body.workflow_api_json is not None and body.workflow_id is not None:
        fields = body.model_dump(exclude={"deployment_id", "workflow_version_id"})
        return _submit_graph(call, WorkflowRun.model_validate(fields))
    if body.deployment_id is None:
        raise HttpError(400, "Invalid request")
    ids = _submit_deployment(call, body, str(body.deployment_id))
    return _created(call, body, ids)


def _created(call: Call, body: Options, ids: list[str]) -> Answer:
    run = call.world.runs[ids[0]]
    if body.batch_number or body.batch_input_params:
        return answer({"batch_id": run.batch_id})
    if body.is_native_run:
        base = f"{call.base_url}{call.world.knobs.prefix}"
        native = {
            "prompt_id": run.id,
            "workflow_api_raw": run.prompt.graph if run.prompt else {},
            "workflow": run.workflow,
            "inputs": run.inputs,
            "status_endpoint": f"{base}/update-run",
            "file_upload_endpoint": f"{base}/file-upload",
            "cd_token": "a.machine.token",
            "gpu_event_id": None,
        }
        return answer(native)
    return answer({"run_id": run.id})


def _submit_deployment(call: Call, body: DeploymentRun | Run, deployment_id: str) -> list[str]:
    deployment = the_deployment(call, deployment_id)
    machine = the_machine(call, deployment.machine_id, NO_MACHINE_HERE)
    version = call.world.versions[deployment.workflow_version_id]
    asked = Submit(
        tenant=call.tenant,
        machine=machine,
        workflow_id=deployment.workflow_id,
        workflow_api=version.workflow_api,
        workflow=version.workflow,
        inputs={},
        version=version,
        deployment=deployment,
    )
    return _submit(call, body, asked)


def _submit_version(call: Call, body: Run) -> Answer:
    if body.machine_id is None:
        raise HttpError(404, "Machine not found")
    version = the_version(call, str(body.workflow_version_id), "Workflow version not found")
    machine = the_machine(call, str(body.machine_id), NO_MACHINE_HERE)
    asked = Submit(
        tenant=call.tenant,
        machine=machine,
        workflow_id=version.workflow_id,
        workflow_api=version.workflow_api,
        workflow=version.workflow,
        inputs={},
        version=version,
    )
    return _created(call, body, _submit(call, body, asked))


def _submit_graph(call: Call, body: WorkflowRun) -> Answer:
    if body.machine_id is None:
        raise HttpError(404, "Machine not found")
    workflow = the_workflow(call, str(body.workflow_id), "Workflow not found")
    machine = the_machine(call, str(body.machine_id), NO_MACHINE_HERE)
    asked = Submit(
        tenant=call.tenant,
        machine=machine,
        workflow_id=workflow.id,
        workflow_api=body.workflow_api_json,
        workflow=body.workflow,
        inputs={},
    )
    return _created(call, body, _submit(call, body, asked))


def _submit(call: Call, body: Options, asked: Submit) -> list[str]:
    """Create the run, or the runs of a batch; the row stands before the machine is asked."""
    if call.world.knobs.no_credits:
        raise HttpError(403, NO_CREDITS)
    if body.origin not in ORIGINS:
        raise PlainServerError
    asked.gpu = body.gpu.value if body.gpu else None
    asked.webhook = body.webhook
    asked.webhook_intermediate_status = bool(body.webhook_intermediate_status)
    asked.origin = body.origin
    batches = _batches(body)
    if len(batches) > 1 or body.batch_number or body.batch_input_params:
        asked.batch_id = call.world.ids.uuid("batch")
    created = []
    for inputs in batches:
        asked.inputs = inputs
        run = call.engine.submit(asked)
        created.append(run)
    failed = next((run for run in created if run.plan.answer != 200), None)
    for run in created:
        _announce(call, run)
    if failed is None:
        return [run.id for run in created]
    if failed.plan.answer == 500:
        raise PlainServerError
    raise HttpError(failed.plan.answer, REJECTED)


def _announce(call: Call, run: runs.Run) -> None:
    if run.webhook and run.plan.answer != 500:
        call.engine.announce(run)


def _batches(body: Options) -> list[dict[str, Any]]:
    if body.batch_input_params:
        names = list(body.batch_input_params)
        grid = itertools.product(*body.batch_input_params.values())
        return [{**body.inputs, **dict(zip(names, values, strict=True))} for values in grid]
    return [dict(body.inputs) for _ in range(max(1, body.batch_number or 1))]
