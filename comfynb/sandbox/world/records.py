"""The rows of the sandbox: what the real server keeps in its database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = ["SERVERLESS", "Asset", "Deployment", "File", "Machine", "Tenant", "Version", "Workflow"]

Json = dict[str, Any]

SERVERLESS = frozenset({"comfy-deploy-serverless", "modal-serverless"})
"""Machine types that report when a run was queued and started, and that can cancel."""


@dataclass(slots=True)
class Tenant:
    """A user with a key; nobody sees another tenant's things."""

    user_id: str
    user_name: str
    slug: str
    key: str


@dataclass(slots=True)
class Machine:
    """A machine that executes runs."""

    id: str
    user_id: str
    name: str
    type: str
    created_at: datetime
    updated_at: datetime
    endpoint: str = "not-ready"
    status: str = "ready"
    gpu: str | None = None
    auth_token: str | None = None
    deleted: bool = False
    comfyui_version: str | None = None
    machine_version_id: str | None = None
    docker_command_steps: Json | None = None
    concurrency_limit: int = 2
    run_timeout: int = 300
    idle_timeout: int = 60
    allow_concurrent_inputs: int = 1

    @property
    def serverless(self) -> bool:
        """Whether it starts and stops by itself, and can cancel."""
        return self.type in SERVERLESS


@dataclass(slots=True)
class Version:
    """A version of a workflow: the graph that runs, and the graph that the editor shows."""

    id: str
    workflow_id: str
    user_id: str
    number: int
    workflow: Json
    workflow_api: Json
    comment: str
    created_at: datetime
    updated_at: datetime
    machine_id: str | None = None
    machine_version_id: str | None = None
    comfyui_snapshot: Json | None = None


@dataclass(slots=True)
class Workflow:
    """A workflow, with its versions from old to new."""

    id: str
    user_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    selected_machine_id: str | None = None
    pinned: bool = False
    deleted: bool = False
    description: str | None = None
    cover_image: str | None = None
    versions: list[Version] = field(default_factory=list)


@dataclass(slots=True)
class Deployment:
    """One version of a workflow on one machine in one environment."""

    id: str
    user_id: str
    workflow_id: str
    workflow_version_id: str
    machine_id: str
    environment: str
    created_at: datetime
    updated_at: datetime
    share_slug: str | None = None
    description: str | None = None
    gpu: str | None = None
    machine_version_id: str | None = None
    modal_image_id: str | None = None
    concurrency_limit: int = 2
    run_timeout: int = 300
    idle_timeout: int = 0
    keep_warm: int = 0

    @property
    def fluid(self) -> bool:
        """Whether it is built on a version of its machine, which hides it from the plain list."""
        return self.modal_image_id is not None


@dataclass(slots=True)
class Asset:
    """A file in a tenant's library."""

    id: str
    user_id: str
    name: str
    path: str
    size: int
    mime_type: str
    url: str
    created_at: datetime
    updated_at: datetime
    deleted: bool = False


@dataclass(slots=True)
class File:
    """Bytes that the sandbox serves without a key, as an object store would."""

    content: bytes
    mime_type: str
