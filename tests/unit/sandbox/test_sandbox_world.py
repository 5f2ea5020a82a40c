"""The world that a sandbox begins with, and that the same seed always gives the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import pytest
from sandbox_client import Client

from comfynb.sandbox import Sandbox
from comfynb.sandbox.nodes import is_known


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox as it is by itself, with its whole past."""
    with Sandbox(speed=0) as running:
        yield running


def test_it_has_machines_of_every_kind_and_state(client: Client) -> None:
    """Classic and serverless, several GPUs, ready, building, error, paused, and a deleted one that does not say so."""
    machines = client.get("/machines").json()
    kept = client.get("/machines", params={"is_deleted": "false"}).json()
    assert len(machines) >= 7
    assert {row["status"] for row in machines} == {"ready", "building", "error", "paused"}
    assert {row["type"] for row in machines} == {"classic", "comfy-deploy-serverless"}
    assert {"A10G", "A100", "H100"} <= {row["gpu"] for row in machines}
    assert [row["name"] for row in machines if row not in kept] == ["old-box"]
    assert all("deleted" not in row for row in machines)
    assert client.get("/machines/all").json() == kept


def test_it_has_workflows_with_untidy_names(client: Client) -> None:
    """Eight of them, one without a deployment, one without inputs."""
    names = [row["name"] for row in client.get("/workflows").json()]
    assert len(names) == 8
    assert {"text2img", "Text to Image", "inpaint", "img2vid - wan 2.1", "upscale_esrgan", "MAKEIMAGE"} <= set(names)
    ids = {row["name"]: row["id"] for row in client.get("/workflows").json()}
    assert client.get(f"/workflow/{ids['wallpaper of the day']}/deployments").status_code == 404


def test_it_has_twenty_deployments_and_some_hide(client: Client, sandbox: Sandbox) -> None:
    """Fluid ones come only when they are asked for, or when the knob shows them."""
    plain = client.get("/deployments").json()
    fluid = client.get("/deployments", params={"is_fluid": "true"}).json()
    assert len(plain) + len(fluid) == 20
    assert {row["modal_image_id"] is None for row in plain} == {True}
    assert {row["modal_image_id"] is None for row in fluid} == {False}
    sandbox.knobs.hide_fluid = False
    assert len(client.get("/deployments").json()) == 20


def test_one_production_deployment_is_on_the_paused_machine(client: Client) -> None:
    """So that routing has something to warn of."""
    paused = next(row["id"] for row in client.get("/machines").json() if row["status"] == "paused")
    assert client.deployment("upscale_esrgan")["machine_id"] == paused


def test_its_history_is_two_hundred_runs_of_thirty_days(client: Client, sandbox: Sandbox) -> None:
    """With every way to end, all of them before the start."""
    runs = sandbox.world.runs.values()
    assert len(runs) == 200
    ends = Counter(run.plan.states[-1].status for run in runs)
    assert ends["success"] > 100
    assert {"failed", "cancelled", "timeout"} <= ends.keys()
    start = sandbox.knobs.start
    assert all(start - timedelta(days=30) <= run.created_at < start for run in runs)
    assert all(run.updated_at(run.plan.states[-1]) < start for run in runs)
    assert client.get("/runs/count").json()["count"] == 200


def test_a_machine_that_died_shows_a_timeout_only_where_the_server_computes_it(
    client: Client, sandbox: Sandbox
) -> None:
    """The row says running for ever; reading the single run says timeout."""
    dead = next(run for run in sandbox.world.runs.values() if run.plan.states[-1].status == "running")
    assert client.run(dead.id)["status"] == "timeout"
    rows = client.get(f"/v2/workflow/{dead.workflow_id}/runs", params={"limit": 500}).json()
    assert next(row["status"] for row in rows if row["id"] == dead.id) == "running"


def test_graphs_fit_together(sandbox: Sandbox) -> None:
    """Links lead to nodes that are there, in both graphs, and notes stand only in the editor's."""
    for version in sandbox.world.versions.values():
        api, ui = version.workflow_api, version.workflow
        for node in api.values():
            for value in node["inputs"].values():
                if isinstance(value, list):
                    assert value[0] in api
        nodes = {node["id"]: node for node in ui["nodes"]}
        assert {str(node_id) for node_id, node in nodes.items() if node["type"] != "Note"} == set(api)
        for number, source, output, target, slot, _kind in ui["links"]:
            assert number in nodes[source]["outputs"][output]["links"]
            assert nodes[target]["inputs"][slot]["link"] == number


def test_only_one_version_has_a_node_that_no_machine_knows(sandbox: Sandbox) -> None:
    """All the other graphs can be executed."""
    unknown = [
        version.comment
        for version in sandbox.world.versions.values()
        if not all(is_known(node["class_type"]) for node in version.workflow_api.values())
    ]
    assert unknown == ["with Ultimate SD Upscale"]


def script(sandbox: Sandbox, polls: int) -> list[object]:
    """Do a few things with a sandbox, and return all that was answered but addresses."""
    with Client(sandbox) as client:
        # Both are made before either has ended, however slow this machine is just now.
        speed, sandbox.knobs.speed = sandbox.knobs.speed, 0
        first = client.queued("text2img", {"prompt": "a fox", "seed": 4})
        second = client.queued("MAKEIMAGE", {"PROMPT": "a fox"})
        sandbox.knobs.speed = speed
        for _ in range(polls):
            client.run(first)
            client.get("/workflows")
            sandbox.advance(0)
        sandbox.ended()
        third = client.queued("text2img", {"prompt": "an owl"})
        upload = client.post("/file/upload", files={"file": ("a.png", b"x", "image/png")}).json()["file_id"]
        sandbox.ended()
        runs = [client.run(run_id) for run_id in (first, second, third)]
        url = runs[0]["outputs"][0]["data"]["images"][0]["url"]
        picture = httpx.get(url).content
        for run in runs:
            for output in run["outputs"]:
                output["data"] = sorted(output["data"])
        return [runs, upload, picture.split(b"IDAT")[1:], client.get("/machines").json()]


def test_the_same_seed_and_the_same_order_give_the_same_answers() -> None:
    """Ids, times, durations and pictures; however fast it runs, and however often it is asked."""
    answers = []
    for polls, speed in ((0, 200), (7, 120)):
        with Sandbox(speed=speed) as sandbox:
            answers.append(script(sandbox, polls))
    assert answers[0] == answers[1]


def test_another_seed_is_another_world() -> None:
    """Ids and keys differ."""
    first, second = Sandbox(), Sandbox(seed=8)
    assert first.api_key != second.api_key
    assert not set(first.world.machines) & set(second.world.machines)


@pytest.mark.parametrize("start", ["2025-02-01T00:00:00+00:00", "2030-06-01T12:00:00+02:00"])
def test_the_clock_begins_where_it_is_told(start: str) -> None:
    """The history lies before it, in UTC."""
    moment = datetime.fromisoformat(start)
    world = Sandbox(start=moment).world
    assert world.clock.now == moment
    assert max(run.created_at for run in world.runs.values()) < moment
