"""Changes to a workspace. What stands is replaced only when that is said; what was read before is forgotten."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from comfynb.api.models import CreatedWorkflow, Deployment, Version
from comfynb.errors import AmbiguousNameError, ConflictError, InputError
from comfynb.rules.environments import check_environment
from comfynb.rules.naming import display_name
from comfynb.services.catalogue.deployments import Deployments
from comfynb.services.catalogue.machines import Machines
from comfynb.services.catalogue.source import Source
from comfynb.services.catalogue.versions import Versions
from comfynb.services.catalogue.workflows import Workflows

SETTINGS = frozenset({"concurrency_limit", "gpu", "idle_timeout", "keep_warm", "machine_version_id", "run_timeout"})
"""What else of a deployment can be changed. The server passes over names that it does not know."""


class Changes:
    """Makes and changes deployments, and uploads workflows.

    Parameters
    ----------
    source : Source
        Where they are made.
    workflows, versions, machines, deployments : Workflows, Versions, Machines, Deployments
        What there is.
    """

    def __init__(
        self,
        source: Source,
        workflows: Workflows,
        versions: Versions,
        machines: Machines,
        deployments: Deployments,
    ) -> None:
        self._source = source
        self._workflows = workflows
        self._versions = versions
        self._machines = machines
        self._deployments = deployments

    async def create_deployment(
        self,
        workflow: Any,
        *,
        machine: Any,
        environment: str = "production",
        version: int | str | None = None,
        replace: bool = False,
    ) -> Deployment:
        """See `WorkflowsService.create_deployment`."""
        place = check_environment(environment)
        found = await self._workflows.find(workflow)
        where = await self._machines.find(machine)
        what = await self._versions.one(found, version)
        listed = (await self._deployments.entry(refresh=True)).value
        name = display_name(found.name or found.id)
        for standing in listed.deployments:
            if not replace and standing.workflow_id == found.id and standing.environment == place:
                raise ConflictError(
                    f"{name!r} is deployed in {place} already (id {standing.id}): "
                    f"{await self._described(standing)}. It would be replaced by version {what.version} on "
                    f"{where.name!r} for everybody; say replace=True if that is meant."
                )
        if not replace and any(
            b.workflow_id in (None, found.id) and b.environment in (None, place) for b in listed.broken
        ):
            raise ConflictError(
                f"{name!r} may be deployed in {place} already, in a deployment that the server cannot list; "
                "say replace=True if it may be replaced."
            )
        try:
            return await self._source.client.create_deployment(found.id, what.id, where.id, place)
        finally:
            self._source.cache.drop("deployments")

    async def update_deployment(
        self,
        deployment: Any,
        *,
        environment: str | None = None,
        version: int | str | None = None,
        machine: Any = None,
        replace: bool = False,
        **changes: Any,
    ) -> Deployment:
        """See `WorkflowsService.update_deployment`."""
        if unknown := sorted(changes.keys() - SETTINGS):
            raise InputError(
                f"A deployment has no setting {', '.join(map(repr, unknown))}; besides version= and machine= it has "
                f"{', '.join(sorted(SETTINGS))}."
            )
        found = await self._deployments.find(deployment, environment=environment)
        moves: list[str] = []
        if version is not None:
            new_version = await self._versions.one(found.workflow_id, version)
            changes["workflow_version_id"] = new_version.id
            moves.append(f"version {new_version.version}")
        if machine is not None:
            new_machine = await self._machines.find(machine)
            changes["machine_id"] = new_machine.id
            moves.append(f"machine {new_machine.name!r}")
        if not changes:
            raise InputError("Nothing to change was given: version=, machine=, or a setting of the deployment.")
        if moves and not replace:
            raise ConflictError(
                f"The deployment {found.id} is {await self._described(found)}; it would get {' and '.join(moves)} "
                "for everybody. Say replace=True if that is meant."
            )
        try:
            return await self._source.client.update_deployment(found.id, **changes)
        finally:
            self._source.cache.drop("deployments")

    async def upload_workflow(
        self,
        name: str,
        workflow: Mapping[str, Any] | str,
        workflow_api: Mapping[str, Any] | str,
        *,
        machine: Any = None,
        comment: str | None = None,
        replace: bool = False,
    ) -> CreatedWorkflow | Version:
        """See `WorkflowsService.upload_workflow`."""
        client = self._source.client
        editor, executed = _graph(workflow, "workflow"), _graph(workflow_api, "workflow_api")
        machine_id = (await self._machines.find(machine)).id if machine is not None else None
        same = [w for w in await self._workflows.all(refresh=True) if w.name == name]
        try:
            if not same:
                return await client.create_workflow(
                    name, json.dumps(editor), json.dumps(executed), machine_id=machine_id
                )
            if not replace:
                raise ConflictError(
                    f"A workflow is called {display_name(name)!r} already (id {same[0].id}); say replace=True to give "
                    "it a new version."
                )
            if len(same) > 1:
                raise AmbiguousNameError(
                    f"{len(same)} workflows are called {display_name(name)!r}: {', '.join(w.id for w in same)}.",
                    candidates=[(name, w.id) for w in same],
                )
            return await client.create_version(same[0].id, editor, executed, comment=comment, machine_id=machine_id)
        finally:
            self._source.cache.drop("workflows", "versions", "deployments")

    async def _described(self, deployment: Deployment) -> str:
        machines = {m.id: m.name for m in await self._machines.all()}
        number = deployment.version.version if deployment.version is not None else None
        machine = machines.get(deployment.machine_id or "", deployment.machine_id)
        return f"version {number if number is not None else deployment.workflow_version_id} on {machine!r}"


def _graph(value: Mapping[str, Any] | str, what: str) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise InputError(f"{what} is no JSON: {error}.") from error
    if not isinstance(value, Mapping):
        raise InputError(f"{what} has to be a JSON object, as ComfyUI exports it.")
    return dict(value)
