"""The entries of a world's file, as they are written."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

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


Count = Annotated[int, Field(ge=0, strict=True)]


class _Entry(BaseModel):
    # A setting that does nothing would go unnoticed, so it is an error.
    model_config = ConfigDict(extra="forbid")


class _Keyed(_Entry):
    """Something with a name. `key` is what the others name it by, where names are not unique."""

    name: StrictStr
    key: Annotated[StrictStr, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _can_be_named(self) -> Self:
        """See that the others can name it."""
        if not self.name and self.key is None:
            raise ValueError("its name is empty; give it one, or a key")
        return self


class MachineEntry(_Keyed):
    """A machine."""

    type: MachineType | None = None
    gpu: StrictStr | None = None
    status: Literal["not-started", "ready", "building", "error", "running", "paused", "starting"] = "ready"
    deleted: StrictBool = False
    comfyui_version: StrictStr | None = None
    concurrency_limit: Count | None = None
    run_timeout: Count | None = None
    idle_timeout: Count | None = None


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
    """A version: its inputs, or its graph. It was made on `machine`: the workflow's by default, none if it is empty."""

    number: int | None = Field(None, ge=1, strict=True)
    comment: StrictStr = ""
    machine: StrictStr | None = None
    as_is: StrictBool = False
    inputs: Annotated[list[InputEntry], BeforeValidator(_named)] | None = None
    workflow_api: GraphSource = None
    workflow: GraphSource = None


class WorkflowEntry(_Keyed):
    """A workflow; where its versions are the same, or there is only one, what they are stands in itself."""

    description: StrictStr | None = None
    cover_image: StrictStr | None = None
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
    """A deployment: by default of the newest version on the workflow's own machine, in production.

    `key` tells two of one workflow in one environment apart.
    """

    workflow: StrictStr
    key: Annotated[StrictStr, Field(min_length=1)] | None = None
    environment: Environment = Environment.production
    machine: StrictStr | None = None
    version: int | None = Field(None, ge=1, strict=True)
    fluid: StrictBool = False
    gpu: StrictStr | None = None
    description: StrictStr | None = None
    concurrency_limit: Count | None = None
    run_timeout: Count | None = None
    idle_timeout: Count | None = None
    keep_warm: Count | None = None


class WorldEntry(_Entry):
    """The whole file."""

    history: int | None = Field(None, ge=0, strict=True)
    machines: list[MachineEntry] = []
    workflows: list[WorkflowEntry] = []
    deployments: list[DeploymentEntry] = []
