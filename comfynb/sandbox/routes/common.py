"""What several routes need: looking up a tenant's things, paging, searching."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from comfynb.sandbox.http import Call, HttpError, PlainServerError
from comfynb.sandbox.routes.bodies import INT
from comfynb.sandbox.world.records import Deployment, Machine, Version, Workflow

__all__ = ["like", "limits", "loose_uuid", "page", "the_deployment", "the_machine", "the_version", "the_workflow"]

T = TypeVar("T")

NO_WORKFLOW = "Workflow not found or you don't have access to it"


def loose_uuid(text: str) -> str:
    """Return an id that the server takes as a text: a malformed one breaks its query."""
    try:
        return str(UUID(text))
    except ValueError:
        raise PlainServerError from None


def limits(call: Call, limit: int = 100) -> tuple[int, int]:
    """Return limit and offset; a negative one breaks the server's query."""
    wanted = call.value("limit", INT, limit), call.value("offset", INT, 0)
    if min(wanted) < 0:
        raise PlainServerError
    return wanted


def page(rows: Sequence[T], limit: int, offset: int) -> Sequence[T]:
    """Return one page of rows."""
    return rows[offset : offset + limit]


def like(text: str, search: str) -> bool:
    """Whether a text matches a search as SQL's ILIKE does: anywhere, ``%`` and ``_`` are wildcards.

    Examples
    --------
    >>> like("MAKEIMAGE", "image"), like("text2img", "t_xt"), like("inpaint", "out")
    (True, True, False)
    """
    pattern = "".join(".*" if char == "%" else "." if char == "_" else re.escape(char) for char in search)
    return re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None


def the_workflow(call: Call, workflow_id: str, detail: str = NO_WORKFLOW) -> Workflow:
    """Return a workflow of the tenant, or 404."""
    workflow = call.world.workflows.get(workflow_id)
    if workflow is None or workflow.user_id != call.tenant.user_id or workflow.deleted:
        raise HttpError(404, detail)
    return workflow


def the_version(call: Call, version_id: str | None, detail: str) -> Version:
    """Return a version of the tenant, or 404."""
    version = call.world.versions.get(version_id or "")
    if version is None or version.user_id != call.tenant.user_id:
        raise HttpError(404, detail)
    return version


def the_machine(call: Call, machine_id: str | None, detail: str = "Machine not found") -> Machine:
    """Return a machine of the tenant that is not deleted, or 404."""
    machine = call.world.machines.get(machine_id or "")
    if machine is None or machine.user_id != call.tenant.user_id or machine.deleted:
        raise HttpError(404, detail)
    return machine


def the_deployment(call: Call, deployment_id: str, detail: str = "Deployment not found") -> Deployment:
    """Return a deployment of the tenant, or 404."""
    deployment = call.world.deployments.get(deployment_id)
    if deployment is None or deployment.user_id != call.tenant.user_id:
        raise HttpError(404, detail)
    return deployment
