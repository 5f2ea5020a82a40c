"""One coroutine per route. Dull on purpose: no names, no cache, no opinions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import IO, Any, TypeVar

from pydantic import BaseModel

from comfynb.api import models, routes
from comfynb.api.answers import Answer
from comfynb.api.routes import Route
from comfynb.api.transport import Transport

M = TypeVar("M", bound=BaseModel)

WORKFLOW_PAGE = 200
DEPLOYMENT_PAGE = 250
MACHINE_PAGE = 200
RUN_PAGE = 100
VERSION_PAGE = 50


class ComfyDeployClient:
    """The routes of one server, typed.

    Parameters
    ----------
    transport : Transport
        How to reach the server.

    Notes
    -----
    Every method raises `comfynb.errors.ApiError` or one of its kinds for an answer that is an error, and
    `comfynb.errors.TransportError` when none came. Lists come whole: the pages are read one after the other.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def _one(self, model: type[M], route: Route, ids: Mapping[str, str] | None = None, **arguments: Any) -> M:
        answer = await self.transport.fetch(route, ids, **arguments)
        return self._decoded(answer, route, model)

    def _decoded(self, answer: Answer, route: Route, model: type[M]) -> M:
        try:
            return models.decode(model, answer.content, str(route))
        except models.DecodeError as error:
            raise self.transport.unreadable(answer, route, str(error)) from error

    async def _many(
        self, model: type[M], route: Route, ids: Mapping[str, str] | None = None, **arguments: Any
    ) -> list[M]:
        answer = await self.transport.fetch(route, ids, **arguments)
        try:
            return models.decode_list(model, answer.content, str(route))
        except models.DecodeError as error:
            raise self.transport.unreadable(answer, route, str(error)) from error

    async def _paged(
        self,
        model: type[M],
        route: Route,
        ids: Mapping[str, str] | None = None,
        *,
        page: int,
        size_name: str = "limit",
        limit: int | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> list[M]:
        """Read pages until a short one, and keep each row once.

        The server sorts by a time that changes while it is being read, so a page can begin with a row that has been
        seen, and the row that moved to the front is missed. Then the list is read again from its beginning, until a
        reading brings nothing moved, at most three times.
        """
        found: dict[str, M] = {}
        for _ in range(3):
            offset, moved = 0, False
            reading: dict[str, M] = {}
            while (size := page if limit is None else min(page, limit - offset)) > 0:
                asked = {**(query or {}), size_name: size, "offset": offset}
                rows = await self._many(model, route, ids, query=asked)
                # A row whose id cannot be read is a row all the same.
                fresh = {getattr(row, "id", "") or f"row {offset + i}": row for i, row in enumerate(rows)}
                moved = moved or not reading.keys().isdisjoint(fresh)
                offset += len(rows)
                if len(rows) < size or fresh.keys() <= reading.keys():  # the end, or a server that does not page
                    reading.update(fresh)
                    break
                reading.update(fresh)
            found = {**reading, **{key: row for key, row in found.items() if key not in reading}}
            if not moved:
                break
        return list(found.values())[:limit]

    # -- workflows ----------------------------------------------------------------------------------------------

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

    # -- deployments --------------------------------------------------------------------------------------------

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

    # -- machines -----------------------------------------------------------------------------------------------

    async def machines(self, *, is_deleted: bool | None = None) -> list[models.Machine]:
        """``GET /machines``: includes deleted ones unless asked not to, and the rows do not say which they are."""
        return await self._paged(models.Machine, routes.MACHINES, page=MACHINE_PAGE, query={"is_deleted": is_deleted})

    async def machine(self, machine_id: str) -> models.Machine:
        """``GET /machine/{id}``; 404 when it is deleted."""
        return await self._one(models.Machine, routes.MACHINE, {"machine_id": machine_id})

    async def gpu_pricing(self) -> Any:
        """``GET /platform/gpu-pricing``, as it comes: its shape is documented nowhere."""
        answer = await self.transport.fetch(routes.GPU_PRICING)
        try:
            return models.decode_any(answer.content)
        except models.DecodeError as error:
            raise self.transport.unreadable(answer, routes.GPU_PRICING, str(error)) from error

    # -- runs ---------------------------------------------------------------------------------------------------

    async def run(self, run_id: str, *, queue_position: bool = False) -> models.Run:
        """``GET /run/{id}``. The error text of a failed run is not in it."""
        query = {"queue_position": True} if queue_position else None
        return await self._one(models.Run, routes.RUN, {"run_id": run_id}, query=query)

    async def workflow_runs(self, workflow_id: str, *, limit: int = RUN_PAGE) -> list[models.ListedRun]:
        """``GET /workflow/{id}/runs``: newest first, with inputs, raw outputs and error texts; kilobytes a row."""
        return await self._paged(
            models.ListedRun, routes.WORKFLOW_RUNS, {"workflow_id": workflow_id}, page=RUN_PAGE, limit=limit
        )

    async def workflow_runs_v2(
        self, workflow_id: str, *, limit: int = RUN_PAGE, status: str | None = None, deployment_id: str | None = None
    ) -> list[models.ListedRun]:
        """``GET /v2/workflow/{id}/runs``: newest first, light: no inputs, outputs, progress or machine."""
        return await self._paged(
            models.ListedRun,
            routes.WORKFLOW_RUNS_V2,
            {"workflow_id": workflow_id},
            page=RUN_PAGE,
            limit=limit,
            query={"status": status, "deployment_id": deployment_id},
        )

    async def deployment_runs(self, deployment_id: str, *, limit: int = 60, offset: int = 0) -> list[models.ListedRun]:
        """``GET /deployment/{id}/runs``: only runs that were made through it."""
        found = await self._one(
            models.DeploymentRuns,
            routes.DEPLOYMENT_RUNS,
            {"deployment_id": deployment_id},
            query={"limit": limit, "offset": offset},
        )
        return found.data or []

    async def queue(self, route: Route, body: Mapping[str, Any]) -> Answer:
        """Send one of the three submits and return its answer, whatever its status.

        The status is left to the caller, since an error can leave a run behind.
        """
        return await self.transport.send(route, json=dict(body))

    def queued(self, answer: Answer, route: Route) -> models.Queued:
        """Decode the answer to a submit."""
        self.transport.check(answer, route)
        return self._decoded(answer, route, models.Queued)

    async def cancel(self, run_id: str) -> models.Cancelled:
        """``POST /run/{id}/cancel``. Its success does not prove a cancel: the run has to be read again."""
        return await self._one(models.Cancelled, routes.CANCEL_RUN, {"run_id": run_id})

    # -- files --------------------------------------------------------------------------------------------------

    async def upload(self, name: str, content: bytes | IO[bytes], media_type: str | None = None) -> models.Upload:
        """``POST /file/upload``. The server goes by the name alone; the URL it gives is world-readable by default."""
        part: Sequence[Any] = (PurePath(name).name, content, media_type or "application/octet-stream")
        return await self._one(models.Upload, routes.UPLOAD_FILE, files={"file": tuple(part)})
