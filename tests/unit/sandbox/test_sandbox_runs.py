"""The lives of runs on the two kinds of machine."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import httpx
import pytest
from sandbox_client import Client

from comfynb.sandbox import Sandbox


def seen(states: list[dict[str, Any]], name: str) -> list[Any]:
    """Return the different values that a field went through, in order."""
    values: list[Any] = []
    for state in states:
        if not values or values[-1] != state[name]:
            values.append(state[name])
    return values


def test_the_life_of_a_run_on_a_classic_machine(client: Client) -> None:
    """It runs node after node, reports neither queue nor start, and keeps its live status after the end."""
    states = client.life(client.queued("text2img", {"prompt": "a fox", "seed": 3}))
    assert seen(states, "status") == ["not-started", "running", "success"]
    assert all(state["queued_at"] is state["started_at"] is state["run_duration"] is None for state in states)
    last = states[-1]
    assert (last["live_status"], last["progress"]) == ("Executing SaveImage", 1.0)
    assert last["machine_type"] == "classic"
    assert last["modal_function_call_id"] is None
    assert len(seen(states, "progress")) > 8
    ended, created = (datetime.fromisoformat(last[name]) for name in ("ended_at", "created_at"))
    assert (ended - created).total_seconds() == pytest.approx(last["duration"], abs=0.002)
    (output,) = last["outputs"]
    assert output["node_meta"] == {"node_id": "12"}
    assert set(output["data"]["images"][0]) == {"url", "type", "filename", "is_public", "subfolder", "upload_duration"}


def test_progress_is_a_four_byte_float(client: Client) -> None:
    """It comes back as PostgreSQL gives it."""
    progress = seen(client.life(client.queued("text2img")), "progress")
    assert 0.33000001311302185 in progress
    assert 0.33 not in progress


def test_the_life_of_a_run_on_a_serverless_machine(client: Client) -> None:
    """It is queued, starts cold, runs, and reports the seconds of each part."""
    states = client.life(client.queued("MAKEIMAGE", {"PROMPT": "a fox"}))
    assert seen(states, "status") == ["not-started", "queued", "started", "running", "success"]
    last = states[-1]
    assert last["gpu"] == "A100"
    assert last["modal_function_call_id"].startswith("fc-")
    assert last["cold_start_duration"] == pytest.approx(8.0)
    total = last["cold_start_duration_total"] + last["run_duration"]
    assert total == pytest.approx(last["duration"])


def test_a_serverless_machine_stays_warm_for_a_minute(client: Client) -> None:
    """The next run starts at once; after the idle timeout it is cold again."""
    client.over(client.queued("MAKEIMAGE"), 60)
    warm = client.over(client.queued("MAKEIMAGE"), 30)
    assert warm["cold_start_duration"] < 1
    client.sandbox.advance(120)
    cold = client.over(client.queued("MAKEIMAGE"), 60)
    assert cold["cold_start_duration"] == pytest.approx(8.0)


def test_a_classic_machine_executes_one_run_after_the_other(client: Client) -> None:
    """The others wait, and their position counts those before them that have not started."""
    ids = [client.queued("text2img", {"prompt": str(number), "seed": number + 1}) for number in range(3)]
    client.sandbox.advance(1)
    assert [client.run(run_id)["status"] for run_id in ids] == ["running", "not-started", "not-started"]
    assert [client.run(run_id, queue_position="true")["queue_position"] for run_id in ids] == [None, 0, 1]
    assert [client.run(run_id)["queue_position"] for run_id in ids] == [None, None, None]
    client.sandbox.advance(100)
    rows = [client.run(run_id) for run_id in ids]
    ends = [datetime.fromisoformat(row["ended_at"]) for row in rows]
    assert [row["status"] for row in rows] == ["success"] * 3
    assert ends == sorted(ends)
    assert rows[2]["duration"] > rows[1]["duration"] > rows[0]["duration"]


def test_dead_runs_count_in_the_queue(client: Client) -> None:
    """A run that never starts is before everybody else, for a day."""
    client.queued("text2img", {"prompt": "__never_start__"})
    client.queued("text2img", {"seed": 1})
    client.sandbox.advance(1)
    waiting = client.queued("text2img", {"seed": 2})
    assert client.run(waiting, queue_position="true")["queue_position"] == 1


def test_a_machine_id_beside_a_deployment_does_nothing(client: Client) -> None:
    """The run goes to the deployment's machine, on both routes; a `gpu` is taken."""
    other = next(row["id"] for row in client.get("/machines").json() if row["name"] == "serverless-h100")
    deployment = client.deployment("text2img")
    body = {"deployment_id": deployment["id"], "machine_id": other, "gpu": "A10G"}
    for path in ("/run/deployment/queue", "/run"):
        run = client.run(client.post(path, json=body).json()["run_id"])
        assert (run["machine_id"], run["gpu"]) == (deployment["machine_id"], "A10G")


