"""Models of what the server sends.

They tolerate what they do not know: unknown fields are kept, every field may be missing or null, enum-like words are
plain strings. Times become tz-aware UTC. `decode` and `decode_list` are the way in: a field of an unexpected type
becomes None with a warning instead of taking its whole row, or its list, down.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, TypeAdapter, ValidationError
from pydantic_core import from_json

from comfynb.notices import notice
from comfynb.rules.timestamps import parse_time
from comfynb.warnings import SchemaDriftWarning

Time = Annotated[datetime | None, BeforeValidator(parse_time)]


def _list_or_none(value: object) -> object:
    return value if isinstance(value, list) else None


Rows = Annotated[list[Any] | None, BeforeValidator(_list_or_none)]


# Their validators are built when they are first used: an import and a connect ask nothing of the network.
_SHARED = ConfigDict(protected_namespaces=(), coerce_numbers_to_str=True, defer_build=True)


class Model(BaseModel):
    """The base: unknown fields are kept as they came."""

    model_config = ConfigDict(extra="allow", populate_by_name=True, **_SHARED)


class Slim(BaseModel):
    """The base where unknown fields are dropped while decoding, since they are large."""

    model_config = ConfigDict(extra="ignore", **_SHARED)


# Fields that the server is known to send and that comfynb has no use for. What is in neither is news.
_SEEN: dict[str, frozenset[str]] = {
    "Workflow": frozenset({"user_icon"}),
    "Deployment": frozenset({"org_id", "share_options", "showcase_media", "machine", "dub_link", "modal_app_id"}),
    "Machine": frozenset({"org_id", "machine_builder_version", "import_failed_logs"}),
}


def unknown_fields(row: BaseModel) -> set[str]:
    """Return the names of the fields that a row came with and that are not known."""
    return set(row.model_extra or ()) - _SEEN.get(type(row).__name__, frozenset())


class Workflow(Model):
    """A workflow, as `GET /workflows` and `GET /workflows/all` list it."""

    id: str = ""
    name: str | None = None
    description: str | None = None
    created_at: Time = None
    updated_at: Time = None
    pinned: bool | None = None
    deleted: bool | None = None
    cover_image: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    org_id: str | None = None
    selected_machine_id: str | None = None


class Version(Model):
    """One version of a workflow, with both of its graphs.

    `workflow` is the graph of the editor, `workflow_api` the one that is executed.
    """

    id: str = ""
    workflow_id: str | None = None
    version: int | None = None
    comment: str | None = None
    created_at: Time = None
    updated_at: Time = None
    user_id: str | None = None
    machine_id: str | None = None
    workflow: Any = None
    workflow_api: Any = None


class WorkflowDetail(Workflow):
    """A workflow with its newest versions, as `GET /workflow/{id}` gives it. No version at all comes as ``[null]``."""

    versions: list[Version | None] | None = None


class NamedRef(Model):
    """The little that is embedded of another thing."""

    id: str | None = None
    name: str | None = None


class Deployment(Model):
    """A deployment, with the version that it pins where the server embeds it."""

    id: str = ""
    workflow_id: str | None = None
    workflow_version_id: str | None = None
    machine_id: str | None = None
    environment: str | None = None
    description: str | None = None
    share_slug: str | None = None
    gpu: str | None = None
    machine_version_id: str | None = None
    modal_image_id: str | None = None
    concurrency_limit: int | None = None
    run_timeout: int | None = None
    idle_timeout: int | None = None
    keep_warm: int | None = None
    created_at: Time = None
    updated_at: Time = None
    activated_at: Time = None
    user_id: str | None = None
    workflow: NamedRef | None = None
    version: Version | None = None
    input_types: Rows = None
    output_types: Rows = None


class Machine(Model):
    """A machine. Rows of `GET /machines` have no endpoint and do not tell whether they are deleted.

    Only the answer to its creation or change has its token, in clear: it is shown nowhere.
    """

    id: str = ""
    name: str | None = None
    type: str | None = None
    status: str | None = None
    gpu: str | None = None
    deleted: bool | None = None
    disabled: bool | None = None
    endpoint: str | None = None
    created_at: Time = None
    updated_at: Time = None
    comfyui_version: str | None = None
    machine_version: str | None = None
    machine_version_id: str | None = None
    is_workspace: bool | None = None
    concurrency_limit: int | None = None
    run_timeout: int | None = None
    idle_timeout: int | None = None
    user_id: str | None = None
    auth_token: SecretStr | None = None


class Output(Model):
    """One output row of a run: what one node made."""

    id: str | None = None
    run_id: str | None = None
    output_id: str | None = None
    data: Any = None
    node_meta: Any = None
    created_at: Time = None


class Run(Model):
    """A run, as `GET /run/{id}` gives it."""

    id: str = ""
    status: str | None = None
    live_status: str | None = None
    progress: float | None = None
    workflow_id: str | None = None
    workflow_version_id: str | None = None
    deployment_id: str | None = None
    machine_id: str | None = None
    machine_type: str | None = None
    gpu: str | None = None
    origin: str | None = None
    batch_id: str | None = None
    user_id: str | None = None
    created_at: Time = None
    updated_at: Time = None
    queued_at: Time = None
    started_at: Time = None
    ended_at: Time = None
    duration: float | None = None
    cold_start_duration: float | None = None
    cold_start_duration_total: float | None = None
    run_duration: float | None = None
    queue_position: int | None = None
    workflow_inputs: dict[str, Any] | None = None
    outputs: list[Output] | None = None
    webhook: str | None = None
    modal_function_call_id: str | None = None


class VersionRef(Slim):
    """The version of a listed run, without its graphs."""

    id: str | None = None
    version: int | None = None


class ListedRun(Slim):
    """A run of the lists. The v1 list has inputs and raw outputs; v2 and a deployment's list have neither.

    The graphs that the v1 list repeats in every row (kilobytes each) are dropped while decoding.
    """

    id: str = ""
    status: str | None = None
    live_status: str | None = None
    progress: float | None = None
    workflow_id: str | None = None
    workflow_version_id: str | None = None
    deployment_id: str | None = None
    machine_id: str | None = None
    machine_type: str | None = None
    gpu: str | None = None
    origin: str | None = None
    batch_id: str | None = None
    user_id: str | None = None
    created_at: Time = None
    updated_at: Time = None
    queued_at: Time = None
    started_at: Time = None
    ended_at: Time = None
    duration: float | None = None
    cold_start_duration: float | None = None
    cold_start_duration_total: float | None = None
    run_duration: float | None = None
    workflow_inputs: dict[str, Any] | None = None
    outputs: list[Any] | None = None
    version: VersionRef | None = None


class DeploymentRuns(Slim):
    """The answer of `GET /deployment/{id}/runs`; the counts in its `meta` are always 0."""

    data: list[ListedRun] | None = None


class Queued(Model):
    """The answer to a submit."""

    run_id: str | None = None
    batch_id: str | None = None


class Cancelled(Model):
    """The answer to a cancel. It says "success" for runs that had ended before, too."""

    status: str | None = None
    message: str | None = None


class CreatedWorkflow(Model):
    """The answer to `POST /workflow`."""

    workflow_id: str | None = None
    machine_id: str | None = None


class Upload(Model):
    """The answer to a file upload."""

    message: str | None = None
    file_id: str | None = None
    file_name: str | None = None
    file_url: str | None = None


class Done(Model):
    """The answer to a deletion."""

    message: str | None = None


class RunCount(Model):
    """How many runs there are, of all tenants of the server."""

    count: int | None = None


class Asset(Model):
    """A file that was uploaded and is kept by name."""

    id: str = ""
    name: str | None = None
    path: str | None = None
    url: str | None = None
    mime_type: str | None = None
    file_size: int | None = None
    is_folder: bool | None = None
    deleted: bool | None = None
    created_at: Time = None
    updated_at: Time = None


class UploadTarget(Model):
    """Where a file may be put (`url`, for an hour), and where it can then be fetched (`download_url`)."""

    url: str | None = None
    download_url: str | None = None
    file_id: str | None = None
    db_path: str | None = None
    is_public: bool | None = None
    include_acl: bool | None = None


M = TypeVar("M", bound=BaseModel)


@cache
def _list_of(model: type[M]) -> TypeAdapter[list[M]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]  # a class at run time


class DecodeError(ValueError):
    """The bytes are no JSON, or not of the outer shape that was expected."""


def _repair(model: type[M], row: Any, drifted: Callable[[str], None]) -> M | None:
    """Validate one row; fields that do not fit become None instead of failing the row."""
    if not isinstance(row, dict):
        drifted("a row that is no object")
        return None
    for _ in range(len(model.model_fields) + 1):
        try:
            return model.model_validate(row)
        except ValidationError as error:
            # From the last one backwards, so that the places of the others in a list stay what they are.
            for problem in reversed(error.errors(include_url=False, include_input=False, include_context=False)):
                drifted(f"{model.__name__}.{problem['loc'][0]}: {problem['msg']}")
                _remove(row, problem["loc"])
    return None


def _remove(row: dict[str, Any], place: tuple[int | str, ...]) -> None:
    """Take out the one value that does not fit: a field of the row, or of something in it."""
    inner: Any = row
    for step in place[:-1]:
        # Some steps are words of the validator.
        if _has(inner, step):
            inner = inner[step]
    if _has(inner, place[-1]):
        del inner[place[-1]]
    else:
        row.pop(str(place[0]), None)


def _has(inner: Any, step: int | str) -> bool:
    if isinstance(inner, list):
        return isinstance(step, int) and step < len(inner)
    return isinstance(inner, dict) and step in inner


def _warn(what: str, drift: set[str]) -> None:
    if drift:
        notice(
            SchemaDriftWarning(
                f"{what} has values that comfynb does not know; they are shown as missing "
                f"({'; '.join(sorted(drift)[:3])})."
            )
        )


def _load(content: bytes) -> Any:
    try:
        return from_json(content)
    except ValueError as error:
        if b"\\ud" in content.lower():
            with suppress(ValueError, RecursionError):
                return _with_whole_characters(content)
        raise DecodeError(f"it is no JSON: {error}") from None


def _with_whole_characters(content: bytes) -> Any:
    """Load JSON in which halves of characters stand alone, as where a text was cut; each becomes a question mark."""
    whole = json.dumps(json.loads(content), ensure_ascii=False).encode("utf-8", "replace")
    return from_json(whole)


def decode(model: type[M], content: bytes, what: str = "An answer") -> M:
    """Decode one object.

    Raises
    ------
    DecodeError
        If `content` is no JSON object.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError:
        drift: set[str] = set()
        value = _load(content)
        found = _repair(model, value, drift.add)
        if found is None:
            raise DecodeError(f"an object was expected, and a {type(value).__name__} came") from None
        _warn(what, drift)
        return found


def decode_list(model: type[M], content: bytes, what: str = "An answer") -> list[M]:
    """Decode an array of objects; a row is never lost because a field of it is unexpected.

    Raises
    ------
    DecodeError
        If `content` is no JSON array.
    """
    if issubclass(model, Slim):
        # What it drops is never made into Python objects this way.
        with suppress(ValidationError):
            return _list_of(model).validate_json(content)
    # Where everything is kept, as with the graphs of deployments, loading first takes half of the time.
    value = _load(content)
    if not isinstance(value, list):
        raise DecodeError(f"a list was expected, and a {type(value).__name__} came")
    try:
        return _list_of(model).validate_python(value)
    except ValidationError:
        drift: set[str] = set()
        rows = [found for row in value if (found := _repair(model, row, drift.add)) is not None]
        _warn(what, drift)
        return rows


def decode_any(content: bytes) -> Any:
    """Decode JSON of any shape."""
    return _load(content)
