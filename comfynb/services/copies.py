"""What a copy of a workspace says of each of its things, as `comfynb.sandbox.world.loading` reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from comfynb.api.models import Deployment, Machine, Version, Workflow
from comfynb.notices import notice
from comfynb.rules.environments import ENVIRONMENTS
from comfynb.rules.graph_nodes import node_classes, nodes_of
from comfynb.rules.inputs import input_definitions
from comfynb.rules.scrubbing import Scrubber
from comfynb.rules.text import tidy
from comfynb.services.isolation import BrokenDeployment
from comfynb.warnings import PartialResultWarning, SchemaDriftWarning

__all__ = ["LIMITS", "Captured", "World", "copied"]

_TYPES: Final = frozenset(
    {"classic", "runpod-serverless", "modal-serverless", "comfy-deploy-serverless", "workspace", "workspace-v2"}
)
_STATUSES: Final = frozenset({"not-started", "ready", "building", "error", "running", "paused", "starting"})
LIMITS: Final = ("concurrency_limit", "run_timeout", "idle_timeout")
"""Of machines; deployments have one more."""

World = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Captured:
    """What was read of a workspace.

    Attributes
    ----------
    workflows, deployments : tuple
        In the server's order.
    broken : tuple of BrokenDeployment
        What is known of the deployments that the server cannot list.
    machines : tuple of (Machine, bool)
        From old to new, and whether each is deleted.
    versions : dict of str to list of Version
        By id of the workflow, from old to new.
    """

    workflows: tuple[Workflow, ...]
    deployments: tuple[Deployment, ...]
    broken: tuple[BrokenDeployment, ...]
    machines: tuple[tuple[Machine, bool], ...]
    versions: dict[str, list[Version]]


def copied(found: Captured) -> World:
    """Return the copy of a workspace, without runs, secrets and people.

    Examples
    --------
    >>> shoes = Workflow(id="w1", name="shoes", user_name="Ada Lovelace", description="By Ada Lovelace")
    >>> copied(Captured((shoes,), (), (), (), {}))["workflows"]
    [{'name': 'shoes', 'description': 'By removed', 'versions': []}]
    """
    return _Copier(found).world()


class _Copier:
    """Writes the copy, and knows by which keys its things name each other."""

    def __init__(self, found: Captured) -> None:
        self.found = found
        self.scrubber = Scrubber(_people(found))
        self.machine_keys = self._keys(machine for machine, _ in found.machines)
        self.workflow_keys = self._keys(found.workflows)

    def world(self) -> World:
        """Return the copy. The sandbox begins with the oldest things, and the server lists the newest first."""
        return {
            "history": 0,
            "machines": [self._machine(each, deleted) for each, deleted in self.found.machines],
            "workflows": [self._workflow(each) for each in reversed(self.found.workflows)],
            "deployments": _told_apart([each for each in reversed(self._deployments()) if each is not None]),
        }

    def _keys(self, things: Iterable[Workflow | Machine]) -> dict[str, str]:
        """Return a key for each id: its name, or its name with a number."""
        rows = [(each.id, self.scrubber.name(each.name or "") or "without a name") for each in things]
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

    def _named(self, thing: Workflow | Machine, key: str) -> World:
        name = self.scrubber.name(thing.name or "")
        return {"name": name} if key == name else {"name": name, "key": key}

    def _machine(self, machine: Machine, deleted: bool) -> World:
        what = repr(tidy(machine.name, 60))
        kind = _word(machine.type, _TYPES, "classic", f"the type of the machine {what}")
        row: World = {
            "type": kind,
            "gpu": machine.gpu,
            "status": _word(machine.status, _STATUSES, "ready", f"the status of the machine {what}"),
            "deleted": deleted,
            **_limits(machine),
        }
        # The sandbox gives all others but classic ones a version of its own.
        version = machine.comfyui_version or ("" if kind != "classic" else None)
        named = self._named(machine, self.machine_keys[machine.id])
        return {**named, **_without_nothing(row), **({} if version is None else {"comfyui_version": version})}

    def _workflow(self, workflow: Workflow) -> World:
        own = self.machine_keys.get(workflow.selected_machine_id or "")
        row = {
            "description": self.scrubber.text(workflow.description or ""),
            "cover_image": self.scrubber.text(workflow.cover_image or ""),
            "machine": own,
            "pinned": bool(workflow.pinned),
        }
        versions = [self._version(each, own) for each in self.found.versions.get(workflow.id, ())]
        return {
            **self._named(workflow, self.workflow_keys[workflow.id]),
            **_without_nothing(row),
            "versions": versions,
        }

    def _version(self, version: Version, own: str | None) -> World:
        api = self.scrubber.graph(version.workflow_api)
        made_on = self.machine_keys.get(version.machine_id or "", "")
        return {
            "number": version.version,
            "comment": self.scrubber.text(version.comment or ""),
            **({} if made_on == (own or "") else {"machine": made_on}),
            **({} if node_classes(api) or not api else {"as_is": True}),
            "workflow_api": api,
            "workflow": self.scrubber.drawing(version.workflow),
        }

    def _deployment(self, deployment: Deployment) -> World | None:
        workflow_id, machine_id = deployment.workflow_id or "", deployment.machine_id or ""
        pinned = deployment.workflow_version_id or (deployment.version.id if deployment.version else None)
        rows = self.found.versions.get(workflow_id, ())
        number = next((each.version for each in rows if each.id == pinned), None)
        environment = deployment.environment
        if (
            workflow_id not in self.workflow_keys
            or machine_id not in self.machine_keys
            or number is None
            or environment not in ENVIRONMENTS
        ):
            notice(
                PartialResultWarning(
                    f"The deployment {deployment.id} ({environment}) is not in the copy: the sandbox does not know its "
                    "workflow, version, machine or environment."
                )
            )
            return None
        row = {
            "workflow": self.workflow_keys[workflow_id],
            "environment": environment,
            "version": number,
            "machine": self.machine_keys[machine_id],
            "fluid": deployment.modal_image_id is not None,
            "gpu": deployment.gpu,
            "description": self.scrubber.text(deployment.description or ""),
            **_limits(deployment),
        }
        return _without_nothing(row)

    def _deployments(self) -> list[World | None]:
        """Return all deployments in the server's order; those that it cannot list are where they are there."""
        plain = [self._deployment(each) for each in self.found.deployments if each.modal_image_id is None]
        fluid = [self._deployment(each) for each in self.found.deployments if each.modal_image_id is not None]
        for broken, row in sorted(self._broken_ones(), key=lambda pair: pair[0].place):
            (fluid if broken.fluid else plain).insert(broken.place, row)
        return [*plain, *fluid]

    def _broken_ones(self) -> list[tuple[BrokenDeployment, World | None]]:
        """Return deployments that break the sandbox's lists, too; each of an environment has one, if it can."""
        taken = {(each.workflow_id, each.environment) for each in self.found.deployments}
        uses = dict.fromkeys(ENVIRONMENTS, 0)
        found = []
        for each in self.found.broken:
            wanted = (each.environment,) if each.environment else each.possible
            free = [name for name in wanted if name in uses and (each.workflow_id, name) not in taken]
            environment = min(free, key=lambda name: uses[name], default=None)
            if environment is not None:
                uses[environment] += 1
                taken.add((each.workflow_id, environment))
            found.append((each, self._broken(each, environment)))
        return found

    def _broken(self, broken: BrokenDeployment, environment: str | None) -> World | None:
        """Return a deployment of the newest version that can be to blame."""
        owner = next((each for each in self.found.workflows if each.id == broken.workflow_id), None)
        rows = self.found.versions.get(broken.workflow_id or "", ())
        number = next((each.version for each in reversed(rows) if _breaks_lists(each.workflow_api)), None)
        machine = None if owner is None else self.machine_keys.get(owner.selected_machine_id or "")
        machine = machine or next(iter(self.machine_keys.values()), None)
        what = "A deployment that the server cannot list"
        if owner is None or environment is None or number is None or machine is None:
            notice(PartialResultWarning(f"{what} is not in the copy: it is not known whose it is."))
            return None
        notice(
            PartialResultWarning(
                f"{what}, of {tidy(owner.name, 60)!r}, is in the copy in {environment}, as version {number} on "
                f"{tidy(machine, 60)!r}, which may not be where it really is."
            )
        )
        return {
            "workflow": self.workflow_keys[owner.id],
            "environment": environment,
            "version": number,
            "machine": machine,
            **({"fluid": True} if broken.fluid else {}),
        }


