"""Every route of the ComfyDeploy API that is in comfynb's scope, in one place: the client has a coroutine for each.

The paths stand without the ``/api`` prefix, which is found out per server. Four routes of the server have ``/v2`` in
their path; there is no other version of anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """How a request may be treated when it fails."""

    READ = "read"
    """Changes nothing: may be sent again."""
    WRITE = "write"
    """Changes something: sent once."""
    SUBMIT = "submit"
    """Starts a run that costs money: sent once, on a fresh connection, with a long time to answer."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route: its method, its path template, and how it may be treated."""

    method: str
    path: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _read(path: str) -> Route:
    return Route("GET", path, Kind.READ)


def _write(method: str, path: str) -> Route:
    return Route(method, path, Kind.WRITE)


WORKFLOWS: Final = _read("/workflows")
WORKFLOWS_ALL: Final = _read("/workflows/all")
WORKFLOW: Final = _read("/workflow/{workflow_id}")
WORKFLOW_VERSIONS: Final = _read("/workflow/{workflow_id}/versions")
WORKFLOW_VERSION_NUMBER: Final = _read("/workflow/{workflow_id}/version/{number}")
WORKFLOW_VERSION: Final = _read("/workflow-version/{version_id}")
WORKFLOW_DEPLOYMENTS: Final = _read("/workflow/{workflow_id}/deployments")
WORKFLOW_RUNS: Final = _read("/workflow/{workflow_id}/runs")
WORKFLOW_RUNS_V2: Final = _read("/v2/workflow/{workflow_id}/runs")
WORKFLOW_RUN_DAYS: Final = _read("/workflow/{workflow_id}/runs/day")
WORKFLOW_LATEST_RUN: Final = _read("/workflow/{workflow_id}/run/latest")
WORKFLOW_GALLERY: Final = _read("/workflow/{workflow_id}/gallery")
EXPORT_WORKFLOW: Final = _read("/workflow/{workflow_id}/export")
CREATE_WORKFLOW: Final = _write("POST", "/workflow")
CREATE_VERSION: Final = _write("POST", "/workflow/{workflow_id}/version")
CLONE_WORKFLOW: Final = _write("POST", "/workflow/{workflow_id}/clone")
UPDATE_WORKFLOW: Final = _write("PATCH", "/workflow/{workflow_id}")
DELETE_WORKFLOW: Final = _write("DELETE", "/workflow/{workflow_id}")

DEPLOYMENTS: Final = _read("/deployments")
DEPLOYMENT: Final = _read("/deployment/{deployment_id}")
DEPLOYMENT_RUNS: Final = _read("/deployment/{deployment_id}/runs")
CREATE_DEPLOYMENT: Final = _write("POST", "/deployment")
UPDATE_DEPLOYMENT: Final = _write("PATCH", "/deployment/{deployment_id}")
DEACTIVATE_DEPLOYMENT: Final = _write("POST", "/deployment/{deployment_id}/deactivate")
DELETE_DEPLOYMENT: Final = _write("DELETE", "/deployment/{deployment_id}")

MACHINES: Final = _read("/machines")
MACHINES_ALL: Final = _read("/machines/all")
MACHINE: Final = _read("/machine/{machine_id}")
MACHINE_WORKFLOWS: Final = _read("/machine/{machine_id}/workflows")
MACHINE_EVENTS: Final = _read("/machine/{machine_id}/events")
CREATE_MACHINE: Final = _write("POST", "/machine/custom")
CREATE_SERVERLESS_MACHINE: Final = _write("POST", "/machine/serverless")
UPDATE_MACHINE: Final = _write("PATCH", "/machine/custom/{machine_id}")
DELETE_MACHINE: Final = _write("DELETE", "/machine/{machine_id}")
GPU_PRICING: Final = _read("/platform/gpu-pricing")

RUN: Final = _read("/run/{run_id}")
RUNS_COUNT: Final = _read("/runs/count")
QUEUE_DEPLOYMENT: Final = Route("POST", "/run/deployment/queue", Kind.SUBMIT)
QUEUE_VERSION: Final = Route("POST", "/run", Kind.SUBMIT)
QUEUE_WORKFLOW: Final = Route("POST", "/run/workflow/queue", Kind.SUBMIT)
CANCEL_RUN: Final = _write("POST", "/run/{run_id}/cancel")

UPLOAD_FILE: Final = _write("POST", "/file/upload")
RUN_FILE_URL: Final = _read("/file-upload")
ASSETS: Final = _read("/assets")
SEARCH_ASSETS: Final = _read("/assets/search")
ASSET: Final = _read("/assets/{asset_id}")
PRESIGN_ASSET: Final = _read("/assets/presigned-url")
REGISTER_ASSET: Final = _write("POST", "/assets/register")
UPLOAD_ASSET: Final = _write("POST", "/assets/upload")
DELETE_ASSET: Final = _write("DELETE", "/assets/{asset_id}")

ROUTES: Final = tuple(value for value in list(globals().values()) if isinstance(value, Route))
"""All of them."""

ALIASES: Final = ("/run", "/run/queue")
"""Other paths under which the server answers as under one of them: one run by query, and a deprecated submit."""
