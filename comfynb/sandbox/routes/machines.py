"""Machines."""

from __future__ import annotations

from pydantic import TypeAdapter

from comfynb.sandbox import views
from comfynb.sandbox.http import Answer, Call, HttpError, PlainServerError, Routes, answer
from comfynb.sandbox.routes.bodies import BOOL, UUID_TYPE, CustomMachine, CustomMachineChange, ServerlessMachine
from comfynb.sandbox.routes.common import like, limits, page, the_machine
from comfynb.sandbox.world.records import Machine
from comfynb.sandbox.world.world import COMFYUI

__all__ = ["register"]

MAYBE_BOOL: TypeAdapter[bool | None] = TypeAdapter(bool | None)
MAYBE_INT: TypeAdapter[int | None] = TypeAdapter(int | None)
DOCKER = frozenset({"comfy-deploy-serverless"})
WORKSPACES = frozenset({"workspace", "workspace-v2"})


def register(routes: Routes) -> None:
    """Add the routes of machines."""
    routes.on("GET", "/machines")(list_machines)
    routes.on("GET", "/machines/all")(list_all_machines)
    routes.on("GET", "/machine/{machine_id}")(get_machine)
    routes.on("GET", "/machine/{machine_id}/workflows")(workflows_of)
    routes.on("GET", "/machine/{machine_id}/events")(events_of)
    routes.on("DELETE", "/machine/{machine_id}")(delete_machine)
    routes.on("POST", "/machine/custom")(create_custom)
    routes.on("PATCH", "/machine/custom/{machine_id}")(change_custom)
    routes.on("POST", "/machine/serverless")(create_serverless)


def _of_tenant(call: Call) -> list[Machine]:
    user = call.tenant.user_id
    rows = [each for each in call.world.machines.values() if each.user_id == user]
    return sorted(rows, key=lambda each: each.created_at, reverse=True)


def list_machines(call: Call) -> Answer:
    """List machines, the newest first, deleted ones among them unless asked otherwise."""
    limit, offset = limits(call)
    deleted = call.value("is_deleted", MAYBE_BOOL, None)
    search = call.text("search")
    rows = [
        each
        for each in _of_tenant(call)
        if (deleted is None or each.deleted == deleted) and (not search or like(each.name, search))
    ]
    if call.value("is_docker", BOOL, False):
        rows = [each for each in rows if each.type in DOCKER]
    if call.value("is_workspace", BOOL, False):
        rows = [each for each in rows if each.type in WORKSPACES]
    if call.value("is_self_hosted", BOOL, False):
        rows = [each for each in rows if each.type not in DOCKER | WORKSPACES]
    with_workflows = call.value("include_has_workflows", BOOL, False)
    with_steps = call.value("include_docker_command_steps", BOOL, False)
    answers = []
    for each in page(rows, limit, offset):
        row = views.machine_row(each)
        if with_workflows:
            row["has_workflows"] = bool(_workflows(call, each))
        if with_steps:
            row["docker_command_steps"] = each.docker_command_steps
        answers.append(row)
    return answer(answers)


def list_all_machines(call: Call) -> Answer:
    """List machines, the newest first, without deleted ones."""
    search, limit = call.text("search"), call.value("limit", MAYBE_INT, None)
    if limit is not None and limit < 0:
        raise PlainServerError
    rows = [each for each in _of_tenant(call) if not each.deleted and (not search or like(each.name, search))]
    return answer([views.machine_row(each) for each in rows[:limit]])


def get_machine(call: Call) -> Answer:
    """One, with its endpoint and its limits."""
    return answer(views.machine_one(the_machine(call, str(call.param("machine_id", UUID_TYPE)))))


def _workflows(call: Call, machine: Machine) -> list[str]:
    """Return ids of workflows that belong to a machine, once for each tie."""
    selected = [
        each.id for each in call.world.workflows.values() if each.selected_machine_id == machine.id and not each.deleted
    ]
    deployed = [each.workflow_id for each in call.world.deployments.values() if each.machine_id == machine.id]
    return selected + deployed


def workflows_of(call: Call) -> Answer:
    """Workflows whose own machine it is."""
    machine = the_machine(call, str(call.param("machine_id", UUID_TYPE)))
    rows = [
        each for each in call.world.workflows.values() if each.selected_machine_id == machine.id and not each.deleted
    ]
    rows.sort(key=lambda each: each.updated_at, reverse=True)
    return answer([views.workflow_plain(each) for each in rows])


def events_of(call: Call) -> Answer:
    """List what happened to a machine: nothing."""
    the_machine(call, str(call.param("machine_id", UUID_TYPE)))
    return answer([])


def delete_machine(call: Call) -> Answer:
    """Delete one, softly; one that is in use only with `force`."""
    machine = the_machine(call, str(call.param("machine_id", UUID_TYPE)))
    used = _workflows(call, machine)
    if used and not call.value("force", BOOL, False):
        names = ",".join(call.world.workflows[each].name for each in used)
        raise HttpError(402, f"You still have these workflows related to this machine: {names}")
    machine.updated_at = call.world.write()
    machine.deleted = True
    return answer({"message": "Machine deleted"})


def create_custom(call: Call) -> Answer:
    """Create one of any type; it is ready at once, and nobody looks whether it is there."""
    body = call.model(CustomMachine)
    moment = call.world.write()
    machine = Machine(
        id=call.world.ids.uuid("machine"),
        user_id=call.tenant.user_id,
        name=body.name,
        type=body.type.value,
        created_at=moment,
        updated_at=moment,
        endpoint=body.endpoint,
        auth_token=body.auth_token,
    )
    call.world.machines[machine.id] = machine
    return answer(views.machine_created(machine))


def change_custom(call: Call) -> Answer:
    """Change one; a status that is sent does nothing."""
    machine_id = str(call.param("machine_id", UUID_TYPE))
    body = call.model(CustomMachineChange)
    machine = the_machine(call, machine_id)
    for name, value in body.model_dump(mode="json", exclude_unset=True).items():
        setattr(machine, name, value)
    machine.updated_at = call.world.write()
    return answer(views.machine_created(machine))


def create_serverless(call: Call) -> Answer:
    """Create one that is being built, and stays so."""
    body = call.model(ServerlessMachine)
    moment = call.world.write()
    machine = Machine(
        id=call.world.ids.uuid("machine"),
        user_id=call.tenant.user_id,
        name=body.name,
        type="comfy-deploy-serverless",
        created_at=moment,
        updated_at=moment,
        status="building",
        gpu=body.gpu.value,
        comfyui_version=COMFYUI,
        machine_version_id=call.world.ids.uuid("machine version"),
        docker_command_steps={"steps": []},
        concurrency_limit=1,
    )
    call.world.machines[machine.id] = machine
    row = views.machine_created(machine)
    return answer({**row, "machine_hash": call.world.ids.digest("hash", machine.id).hex()})
