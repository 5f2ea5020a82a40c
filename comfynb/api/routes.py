"""Every route of the ComfyDeploy API that comfynb uses, in one place.

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


WORKFLOWS: Final = _read("/workflows")
WORKFLOWS_ALL: Final = _read("/workflows/all")
WORKFLOW: Final = _read("/workflow/{workflow_id}")
WORKFLOW_VERSIONS: Final = _read("/workflow/{workflow_id}/versions")
WORKFLOW_VERSION_NUMBER: Final = _read("/workflow/{workflow_id}/version/{number}")
WORKFLOW_VERSION: Final = _read("/workflow-version/{version_id}")
WORKFLOW_DEPLOYMENTS: Final = _read("/workflow/{workflow_id}/deployments")
WORKFLOW_RUNS: Final = _read("/workflow/{workflow_id}/runs")
WORKFLOW_RUNS_V2: Final = _read("/v2/workflow/{workflow_id}/runs")
CREATE_WORKFLOW: Final = Route("POST", "/workflow", Kind.WRITE)
CREATE_VERSION: Final = Route("POST", "/workflow/{workflow_id}/version", Kind.WRITE)

DEPLOYMENTS: Final = _read("/deployments")
DEPLOYMENT: Final = _read("/deployment/{deployment_id}")
DEPLOYMENT_RUNS: Final = _read("/deployment/{deployment_id}/runs")
CREATE_DEPLOYMENT: Final = Route("POST", "/deployment", Kind.WRITE)
UPDATE_DEPLOYMENT: Final = Route("PATCH", "/deployment/{deployment_id}", Kind.WRITE)

MACHINES: Final = _read("/machines")
MACHINE: Final = _read("/machine/{machine_id}")
GPU_PRICING: Final = _read("/platform/gpu-pricing")

RUN: Final = _read("/run/{run_id}")
QUEUE_DEPLOYMENT: Final = Route("POST", "/run/deployment/queue", Kind.SUBMIT)
QUEUE_VERSION: Final = Route("POST", "/run", Kind.SUBMIT)
QUEUE_WORKFLOW: Final = Route("POST", "/run/workflow/queue", Kind.SUBMIT)
CANCEL_RUN: Final = Route("POST", "/run/{run_id}/cancel", Kind.WRITE)

UPLOAD_FILE: Final = Route("POST", "/file/upload", Kind.WRITE)

ROUTES: Final = tuple(value for value in list(globals().values()) if isinstance(value, Route))
"""All of them."""
