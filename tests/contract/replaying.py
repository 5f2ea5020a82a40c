"""Recorded runs once more: submitted to a sandbox in their order, as their machines had them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from comfynb.sandbox import Sandbox
from comfynb.sandbox.world.graph import Graph

from .posted import Json
from .replica import rebuild
from .run_facts import Known
from .sequences import Life

STEP = 0.01
"""Reported seconds by which time goes on."""
LONGEST = 400.0
"""Reported seconds after which a run is left to itself."""
TOGETHER = timedelta(seconds=0.4)
"""A run that was submitted so long before the end of the one before it was submitted beside it."""
NOWHERE = "https://nowhere.invalid"


@dataclass
class Replay:
    """What became of one recorded run on a sandbox."""

    run_id: str
    """Its id there."""
    status: int
    """How its submit was answered."""
    answers: list[Json] = field(default_factory=list)
    """The different answers of `GET /run/{run_id}`."""
    row: Json = field(default_factory=dict)
    """The run in the old list."""

    @property
    def last(self) -> Json:
        """The last answer."""
        return self.answers[-1]


class Replaying:
    """A sandbox that gets the recorded submits one after the other.

    Parameters
    ----------
    sandbox : Sandbox
        Its machines stand still: they are moved from here.
    hook : str
        Where webhooks are to go, instead of where they went; empty sends none.
    """

    def __init__(self, sandbox: Sandbox, hook: str = "") -> None:
        self.sandbox = sandbox
        self.hook = hook
        self.client = httpx.Client(
            base_url=f"{sandbox.url}/api", headers={"authorization": f"Bearer {sandbox.api_key}"}, timeout=20
        )
        self.found: dict[str, Replay] = {}
        self._live: list[Replay] = []
        self._seen: tuple[tuple[str, int], ...] = ()

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def all_of(self, known: list[Known], lives: dict[str, Life]) -> dict[str, Replay]:
        """Submit every run whose graph is known, in their order; return what became of them, by recorded id."""
        before: datetime | None = None
        for each in known:
            alone = before is None or each.created is None or each.created > before - TOGETHER
            if alone:
                self._settle()
            self.submit(each, lives.get(each.run_id))
            over = each.over
            before = max(before, over) if before is not None and over is not None else over or before
        self._settle()
        self._read_lists()
        return self.found

    def submit(self, known: Known, life: Life | None) -> Replay:
        """Submit a run as it was submitted, with what happened to it from outside."""
        knobs = self.sandbox.knobs
        inputs = dict(known.sent)
        _outside(self.sandbox, known, life, inputs)
        body = {
            "workflow_version_id": known.tells("workflow_version_id"),
            "machine_id": known.tells("machine_id"),
            "inputs": inputs,
        }
        if self.hook and known.webhook:
            query = known.webhook.partition("?")[2]
            body |= {"webhook": f"{self.hook}?{query}", "webhook_intermediate_status": known.intermediate}
        with httpx.Client(base_url=f"{self.sandbox.url}/api", headers=self.client.headers, timeout=20) as once:
            reply = once.post("/run", json=body)
        knobs.change(offline=set(), uploads_fail=False, stuck_next=0)
        run_id = reply.json()["run_id"] if reply.status_code == 200 else list(self.sandbox.world.runs)[-1]
        replay = self.found[known.run_id] = Replay(run_id, reply.status_code)
        self._live.append(replay)
        self._look()
        if reply.status_code == 200 and _in_the_cloud(known) and "cancelled" in _statuses(known, life):
            self._cancel(replay, any(row.get("live_status") for row in known.rows))
        return replay

    def _cancel(self, replay: Replay, begun: bool) -> None:
        """Cancel a run, before or after its first node has begun."""
        gone = 0.0
        while begun and not replay.last["live_status"] and gone < LONGEST:
            self.sandbox.advance(STEP)
            gone += STEP
            self._look()
        self.client.post(f"/run/{replay.run_id}/cancel")
        self._look()

    def _settle(self) -> None:
        gone = 0.0
        while self.sandbox.world.live and gone < LONGEST:
            self.sandbox.advance(STEP)
            gone += STEP
            self._look()
        self._live = [each for each in self._live if each.run_id in self.sandbox.world.live]

    def _look(self) -> None:
        """Ask for the runs, if any of them has changed."""
        world = self.sandbox.world
        seen = tuple((each.run_id, world.runs[each.run_id].index(world.pace.now())) for each in self._live)
        if seen == self._seen:
            return
        self._seen = seen
        for each in self._live:
            answer = self.client.get(f"/run/{each.run_id}", params={"queue_position": "true"}).json()
            if not each.answers or answer != each.last:
                each.answers.append(answer)

    def _read_lists(self) -> None:
        workflows = {each.last["workflow_id"] for each in self.found.values()}
        rows = {}
        for workflow_id in workflows:
            for row in self.client.get(f"/workflow/{workflow_id}/runs", params={"limit": 1000}).json():
                rows[row["id"]] = row
        for each in self.found.values():
            each.row = rows[each.run_id]


def _in_the_cloud(known: Known) -> bool:
    return "serverless" in (known.tells("machine_type") or "")


def _statuses(known: Known, life: Life | None) -> set[str]:
    return {row.get("status", "") for row in (*known.rows, *(life.answers if life is not None else ()))}


def _outside(sandbox: Sandbox, known: Known, life: Life | None, inputs: Json) -> None:
    """Let that happen to the next run which its graph and its inputs do not tell."""
    graph = sandbox.world.versions[known.tells("workflow_version_id")].workflow_api
    unknown = any(not sandbox.world.installed.knows(node["class_type"]) for node in graph.values())
    posted = known.machine is not None
    if life is None:
        if known.tells("status") == "failed" and not posted and known.tells("ended_at") is None:
            sandbox.knobs.offline = {known.tells("machine_id")}
        return
    last, made = life.last, life.outputs
    if last["status"] == "failed":
        inputs |= {name: f"{NOWHERE}/{known.run_id}.png" for name in _pictures(graph) if name in inputs}
    if last["status"] == "not-started" and not unknown:
        _say(graph, inputs, "__never_start__")
    if last["status"] == "cancelled" and not life.serverless:
        _say(graph, inputs, "__interrupt__")
    if last["status"] == "running" and not made and last["progress"] < 0.99:
        sandbox.knobs.stuck_next = 1
    if last["status"] == "success" and not made:
        sandbox.knobs.uploads_fail = True


def _pictures(graph: Json) -> list[str]:
    return [
        node["inputs"]["input_id"]
        for node in graph.values()
        if node["class_type"] in ("ComfyUIDeployExternalImage", "ComfyUIDeployExternalImageAlpha")
    ]


def _say(graph: Json, inputs: Json, word: str) -> None:
    names = [
        node["inputs"]["input_id"]
        for node in graph.values()
        if node["class_type"].startswith("ComfyUIDeployExternalText")
    ]
    inputs[names[0]] = f"{inputs.get(names[0], '')} {word}"


@dataclass
class Workspace:
    """Rows of a workspace in which the recorded runs can be submitted, by kind and id."""

    machines: dict[str, Json] = field(default_factory=dict)
    workflows: dict[str, Json] = field(default_factory=dict)
    versions: dict[str, Json] = field(default_factory=dict)
    deployments: dict[str, Json] = field(default_factory=dict)
    assets: dict[str, Json] = field(default_factory=dict)
    deleted_machines: frozenset[str] = frozenset()


def workspace(known: dict[str, Known], graphs: dict[str, Json]) -> Workspace:
    """Return what the recorded runs need: their machines, and their workflows with a version and its deployment."""
    found = Workspace()
    for each in known.values():
        machine_id, version_id, workflow_id = map(each.tells, ("machine_id", "workflow_version_id", "workflow_id"))
        if machine_id is None or version_id not in graphs:
            continue
        kind = each.tells("machine_type")
        row = {"id": machine_id, "name": f"machine {machine_id[:8]}", "type": kind or "classic", "status": "ready"}
        if kind is not None or machine_id not in found.machines:
            found.machines[machine_id] = row
        found.workflows.setdefault(workflow_id, {"id": workflow_id, "name": f"workflow {workflow_id[:8]}"})
        graph = graphs[version_id]
        row = {"id": version_id, "workflow_id": workflow_id, "comment": "", "workflow_api": graph}
        number = sum(other["workflow_id"] == workflow_id for other in found.versions.values()) + 1
        found.versions.setdefault(version_id, row | {"version": number, "workflow": Graph.of(graph).ui()})
        deployment_id = each.tells("deployment_id") or each.body.get("deployment_id")
        if deployment_id is not None:
            row = {"id": deployment_id, "workflow_id": workflow_id, "workflow_version_id": version_id}
            row |= {"machine_id": machine_id, "environment": "production", "share_slug": None}
            found.deployments.setdefault(deployment_id, row)
    return found


def replay(
    sandbox: Sandbox, known: dict[str, Known], graphs: dict[str, Json], lives: list[Life], hook: str = ""
) -> dict[str, Replay]:
    """Rebuild the recorded workspace in a sandbox, and submit all that was submitted there."""
    rebuild(sandbox, workspace(known, graphs))
    by_run: dict[str, Life] = {}
    for life in sorted(lives, key=lambda life: life.ended):
        by_run[life.run_id] = life
    versions = sandbox.world.versions
    ordered = sorted(
        (each for each in known.values() if each.tells("workflow_version_id") in versions and each.created is not None),
        key=lambda each: each.created,
    )
    replaying = Replaying(sandbox, hook)
    try:
        return replaying.all_of(ordered, by_run)
    finally:
        replaying.close()
