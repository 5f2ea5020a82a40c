"""The deployments of workflows: one list of all of them, and the routes of single ones where that list fails."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from comfynb.api.models import Deployment, Workflow
from comfynb.errors import (
    AmbiguousNameError,
    ApiError,
    AuthenticationError,
    ComfyError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from comfynb.notices import notice
from comfynb.rules.naming import display_name
from comfynb.services.cache import Entry, together
from comfynb.services.catalogue.source import Source
from comfynb.services.catalogue.workflows import Workflows
from comfynb.services.isolation import DeploymentList, Reading, name_broken, read_list
from comfynb.services.references import is_deployment, looks_like_id, reference
from comfynb.warnings import PartialResultWarning

_KEY = "deployments"
_FAILED = 10.0
"""Seconds for which a list that failed is not asked for again by those who can do without it."""


class Deployments:
    """Reads deployments, finds them by whatever stands for one, and chooses among those of a workflow.

    Parameters
    ----------
    source : Source
        Where they are read.
    workflows : Workflows
        Whose they are.
    """

    def __init__(self, source: Source, workflows: Workflows) -> None:
        self._source = source
        self._workflows = workflows
        self._without_until = 0.0

    # -- many ---------------------------------------------------------------------------------------------------

    async def entry(self, *, refresh: bool = False) -> Entry[DeploymentList]:
        """Return all of them, broken ones apart, with the entry that the cache keeps of them."""
        return await self._source.get(_KEY, self._read, tags=["deployments"], refresh=refresh)

    async def listed(self) -> DeploymentList | None:
        """Return all of them, or None, with a warning, where the server fails on the list as a whole."""
        if self._source.cache.peek(_KEY) is None and time.monotonic() < self._without_until:
            return None
        try:
            return (await self.entry()).value
        except (AuthenticationError, PermissionDeniedError, RateLimitError):
            raise  # single ones would fare no better
        except ApiError as error:
            self._without_until = time.monotonic() + _FAILED
            notice(PartialResultWarning(f"The deployments cannot be listed, so they are read one by one: {error}"))
            return None

    async def of_workflow(self, workflow_id: str) -> DeploymentList:
        """Return those of a workflow, broken ones apart: out of the list of all, else by a route of their own."""
        listed = await self.listed()
        if listed is None:
            entry = await self._source.get(
                f"deployments:{workflow_id}", lambda: self._read_alone(workflow_id), tags=["deployments"]
            )
            return DeploymentList(tuple(entry.value))
        return DeploymentList(
            tuple(d for d in listed.deployments if d.workflow_id == workflow_id),
            tuple(b for b in listed.broken if b.workflow_id == workflow_id),
        )

    async def some(
        self, *, environment: str | None = None, workflow: Any = None, refresh: bool = False
    ) -> list[Deployment]:
        """See `WorkflowsService.get_deployments`."""
        if workflow is None:
            found = (await self.entry(refresh=refresh)).value.deployments
        else:
            owner = await self._workflows.find(workflow)
            if refresh:
                await self.entry(refresh=True)
            found = (await self.of_workflow(owner.id)).deployments
        return [d for d in found if environment is None or d.environment == environment]

    async def _read(self) -> DeploymentList:
        client = self._source.client
        trouble: list[ComfyError] = []

        async def fluid() -> Reading:
            try:
                return await read_list(client, is_fluid=True)
            except ComfyError as error:
                trouble.append(error)
                return Reading(True, {})

        plain, more = await together(read_list(client, is_fluid=None), fluid())
        for error in trouble:
            notice(PartialResultWarning(f"Fluid deployments could not be listed: {error}"))
        broken = await name_broken(client, (plain, more))
        return DeploymentList(tuple({**plain.healthy, **more.healthy}.values()), broken)

    async def _read_alone(self, workflow_id: str) -> list[Deployment]:
        try:
            return await self._source.client.workflow_deployments(workflow_id)
        except NotFoundError:
            return []  # so the server says that it has none

    # -- one ----------------------------------------------------------------------------------------------------

    async def by_id(self, deployment_id: str, *, refresh: bool = False) -> Deployment:
        """See `WorkflowsService.get_deployment_by_id`."""
        kept = self._source.cache.peek(_KEY)
        if not refresh and kept is not None:
            for deployment in kept.value.deployments:
                if deployment.id == deployment_id:
                    return deployment  # type: ignore[no-any-return]  # the cache keeps anything
        entry = await self._source.get(
            f"deployment:{deployment_id}", lambda: self._read_one(deployment_id), tags=["deployments"], refresh=refresh
        )
        return entry.value

    async def newest(self, deployment_id: str) -> Deployment:
        """Return one deployment as the server knows it now; where it moved, what was read before is forgotten."""
        before = await self.by_id(deployment_id)
        now = await self.by_id(deployment_id, refresh=True)
        if (now.machine_id, now.workflow_version_id) != (before.machine_id, before.workflow_version_id):
            self._source.cache.drop("deployments")
        return now

    async def _read_one(self, deployment_id: str) -> Deployment:
        try:
            return await self._source.client.deployment(deployment_id)
        except ApiError as error:
            if error.status not in (404, 422, 500):
                raise
            try:
                known = (await self.entry(refresh=True)).value
            except ApiError:
                raise error from None  # without the list nobody knows what the 500 means
            if any(d.id == deployment_id for d in known.deployments):
                raise
            maybe = " Or it is one that the server cannot read." if known.broken else ""
            raise NotFoundError(
                f"No deployment has the id {deployment_id!r}.{maybe} ws.deployments() lists all "
                f"{len(known.deployments)}.",
                status=error.status,
                method=error.method,
                path=error.path,
            ) from error

    async def find(self, thing: Any, *, environment: str | None = None) -> Deployment:
        """See `WorkflowsService.find_deployment`."""
        given = await self.given(thing)
        if given is not None:
            return given
        wanted = reference(thing, "workflow")
        if looks_like_id(wanted) and not await self._is_workflow(wanted):
            # It may have been made since the list was read; if not, that is what is missing.
            return await self.by_id(wanted)
        owner = await self._workflows.find(thing)
        found = await self.choose(owner, environment)
        if found is None:
            raise NotFoundError(
                f"The workflow {display_name(owner.name or owner.id)!r} has no deployment; "
                "ws.create_deployment(…) makes one, and ws.submit(…, machine=…) runs it without."
            )
        return found

    async def given(self, thing: Any) -> Deployment | None:
        """Return the deployment that an id, an object or a row stands for; None for what stands for a workflow."""
        if is_deployment(thing):
            return await self.by_id(reference(thing, "deployment"))
        wanted = reference(thing, "workflow")
        listed = await self.listed()
        if listed is not None:
            return next((d for d in listed.deployments if d.id == wanted), None)
        if not looks_like_id(wanted) or await self._is_workflow(wanted):
            return None
        return await self.by_id(wanted)

    async def choose(self, workflow: Workflow, environment: str | None) -> Deployment | None:
        """Return a workflow's deployment in an environment; by default production's, else the only one.

        Returns
        -------
        Deployment or None
            None only when the workflow has no deployment and no environment was asked for.
        """
        of_workflow = await self.of_workflow(workflow.id)
        standing = of_workflow.deployments
        name = display_name(workflow.name or workflow.id)
        wanted = environment or "production"
        here = [d for d in standing if d.environment == wanted]
        if len(here) == 1:
            return here[0]
        if len(here) > 1:
            raise _several(name, here)
        # One of another environment would be the only one there is.
        only = environment is None and not standing
        broken = [b for b in of_workflow.broken if only or b.environment in (None, wanted)]
        if broken:
            which = broken[0].environment or wanted
            raise NotFoundError(f"The {which} deployment of {name!r} cannot be used: {broken[0].problem}.")
        if environment is not None:
            others = ", ".join(sorted({d.environment or "?" for d in standing})) or "none"
            raise NotFoundError(f"{name!r} has no deployment in {environment!r}; it has: {others}.")
        if len(standing) > 1:
            raise _several(name, standing)
        return standing[0] if standing else None

    async def _is_workflow(self, wanted: str) -> bool:
        return any(workflow.id == wanted for workflow in await self._workflows.all())


def _several(name: str, deployments: Sequence[Deployment]) -> AmbiguousNameError:
    listed = ", ".join(f"{d.environment} (id {d.id})" for d in deployments)
    return AmbiguousNameError(
        f"{name!r} has {len(deployments)} deployments and none of them is the one in production: {listed}. "
        "Say which with environment=, or give its id.",
        candidates=[(d.environment or "", d.id) for d in deployments],
    )
