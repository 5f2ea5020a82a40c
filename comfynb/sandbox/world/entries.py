"""The entries of a world's file, as they are written."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from comfynb.rules.input_classes import Kind
from comfynb.sandbox.routes.bodies import Environment, MachineType

__all__ = ["DeploymentEntry", "InputEntry", "MachineEntry", "VersionEntry", "WorkflowEntry", "WorldEntry"]

Name = StrictStr
Key = StrictStr | None
GraphSource = StrictStr | dict[str, Any] | None
"""The path of a file, or what is in it."""


class _Entry(BaseModel):
    # A setting that does nothing would go unnoticed, so it is an error.
    model_config = ConfigDict(extra="forbid")


class MachineEntry(_Entry):
    """A machine. `key` is what the others name it by, where names are not unique."""

    name: Name = Field(min_length=1)
    key: Key = None
    type: MachineType | None = None
    gpu: StrictStr | None = None
    status: Literal["not-started", "ready", "building", "error", "running", "paused", "starting"] = "ready"
    deleted: StrictBool = False


class InputEntry(_Entry):
    """An input of a workflow, by the kind of what it takes."""

    name: Name = Field(min_length=1)
    kind: Kind = "text"
    label: StrictStr = ""
    description: StrictStr = ""
    default: StrictBool | StrictInt | StrictFloat | StrictStr | list[Any] | None = None
    min: StrictInt | StrictFloat | None = None
    max: StrictInt | StrictFloat | None = None
    options: list[StrictStr] | None = None


class VersionEntry(_Entry):
    """A version: its inputs, or its graph."""

    number: int | None = Field(None, ge=1, strict=True)
    comment: StrictStr = ""
    inputs: list[StrictStr | InputEntry] | None = None
    workflow_api: GraphSource = None
    workflow: GraphSource = None


class WorkflowEntry(_Entry):
    """A workflow; what stands for its only version may stand in itself."""

    name: Name = Field(min_length=1)
    key: Key = None
    description: StrictStr | None = None
    machine: StrictStr | None = None
    pinned: StrictBool = False
    inputs: list[StrictStr | InputEntry] | None = None
    workflow_api: GraphSource = None
    workflow: GraphSource = None
    versions: int | list[VersionEntry] | None = None


class DeploymentEntry(_Entry):
    """A deployment: by default of the newest version on the workflow's own machine, in production."""

    workflow: StrictStr
    environment: Environment = Environment.production
    machine: StrictStr | None = None
    version: int | None = Field(None, ge=1, strict=True)
    fluid: StrictBool = False
    gpu: StrictStr | None = None


class WorldEntry(_Entry):
    """The whole file."""

    history: int | None = Field(None, ge=0, strict=True)
    machines: list[MachineEntry] = []
    workflows: list[WorkflowEntry] = []
    deployments: list[DeploymentEntry] = []
