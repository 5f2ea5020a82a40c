"""Deployments."""

from __future__ import annotations

from uuid import UUID

from pydantic import TypeAdapter

from comfynb.sandbox import run_views, views
from comfynb.sandbox.http import Answer, Call, HttpError, PlainServerError, Routes, answer
from comfynb.sandbox.input_types import BrokenWorkflowError
from comfynb.sandbox.routes.bodies import BOOL, ENVIRONMENT, INT, DeploymentChange, DeploymentCreate, Environment
from comfynb.sandbox.routes.common import limits, loose_uuid, page, the_deployment, the_machine, the_workflow
from comfynb.sandbox.world.records import Deployment

__all__ = ["register"]

MAYBE_INT: TypeAdapter[int | None] = TypeAdapter(int | None)
NONE_FOUND = "Deployments not found or you don't have access to it"
SWALLOWED = "Internal server error"
SHARED = frozenset({"public-share", "private-share", "community-share"})


def register(routes: Routes) -> None:
    """Add the routes of deployments."""
    routes.on("GET", "/deployments")(list_deployments)
    routes.on("POST", "/deployment")(create_deployment)
    routes.on("GET", "/deployment/{deployment_id}")(get_deployment)
    routes.on("PATCH", "/deployment/{deployment_id}")(change_deployment)
    routes.on("DELETE", "/deployment/{deployment_id}")(delete_deployment)
    routes.on("POST", "/deployment/{deployment_id}/deactivate")(deactivate)
    routes.on("GET", "/deployment/{deployment_id}/runs")(runs_of)
    routes.on("GET", "/workflow/{workflow_id}/deployments")(deployments_of)


def _row(call: Call, deployment: Deployment, *, of_workflow: bool = False) -> dict[str, object]:
    world = call.world
    machine = world.machines.get(deployment.machine_id) if of_workflow else None
    version = world.versions[deployment.workflow_version_id]
    workflow = world.workflows[deployment.workflow_id]
    return views.deployment_row(deployment, workflow, version, machine, outputs=not of_workflow)


def list_deployments(call: Call) -> Answer:
    """All of them, the last changed first. One broken workflow breaks the whole answer; `limit` is ignored."""
    environment = call.value("environment", ENVIRONMENT, None)
    fluid = call.value("is_fluid", BOOL, False)
    size, offset = call.value("page_size", MAYBE_INT, None), call.value("offset", INT, 0)
    user = call.tenant.user_id
    rows = [
        each
        for each in call.world.deployments.values()
        if each.user_id == user
        and (environment is None or each.environment == environment.value)
        and (each.fluid == fluid or not (fluid or call.world.knobs.hide_fluid))
    ]
    rows.sort(key=lambda each: each.updated_at, reverse=True)
    if size is not None:
        if size < 0 or offset < 0:
            raise PlainServerError
        rows = list(page(rows, size, offset))
    try:
        return answer([_row(call, each) for each in rows])
    except BrokenWorkflowError:
        raise PlainServerError from None


def deployments_of(call: Call) -> Answer:
    """Those of a workflow, in a shape of their own."""
    workflow_id = loose_uuid(call.params["workflow_id"])
    user = call.tenant.user_id
    rows = [each for each in call.world.deployments.values() if each.workflow_id == workflow_id]
    rows = [each for each in rows if each.user_id == user]
    if not rows:
        raise HttpError(404, NONE_FOUND)
    try:
        return answer([_row(call, each, of_workflow=True) for each in rows])
    except BrokenWorkflowError:
        raise PlainServerError from None


def _swallowing(call: Call) -> Deployment:
    """Return a deployment; the real server turns every fault here into a 500."""
    try:
        return the_deployment(call, str(UUID(call.params["deployment_id"])))
    except (ValueError, HttpError):
        raise HttpError(500, SWALLOWED) from None


def get_deployment(call: Call) -> Answer:
    """One; an unknown id is a 500."""
    deployment = _swallowing(call)
    try:
        return answer(_row(call, deployment))
    except BrokenWorkflowError:
        raise HttpError(500, SWALLOWED) from None


