"""Copying a workspace into a world for the sandbox: names, graphs and places, but no secrets and no people."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from comfynb.api.models import Deployment, Machine, Version, Workflow
from comfynb.errors import ApiError, NotFoundError
from comfynb.notices import notice
from comfynb.rules.scrubbing import Scrubber
from comfynb.services.cache import together
from comfynb.services.isolation import ENVIRONMENTS
from comfynb.services.workflows import WorkflowsService
from comfynb.warnings import PartialResultWarning, SchemaDriftWarning

__all__ = ["capture_world"]

_TYPES: Final = frozenset(
    {"classic", "runpod-serverless", "modal-serverless", "comfy-deploy-serverless", "workspace", "workspace-v2"}
)
_STATUSES: Final = frozenset({"not-started", "ready", "building", "error", "running", "paused", "starting"})
_GROUP: Final = 8
"""Workflows that are read at the same time."""

World = dict[str, Any]


async def capture_world(service: WorkflowsService) -> World:
    """Copy the workflows, deployments and machines of a workspace, with GETs only.

    Of each workflow come the newest version and those that are deployed. Left out are keys, tokens, endpoints, user
    ids, names and e-mails of people, signed addresses and webhooks, wherever they stand; see `comfynb.rules.scrubbing`.

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
    (['deployments', 'machines', 'workflows'], 8)
    """
    workflows, deployments, machines, everything = await together(
        service.get_workflows(),
        service.deployments_entry(),
        service.get_machines(),
        service.client.machines(),
    )
    listed: Sequence[Deployment] = deployments.value.deployments
    if deployments.value.broken:
        notice(
            PartialResultWarning(
                f"{len(deployments.value.broken)} deployment(s) that the server cannot list are not in the copy."
            )
        )
    versions = await _versions(service, workflows, listed)
    return _world(workflows, listed, _needed(machines, everything, workflows, listed), versions)


async def _versions(
    service: WorkflowsService, workflows: Sequence[Workflow], deployments: Sequence[Deployment]
) -> dict[str, list[Version]]:
    """Return of each workflow the newest version and those that are deployed, from old to new."""

    async def newest(workflow: Workflow) -> Version | None:
        try:
            return await service.newest_version(workflow)
        except NotFoundError:
            return None  # it has none
        except ApiError as error:
            notice(PartialResultWarning(f"The newest version of {workflow.name!r} is not in the copy: {error}"))
            return None

    async def pinned(deployment: Deployment) -> Version | None:
        try:
            return await service.deployment_version(deployment)
        except ApiError as error:
            notice(PartialResultWarning(f"The deployment {deployment.id} is not in the copy: {error}"))
            return None

    reads: list[tuple[str, Callable[[], Coroutine[Any, Any, Version | None]]]]
    reads = [(each.id, partial(newest, each)) for each in workflows]
    reads += [(each.workflow_id or "", partial(pinned, each)) for each in deployments]
    found: dict[str, dict[int, Version]] = {}
    while reads:
        group, reads = reads[:_GROUP], reads[_GROUP:]
        answers = await together(*(read() for _, read in group))
        for (workflow_id, _), version in zip(group, answers, strict=True):
            if version is not None and version.version is not None and isinstance(version.workflow_api, Mapping):
                found.setdefault(workflow_id, {})[version.version] = version
    return {workflow_id: [rows[number] for number in sorted(rows)] for workflow_id, rows in found.items()}


def _needed(
    machines: Sequence[Machine],
    everything: Sequence[Machine],
    workflows: Sequence[Workflow],
    deployments: Sequence[Deployment],
) -> list[tuple[Machine, bool]]:
    """Return all machines but those deleted ones that nothing names; and whether each is deleted."""
    kept = {each.id for each in machines}
    named = {each.selected_machine_id for each in workflows} | {each.machine_id for each in deployments}
    found = {each.id: each for each in (*machines, *everything) if each.id in kept or each.id in named}
    order = {each.id: place for place, each in enumerate(everything)}
    # The server lists the newest first.
    rows = sorted(found.values(), key=lambda each: order.get(each.id, -1), reverse=True)
    return [(each, each.id not in kept) for each in rows]


def _world(
    workflows: Sequence[Workflow],
    deployments: Sequence[Deployment],
    machines: Sequence[tuple[Machine, bool]],
    versions: Mapping[str, Sequence[Version]],
) -> World:
    owned: list[Workflow | Deployment | Machine | Version] = [*workflows, *deployments, *(each for each, _ in machines)]
    owned += [each for rows in versions.values() for each in rows]
    people = [each.user_id for each in owned]
    people += [name for each in workflows for name in (each.user_name, each.org_id)]
    scrubber = Scrubber(each for each in people if each)
    machine_keys = _keys((each.id, scrubber.name(each.name or each.id)) for each, _ in machines)
    workflow_keys = _keys((each.id, scrubber.name(each.name or each.id)) for each in workflows)
    rows = [
        _workflow(each, workflow_keys[each.id], machine_keys, versions.get(each.id, ()), scrubber)
        # The server lists pinned ones first, then the last changed.
        for each in reversed(workflows)
    ]
    return {
        "machines": [_machine(each, machine_keys[each.id], deleted, scrubber) for each, deleted in machines],
        "workflows": rows,
        "deployments": [
            row
            for each in reversed(deployments)
            if (row := _deployment(each, workflow_keys, machine_keys, versions)) is not None
        ],
    }


def _keys(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return a key for each id: its name, or its name with a number."""
    rows = list(names)
    taken = {name for _, name in rows}
    used: set[str] = set()
    keys: dict[str, str] = {}
    for row_id, name in rows:
        key, number = name, 1
        while key in used or (number > 1 and key in taken):
            number += 1
            key = f"{name} ({number})"
        used.add(key)
        keys[row_id] = key
    return keys


