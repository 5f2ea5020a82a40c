"""The files that runs make."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image
from sandbox_client import Client

from comfynb.sandbox import Sandbox


def files(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files of a run."""
    return [item for output in run["outputs"] for items in output["data"].values() for item in items]


def made(client: Client, workflow: str, inputs: dict[str, Any]) -> bytes:
    """Run a workflow, and return its first file."""
    run = client.over(client.queued(workflow, inputs))
    return httpx.get(files(run)[0]["url"]).content


def test_a_picture_has_the_size_that_was_asked_for(client: Client) -> None:
    """It is a PNG, served without a key."""
    content = made(client, "text2img", {"width": 320, "height": 192, "seed": 1})
    with Image.open(io.BytesIO(content)) as picture:
        assert (picture.format, picture.size) == ("PNG", (320, 192))


def test_a_picture_tells_what_was_executed(client: Client) -> None:
    """The text chunks hold the graph with the values that were used, and the editor's graph."""
    content = made(client, "text2img", {"prompt": "a fox", "width": 320})
    with Image.open(io.BytesIO(content)) as picture:
        prompt = json.loads(picture.text["prompt"])  # type: ignore[attr-defined]
        workflow = json.loads(picture.text["workflow"])  # type: ignore[attr-defined]
    inputs = {node["inputs"].get("input_id") for node in prompt.values()}
    assert {"a fox", "320"} <= inputs
    seed = next(node for node in prompt.values() if node["class_type"] == "ComfyUIDeployExternalSeed")
    assert seed["is_changed"][0][1] > 0
    assert {"nodes", "links"} <= workflow.keys()


def test_a_seed_that_nobody_controls_is_in_the_picture_only(client: Client) -> None:
    """It has fifteen digits, and differs from run to run, and so does the picture."""
    seeds, pictures = set(), set()
    for _ in range(2):
        content = made(client, "Text to Image", {"Prompt": "the same"})
        with Image.open(io.BytesIO(content)) as picture:
            prompt = json.loads(picture.text["prompt"])  # type: ignore[attr-defined]
            pictures.add(picture.tobytes())
        seeds.add(next(node["inputs"]["seed"] for node in prompt.values() if node["class_type"] == "KSampler"))
    assert len(seeds) == len(pictures) == 2
    assert all(len(str(seed)) == 15 for seed in seeds)


def test_a_picture_depends_on_inputs_and_seed_and_nothing_else(client: Client) -> None:
    """The same inputs give the same picture on another machine, and in another sandbox."""

    def pixels(client: Client, **inputs: Any) -> bytes:
        content = made(client, "text2img", {"width": 64, "height": 64, "prompt": "a fox", "seed": 5, **inputs})
        with Image.open(io.BytesIO(content)) as picture:
            return picture.tobytes()

    first = pixels(client)
    assert first != pixels(client, seed=6)
    assert first != pixels(client, prompt="an owl")
    with Sandbox(speed=0) as other, Client(other) as second:
        assert first == pixels(second)


def test_a_default_picture_does_not_tie_a_result_to_a_port() -> None:
    """Its address has the port in it, and that does not count."""
    contents = []
    for _ in range(2):
        with Sandbox(speed=0) as sandbox, Client(sandbox) as client:
            content = made(client, "inpaint", {"seed": 5})
            with Image.open(io.BytesIO(content)) as picture:
                contents.append(picture.tobytes())
    assert contents[0] == contents[1]


def test_a_video_is_an_animation(client: Client) -> None:
    """Under the key that the video node has."""
    run = client.over(client.queued("img2vid - wan 2.1"))
    assert list(run["outputs"][0]["data"]) == ["gifs"]
    content = httpx.get(files(run)[0]["url"]).content
    with Image.open(io.BytesIO(content)) as film:
        assert film.format == "WEBP"
        assert film.n_frames > 1  # type: ignore[attr-defined]


def test_a_batch_of_pictures_is_one_output(client: Client) -> None:
    """With several files, which differ."""
    deployment = client.deployment("text2img")
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 3, "color": 0}},
        "2": {"class_type": "ComfyDeployOutputImage", "inputs": {"images": ["1", 0], "output_id": "mine"}},
    }
    body = {
        "workflow_id": deployment["workflow_id"],
        "workflow_api_json": graph,
        "machine_id": deployment["machine_id"],
    }
    run = client.over(client.post("/run/workflow/queue", json=body).json()["run_id"])
    (output,) = run["outputs"]
    assert output["output_id"] == "mine"
    assert len({httpx.get(each["url"]).content for each in files(run)}) == 3


def test_a_text_file_holds_the_text(client: Client) -> None:
    """An output node for texts makes a file, under the key `files`."""
    deployment = client.deployment("text2img")
    graph = {
        "1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "text"}},
        "2": {"class_type": "ComfyDeployOutputText", "inputs": {"text": ["1", 0], "output_id": "words"}},
    }
    body = {
        "workflow_id": deployment["workflow_id"],
        "workflow_api_json": graph,
        "machine_id": deployment["machine_id"],
    }
    run = client.over(client.post("/run/workflow/queue", json={**body, "inputs": {"text": "hello"}}).json()["run_id"])
    assert list(run["outputs"][0]["data"]) == ["files"]
    assert httpx.get(files(run)[0]["url"]).text == "hello"


def test_files_of_the_past_are_there(client: Client, sandbox: Sandbox) -> None:
    """Pictures of the history are drawn when they are asked for."""
    past = next(run for run in sandbox.world.runs.values() if run.plan.states[-1].status == "success")
    reply = httpx.get(files(client.run(past.id))[0]["url"])
    assert reply.status_code == 200
    assert reply.headers["content-type"] in {"image/png", "image/webp"}


@pytest.mark.parametrize("path", ["nope", "outputs/runs/x/y.png", "outputs/runs/RUN/other.png", "samples/a.txt"])
def test_files_that_nobody_made_are_not_there(client: Client, sandbox: Sandbox, path: str) -> None:
    """404, whatever the name says."""
    past = next(iter(sandbox.world.runs))
    assert httpx.get(f"{sandbox.url}/files/{path.replace('RUN', past)}").status_code == 404