def test_a_version_runs_on_any_machine(client: Client, sandbox: Sandbox) -> None:
    """The run then belongs to no deployment."""
    other = next(row["id"] for row in client.get("/machines").json() if row["name"] == "serverless-h100")
    deployment = client.deployment("text2img")
    body = {"workflow_version_id": deployment["workflow_version_id"], "machine_id": other, "inputs": {"prompt": "x"}}
    run_id = client.post("/run", json={**body, "deployment_id": deployment["id"]}).json()["run_id"]
    assert client.run(run_id)["machine_id"] == other
    assert client.newest("text2img")["deployment_id"] is None
    assert sandbox.counters.prompts == {"serverless-h100": 1}
    assert client.post("/run", json={**body, "machine_id": None}).json() == {"detail": "Machine not found"}


def test_a_graph_runs_without_a_version(client: Client) -> None:
    """With a machine; the run then has neither version nor deployment."""
    deployment = client.deployment("text2img")
    body = {
        "workflow_id": deployment["workflow_id"],
        "workflow_api_json": deployment["version"]["workflow_api"],
        "machine_id": deployment["machine_id"],
    }
    run = client.over(client.post("/run/workflow/queue", json=body).json()["run_id"])
    assert (run["status"], run["workflow_version_id"]) == ("success", None)
    row = client.newest("text2img")
    assert (row["version"], row["deployment_id"]) == (None, None)


def test_a_graph_that_is_none_never_starts(client: Client) -> None:
    """Whatever is sent as a graph, the server does not look at it."""
    deployment = client.deployment("text2img")
    for graph in ({}, {"1": 5}, {"1": {"class_type": "SaveImage", "inputs": [1]}}):
        body = {
            "workflow_id": deployment["workflow_id"],
            "workflow_api_json": graph,
            "machine_id": deployment["machine_id"],
        }
        reply = client.post("/run/workflow/queue", json=body)
        assert reply.status_code in {200, 400}


def test_a_paused_machine_takes_runs_and_a_broken_one_leaves_a_failed_row(client: Client) -> None:
    """Nobody looks at the status; where nothing answers the submit is a plain 500, and the row has no end."""
    assert client.over(client.queued("upscale_esrgan"))["status"] == "success"
    broken = next(row["id"] for row in client.get("/machines").json() if row["status"] == "error")
    version = client.deployment("text2img")["workflow_version_id"]
    reply = client.post("/run", json={"workflow_version_id": version, "machine_id": broken})
    assert (reply.status_code, reply.text) == (500, "Internal Server Error")
    row = client.newest("text2img")
    assert (row["status"], row["ended_at"], row["machine_id"]) == ("failed", None, broken)


def test_cancelling_works_on_serverless_machines_only(client: Client) -> None:
    """On a classic one it is a 500, and the run goes on."""
    run_id = client.queued("MAKEIMAGE", {"PROMPT": "x"})
    client.sandbox.advance(10)
    reply = client.post(f"/run/{run_id}/cancel")
    assert (reply.status_code, reply.json()["message"]) == (200, "Function cancelled")
    cancelled = client.run(run_id)
    assert cancelled["status"] == "cancelled"
    assert cancelled["ended_at"] is not None
    assert client.over(run_id) == cancelled
    classic = client.queued("text2img")
    refused = client.post(f"/run/{classic}/cancel")
    assert refused.status_code == 500
    assert "has no modal function call ID" in refused.json()["detail"]
    assert client.over(classic)["status"] == "success"


def test_cancelling_what_has_ended_says_success_and_changes_nothing(client: Client) -> None:
    """So the answer proves nothing."""
    run_id = client.queued("MAKEIMAGE")
    before = client.over(run_id)
    assert client.post(f"/run/{run_id}/cancel").status_code == 200
    assert client.run(run_id) == before


