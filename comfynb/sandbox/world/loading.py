"""A world of the user's own: read from a TOML file, or given as a mapping.

A team tests with its own names: its machines, workflows and deployments stand in a file such as this one. Only names
are needed; the rest has defaults.

::

    history = 50                       # runs of the last thirty days; 200 if it is not said

    [[machines]]
    name = "studio"                    # a classic machine that is ready

    [[machines]]
    name = "cloud"
    gpu = "A100"                       # with a GPU: "comfy-deploy-serverless", unless type says otherwise
    status = "paused"

    [[workflows]]
    name = "product shots"
    description = "One shoe on white"
    machine = "studio"
    versions = 3                       # three versions that are the same; or a list of tables
    inputs = [
      "prompt",                        # a name alone is a text; what has no default is required
      { name = "steps", kind = "slider_integer", default = 20, min = 1, max = 60 },
      { name = "style", kind = "enum", options = ["plain", "festive"] },
      { name = "photo", kind = "image", label = "Photo of the shoe" },
    ]

    [[workflows]]
    name = "upscale"
    workflow_api = "upscale_api.json"  # as ComfyUI's "Export (API)" writes it; beside this file
    workflow = "upscale.json"          # the graph of the editor; one is drawn without it

    [[deployments]]
    workflow = "product shots"
    environment = "production"
    machine = "cloud"                  # without it, the workflow's own
    version = 2                        # without it, the newest
    fluid = true                       # hides from the plain list, as deployments on a machine version do

The kinds of inputs are those of `comfynb.rules.input_classes.Kind`. Where two machines or workflows have the same name,
or none, `key` tells them apart: what deployments say then is the key. Ids follow from the sandbox's seed and the keys.

Some settings are there for copies of a workspace: ``cover_image`` of a workflow; ``machine`` of a version, empty for
none; ``as_is = true`` for a graph that is none, and is to break what it breaks on the real server; ``description``,
``concurrency_limit``, ``run_timeout``, ``idle_timeout`` and ``keep_warm`` of a deployment; ``comfyui_version`` and the
first three of these limits of a machine.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from comfynb.errors import ConfigurationError
from comfynb.sandbox.installed import installed_for
from comfynb.sandbox.world.deployments import DeploymentSpec
from comfynb.sandbox.world.described import graph_with
from comfynb.sandbox.world.entries import (
    DeploymentEntry,
    InputEntry,
    MachineEntry,
    VersionEntry,
    WorkflowEntry,
    WorldEntry,
)
from comfynb.sandbox.world.graph import GivenGraph, Graphs
from comfynb.sandbox.world.machines import MachineSpec
from comfynb.sandbox.world.problems import near, sentences
from comfynb.sandbox.world.spec import WorldSpec
from comfynb.sandbox.world.workflows import VersionSpec, WorkflowSpec

__all__ = ["WorldSource", "load_world"]

WorldSource: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any]"
"""The path of a TOML file, or what such a file says, as a mapping."""

_MOST = 8
"""Problems that are told at once."""


def load_world(source: WorldSource) -> WorldSpec:
    """Return the world that a file, or a mapping, describes.

    Parameters
    ----------
    source : path or mapping
        A TOML file, or the same as a mapping. Paths in it are relative to the file's folder, or to the working
        directory.

    Raises
    ------
    ConfigurationError
        With the file and every problem with it.

    Examples
    --------
    >>> world = load_world({"machines": [{"name": "studio"}], "workflows": [{"name": "shoes", "inputs": ["prompt"]}]})
    >>> world.machines[0].type, world.workflows[0].name
    ('classic', 'shoes')
    >>> load_world({"workflows": [{"name": "shoes", "inputs": [{"name": "steps", "kind": "intger"}]}]})
    Traceback (most recent call last):
        ...
    comfynb.errors.ConfigurationError: The world cannot be used: workflows[1] ('shoes').inputs[1] ('steps').kind: \
