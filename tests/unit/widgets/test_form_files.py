"""Files that are given to a form go up when Run is pressed."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from forms import button, control, external, form_of, texts, until
from PIL import Image

import comfynb
from comfynb.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("uploads_are_no_news")


@pytest.fixture
def ws(sandbox: Sandbox) -> Any:
    """Connect to the sandbox."""
    with comfynb.connect(sandbox=sandbox) as ws:
        yield ws


def encoded(color: str) -> bytes:
    """Return a small picture as PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_path_and_an_upload_go_up_and_run(ws: comfynb.Workspace, sandbox: Sandbox, tmp_path: Path) -> None:
    """The machine gets what was typed and what was chosen; then the code has their addresses."""
    (tmp_path / "one.png").write_bytes(encoded("red"))
    form = form_of(ws, external("Image", "one"), external("Image", "two"), external("ImageBatch", "them"))
    control(form, "one").value = str(tmp_path / "one.png")
    field = form._widgets().fields["two"]
    upload = {"name": "two.png", "type": "", "size": 1, "content": encoded("blue"), "last_modified": datetime.now(UTC)}
    field._upload._button.value = (upload,)  # type: ignore[attr-defined]
    form.values["them"] = [tmp_path / "one.png", Image.new("RGB", (8, 8), "green")]
    assert form.problems == {}
    assert form.reason == ""
    button(form, "Run").click()
    until(lambda: form.run is not None)
    assert form.run is not None
    inputs = form.run.inputs
    assert httpx.get(inputs["one"]).content == encoded("red")
    assert httpx.get(inputs["two"]).content == encoded("blue")
    assert inputs["them"][0] == inputs["one"]
    assert sandbox.counters.of("POST /file/upload") == 3
    form.run.wait()
    again: dict[str, Any] = {"ws": ws}
    exec(form.to_code(), again)  # noqa: S102 - it is code that a person would run
    assert again["run"].inputs == inputs
    assert sandbox.counters.of("POST /file/upload") == 3


def test_a_file_that_does_not_go_up_is_told_and_nothing_runs(
    ws: comfynb.Workspace, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Below the buttons; the form can be pressed again."""
    (tmp_path / "one.png").write_bytes(encoded("red"))
    form = form_of(ws, external("Image", "one"), values={"one": tmp_path / "one.png"})
    sandbox.knobs.change(fail_next=1, fail_status=500, faults_on="/file/upload")
    button(form, "Run").click()
    until(lambda: "was not submitted, since a file did not go up" in texts(form))
    assert sandbox.counters.runs_created == 0
    until(lambda: not button(form, "Run").disabled)
    button(form, "Run").click()
    until(lambda: form.run is not None)


def test_cancel_stops_an_upload(ws: comfynb.Workspace, sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is submitted then, and that is said."""
    (tmp_path / "large.bin").write_bytes(b"x" * 8_000_000)
    form = form_of(ws, external("File", "it"), values={"it": tmp_path / "large.bin"})
    sandbox.knobs.latency = 0.2
    button(form, "Run").click()
    until(lambda: "to be uploaded" in texts(form) or "Uploading" in texts(form))
    button(form, "Cancel").click()
    until(lambda: not button(form, "Run").disabled)
    assert form.run is None
    assert sandbox.counters.runs_created == 0
    assert "It was called off; nothing was sent." in texts(form)
    sandbox.knobs.latency = 0.0


def test_what_was_given_in_code_is_seen_in_the_form(ws: comfynb.Workspace) -> None:
    """A picture, an array and an output of another run have a preview, like a file that was chosen."""
    run = ws.run("text2img", width=64, height=64)
    form = form_of(ws, external("Image", "a"), external("Image", "b"), external("Image", "c"))
    form.values = {"a": Image.new("RGB", (8, 8), "red"), "b": np.zeros((8, 8, 3)), "c": run.outputs[0]}
    assert form.problems == {}
    assert texts(form).count("data:image/png;base64,") == 2
    assert texts(form).count("picture.png (") == 2
    assert f'<img src="{run.outputs[0].url}"' in texts(form)
    again: dict[str, Any] = {}
    form.values = {"a": run.outputs[0]}
    exec(form.to_code().replace("run = ws.run(", "run = dict(None or {}, name="), again)  # noqa: S102 - it is code that a person would run
    assert again["run"]["a"] == run.outputs[0].url
