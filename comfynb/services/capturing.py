"""Copying a workspace into a world for the sandbox: names, graphs and places, but no secrets and no people."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

from comfynb.api.models import Deployment, Machine, Version, Workflow
from comfynb.errors import ApiError
from comfynb.notices import notice
from comfynb.rules.text import tidy
from comfynb.services.cache import together
from comfynb.services.catalogue.versions import newest_of
from comfynb.services.copies import LIMITS, Captured, World, copied
from comfynb.services.isolation import DeploymentList
from comfynb.services.workflows import WorkflowsService
from comfynb.warnings import PartialResultWarning

__all__ = ["capture_world"]

T = TypeVar("T")
R = TypeVar("R")

_GROUP: Final = 8
"""Things that are read at the same time."""
_MOST_VERSIONS: Final = 100
"""The newest versions of a workflow that are copied, besides those that are deployed."""


async def capture_world(service: WorkflowsService) -> World:
    """Copy the workflows, versions, deployments and machines of a workspace, with GETs only.

    Of each workflow come the newest 100 versions and those that are deployed. Left out are runs, and keys, tokens,
    endpoints, user ids, names and e-mails of people, signed addresses and webhooks, wherever they stand; see
    `comfynb.rules.scrubbing`. What else is not in the copy is told in warnings.

    Parameters
    ----------
    service : WorkflowsService
        The workspace.

    Returns
    -------
    dict
        What `comfynb.Sandbox(world=…)` takes, and what `comfynb.sandbox.save_world` writes into a file.

    Raises
    ------
    ApiError, TransportError
        If the workspace cannot be read.

    Examples
    --------
    >>> import asyncio, comfynb
    >>> from comfynb.api.opening import open_client
    >>> async def copy(sandbox):
    ...     async with comfynb.WorkflowsService(open_client(sandbox.url, sandbox.api_key)) as service:
    ...         return await capture_world(service)
    >>> with comfynb.Sandbox() as sandbox:
    ...     world = asyncio.run(copy(sandbox))
    >>> sorted(world), len(world["workflows"])
    (['deployments', 'history', 'machines', 'workflows'], 8)
    """
    workflows, machines, everything = await together(
        service.get_workflows(), service.get_machines(), service.client.machines()
    )
    listed = await _deployments(service, workflows)
    versions = await _versions(service, workflows, listed.deployments)
    kept = _needed(machines, everything, workflows, listed.deployments, versions)
    detailed = await _each([machine for machine, deleted in kept if not deleted], lambda each: _detail(service, each))
    details = {each.id: each for each in detailed}
    return copied(
        Captured(
            tuple(workflows),
            listed.deployments,
            listed.broken,
            tuple((details.get(machine.id, machine), deleted) for machine, deleted in kept),
            versions,
        )
    )


async def _each(things: Sequence[T], read: Callable[[T], Coroutine[Any, Any, R]]) -> list[R]:
    """Read something of each thing, some of them at a time."""
    found: list[R] = []
    for start in range(0, len(things), _GROUP):
        found += await together(*(read(each) for each in things[start : start + _GROUP]))
    return found


async def _deployments(service: WorkflowsService, workflows: Sequence[Workflow]) -> DeploymentList:
    """Return all deployments; where the server fails on the list, those of each workflow."""
    listed = await service.deployments.listed()
    if listed is not None:
        return listed

    async def of(workflow: Workflow) -> DeploymentList:
        try:
            return await service.deployments.of_workflow(workflow.id)
        except ApiError as error:
            notice(PartialResultWarning(f"The deployments of {_called(workflow)} are not in the copy: {error}"))
            return DeploymentList(())

    parts = await _each(workflows, of)
    deployments = [each for part in parts for each in part.deployments]
    return DeploymentList(tuple(deployments), tuple(each for part in parts for each in part.broken))


def _called(workflow: Workflow) -> str:
    return repr(tidy(workflow.name, 60))


async def _detail(service: WorkflowsService, machine: Machine) -> Machine:
    """Return a machine with its limits, which the lists of machines do not tell."""
    try:
        found = await service.client.machine(machine.id)
    except ApiError:
        return machine
    return machine.model_copy(update={name: getattr(found, name) for name in LIMITS})


async def _versions(
    service: WorkflowsService, workflows: Sequence[Workflow], deployments: Sequence[Deployment]
) -> dict[str, list[Version]]:
    """Return the versions of each workflow, from old to new."""

    async def listed(workflow: Workflow) -> list[Version]:
        rows = await _newest_versions(service, workflow)
        if len(rows) > _MOST_VERSIONS:
            notice(
                PartialResultWarning(
                    f"Of the versions of {_called(workflow)}, the newest {_MOST_VERSIONS} and those that are deployed "
                    "are in the copy."
                )
            )
        return rows[:_MOST_VERSIONS]

    async def pinned(deployment: Deployment) -> Version | None:
        try:
            return await service.versions.pinned(deployment)
        except ApiError as error:
            notice(PartialResultWarning(f"The deployment {deployment.id} is not in the copy: {error}"))
            return None

    found: dict[str, dict[int, Version]] = {}

    def keep(workflow_id: str, rows: Iterable[Version | None]) -> None:
        for version in rows:
            if version is not None and version.version is not None and version.version > 0:
                found.setdefault(workflow_id, {}).setdefault(version.version, version)

    for workflow, rows in zip(workflows, await _each(workflows, listed), strict=True):
        keep(workflow.id, rows)
    known = {version.id for rows in found.values() for version in rows.values()}
    missing = [each for each in deployments if (each.workflow_version_id or "") not in known]
    for deployment, version in zip(missing, await _each(missing, pinned), strict=True):
        keep(deployment.workflow_id or "", [version])
    return {workflow_id: [rows[number] for number in sorted(rows)] for workflow_id, rows in found.items()}


async def _newest_versions(service: WorkflowsService, workflow: Workflow) -> list[Version]:
    """Return the newest versions of a workflow, and one more than are copied; the newest alone if that has to do."""
    try:
        return await service.client.versions(workflow.id, limit=_MOST_VERSIONS + 1)
    except ApiError as error:
        trouble = error
    try:
        newest = newest_of((await service.workflows.detail(workflow.id)).value)
    except ApiError:
        newest = None
    if trouble.status != 404:
        what = "Only the newest version" if newest is not None else "No version"
        notice(PartialResultWarning(f"{what} of {_called(workflow)} is in the copy: {trouble}"))
    return [] if newest is None else [newest]


def _needed(
    machines: Sequence[Machine],
    everything: Sequence[Machine],
    workflows: Sequence[Workflow],
    deployments: Sequence[Deployment],
    versions: dict[str, list[Version]],
) -> list[tuple[Machine, bool]]:
    """Return all machines but those deleted ones that nothing names; and whether each is deleted."""
    kept = {each.id for each in machines}
    named = {each.selected_machine_id for each in workflows} | {each.machine_id for each in deployments}
    named |= {each.machine_id for rows in versions.values() for each in rows}
    # What is named and in no list is nobody's any more.
    strange = [Machine(id=each, name="not there", type="classic") for each in sorted(filter(None, named))]
    found = {each.id: each for each in (*strange, *everything, *machines) if each.id in kept or each.id in named}
    order = {each.id: place for place, each in enumerate(everything)}
    # The server lists the newest first.
    rows = sorted(found.values(), key=lambda each: order.get(each.id, -1), reverse=True)
    return [(each, each.id not in kept) for each in rows]
