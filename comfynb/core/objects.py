"""The things of a workspace as objects that explain themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from comfynb.api.keeping import Allowed, last_known
from comfynb.errors import NotFoundError
from comfynb.objects import Deployment, Machine, WorkflowObject
from comfynb.services.cache import together
from comfynb.services.references import looks_like_id, reference
from comfynb.services.workflows import WorkflowsService


class Objects:
    """Reads single things with all that belongs to them.

    Parameters
    ----------
    catalogue : WorkflowsService
        Where they are read.
    """

    def __init__(self, catalogue: WorkflowsService) -> None:
        self._catalogue = catalogue

    async def workflow(self, workflow: Any) -> WorkflowObject:
        """Return a workflow with its versions, deployments and inputs.

        Raises
        ------
        NotFoundError, AmbiguousNameError
            With the nearest names, or with all that the name fits.
        """
        catalogue = self._catalogue
        with last_known() as read:
            owner = await catalogue.workflows.find(workflow)
            versions, deployments, machines = await together(
                catalogue.versions.of(owner), catalogue.deployments.some(workflow=owner), catalogue.machines.all()
            )
            main = next((d for d in deployments if d.environment == "production"), (*deployments, None)[0])
            version = await catalogue.versions.pinned(main) if main else (versions[0] if versions else None)
        found = WorkflowObject.build(owner, versions, deployments, machines, version, catalogue.names.get())
        return replace(found, as_of=away_since(read))

    async def deployment(self, deployment: Any, *, environment: str | None = None) -> Deployment:
        """Return a deployment with its inputs: by id, or a workflow's in an environment.

        Production is meant without an environment, else the only deployment there is.
        """
        catalogue = self._catalogue
        with last_known() as read:
            found = await catalogue.deployments.find(deployment, environment=environment)
            version = await catalogue.versions.pinned(found)
            definitions = await catalogue.inputs.of_deployment(found)
            workflows, machines = await together(catalogue.workflows.all(), catalogue.machines.all())
        return replace(Deployment.build(found, version, definitions, workflows, machines), as_of=away_since(read))

    async def machine(self, machine: Any) -> Machine:
        """Return a machine with what is deployed on it."""
        catalogue = self._catalogue
        wanted = reference(machine, "machine")
        with last_known() as read:
            try:
                found = await catalogue.machines.by_id((await catalogue.machines.find(machine)).id)
            except NotFoundError:
                if not looks_like_id(wanted):
                    raise
                found = await catalogue.machines.by_id(wanted)
            deployments, workflows = await together(catalogue.deployments.some(), catalogue.workflows.all())
        return replace(Machine.build(found, deployments, workflows), as_of=away_since(read))


def away_since(read: Allowed) -> datetime | None:
    """Return when the oldest of what was read was kept, if the server was away; else None."""
    return datetime.fromtimestamp(min(read.stored), UTC) if read.away and read.stored else None