there is no 'intger'; did you mean 'integer'?
    """
    if isinstance(source, Mapping):
        return _Reader("The world", Path.cwd()).read(source)
    path = Path(source).expanduser()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"The world {path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"The world {path} is no text in UTF-8: {error.reason}.") from None
    except tomllib.TOMLDecodeError as error:
        # It says at which line and column.
        raise ConfigurationError(f"The world {path} is no TOML: {error}.") from None
    return _Reader(f"The world {path}", path.parent).read(content)


class _Reader:
    """Turns what is written into what a world begins with, and collects every problem on the way."""

    def __init__(self, what: str, folder: Path) -> None:
        self.what = what
        self.folder = folder
        self.problems: list[str] = []

    def read(self, content: Mapping[str, Any]) -> WorldSpec:
        """Return the world."""
        entry = self._checked(content)
        machines = [_machine(each) for each in entry.machines]
        self._unique("machines", [each.key for each in machines])
        workflows = [self._workflow(f"workflows[{place}]", each) for place, each in enumerate(entry.workflows, 1)]
        self._unique("workflows", [each.key for each in workflows])
        keys = [each.key for each in machines]
        for place, each in enumerate(workflows, 1):
            named = [each.machine, *(version.machine for version in each.versions)]
            for key in dict.fromkeys(key for key in named if key):
                self._known(f"workflows[{place}] ({each.name!r}).machine", key, keys, "machine")
        by_key = {each.key: each for each in workflows}
        deployments = [
            spec
            for place, each in enumerate(entry.deployments, 1)
            if (spec := self._deployment(f"deployments[{place}]", each, by_key, keys)) is not None
        ]
        self._unique(
            "deployments", [f"{each.workflow} in {each.environment} {each.known_as}".strip() for each in deployments]
        )
        if self.problems:
            raise self._failure()
        graphs = [version.build("").api() for each in workflows for version in each.versions]
        return WorldSpec(
            tuple(machines), tuple(workflows), tuple(deployments), installed_for(graphs), history=entry.history
        )

    def _checked(self, content: Mapping[str, Any]) -> WorldEntry:
        try:
            return WorldEntry.model_validate(dict(content))
        except ValidationError as error:
            self.problems += sentences(error, content)
        raise self._failure()

    def _failure(self) -> ConfigurationError:
        told = self.problems[:_MOST]
        if len(self.problems) > _MOST:
            told.append(f"and {len(self.problems) - _MOST} more")
        lines = told[0] if len(told) == 1 else "".join(f"\n  {each}" for each in told)
        return ConfigurationError(f"{self.what} cannot be used: {lines}".replace(": \n", ":\n"))

    def _unique(self, what: str, keys: Sequence[str]) -> None:
        for key in dict.fromkeys(key for key in keys if keys.count(key) > 1):
            hint = "; give each a key of its own" if what in {"machines", "workflows"} else ""
            self.problems.append(f"{what}: {key!r} stands there {keys.count(key)} times{hint}")

    def _known(self, where: str, key: str, keys: Sequence[str], what: str) -> bool:
        if key in keys:
            return True
        self.problems.append(f"{where}: there is no {what} {key!r}{near(key, keys)}")
        return False

    # Workflows

    def _workflow(self, where: str, entry: WorkflowEntry) -> WorkflowSpec:
        where = f"{where} ({entry.name!r})"
        specs = []
        for place, each in enumerate(entry.versions, 1):
            at = f"{where}.versions[{place}]" if len(entry.versions) > 1 else where
            build = partial(_given, self._graphs(at, each, entry.name))
            specs.append(VersionSpec(each.comment, build, each.number or place, each.machine))
        numbers = [each.number for each in specs]
        if numbers != sorted(set(numbers), key=lambda number: number or 0):
            self.problems.append(f"{where}: the numbers of versions have to grow, and each to be there once")
        return WorkflowSpec(
            entry.name, entry.machine, tuple(specs), entry.description, entry.pinned, entry.key, entry.cover_image
        )

    def _graphs(self, where: str, entry: VersionEntry, name: str) -> Graphs:
        if entry.workflow_api is None and entry.workflow is None:
            self._check_inputs(where, entry.inputs or [])
            return graph_with(entry.inputs or [], name)
        if entry.inputs is not None:
            self.problems.append(f"{where}: inputs follow from the graph; give one or the other")
        drawn = self._json(f"{where}.workflow", entry.workflow)
        executed = self._json(f"{where}.workflow_api", entry.workflow_api)
        if entry.as_is:
            return GivenGraph(executed or {}, drawn)
        if executed is None and drawn is not None and isinstance(drawn.get("workflow_api"), dict):
            # As ComfyDeploy exports it: both in one file.
            executed = drawn["workflow_api"]
            drawn = {key: value for key, value in drawn.items() if key not in {"workflow_api", "environment"}}
        if executed is None:
            if drawn is not None:
                self.problems.append(f"{where}.workflow: {_EDITORS}; give workflow_api, too")
        elif isinstance(executed.get("nodes"), list):
            self.problems.append(f"{where}.workflow_api: {_EDITORS}")
        elif executed and not any(isinstance(node, dict) and "class_type" in node for node in executed.values()):
            self.problems.append(f"{where}.workflow_api: none of its nodes has a class_type")
        else:
            return GivenGraph(executed, drawn)
        return GivenGraph({})

    def _json(self, where: str, source: str | dict[str, Any] | None) -> dict[str, Any] | None:
        if not isinstance(source, str):
            return source
        path = self.folder / Path(source).expanduser()
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            self.problems.append(f"{where}: {path} cannot be read: {error.strerror or error}")
        except ValueError as error:
            self.problems.append(f"{where}: {path} is no JSON: {error}")
        else:
            if isinstance(content, dict):
                return content
            self.problems.append(f"{where}: {path} holds no JSON object")
        # What is wrong is told; nothing else has to be said about it.
        return {"0": {"class_type": ""}}

    def _check_inputs(self, where: str, inputs: Sequence[InputEntry]) -> None:
        self._unique(f"{where}.inputs", [each.name for each in inputs])
        for each in inputs:
            if each.kind == "enum" and not each.options:
                self.problems.append(f"{where}: the input {each.name!r} is an enum and has no options")
            if each.kind != "enum" and each.options is not None:
                self.problems.append(f"{where}: the input {each.name!r} is no enum, so that it has no options")

    # Deployments

    def _deployment(
        self, where: str, entry: DeploymentEntry, workflows: Mapping[str, WorkflowSpec], machines: Sequence[str]
    ) -> DeploymentSpec | None:
        if not self._known(f"{where}.workflow", entry.workflow, list(workflows), "workflow"):
            return None
        workflow = workflows[entry.workflow]
        machine = entry.machine or workflow.machine
        if machine is None:
            self.problems.append(f"{where}: {entry.workflow!r} has no machine of its own; say which with machine")
            return None
        numbers = [each.number for each in workflow.versions if each.number is not None]
        version = entry.version or (numbers[-1] if numbers else 0)
        if version not in numbers:
            has = ", ".join(map(str, numbers)) or "none"
            self.problems.append(f"{where}: {entry.workflow!r} has no version {version}; it has {has}")
            return None
        if entry.machine is not None and not self._known(f"{where}.machine", machine, machines, "machine"):
            return None
        given = entry.model_dump(include=_OF_A_DEPLOYMENT, exclude_none=True)
        return DeploymentSpec(
            entry.workflow,
            entry.environment.value,
            version,
            machine,
            fluid=entry.fluid,
            gpu=entry.gpu,
            known_as=entry.key or "",
            **given,
        )


_LIMITS = {"concurrency_limit", "run_timeout", "idle_timeout"}
_OF_A_DEPLOYMENT = {*_LIMITS, "keep_warm", "description"}
_EDITORS = (
    "it is a graph of the editor, which does not say what each node is given; use ComfyUI's Export (API), or an export "
    "of ComfyDeploy that has workflow_api in it"
)


def _given(graphs: Graphs, _files: str) -> Graphs:
    return graphs


def _machine(entry: MachineEntry) -> MachineSpec:
    kind = entry.type.value if entry.type else ("comfy-deploy-serverless" if entry.gpu else "classic")
    host = "".join(char if char.isascii() and char.isalnum() else "-" for char in entry.name.lower()).strip("-")
    endpoint = f"http://{host or 'machine'}.sandbox.invalid:8188" if kind == "classic" else "not-ready"
    given = entry.model_dump(include={*_LIMITS, "comfyui_version"}, exclude_none=True)
    return MachineSpec(entry.name, kind, entry.status, entry.gpu, endpoint, entry.deleted, entry.key, **given)
