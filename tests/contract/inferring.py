"""What must have been there, though no recording shows it: a request that was accepted names things that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from comfynb.sandbox.world.graph import Graph

from .stand_ins import STAND_INS, output_nodes, pictured_text, plain, refused

Rows = dict[str, dict[str, Any]]
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
GRAPHS = {"files": output_nodes, "text": pictured_text}
"""Graphs by what they put out, apart from pictures."""
REFUSED = "Error creating run: 400"


class Rebuilt(Protocol):
    """A workspace that is being put together, by kind and id."""

    machines: Rows
    workflows: Rows
    versions: Rows
    deployments: Rows
    runs: Rows


def infer(found: Rebuilt, contents: dict[str, Any]) -> None:
    """Add what is needed for the recorded requests to be answered as they were."""
    graphs = {row["workflow_version_id"]: GRAPHS[kind] for row in _runs([*contents.values()]) for kind in _made_of(row)}
    for content in contents.values():
        if isinstance(content, dict):
            for row in _runs(content):
                _machine(found, row.get("machine_id"), row.get("machine_type") or "classic")
                _version(
                    found, row["workflow_version_id"], row["workflow_id"], graphs.get(row["workflow_version_id"], plain)
                )
            if isinstance(content.get("status"), int):
                _request(found, content)
    for row in list(found.deployments.values()):
        _machine(found, row["machine_id"])
        _version(found, row["workflow_version_id"], row["workflow_id"], STAND_INS.get(row["id"], plain))
    numbered = {row["workflow_id"] for row in found.versions.values()}
    for workflow_id in found.workflows.keys() - numbered:
        _version(found, _made("version", workflow_id), workflow_id)


def _runs(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if {"status", "workflow_id", "workflow_version_id"} <= value.keys() and isinstance(value["workflow_id"], str):
            yield value
        for inner in value.values():
            yield from _runs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _runs(inner)


def _made_of(run: dict[str, Any]) -> Iterator[str]:
    for each in run.get("outputs") or ():
        if isinstance(each.get("data"), dict):
            yield from each["data"].keys() & GRAPHS.keys()


def _request(found: Rebuilt, content: dict[str, Any]) -> None:
    """Add what an accepted request names; one that a machine did not take was accepted by the server."""
    request, status, answer = content["request"], content["status"], content.get("response_body")
    path, body = request["path"], request.get("body")
    body = body if isinstance(body, dict) else {}
    reached = path.startswith("/api/run") and (REFUSED in str(answer) or "__text__" in str(answer))
    reached = reached or (path.endswith("/deactivate") and "__text__" in str(answer))
    run = re.fullmatch(rf"/api/run/({UUID})(/cancel)?", path)
    if run and status in (200, 403):
        _run(found, run[1])
    if (status >= 400 and not reached) or answer == []:  # lists of what is unknown are empty
        return
    for kind, row_id in re.findall(rf"/(workflow|machine|workflow-version|deployment)/(?:custom/)?({UUID})", path):
        if kind == "workflow":
            _workflow(found, row_id)
        elif kind == "machine":
            _machine(found, row_id)
        elif kind == "workflow-version":
            _version(found, row_id, _made("workflow", row_id))
        elif row_id not in found.deployments:
            shared = "public-share" if request["method"] == "DELETE" else "staging"
            _deployment(found, row_id, shared)
    if status >= 400 and "deployment_id" not in body:
        return
    _machine(found, body.get("machine_id"))
    version_id = body.get("workflow_version_id")
    if version_id and version_id not in found.versions:
        _version(found, version_id, body.get("workflow_id") or _made("workflow", version_id))
    if "/run" in path and body.get("deployment_id"):
        graph = refused if REFUSED in str(answer) else plain
        _deployment(found, body["deployment_id"], "production", graph)


def _run(found: Rebuilt, row_id: str) -> None:
    """Add a run of which nothing is known but that it can be cancelled, or is somebody else's."""
    machine_id, version_id, workflow_id = (_made(kind, row_id) for kind in ("machine", "version", "workflow"))
    _machine(found, machine_id, "comfy-deploy-serverless")
    _version(found, version_id, workflow_id)
    ids = {"workflow_version_id": version_id, "workflow_id": workflow_id, "machine_id": machine_id}
    found.runs[row_id] = {"id": row_id, "status": "running", **ids}


def _made(kind: str, of: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{kind} of {of}"))


def _machine(found: Rebuilt, row_id: str | None, type: str = "classic") -> None:
    if row_id:
        row = {"id": row_id, "name": f"machine {row_id[:8]}", "type": type, "status": "ready"}
        found.machines.setdefault(row_id, row)


def _workflow(found: Rebuilt, row_id: str) -> None:
    found.workflows.setdefault(row_id, {"id": row_id, "name": f"workflow {row_id[:8]}"})


def _version(found: Rebuilt, row_id: str | None, workflow_id: str, build: Any = plain) -> None:
    """Add a version; where its graph was not recorded, one that behaves as is told of it."""
    _workflow(found, workflow_id)
    if not row_id or row_id in found.versions:
        return
    graph = Graph()
    build(graph)
    numbers = [each["version"] for each in found.versions.values() if each["workflow_id"] == workflow_id]
    row = {"id": row_id, "workflow_id": workflow_id, "version": max(numbers, default=0) + 1, "comment": ""}
    found.versions[row_id] = row | {"workflow": graph.ui(), "workflow_api": graph.api()}


def _deployment(found: Rebuilt, row_id: str, environment: str, build: Any = plain) -> None:
    if row_id in found.deployments:
        return
    version_id, workflow_id, machine_id = (_made(kind, row_id) for kind in ("version", "workflow", "machine"))
    _machine(found, machine_id)
    _version(found, version_id, workflow_id, STAND_INS.get(row_id, build))
    found.deployments[row_id] = {
        "id": row_id,
        "workflow_id": workflow_id,
        "workflow_version_id": version_id,
        "machine_id": machine_id,
        "environment": environment,
        "share_slug": None,
    }
