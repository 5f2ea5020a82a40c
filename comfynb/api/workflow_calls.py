"""The routes of workflows and their versions, one coroutine each."""

from __future__ import annotations

from typing import Any

from comfynb.api import models, routes
from comfynb.api.calls import Calls

WORKFLOW_PAGE = 200
VERSION_PAGE = 50


class WorkflowCalls(Calls):
    """Workflows and their versions."""

    async def workflows(self, *, search: str | None = None) -> list[models.Workflow]:
        """``GET /workflows``: all of them, pinned first, then the last changed. Rows have no description."""
        return await self._paged(models.Workflow, routes.WORKFLOWS, page=WORKFLOW_PAGE, query={"search": search})

    async def workflows_all(self) -> list[models.Workflow]:
        """``GET /workflows/all``: all of them in one answer, with descriptions, newest first."""
        return await self._many(models.Workflow, routes.WORKFLOWS_ALL)

    async def workflow(self, workflow_id: str, *, versions: int = 1) -> models.WorkflowDetail:
        """``GET /workflow/{id}``, with its newest `versions` versions embedded."""
        return await self._one(
            models.WorkflowDetail, routes.WORKFLOW, {"workflow_id": workflow_id}, query={"limit": versions}
        )

    async def versions(self, workflow_id: str, *, limit: int | None = None) -> list[models.Version]:
        """``GET /workflow/{id}/versions``: newest first, each with both of its graphs."""
        return await self._paged(
            models.Version, routes.WORKFLOW_VERSIONS, {"workflow_id": workflow_id}, page=VERSION_PAGE, limit=limit
        )

    async def version_number(self, workflow_id: str, number: int) -> models.Version:
        """``GET /workflow/{id}/version/{number}``."""
        ids = {"workflow_id": workflow_id, "number": str(number)}
        return await self._one(models.Version, routes.WORKFLOW_VERSION_NUMBER, ids)

    async def version(self, version_id: str) -> models.Version:
        """``GET /workflow-version/{id}``."""
        return await self._one(models.Version, routes.WORKFLOW_VERSION, {"version_id": version_id})

    async def create_workflow(
        self, name: str, workflow: str, workflow_api: str, *, machine_id: str | None = None
    ) -> models.CreatedWorkflow:
        """``POST /workflow``: both graphs as JSON **text**. With a machine it makes a preview deployment, too."""
        body = {"name": name, "workflow_json": workflow, "workflow_api": workflow_api}
        if machine_id is not None:
            body["machine_id"] = machine_id
        return await self._one(models.CreatedWorkflow, routes.CREATE_WORKFLOW, json=body)

    async def create_version(
        self,
        workflow_id: str,
        workflow: Any,
        workflow_api: Any,
        *,
        comment: str | None = None,
        machine_id: str | None = None,
    ) -> models.Version:
        """``POST /workflow/{id}/version``: both graphs as JSON **objects**."""
        body: dict[str, Any] = {"workflow": workflow, "workflow_api": workflow_api}
        if comment is not None:
            body["comment"] = comment
        if machine_id is not None:
            body["machine_id"] = machine_id
        return await self._one(models.Version, routes.CREATE_VERSION, {"workflow_id": workflow_id}, json=body)

    async def export_workflow(self, workflow_id: str) -> Any:
        """``GET /workflow/{id}/export``: the editor's graph with the executed one in it; 500 for some machines."""
        return await self._raw(routes.EXPORT_WORKFLOW, {"workflow_id": workflow_id})

    async def gallery(self, workflow_id: str) -> list[models.Output]:
        """``GET /workflow/{id}/gallery``: outputs that were put on show."""
        return await self._many(models.Output, routes.WORKFLOW_GALLERY, {"workflow_id": workflow_id})

    async def clone_workflow(self, workflow_id: str, name: str) -> models.Workflow:
        """``POST /workflow/{id}/clone``: a copy with its versions, under another name."""
        return await self._one(
            models.Workflow, routes.CLONE_WORKFLOW, {"workflow_id": workflow_id}, json={"name": name}
        )

    async def update_workflow(self, workflow_id: str, **changes: Any) -> models.Workflow:
        """``PATCH /workflow/{id}``. With ``pinned`` among the changes, the server drops all others."""
        return await self._one(models.Workflow, routes.UPDATE_WORKFLOW, {"workflow_id": workflow_id}, json=changes)

    async def delete_workflow(self, workflow_id: str) -> models.Done:
        """``DELETE /workflow/{id}``."""
        return await self._one(models.Done, routes.DELETE_WORKFLOW, {"workflow_id": workflow_id})
