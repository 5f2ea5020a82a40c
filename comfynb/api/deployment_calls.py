"""The routes of deployments, one coroutine each."""

from __future__ import annotations

from typing import Any

from comfynb.api import models, routes
from comfynb.api.calls import Calls

DEPLOYMENT_PAGE = 250


class DeploymentCalls(Calls):
    """Deployments."""

    async def deployments(
        self, *, environment: str | None = None, is_fluid: bool | None = None
    ) -> list[models.Deployment]:
        """``GET /deployments``: either the fluid ones or the others. One broken workflow fails the whole list (500)."""
        return await self._paged(
            models.Deployment,
            routes.DEPLOYMENTS,
            page=DEPLOYMENT_PAGE,
            size_name="page_size",
            query={"environment": environment, "is_fluid": is_fluid},
        )

    async def deployments_page(
        self, *, size: int, offset: int = 0, environment: str | None = None, is_fluid: bool | None = None
    ) -> list[models.Deployment]:
        """``GET /deployments``: one page."""
        query = {"environment": environment, "is_fluid": is_fluid, "page_size": size, "offset": offset}
        return await self._many(models.Deployment, routes.DEPLOYMENTS, query=query)

    async def workflow_deployments(self, workflow_id: str) -> list[models.Deployment]:
        """``GET /workflow/{id}/deployments``; 404 when it has none."""
        return await self._many(models.Deployment, routes.WORKFLOW_DEPLOYMENTS, {"workflow_id": workflow_id})

    async def deployment(self, deployment_id: str) -> models.Deployment:
        """``GET /deployment/{id}``. An unknown id gives 500, not 404."""
        return await self._one(models.Deployment, routes.DEPLOYMENT, {"deployment_id": deployment_id})

    async def create_deployment(
        self, workflow_id: str, version_id: str, machine_id: str, environment: str, **more: Any
    ) -> models.Deployment:
        """``POST /deployment``: replaces what stands in that environment of that workflow."""
        body = {
            "workflow_id": workflow_id,
            "workflow_version_id": version_id,
            "machine_id": machine_id,
            "environment": environment,
            **more,
        }
        return await self._one(models.Deployment, routes.CREATE_DEPLOYMENT, json=body)

    async def update_deployment(self, deployment_id: str, **changes: Any) -> models.Deployment:
        """``PATCH /deployment/{id}``."""
        return await self._one(
            models.Deployment, routes.UPDATE_DEPLOYMENT, {"deployment_id": deployment_id}, json=changes
        )

    async def deactivate_deployment(self, deployment_id: str) -> Any:
        """``POST /deployment/{id}/deactivate``; 500 for one on a classic machine."""
        return await self._raw(routes.DEACTIVATE_DEPLOYMENT, {"deployment_id": deployment_id})

    async def delete_deployment(self, deployment_id: str) -> models.Done:
        """``DELETE /deployment/{id}``: only shared ones; 500 for production, staging and preview."""
        return await self._one(models.Done, routes.DELETE_DEPLOYMENT, {"deployment_id": deployment_id})
