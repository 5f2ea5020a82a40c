"""The routes of runs, one coroutine each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from comfynb.api import models, routes
from comfynb.api.answers import Answer
from comfynb.api.calls import Calls
from comfynb.api.routes import Route

RUN_PAGE = 100


class RunCalls(Calls):
    """Runs: their submits, their lists, their ends."""

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

    async def queue(self, route: Route, body: Mapping[str, Any], *, begins: Callable[[], None] | None = None) -> Answer:
        """Send one of the three submits and return its answer, whatever its status.

        The status is left to the caller, since an error can leave a run behind. `begins` is called just before it is
        sent; what that raises ends it.
        """
        return await self.transport.send(route, json=dict(body), begins=begins)

    def queued(self, answer: Answer, route: Route) -> models.Queued:
        """Decode the answer to a submit."""
        self.transport.check(answer, route)
        return self._decoded(answer, route, models.Queued)

    async def cancel(self, run_id: str) -> models.Cancelled:
        """``POST /run/{id}/cancel``. Its success does not prove a cancel: the run has to be read again."""
        return await self._one(models.Cancelled, routes.CANCEL_RUN, {"run_id": run_id})

    async def latest_run(self, workflow_id: str) -> models.ListedRun | None:
        """``GET /workflow/{id}/run/latest``: the newest run, if there is one."""
        found = await self._many(models.ListedRun, routes.WORKFLOW_LATEST_RUN, {"workflow_id": workflow_id})
        return found[0] if found else None

    async def run_days(self, workflow_id: str) -> list[models.ListedRun]:
        """``GET /workflow/{id}/runs/day``: id, time and status of the runs of the last day."""
        return await self._many(models.ListedRun, routes.WORKFLOW_RUN_DAYS, {"workflow_id": workflow_id})

    async def runs_count(self, **filters: Any) -> models.RunCount:
        """``GET /runs/count``: of every tenant of the server; a filter by status fails with 500."""
        return await self._one(models.RunCount, routes.RUNS_COUNT, query=filters)
