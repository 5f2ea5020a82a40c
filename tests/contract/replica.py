"""The workspace of the recordings, rebuilt in a sandbox: the same ids, so that requests can be sent as they were."""

from __future__ import annotations

import copy
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx

from comfynb.sandbox import Sandbox
from comfynb.sandbox.engine import Engine, Submit
from comfynb.sandbox.world.records import Asset, Deployment, Machine, Version, Workflow
from comfynb.sandbox.world.run import Run
from comfynb.sandbox.world.world import World

from .inferring import infer

STEP = 0.02
"""Reported seconds between two looks at a run that is brought to a state."""


class Harvest:
    """Rows of the real workspace that stand anywhere in the recordings, by kind and id."""

    def __init__(self, contents: dict[str, Any]) -> None:
        self.machines: dict[str, dict[str, Any]] = {}
        self.workflows: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.deployments: dict[str, dict[str, Any]] = {}
        self.assets: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.deleted_machines = {row["id"] for row in _body(contents, "machines_is_deleted_true", [])}
        for content in contents.values():
            for row in rows_in(content):
                self._keep(row)
        for name, content in contents.items():
            body = (content.get("request") or {}).get("body") if isinstance(content, dict) else None
            answer = content.get("response_body") if isinstance(content, dict) else None
            if name.startswith("workflow_create_") and isinstance(answer, dict) and "workflow_id" in answer:
                self.workflows.setdefault(answer["workflow_id"], {"id": answer["workflow_id"], "name": body["name"]})
        self._infer_from_submits(contents)
        infer(self, contents)

    def _infer(self, deployment_id: str, run: dict[str, Any]) -> None:
        row = {name: run[name] for name in ("workflow_id", "workflow_version_id", "machine_id")}
        row |= {"id": deployment_id, "environment": "production", "share_slug": None}
        self.deployments.setdefault(deployment_id, row)

    def _infer_from_submits(self, contents: dict[str, Any]) -> None:
        """Find deployments that were only ever submitted, by the runs that came of it."""
        runs = {
            row["id"]: row
            for content in contents.values()
            for row in rows_in(content)
            if {"workflow_version_id", "workflow_id", "machine_id", "status"} <= row.keys()
            and row["workflow_version_id"]
        }
        for content in contents.values():
            if not isinstance(content, dict) or not isinstance(content.get("response_body"), dict):
                continue
            body = (content.get("request") or {}).get("body")
            run = runs.get(content["response_body"].get("run_id", ""))
            if run and isinstance(body, dict) and "deployment_id" in body and "workflow_version_id" not in body:
                self._infer(body["deployment_id"], run)

    def _keep(self, row: dict[str, Any]) -> None:
        keys = row.keys()
        if {"workflow_api", "workflow", "version", "comment"} <= keys and isinstance(row["workflow_api"], dict):
            self.versions.setdefault(row["id"], row)
        elif {"environment", "workflow_version_id", "share_slug"} <= keys:
            self.deployments.setdefault(row["id"], row)
        elif {"machine_builder_version", "type", "status"} <= keys:
            self.machines[row["id"]] = {**self.machines.get(row["id"], {}), **row}
        elif {"deployment_id", "workflow_version_id", "machine_id"} <= keys and row["deployment_id"]:
            self._infer(row["deployment_id"], row)
        elif {"selected_machine_id", "pinned", "name"} <= keys:
            self.workflows[row["id"]] = {**self.workflows.get(row["id"], {}), **row}
        elif {"cover_url", "name"} <= keys:
            self.workflows.setdefault(row["id"], row)
        elif {"mime_type", "is_folder"} <= keys:
            self.assets.setdefault(row["id"], row)


def _body(contents: dict[str, Any], name: str, default: Any) -> Any:
    return contents.get(name, {}).get("response_body", default)