def test_a_run_that_fails_hides_its_error_from_the_single_run(client: Client) -> None:
    """It stands in the old list: message, node, class, traceback; beside the timings."""
    failed = client.over(client.queued("poster print (BROKEN)"))
    assert (failed["status"], failed["outputs"]) == ("failed", [])
    row = client.newest("poster print (BROKEN)")
    error = next(each["data"] for each in row["outputs"] if isinstance(each["data"], dict))
    assert error["node_type"] == "ImageScale"
    assert "can't allocate memory" in error["exception_message"]
    assert {"traceback", "current_inputs", "current_outputs", "executed", "node_id", "prompt_id", "timestamp"} <= set(
        error
    )
    assert any(isinstance(each["data"], list) for each in row["outputs"])


def test_an_unknown_node_is_accepted_and_never_starts(client: Client) -> None:
    """Submit answers 200, and nothing ever comes; after a day the server computes a timeout."""
    run_id = client.queued("poster print (BROKEN)", environment="staging")
    run = client.over(run_id, 3600)
    assert (run["status"], run["live_status"], run["progress"]) == ("not-started", None, 0.0)
    assert client.over(run_id, 24 * 3600)["status"] == "timeout"


@pytest.mark.parametrize("image", ["https://nowhere.invalid/a.png", "not a url", "FILES/inputs/none.png", ""])
def test_a_picture_that_cannot_be_read_fails_far_from_its_cause(client: Client, image: str) -> None:
    """The node that takes it swallows the fault, and the next one gets nothing."""
    run_id = client.queued("upscale_esrgan", {"image": image.replace("FILES", f"{client.sandbox.url}/files")})
    assert client.over(run_id)["status"] == "failed"
    error = next(each["data"] for each in client.newest("upscale_esrgan")["outputs"] if isinstance(each["data"], dict))
    assert (error["exception_type"], error["node_type"]) == ("TypeError", "ImageUpscaleWithModel")


def test_an_uploaded_picture_can_be_read(client: Client) -> None:
    """As long as it is one."""
    picture = httpx.get(f"{client.sandbox.url}/files/samples/room.png").content
    url = client.post("/file/upload", files={"file": ("room.png", picture, "image/png")}).json()["file_url"]
    assert httpx.get(url).content == picture
    assert client.over(client.queued("upscale_esrgan", {"image": url}))["status"] == "success"
    url = client.post("/file/upload", files={"file": ("room.png", b"no picture", "image/png")}).json()["file_url"]
    assert client.over(client.queued("upscale_esrgan", {"image": url}))["status"] == "failed"


def test_pictures_in_inputs_become_addresses(client: Client) -> None:
    """Data URIs of PNG and JPEG are uploaded; others stay texts."""
    picture = httpx.get(f"{client.sandbox.url}/files/samples/room.png").content
    data = base64.b64encode(picture).decode()
    run = client.run(client.queued("upscale_esrgan", {"image": f"data:image/png;base64,{data}"}))
    url = run["workflow_inputs"]["image"]
    assert url.startswith(f"{client.sandbox.url}/files/inputs/img_")
    assert httpx.get(url).content == picture
    kept = "data:image/webp;base64,AAAA"
    assert client.run(client.queued("upscale_esrgan", {"image": kept}))["workflow_inputs"]["image"] == kept


def test_a_text_is_handed_over_and_the_run_never_ends(client: Client) -> None:
    """Only an upload ends a run; where all is text, or only previewed, nothing does."""
    deployment = client.deployment("text2img")
    text = {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "text", "default_value": "hi"}}
    empty = {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0}}
    graphs = {
        "text": {"1": text, "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}},
        "preview": {"1": empty, "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}},
    }
    runs = {}
    for name, graph in graphs.items():
        body = {
            "workflow_id": deployment["workflow_id"],
            "workflow_api_json": graph,
            "machine_id": deployment["machine_id"],
        }
        runs[name] = client.over(
            client.post("/run/workflow/queue", json={**body, "inputs": {"text": "answer"}}).json()["run_id"]
        )
    assert {(run["status"], run["progress"]) for run in runs.values()} == {("running", 1.0)}
    (output,) = runs["text"]["outputs"]
    assert output["data"] == {"text": ["answer"]}
    assert output["node_meta"] == {"node_id": "2", "node_class": "PreviewAny"}
    assert runs["preview"]["outputs"] == []


def test_a_picture_saved_before_slower_nodes_leaves_the_run_running(client: Client) -> None:
    """The picture is there early, and no success is ever said."""
    blur = {"class_type": "ImageBlur", "inputs": {"image": ["1", 0]}}
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "early"}},
        "3": blur,
        "4": {"class_type": "ImageBlur", "inputs": {"image": ["3", 0]}},
        "5": {"class_type": "PreviewImage", "inputs": {"images": ["4", 0]}},
    }
    deployment = client.deployment("text2img")
    body = {
        "workflow_id": deployment["workflow_id"],
        "workflow_api_json": graph,
        "machine_id": deployment["machine_id"],
    }
    states = client.life(client.post("/run/workflow/queue", json=body).json()["run_id"], seconds=20)
    assert seen(states, "status") == ["not-started", "running"]
    with_picture = [state for state in states if state["outputs"]]
    assert with_picture[0]["progress"] < 1.0
    assert with_picture[-1]["progress"] == 1.0


