"""What the server expects in the bodies of requests, and in paths and queries."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

__all__ = [
    "BOOL",
    "ENVIRONMENT",
    "INT",
    "MAYBE_UUID",
    "UUID_TYPE",
    "AssetRegister",
    "Clone",
    "CustomMachine",
    "CustomMachineChange",
    "DeploymentChange",
    "DeploymentCreate",
    "DeploymentRun",
    "Environment",
    "Gpu",
    "MachineType",
    "Run",
    "RunStatus",
    "ServerlessMachine",
    "VersionCreate",
    "WorkflowChange",
    "WorkflowCreate",
    "WorkflowRun",
]


class Environment(StrEnum):
    """Where a deployment belongs."""

    staging = "staging"
    production = "production"
    public_share = "public-share"
    private_share = "private-share"
    preview = "preview"
    community_share = "community-share"


class Gpu(StrEnum):
    """Kinds of GPU."""

    cpu = "CPU"
    t4 = "T4"
    l4 = "L4"
    a10g = "A10G"
    l40s = "L40S"
    a100 = "A100"
    a100_80gb = "A100-80GB"
    h100 = "H100"
    h200 = "H200"
    b200 = "B200"


class MachineType(StrEnum):
    """Kinds of machine."""

    classic = "classic"
    runpod_serverless = "runpod-serverless"
    modal_serverless = "modal-serverless"
    comfy_deploy_serverless = "comfy-deploy-serverless"
    workspace = "workspace"
    workspace_v2 = "workspace-v2"


class RunStatus(StrEnum):
    """Words for the state of a run."""

    not_started = "not-started"
    running = "running"
    uploading = "uploading"
    success = "success"
    failed = "failed"
    started = "started"
    queued = "queued"
    timeout = "timeout"
    cancelled = "cancelled"


ORIGINS = frozenset({"manual", "api", "public-share", "private-share", "public-template", "workspace", "workspace_v2"})

INT: TypeAdapter[int] = TypeAdapter(int)
BOOL: TypeAdapter[bool] = TypeAdapter(bool)
UUID_TYPE: TypeAdapter[UUID] = TypeAdapter(UUID)
MAYBE_UUID: TypeAdapter[UUID | None] = TypeAdapter(UUID | None)
ENVIRONMENT: TypeAdapter[Environment | None] = TypeAdapter(Environment | None)


class _RunOptions(BaseModel):
    inputs: dict[str, str | int | float | bool | list[Any]] = {}
    webhook: str | None = None
    webhook_intermediate_status: bool | None = False
    gpu: Gpu | None = None
    flags: list[str] | None = None
    batch_number: int | None = None
    batch_input_params: dict[str, list[Any]] | None = None
    is_native_run: bool | None = False
    origin: str = "api"
    execution_mode: Literal["async", "sync", "sync_first_result", "stream"] | None = "async"


class DeploymentRun(_RunOptions):
    """Of `POST /run/deployment/queue`."""

    deployment_id: UUID


class WorkflowRun(_RunOptions):
    """Of `POST /run/workflow/queue`."""

    workflow_id: UUID
    workflow_api_json: dict[str, Any]
    workflow: dict[str, Any] | None = None
    machine_id: UUID | None = None


class Run(_RunOptions):
    """Of `POST /run`: all three forms."""

    deployment_id: UUID | None = None
    workflow_version_id: UUID | None = None
    machine_id: UUID | None = None
    workflow_id: UUID | None = None
    workflow_api_json: dict[str, Any] | None = None
    workflow: dict[str, Any] | None = None


class WorkflowCreate(BaseModel):
    """Of `POST /workflow`: the graphs are texts."""

    name: str
    workflow_json: str
    workflow_api: str | None = None
    machine_id: str | None = None
    machine_version_id: str | None = None
    comfyui_snapshot: dict[str, Any] | None = None


class WorkflowChange(BaseModel):
    """Of `PATCH /workflow/{id}`."""

    name: str | None = None
    selected_machine_id: UUID | None = None
    pinned: bool | None = None
    deleted: bool | None = None
    description: str | None = None
    cover_image: str | None = None


class VersionCreate(BaseModel):
    """Of `POST /workflow/{id}/version`: the graphs are objects."""

    workflow: dict[str, Any]
    workflow_api: dict[str, Any]
    comment: str | None = None
    machine_id: str | None = None
    machine_version_id: str | None = None
    comfyui_snapshot: dict[str, Any] | None = None


class Clone(BaseModel):
    """Of `POST /workflow/{id}/clone`."""

    name: str | None = None


class CustomMachine(BaseModel):
    """Of `POST /machine/custom`: the token may be null, and must be there."""

    name: str
    type: MachineType
    endpoint: str
    auth_token: str | None


class CustomMachineChange(BaseModel):
    """Of `PATCH /machine/custom/{id}`: the status is not among them."""

    name: str | None = None
    type: MachineType | None = None
    endpoint: str | None = None
    auth_token: str | None = None


class ServerlessMachine(BaseModel):
    """Of `POST /machine/serverless`."""

    name: str
    gpu: Gpu = Gpu.a10g


class DeploymentCreate(BaseModel):
    """Of `POST /deployment`: the environment is any text."""

    workflow_version_id: str
    workflow_id: str
    machine_id: str | None = None
    machine_version_id: str | None = None
    environment: str
    description: str | None = None
    deployment_id: str | None = None


class DeploymentChange(BaseModel):
    """Of `PATCH /deployment/{id}`."""

    workflow_version_id: str | None = None
    machine_id: str | None = None
    machine_version_id: str | None = None
    concurrency_limit: int | None = None
    gpu: Gpu | None = None
    run_timeout: int | None = None
    idle_timeout: int | None = None
    keep_warm: int | None = None


class AssetRegister(BaseModel):
    """Of `POST /assets/register`."""

    file_id: str
    file_name: str
    file_size: int
    db_path: str
    url: str
    mime_type: str
