"""Workflows and their versions."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from comfynb.sandbox import views
from comfynb.sandbox.http import Answer, Call, HttpError, PlainServerError, Routes, answer
from comfynb.sandbox.routes.bodies import (
    INT,
    UUID_TYPE,
    Clone,
    VersionCreate,
    WorkflowChange,
    WorkflowCreate,
)
from comfynb.sandbox.routes.common import like, limits, loose_uuid, page, the_version, the_workflow
from comfynb.sandbox.world.records import Deployment, Version, Workflow

__all__ = ["register"]

NO_VERSION = "Workflow version not found or you don't have access to it"
MAYBE_INT: TypeAdapter[int | None] = TypeAdapter(int | None)


def register(routes: Routes) -> None:
    """Add the routes of workflows."""
    routes.on("GET", "/workflows")(list_workflows)
    routes.on("GET", "/workflows/all")(list_all_workflows)
    routes.on("POST", "/workflow")(create_workflow)
    routes.on("GET", "/workflow/{workflow_id}")(get_workflow)
    routes.on("PATCH", "/workflow/{workflow_id}")(change_workflow)
    routes.on("DELETE", "/workflow/{workflow_id}")(delete_workflow)
    routes.on("POST", "/workflow/{workflow_id}/clone")(clone_workflow)
    routes.on("GET", "/workflow/{workflow_id}/export")(export_workflow)
    routes.on("GET", "/workflow/{workflow_id}/gallery")(gallery)
    routes.on("GET", "/workflow/{workflow_id}/versions")(list_versions)
    routes.on("POST", "/workflow/{workflow_id}/version")(create_version)
    routes.on("GET", "/workflow/{workflow_id}/version/{version}")(get_version_number)
    routes.on("GET", "/workflow-version/{version}")(get_version)


def _of_tenant(call: Call) -> list[Workflow]:
    user = call.tenant.user_id
    return [each for each in call.world.workflows.values() if each.user_id == user and not each.deleted]


def list_workflows(call: Call) -> Answer:
    """List workflows: pinned ones first, then the last changed."""
    limit, offset = limits(call)
    machine = call.text("machine_id")
    machine_id = loose_uuid(machine) if machine else None
    search, users = call.text("search"), call.text("user_ids")
    rows = [
        each
        for each in _of_tenant(call)
        if (not search or like(each.name, search))
        and (machine_id is None or each.selected_machine_id == machine_id)
        and (not users or each.user_id in users.split(","))
    ]
    rows.sort(key=lambda each: (each.pinned, each.updated_at), reverse=True)
    icon = f"{call.world.files_url}/samples/{call.tenant.slug}.png"
    return answer([views.workflow_listed(each, call.tenant, icon) for each in page(rows, limit, offset)])


def list_all_workflows(call: Call) -> Answer:
    """List workflows, the newest first; an exact id or a part of the name."""
    search = call.text("search")
    rows = [each for each in _of_tenant(call) if not search or each.id == search.lower() or like(each.name, search)]
    rows.sort(key=lambda each: each.created_at, reverse=True)
    limit = call.value("limit", MAYBE_INT, None)
    if limit is not None and limit < 0:
        raise PlainServerError
    return answer([views.workflow_row(each) for each in rows[:limit]])


def get_workflow(call: Call) -> Answer:
    """One, with its newest versions; `limit` is the number of versions."""
    workflow = the_workflow(call, loose_uuid(call.params["workflow_id"]))
    limit = call.value("limit", INT, 1)
    if limit < 0:
        raise PlainServerError
    return answer(views.workflow_one(workflow, limit))


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise HttpError(400, body={"error": "Invalid JSON format"}) from None


def create_workflow(call: Call) -> Answer:
    """Create one from texts; with a machine it gets a preview deployment, silently."""
    body = call.model(WorkflowCreate)
    workflow_json = _loads(body.workflow_json)
    workflow_api = _loads(body.workflow_api) if body.workflow_api else None
    world = call.world
    if body.machine_id is not None:
        machine_id = loose_uuid(body.machine_id)
        machine = world.machines.get(machine_id)
        if machine is None or machine.user_id != call.tenant.user_id or machine.deleted:
            raise HttpError(404, body={"error": "Machine not found"})
    else:
        machine_id = None
    moment = world.write()
    workflow = Workflow(world.ids.uuid("workflow"), call.tenant.user_id, body.name, moment, moment, machine_id)
    world.workflows[workflow.id] = workflow
    if isinstance(workflow_json, dict):
        api = workflow_api if isinstance(workflow_api, dict) else {}
        version = _add_version(call, workflow, workflow_json, api, "initial version", machine_id)
        if machine_id:
            _preview(call, workflow, version, machine_id)
    return answer({"workflow_id": workflow.id, "machine_id": machine_id})


def _add_version(
    call: Call, workflow: Workflow, graph: dict[str, Any], api: dict[str, Any], comment: str, machine_id: str | None
) -> Version:
    moment = call.world.clock.now
    version = Version(
        id=call.world.ids.uuid("version"),
        workflow_id=workflow.id,
        user_id=call.tenant.user_id,
        number=max((each.number for each in workflow.versions), default=0) + 1,
        workflow=graph,
        workflow_api=api,
        comment=comment,
        created_at=moment,
        updated_at=moment,
        machine_id=machine_id,
    )
    workflow.versions.append(version)
    workflow.updated_at = moment
    call.world.versions[version.id] = version
    return version


def _preview(call: Call, workflow: Workflow, version: Version, machine_id: str) -> None:
    moment = call.world.clock.now
    for each in call.world.deployments.values():
        if each.workflow_id == workflow.id and each.environment == "preview":
            each.workflow_version_id, each.machine_id, each.updated_at = version.id, machine_id, moment
            return
    deployment = Deployment(
        id=call.world.ids.uuid("deployment"),
        user_id=call.tenant.user_id,
        workflow_id=workflow.id,
        workflow_version_id=version.id,
        machine_id=machine_id,
        environment="preview",
        created_at=moment,
        updated_at=moment,
    )
    call.world.deployments[deployment.id] = deployment


def change_workflow(call: Call) -> Answer:
    """Change one; when `pinned` is sent, everything else is dropped, silently."""
    workflow_id = loose_uuid(call.params["workflow_id"])
    body = call.model(WorkflowChange)
    workflow = the_workflow(call, workflow_id, "Workflow not found")
    if body.pinned is not None:
        workflow.pinned = body.pinned
        return answer(views.workflow_row(workflow))
    changes = body.model_dump(exclude_unset=True, exclude={"pinned"})
    for name, value in changes.items():
        setattr(workflow, name, str(value) if name == "selected_machine_id" and value else value)
    workflow.updated_at = call.world.write()
    row = views.workflow_row(workflow)
    return answer({**row, "updated_at": row["updated_at"] + "Z"})


def delete_workflow(call: Call) -> Answer:
    """Delete one, softly."""
    workflow = the_workflow(call, loose_uuid(call.params["workflow_id"]), "Workflow not found")
    call.world.write()
    workflow.deleted = True
    for each in [each for each in call.world.deployments.values() if each.workflow_id == workflow.id]:
        del call.world.deployments[each.id]
    return answer({"message": "Workflow deleted successfully"})


def clone_workflow(call: Call) -> Answer:
    """Copy one, with its newest version."""
    source = the_workflow(call, loose_uuid(call.params["workflow_id"]))
    body = call.model(Clone) if call.body else Clone()
    world = call.world
    moment = world.write()
    name = body.name or f"{source.name} (Cloned)"
    workflow = Workflow(
        world.ids.uuid("workflow"), call.tenant.user_id, name, moment, moment, source.selected_machine_id
    )
    world.workflows[workflow.id] = workflow
    if source.versions:
        last = source.versions[-1]
        _add_version(call, workflow, last.workflow, last.workflow_api, last.comment, last.machine_id)
    row = views.workflow_row(workflow)
    for name in ("created_at", "updated_at"):
        row[name] += "+00:00"
    return answer({key: value for key, value in row.items() if key not in {"description", "cover_image"}})


def export_workflow(call: Call) -> Answer:
    """Return the editor's graph; the real server breaks where the machine has no version."""
    workflow = the_workflow(call, loose_uuid(call.params["workflow_id"]))
    number = call.value("version", MAYBE_INT, None)
    found = [each for each in workflow.versions if number is None or each.number == number]
    if not found:
        raise HttpError(404, NO_VERSION)
    if workflow.selected_machine_id:
        raise PlainServerError
    return answer({**found[-1].workflow, "workflow_api": found[-1].workflow_api, "environment": {}})