def rows_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object with an id, at any depth."""
    if isinstance(value, dict):
        if isinstance(value.get("id"), str):
            yield value
        for name, inner in value.items():
            if name not in {"nodes", "workflow_api"}:
                yield from rows_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from rows_in(inner)


def rebuild(sandbox: Sandbox, harvest: Harvest) -> None:
    """Put the recorded workspace into a sandbox, instead of its own."""
    world = World(sandbox.knobs, f"{sandbox.url}/files")
    sandbox.app.use(world, Engine(world))
    owner = world.tenants[sandbox.api_key].user_id
    moment = world.clock.now - timedelta(hours=3)
    for kept in (world.machines, world.workflows, world.versions, world.deployments):
        kept.clear()
    for row in harvest.machines.values():
        world.machines[row["id"]] = Machine(
            row["id"],
            owner,
            row["name"],
            row["type"],
            moment,
            moment,
            endpoint=row.get("endpoint") or "not-ready",
            status=row["status"],
            gpu=row.get("gpu"),
            deleted=row["id"] in harvest.deleted_machines,
            comfyui_version=row.get("comfyui_version"),
            machine_version_id=row.get("machine_version_id"),
        )
    for number, row in enumerate(harvest.workflows.values()):
        at = moment + timedelta(seconds=number)
        machine = row.get("selected_machine_id")
        world.workflows[row["id"]] = Workflow(row["id"], owner, row["name"], at, at, machine)
    for row in sorted(harvest.versions.values(), key=lambda each: each["version"]):
        workflow = world.workflows.get(row["workflow_id"])
        if workflow is None:
            continue
        version = Version(
            row["id"],
            workflow.id,
            owner,
            row["version"],
            copy.deepcopy(row["workflow"]),
            copy.deepcopy(row["workflow_api"]),
            row["comment"] or "",
            moment,
            moment,
            row.get("machine_id"),
        )
        world.versions[version.id] = version
        if version.number not in {each.number for each in workflow.versions}:
            workflow.versions.append(version)
    for row in harvest.deployments.values():
        if row["workflow_version_id"] not in world.versions or row["machine_id"] not in world.machines:
            continue
        at = moment + timedelta(minutes=1)
        deployment = Deployment(
            row["id"],
            owner,
            row["workflow_id"],
            row["workflow_version_id"],
            row["machine_id"],
            row["environment"],
            at,
            at,
        )
        deployment.share_slug = row["share_slug"]
        world.deployments[deployment.id] = deployment
    for row in harvest.assets.values():
        asset = Asset(
            row["id"], owner, row["name"], row["path"], row["file_size"], row["mime_type"], row["url"], moment, moment
        )
        world.assets[asset.id] = asset


def add_run(sandbox: Sandbox, row: dict[str, Any]) -> None:
    """Add a run with the id, the inputs and the status of a recorded one."""
    world, engine = sandbox.world, sandbox.app.engine
    if row["id"] in world.runs:
        return
    version = world.versions.get(row.get("workflow_version_id") or "")
    workflow = world.workflows.get(row["workflow_id"])
    graph = version or (workflow.versions[0] if workflow and workflow.versions else None)
    machines = [each for each in world.machines.values() if each.type == row.get("machine_type")]
    machine = world.machines.get(row.get("machine_id") or "") or next(iter(machines), None)
    if workflow is None or graph is None or machine is None:
        return
    tenant = world.tenants[sandbox.api_key]
    inputs = dict(row.get("workflow_inputs") or {})
    if row["status"] == "failed" and row.get("ended_at"):
        inputs["positive_prompt"] = "__fail__"
    if row["status"] == "success":
        inputs |= _pictures(graph.workflow_api)
    asked = Submit(
        tenant=tenant,
        machine=machine,
        workflow_id=workflow.id,
        workflow_api=graph.workflow_api,
        workflow=graph.workflow,
        inputs=inputs,
        version=version,
        deployment=world.deployments.get(row.get("deployment_id") or ""),
        gpu=row.get("gpu"),
        webhook=row.get("webhook"),
    )
    run = engine.submit(asked)
    del world.runs[run.id]
    world.live.pop(run.id, None)
    run.id = row["id"]
    run.inputs = row.get("workflow_inputs") or {}
    run.cache.clear()
    world.runs[run.id] = run
    _bring(sandbox, run, row)


def _pictures(graph: dict[str, Any]) -> dict[str, str]:
    """Return a readable picture for each input that takes one: the recorded machines did not mind what came."""
    nodes = (node for node in graph.values() if node["class_type"].startswith("ComfyUIDeployExternalImage"))
    return {node["inputs"]["input_id"]: "data:image/png;base64," + b64encode(PNG).decode() for node in nodes}


def _bring(sandbox: Sandbox, run: Run, row: dict[str, Any]) -> None:
    status, progress = row["status"], row.get("progress")
    datas = [each["data"] for each in row.get("outputs") or []]
    shown = sum(isinstance(data, dict) and all(isinstance(each, list) for each in data.values()) for data in datas)
    over = any(isinstance(data, list) for data in datas)
    if status == "timeout":
        sandbox.advance(25 * 3600.0)
        return
    if status == "cancelled":
        sandbox.app.engine.cancel(run)
        return
    for _ in range(20_000):
        state = run.plan.states[run.index(sandbox.world.pace.now())]
        far = progress is None or not row.get("live_status") or state.progress >= min(progress, 0.2)
        far = far and state.outputs >= shown and not over
        if (state.status == status and far) or run.settled:
            return
        sandbox.advance(STEP)


def ask(sandbox: Sandbox, recording: Any) -> httpx.Response:
    """Send a recorded request to a sandbox, with the key that it came with."""
    query = {name: sandbox.api_key if value == "<API_KEY>" else value for name, value in recording.query.items()}
    headers = {}
    if "x-api-key" in recording.headers:
        headers["x-api-key"] = sandbox.api_key
    key = _key(sandbox, recording)
    if key:
        headers["authorization"] = key
    body: dict[str, Any] = {}
    if isinstance(recording.body, dict) and list(recording.body) == ["multipart"]:
        body["files"] = {recording.body["multipart"][0]: _file(recording)}
    elif isinstance(recording.body, str):
        body["content"] = recording.body
        headers["content-type"] = "application/json"
    elif recording.body is not None:
        body["json"] = recording.body
    with httpx.Client(base_url=sandbox.url, timeout=20) as client:
        return client.request(recording.method, recording.path, params=query, headers=headers, **body)


def _key(sandbox: Sandbox, recording: Any) -> str:
    if recording.auth == "none":
        return {"err_lowercase_bearer_401": "bearer x", "err_basic_auth_401": "Basic eDp5"}.get(recording.name, "")
    if "<API_KEY>" in recording.auth:
        return f"Bearer {sandbox.api_key}"
    if "bad_token" in recording.name:
        return "Bearer no.such.key"
    return f"Bearer {sandbox.revoked_api_key if 'revoked' in recording.name else sandbox.other_api_key}"


PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde\x00\x00\x00"
    b"\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)


def _file(recording: Any) -> tuple[str, bytes, str]:
    """Return a file with a name as it was sent: the recording keeps neither the name nor the bytes."""
    answer = recording.answer if isinstance(recording.answer, dict) else {}
    name = answer.get("file_name") or answer.get("name") or "picture.png"
    if recording.name in {"file_upload_txt_400", "file_upload_lying_type"}:
        name = "notes.txt"
    if recording.name == "file_upload_empty_name":
        name = ""
    return name, PNG, "image/png"
