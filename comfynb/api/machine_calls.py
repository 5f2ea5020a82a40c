"""The routes of machines, one coroutine each."""

from __future__ import annotations

from typing import Any

from comfynb.api import models, routes
from comfynb.api.calls import Calls

MACHINE_PAGE = 200


class MachineCalls(Calls):
    """Machines and what they cost."""

    async def machines(self, *, is_deleted: bool | None = None) -> list[models.Machine]:
        """``GET /machines``: includes deleted ones unless asked not to, and the rows do not say which they are."""
        return await self._paged(models.Machine, routes.MACHINES, page=MACHINE_PAGE, query={"is_deleted": is_deleted})

    async def machine(self, machine_id: str) -> models.Machine:
        """``GET /machine/{id}``; 404 when it is deleted."""
        return await self._one(models.Machine, routes.MACHINE, {"machine_id": machine_id})

    async def gpu_pricing(self) -> Any:
        """``GET /platform/gpu-pricing``, as it comes: its shape is documented nowhere."""
        return await self._raw(routes.GPU_PRICING)

    async def machines_all(self, *, search: str | None = None) -> list[models.Machine]:
        """``GET /machines/all``: all in one answer, deleted ones left out."""
        return await self._many(models.Machine, routes.MACHINES_ALL, query={"search": search})

    async def machine_workflows(self, machine_id: str) -> list[models.Workflow]:
        """``GET /machine/{id}/workflows``: those that have selected it."""
        return await self._many(models.Workflow, routes.MACHINE_WORKFLOWS, {"machine_id": machine_id})

    async def machine_events(self, machine_id: str) -> Any:
        """``GET /machine/{id}/events``, as it comes: only empty answers were ever seen."""
        return await self._raw(routes.MACHINE_EVENTS, {"machine_id": machine_id})

    async def create_machine(
        self, name: str, endpoint: str, *, type: str = "classic", auth_token: str | None = None
    ) -> models.Machine:
        """``POST /machine/custom``: "ready" at once, since the server does not contact it."""
        body = {"name": name, "type": type, "endpoint": endpoint, "auth_token": auth_token}
        return await self._one(models.Machine, routes.CREATE_MACHINE, json=body)

    async def create_serverless_machine(self, name: str, gpu: str, **more: Any) -> models.Machine:
        """``POST /machine/serverless``: "building" at once; it may still fail to build."""
        body = {"name": name, "gpu": gpu, **more}
        return await self._one(models.Machine, routes.CREATE_SERVERLESS_MACHINE, json=body)

    async def update_machine(self, machine_id: str, **changes: Any) -> models.Machine:
        """``PATCH /machine/custom/{id}``. A ``status`` among the changes is dropped by the server."""
        return await self._one(models.Machine, routes.UPDATE_MACHINE, {"machine_id": machine_id}, json=changes)

    async def delete_machine(self, machine_id: str, *, force: bool = False) -> models.Done:
        """``DELETE /machine/{id}``; 402 for one in use, unless forced."""
        query = {"force": True} if force else None
        return await self._one(models.Done, routes.DELETE_MACHINE, {"machine_id": machine_id}, query=query)