def gallery(call: Call) -> Answer:
    """Pictures that were put on show: none."""
    the_workflow(call, loose_uuid(call.params["workflow_id"]))
    return answer([])


def list_versions(call: Call) -> Answer:
    """Versions with their graphs, the newest first."""
    workflow = the_workflow(call, loose_uuid(call.params["workflow_id"]))
    limit, offset = limits(call)
    search = call.text("search")
    rows = [each for each in reversed(workflow.versions) if not search or like(each.comment or "", search)]
    icon = f"{call.world.files_url}/samples/{call.tenant.slug}.png"
    return answer([{**views.version_row(each), "user_icon": icon} for each in page(rows, limit, offset)])


def create_version(call: Call) -> Answer:
    """Add a version from objects; with a machine it moves the preview deployment and the workflow there."""
    workflow_id = loose_uuid(call.params["workflow_id"])
    body = call.model(VersionCreate)
    workflow = the_workflow(call, workflow_id)
    call.world.write()
    machine_id = loose_uuid(body.machine_id) if body.machine_id else None
    version = _add_version(call, workflow, body.workflow, body.workflow_api, body.comment or "", machine_id)
    version.comfyui_snapshot = body.comfyui_snapshot
    if machine_id:
        workflow.selected_machine_id = machine_id
        _preview(call, workflow, version, machine_id)
    return answer(views.version_created(version))


def get_version_number(call: Call) -> Answer:
    """Return a version by its number."""
    number = call.param("version", INT)
    workflow = the_workflow(call, loose_uuid(call.params["workflow_id"]), NO_VERSION)
    found = [each for each in workflow.versions if each.number == number]
    if not found:
        raise HttpError(404, NO_VERSION)
    return answer(views.version_row(found[0]))


def get_version(call: Call) -> Answer:
    """Return a version by its id."""
    version_id = str(call.param("version", UUID_TYPE))
    return answer(views.version_row(the_version(call, version_id, NO_VERSION)))
