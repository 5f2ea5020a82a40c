"""The entries of a world's file, as they are written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictStr, model_validator

from comfynb.rules.input_classes import Kind
from comfynb.sandbox.routes.bodies import Environment, MachineType

__all__ = ["DeploymentEntry", "InputEntry", "MachineEntry", "VersionEntry", "WorkflowEntry", "WorldEntry"]

OF_A_VERSION = ("inputs", "workflow_api", "workflow")
"""What may stand in a workflow itself where its versions are not told apart."""


def _path_or_graph(value: object) -> object:
    if not isinstance(value, str | dict):
        raise ValueError("it has to be the path of a file")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def _named(value: object) -> object:
    """Let a name alone be an input that takes a text."""
    if not isinstance(value, list):
        return value
    return [{"name": each} if isinstance(each, str) else each for each in value]


GraphSource = Annotated[Any, BeforeValidator(_path_or_graph)]
"""The path of a file, or what is in it."""


class _Entry(BaseModel):
    # A setting that does nothing would go unnoticed, so it is an error.
    model_config = ConfigDict(extra="forbid")


class MachineEntry(_Entry):
    """A machine. `key` is what the others name it by, where names are not unique."""

    name: StrictStr = Field(min_length=1)
    key: StrictStr | None = None
    type: MachineType | None = None
    gpu: StrictStr | None = None
    status: Literal["not-started", "ready", "building", "error", "running", "paused", "starting"] = "ready"
    deleted: StrictBool = False


class InputEntry(_Entry):
    """An input of a workflow, by the kind of what it takes."""

    name: StrictStr = Field(min_length=1)
    kind: Kind = "text"
    label: StrictStr = ""
    description: StrictStr = ""
    default: Any = None
    min: float | None = Field(None, strict=True)
    max: float | None = Field(None, strict=True)
    options: list[StrictStr] | None = None


class VersionEntry(_Entry):
    """A version: its inputs, or its graph."""

    number: int | None = Field(None, ge=1, strict=True)
    comment: StrictStr = ""
    inputs: Annotated[list[InputEntry], BeforeValidator(_named)] | None = None
    workflow_api: GraphSource = None
    workflow: GraphSource = None


class WorkflowEntry(_Entry):
    """A workflow; where its versions are the same, or there is only one, what they are stands in itself."""

    name: StrictStr = Field(min_length=1)
    key: StrictStr | None = None
    description: StrictStr | None = None
    machine: StrictStr | None = None
    pinned: StrictBool = False
    versions: list[VersionEntry] = []

    @model_validator(mode="before")
    @classmethod
    def _versions(cls, content: Any) -> Any:
        """Let every workflow have a list of versions."""
        if not isinstance(content, dict) or isinstance(content.get("versions", 1), list):
            return content
        count = content.get("versions", 1)
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= 1000:
            raise ValueError("versions has to be a number, or a list of tables")
        rest = {name: value for name, value in content.items() if name not in OF_A_VERSION}
        own = {name: content[name] for name in OF_A_VERSION if name in content}
        return {**rest, "versions": [own] * count}


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
