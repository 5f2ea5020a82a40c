"""What a machine has left from the run before, what it posts besides pictures, and how it words a refusal."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from receivers import Receiver
from sandbox_client import Client

Graph = dict[str, Any]


def external(kind: str, name: str, default: object) -> Graph:
    """Return an input of a workflow."""
    return {"class_type": f"ComfyUIDeployExternal{kind}", "inputs": {"input_id": name, "default_value": default}}


def shown(graph: Graph, **more: Any) -> Graph:
    """Return a graph that shows its inputs and saves a picture that has nothing to do with them."""
    nodes = {f"{node_id}0": {"class_type": "PreviewAny", "inputs": {"source": [node_id, 0]}} for node_id in list(graph)}
    picture = {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255}}
    save = {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "shown"}}
    return {**graph, **nodes, "7": picture, "70": save, **more}


def run_of(client: Client, graph: Graph, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Run a bare graph to its end, and return the run."""
    deployment = client.deployment("text2img")
    body = {name: deployment[name] for name in ("workflow_id", "machine_id")}
    client.post("/run/workflow/queue", json={**body, "workflow_api_json": graph, "inputs": inputs, **more})
    return client.over(client.newest("text2img")["id"])


def test_what_is_left_counts_as_begun(client: Client) -> None:
    """A run that changes a part of the inputs ends at 1 all the same; only one that executes nothing stays at 0."""
    client.over(client.queued("text2img", {"prompt": "a fox", "seed": 7}))
    again = client.life(client.queued("text2img", {"prompt": "a hare", "seed": 7}))
    first = next(state["progress"] for state in again if state["progress"])
    assert first > 0.5
    assert (again[-1]["status"], again[-1]["progress"]) == ("success", 1.0)


def test_nodes_that_are_equal_within_a_run_count_once(client: Client) -> None:
    """Two inputs with the same value are one to the machine: the progress ends below 1."""
    graph = {
        "1": external("NumberInt", "width", 64),
        "2": external("NumberInt", "height", 64),
        "3": {"class_type": "EmptyImage", "inputs": {"width": ["1", 0], "height": ["2", 0], "batch_size": 1}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}},
    }
    alike = run_of(client, graph, {"width": 512, "height": 512})
    assert (alike["status"], alike["progress"]) == ("success", 0.75)
    assert run_of(client, graph, {"width": 512, "height": 256})["progress"] == 1.0


def test_a_picture_that_is_left_is_there_at_once_and_the_end_is_not_told(client: Client) -> None:
    """It is uploaded before the other nodes are done, and only an upload after them would end the run."""
    graph = shown({"1": external("Text", "text", "x")})
    assert run_of(client, graph, {"text": "one"})["status"] == "success"
    again = run_of(client, graph, {"text": "two"})
    assert (again["status"], again["progress"], len(again["outputs"])) == ("running", 1.0, 2)


def test_outputs_do_not_touch_the_row_of_the_run(client: Client) -> None:
    """It was updated when its status, its progress or what it does changed."""
    states = client.life(client.queued("text2img", {"prompt": "a fox"}))
    before, after = next(
        (earlier, later)
        for earlier, later in pairwise(states)
        if len(earlier["outputs"]) < len(later["outputs"]) and earlier["status"] == later["status"]
    )
    assert before["updated_at"] == after["updated_at"]


@pytest.mark.parametrize("word", ["", "__preview_only__", "__early_save__", "__fail__"])
def test_the_times_of_the_nodes_are_posted_whatever_becomes_of_the_run(client: Client, word: str) -> None:
    """As a list, which only the old list of runs shows."""
    client.over(client.queued("text2img", {"prompt": f"a fox {word}"}))
    times = [row["data"] for row in client.newest("text2img")["outputs"] if isinstance(row["data"], list)]
    assert len(times) == 1
    assert {"id", "time", "class_type", "vram_used"} == times[0][0].keys()


def test_the_server_tells_nobody_that_it_marked_a_run(client: Client, receiver: Receiver) -> None:
    """A prompt that is refused in part is told of when it runs and when it is over, not when its submit is answered."""
    client.queue("text2img", {"prompt": "__half_reject__"}, webhook=receiver.url)
    client.sandbox.advance(100)
    posts = receiver.wait(lambda posts: any(post["outputs"] for post in posts) and len(posts) >= 2)
    assert sorted((post["status"], len(post["outputs"])) for post in posts) == [("failed", 1), ("running", 0)]


@pytest.mark.parametrize(
    ("kind", "sent", "said"),
    [
        ("Seed", "abc", ("invalid_input_type", "Failed to convert an input value to a INT value")),
        ("Seed", "12.7", ("invalid_input_type", "Failed to convert an input value to a INT value")),
        ("Text", ["a", "b"], ("exception_during_inner_validation", "Exception when validating inner node")),
        ("Text", ["a", "b", "c"], ("bad_linked_input", "Bad linked input, must be a length-2 list")),
    ],
)
def test_a_value_is_refused_in_comfyuis_words(client: Client, kind: str, sent: Any, said: tuple[str, str]) -> None:
    """At its node, with the outputs that need it; the others are made."""
    graph = shown({"1": external(kind, "value", 7 if kind == "Seed" else "x")})
    run = run_of(client, graph, {"value": sent})
    assert (run["status"], len(run["outputs"])) == ("failed", 1)
    (error,) = [row["data"]["error"] for row in client.newest("text2img")["outputs"] if "error" in (row["data"] or ())]
    (node_id,) = error["node_errors"]
    found = error["node_errors"][node_id]
    assert (node_id, found["dependent_outputs"]) == ("1", ["10"])
    assert found["errors"][0]["type"] == said[0]
    assert found["errors"][0]["message"].startswith(said[1])


def test_a_webhook_names_the_output_in_each_file(client: Client, receiver: Receiver) -> None:
    """As the machine posted it; the run itself has that name on the row only."""
    run_id = client.queued("upscale_esrgan", webhook=receiver.url)
    client.sandbox.advance(100)
    (told,) = [post for post in receiver.wait(lambda posts: len(posts) >= 2) if post["outputs"]]
    (row,) = told["outputs"]
    assert row["output_id"] == row["data"]["images"][0]["output_id"] == "upscaled"
    (kept,) = client.run(run_id)["outputs"]
    assert kept["output_id"] == "upscaled"
    assert "output_id" not in kept["data"]["images"][0]