def test_an_identical_run_comes_from_the_cache_of_its_machine(client: Client) -> None:
    """It is over at once, with its picture, and with a progress of 0."""
    inputs = {"prompt": "the same", "seed": 77}
    first = client.over(client.queued("text2img", inputs))
    second = client.over(client.queued("text2img", inputs))
    assert (second["status"], second["progress"], second["live_status"]) == ("success", 0.0, None)
    assert second["duration"] < 1 < first["duration"]
    pictures = [httpx.get(run["outputs"][0]["data"]["images"][0]["url"]).content for run in (first, second)]
    assert pictures[0] == pictures[1]


def test_a_batch_creates_runs_that_only_the_lists_tie_together(client: Client, sandbox: Sandbox) -> None:
    """On `POST /run` it has an id; on the queue route the runs are there, and the answer breaks."""
    deployment = client.deployment("text2img")["id"]
    body = {"deployment_id": deployment, "batch_input_params": {"prompt": ["a", "b"], "seed": [1, 2]}}
    batch = client.post("/run", json=body).json()["batch_id"]
    row = client.newest("text2img")
    assert row["batch_id"] == batch
    rows = client.get(f"/v2/workflow/{row['workflow_id']}/runs", params={"limit": 5}).json()
    assert [each["batch_id"] for each in rows].count(batch) == 4
    reply = client.post("/run/deployment/queue", json={"deployment_id": deployment, "batch_number": 2})
    assert (reply.status_code, reply.text) == (500, "Internal Server Error")
    assert sandbox.counters.runs_created == 6


@pytest.mark.parametrize("value", [None, {"a": 1}])
def test_values_that_are_null_or_objects_are_refused(client: Client, value: object) -> None:
    """Each of the types that would have been good is named."""
    reply = client.queue("text2img", {"prompt": value})
    assert reply.status_code == 422
    kinds = [fault["loc"][-1] for fault in reply.json()["detail"]]
    assert kinds == ["str", "int", "float", "bool", "list[any]"]


def test_unknown_inputs_and_wrong_types_run_all_the_same(client: Client) -> None:
    """Names and types are not looked at."""
    run_id = client.queued("text2img", {"no_such": 1, "prompt": 5, "width": "wide"}, priority="high")
    assert client.over(run_id)["status"] == "success"


def test_a_run_is_found_by_the_time_before_its_submit(client: Client) -> None:
    """The header of an earlier answer bounds the runs that came after it."""
    before = client.get("/workflows").headers["date"]
    run_id = client.queued("text2img")
    from email.utils import parsedate_to_datetime

    since = int(parsedate_to_datetime(before).timestamp())
    workflow_id = client.deployment("text2img")["workflow_id"]
    rows = client.get(f"/v2/workflow/{workflow_id}/runs", params={"rf": since}).json()
    assert [row["id"] for row in rows] == [run_id]


def test_what_failed_once_fails_again(client: Client) -> None:
    """The cache of a machine holds only what was executed."""
    for _ in range(2):
        assert client.over(client.queued("poster print (BROKEN)"))["status"] == "failed"


def test_a_seed_or_a_size_that_makes_no_sense_does_not_break_the_machine(client: Client) -> None:
    """Whatever numbers arrive at the nodes, the run comes to an end."""
    deployment = client.deployment("text2img")
    graph = {
        **deployment["version"]["workflow_api"],
        "4": {"class_type": "ComfyUIDeployExternalNumber", "inputs": {"input_id": "seed"}},
        "5": {"class_type": "ComfyUIDeployExternalNumber", "inputs": {"input_id": "width"}},
    }
    body = {
        "workflow_id": deployment["workflow_id"],
        "workflow_api_json": graph,
        "machine_id": deployment["machine_id"],
        "inputs": {"seed": -1.5, "width": -64},
    }
    run = client.over(client.post("/run/workflow/queue", json=body).json()["run_id"])
    assert run["status"] == "success"
    assert httpx.get(run["outputs"][0]["data"]["images"][0]["url"]).status_code == 200