def create_deployment(call: Call) -> Answer:
    """Create one, or replace silently the one that stands in this environment of the workflow."""
    body = call.model(DeploymentCreate)
    if body.machine_id is None and body.machine_version_id is None:
        raise HttpError(400, "Machine ID or Machine Version ID is required")
    world = call.world
    try:
        machine_id = _machine_of(call, body)
        workflow = the_workflow(call, str(UUID(body.workflow_id)), "Workflow not found")
        version = world.versions.get(str(UUID(body.workflow_version_id)))
        if version is None or version.user_id != call.tenant.user_id:
            raise HttpError(404, "Workflow version not found")
    except HttpError as error:
        raise HttpError(500, f"Internal server error: {error.status}: {error.body['detail']}") from None
    except ValueError as error:
        raise HttpError(500, f"Internal server error: {error}") from None
    if body.environment not in {each.value for each in Environment}:
        raise HttpError(500, _sql_error(call, body))
    moment = world.write()
    found = next(
        (
            each
            for each in world.deployments.values()
            if each.user_id == call.tenant.user_id
            and (
                each.id == body.deployment_id
                if body.deployment_id
                else each.workflow_id == workflow.id and each.environment == body.environment
            )
        ),
        None,
    )
    if found is None:
        found = Deployment(
            id=world.ids.uuid("deployment"),
            user_id=call.tenant.user_id,
            workflow_id=workflow.id,
            workflow_version_id=version.id,
            machine_id=machine_id,
            environment=body.environment,
            created_at=moment,
            updated_at=moment,
            share_slug=f"{call.tenant.slug}_{workflow.name}" if body.environment in SHARED else None,
        )
        world.deployments[found.id] = found
    found.workflow_version_id, found.machine_id, found.environment = version.id, machine_id, body.environment
    found.description = body.description if body.description is not None else found.description
    found.updated_at = moment
    return answer(views.deployment_row(found))


def _machine_of(call: Call, body: DeploymentCreate | DeploymentChange) -> str:
    if body.machine_id is not None:
        return the_machine(call, str(UUID(body.machine_id))).id
    for machine in call.world.machines.values():
        if machine.machine_version_id == body.machine_version_id and machine.user_id == call.tenant.user_id:
            return machine.id
    raise HttpError(404, "Machine version not found")


def _sql_error(call: Call, body: DeploymentCreate) -> str:
    # No query is made here: the text looks like what the real server shows of its own.
    query = "SELECT * FROM deployments WHERE workflow_id = $1::UUID AND environment = $2::deployment_environment"
    return (
        "Internal server error: (sqlalchemy.dialects.postgresql.asyncpg.Error) "
        "<class 'asyncpg.exceptions.InvalidTextRepresentationError'>: invalid input value for enum "
        f'deployment_environment: "{body.environment}"\n[SQL: {query}]\n'
        f"[parameters: ('{body.workflow_id}', '{body.environment}', '{call.tenant.user_id}')]"
    )


def change_deployment(call: Call) -> Answer:
    """Change one, for everybody; an unknown id or machine is a 500."""
    body = call.model(DeploymentChange)
    deployment = _swallowing(call)
    try:
        if body.machine_id is not None or body.machine_version_id is not None:
            deployment.machine_id = _machine_of(call, body)
        if body.workflow_version_id is not None:
            version_id = str(UUID(body.workflow_version_id))
            if version_id not in call.world.versions:
                raise HttpError(404)
            deployment.workflow_version_id = version_id
    except (ValueError, HttpError):
        raise HttpError(500, SWALLOWED) from None
    plain = ("concurrency_limit", "gpu", "run_timeout", "idle_timeout", "keep_warm")
    for name, value in body.model_dump(mode="json", exclude_none=True, include=set(plain)).items():
        setattr(deployment, name, value)
    deployment.updated_at = call.world.write()
    return answer(views.deployment_row(deployment))


def delete_deployment(call: Call) -> Answer:
    """Delete a shared one; others cannot be deleted, and that is a 500."""
    deployment = _swallowing(call)
    if deployment.environment not in SHARED:
        raise HttpError(500, SWALLOWED)
    call.world.write()
    del call.world.deployments[deployment.id]
    return answer({"message": "Share deployment deleted successfully"})


def deactivate(call: Call) -> Answer:
    """Break, as the real server does."""
    _swallowing(call)
    raise PlainServerError


def runs_of(call: Call) -> Answer:
    """List the runs of a deployment; counts that are always 0, and a `status` that does nothing."""
    deployment_id = loose_uuid(call.params["deployment_id"])
    limit, offset = limits(call, 60)
    deployment = call.world.deployments.get(deployment_id)
    runs = call.world.runs_of[deployment.workflow_id] if deployment else []
    user = call.tenant.user_id
    found = [each for each in runs if each.deployment_id == deployment_id and each.user_id == user]
    found.sort(key=lambda each: each.created_at, reverse=True)
    pace = call.world.pace.now()
    rows = [
        run_views.deployment_run_row(each, each.plan.states[each.index(pace)]) for each in page(found, limit, offset)
    ]
    return answer({"data": rows, "meta": {"totalRowCount": 0, "filterRowCount": 0, "chartData": []}})