def _people(found: Captured) -> list[str]:
    """Return ids and names of the people in a workspace, and of its organisation."""
    owned: list[Workflow | Deployment | Machine | Version] = [*found.workflows, *found.deployments]
    owned += [machine for machine, _ in found.machines]
    owned += [version for rows in found.versions.values() for version in rows]
    names = [each.user_id for each in owned]
    names += [name for each in found.workflows for name in (each.user_name, each.org_id)]
    return [name for name in dict.fromkeys(names) if name]


def _without_nothing(row: Mapping[str, Any]) -> World:
    return {name: value for name, value in row.items() if value is not None and value != "" and value is not False}


def _limits(thing: Machine | Deployment) -> World:
    names = (*LIMITS, "keep_warm") if isinstance(thing, Deployment) else LIMITS
    limits = {name: getattr(thing, name) for name in names}
    # Nothing can be less than none.
    return {name: max(value, 0) for name, value in limits.items() if value is not None}


def _told_apart(deployments: Sequence[World]) -> list[World]:
    """Give a key to each deployment that is not the first of its workflow in its environment."""
    seen: dict[tuple[str, str], int] = {}
    for each in deployments:
        place = (each["workflow"], each["environment"])
        seen[place] = seen.get(place, 0) + 1
        if seen[place] > 1:
            each["key"] = str(seen[place])
    return list(deployments)


def _word(word: str | None, known: frozenset[str], otherwise: str, what: str) -> str:
    if word in known:
        return word or otherwise
    if word:
        notice(SchemaDriftWarning(f"{what} is {word!r}, which the sandbox does not know; the copy says {otherwise!r}."))
    return otherwise


def _breaks_lists(workflow_api: object) -> bool:
    """Whether the server may fail to derive inputs from a graph: see `comfynb.services.isolation.PROBLEM`."""
    if not isinstance(workflow_api, Mapping):
        return False
    nodes = nodes_of(workflow_api)
    if len(nodes) < len(workflow_api):
        return True
    for _, node in nodes:
        inputs = node.get("inputs")
        if isinstance(inputs, dict) and any(inputs.get(name, "") is None for name in ("display_name", "description")):
            return True
    return any(each.kind == "enum" and each.problem for each in input_definitions(None, workflow_api))