def _without_nothing(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, "", False)}


def _machine(machine: Machine, key: str, deleted: bool, scrubber: Scrubber) -> dict[str, Any]:
    name = scrubber.name(machine.name or machine.id)
    return _without_nothing(
        {
            "name": name,
            "key": key if key != name else None,
            "type": _word(machine.type, _TYPES, "classic", f"the type of the machine {name!r}"),
            "gpu": machine.gpu,
            "status": _word(machine.status, _STATUSES, "ready", f"the status of the machine {name!r}"),
            "deleted": deleted,
        }
    )


def _word(word: str | None, known: frozenset[str], otherwise: str, what: str) -> str:
    if word in known:
        return word or otherwise
    if word:
        notice(SchemaDriftWarning(f"{what} is {word!r}, which the sandbox does not know; the copy says {otherwise!r}."))
    return otherwise


def _workflow(
    workflow: Workflow, key: str, machines: Mapping[str, str], versions: Sequence[Version], scrubber: Scrubber
) -> dict[str, Any]:
    name = scrubber.name(workflow.name or workflow.id)
    row = {
        "name": name,
        "key": key if key != name else None,
        "description": scrubber.text(workflow.description or ""),
        "machine": machines.get(workflow.selected_machine_id or ""),
        "pinned": bool(workflow.pinned),
    }
    rows = [
        {
            "number": each.version,
            "comment": scrubber.text(each.comment or ""),
            "workflow_api": scrubber.graph(each.workflow_api),
            "workflow": scrubber.drawing(each.workflow),
        }
        for each in versions
    ]
    return {**_without_nothing(row), "versions": rows}


def _deployment(
    deployment: Deployment,
    workflows: Mapping[str, str],
    machines: Mapping[str, str],
    versions: Mapping[str, Sequence[Version]],
) -> dict[str, Any] | None:
    workflow_id, machine_id = deployment.workflow_id or "", deployment.machine_id or ""
    pinned = deployment.workflow_version_id or (deployment.version.id if deployment.version else None)
    number = next((each.version for each in versions.get(workflow_id, ()) if each.id == pinned), None)
    environment = deployment.environment
    if workflow_id not in workflows or machine_id not in machines or number is None or environment not in ENVIRONMENTS:
        notice(
            PartialResultWarning(
                f"The deployment {deployment.id} ({environment}) is not in the copy: the sandbox does not know its "
                "workflow, version, machine or environment."
            )
        )
        return None
    return _without_nothing(
        {
            "workflow": workflows[workflow_id],
            "environment": environment,
            "version": number,
            "machine": machines[machine_id],
            "fluid": deployment.modal_image_id is not None,
            "gpu": deployment.gpu,
        }
    )
