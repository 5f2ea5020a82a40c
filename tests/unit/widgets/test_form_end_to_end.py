"""Forms over the inputs of workflows: every kind, problems beside fields, runs, and code that does the same."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.widgets.form import RunForm

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202e"
TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)
NAMES = st.one_of(
    st.sampled_from(
        ["prompt", "class", "from", "inputs", "timeout", "an id with spaces", "quotes \"'", "שלום", "🦊", "x"]
    ),
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
        lambda name: name.strip() == name
    ),
)


def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


@pytest.fixture
def ws(sandbox: Sandbox) -> Iterator[comfynb.Workspace]:
    """Connect to the sandbox."""
    with comfynb.connect(sandbox=sandbox) as ws:
        yield ws


def upload(ws: comfynb.Workspace, name: str, *nodes: dict[str, Any], deploy: bool = True) -> str:
    """Make a workflow of input nodes and one that saves, with a deployment; return its name."""
    graph: dict[str, Any] = {str(place + 1): node for place, node in enumerate(nodes)}
    taken = {f"in_{place}": [str(place + 1), 0] for place in range(len(nodes))}
    graph["99"] = {"class_type": "SaveImage", "inputs": {"images": ["98", 0], "filename_prefix": "x", **taken}}
    graph["98"] = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
    ws.upload_workflow(name, {"nodes": []}, graph)
    if deploy:
        ws.create_deployment(name, machine="studio-classic-a")
    return name


def node(class_type: str, input_id: str, meta: dict[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    """Return an input node."""
    return {"class_type": class_type, "inputs": {"input_id": input_id, **inputs}, "_meta": meta or {}}


def sent(sandbox: Sandbox, run: comfynb.Run) -> dict[str, Any]:
    """Return the inputs that reached the server."""
    return dict(sandbox.world.runs[run.id].inputs)


def words(widget: Any) -> str:
    """Return the texts of everything in a widget."""
    children = getattr(widget, "children", None)
    return str(getattr(widget, "value", "")) if children is None else "".join(map(words, children))


def press(form: RunForm) -> comfynb.Run:
    """Press Run, and return the run that comes of it."""
    before = len(form.runs)
    form._press()
    until(lambda: len(form.runs) > before)
    assert form.run is not None
    return form.run


def test_only_what_differs_from_the_defaults_is_sent(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """As with ws.submit; the drawn seed is recorded, and the code can have it."""
    form = ws.form("text2img", values={"prompt": "a red fox"})
    assert dict(form.values) == {"prompt": "a red fox"}
    run = press(form)
    assert sent(sandbox, run) == {"prompt": "a red fox", "seed": run.inputs["seed"]}
    assert str(run.inputs["seed"]) in form.to_code(drawn=True)
    form.reset()
    assert dict(form.values) == {}
    form.close()


def test_problems_are_said_and_run_is_disabled_with_the_reason(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Nothing is submitted, however often it is pressed."""
    form = ws.form("text2img", values={"width": "wide"})
    assert "must be a whole number" in form.problems["width"]
    assert form.reason
    assert form._widgets().run.disabled
    form._press()
    form.values = {"width": 640}
    assert (form.problems, form.reason) == ({}, "")
    assert not form._widgets().run.disabled
    assert sandbox.counters.runs_created == 0
    form.close()
    with pytest.raises(comfynb.InputError, match="promt"):
        ws.form("text2img", values={"promt": "x"})


def test_a_machine_that_cannot_and_a_route_are_shown_before_anything(sandbox: Sandbox) -> None:
    """With the price."""
    with comfynb.connect(sandbox=sandbox, routing={"routing_rules": {"text2img": "serverless-h100"}}) as ws:
        form = ws.form("text2img")
        shown = words(form.box) + repr(form)
        assert "serverless-h100" in shown
        assert "$0.0023" in shown
        paused = ws.form("upscale_esrgan")
        assert "is paused" in paused.reason
        assert paused._widgets().run.disabled
        form.close()
        paused.close()


def test_a_double_click_submits_once_and_the_run_is_shown(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """As it goes on, to its end."""
    sandbox.knobs.change(latency=0.05)
    form = ws.form("text2img", values={"seed": 5})
    box = form.box
    for _ in range(3):
        form._press()
    until(lambda: form.run is not None)
    time.sleep(0.3)
    assert sandbox.counters.runs_created == 1
    until(lambda: "finished" in words(box))
    assert form.runs["id"].tolist() == [form.run.id if form.run else None]
    form.close()


def test_an_error_of_the_submit_is_shown(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """And it can be pressed again."""
    form = ws.form("text2img")
    box = form.box
    sandbox.knobs.change(no_credits=True)
    form._press()
    until(lambda: "credits" in words(box))
    until(lambda: not form._widgets().run.disabled)
    form.close()


VALUES = {
    "ComfyUIDeployExternalText": TEXTS,
    "ComfyUIDeployExternalTextSingleLine": TEXTS,
    "ComfyUIDeployExternalNumberInt": st.integers(-(2**31) + 1, 2**31 - 1),
    "ComfyUIDeployExternalNumber": st.floats(-1000, 1000),
    "ComfyUIDeployExternalBoolean": st.booleans(),
    "ComfyUIDeployExternalSeed": st.integers(1, 4294967295),
    "ComfyUIDeployExternalLora": TEXTS.filter(str.strip),
    "ComfyUIDeployExternalImageBatch": st.lists(
        st.sampled_from(["https://a.example/1.png", "https://b.example/2.png"]), min_size=1
    ),
}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_code_of_a_form_sends_exactly_the_same(data: st.DataObject, sandbox: Sandbox) -> None:
    """Whatever the inputs are called and hold."""
    names = data.draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    kinds = [data.draw(st.sampled_from(sorted(VALUES))) for _ in names]
    with comfynb.connect(sandbox=sandbox) as ws:
        title = f"generated {len(sandbox.world.workflows)}"
        upload(ws, title, *(node(kind, name, default_value="?") for kind, name in zip(kinds, names, strict=True)))
        form = ws.form(title)
        for name, kind in zip(names, kinds, strict=True):
            if data.draw(st.booleans()):
                form.values[name] = data.draw(VALUES[kind])
        if form.reason:
            form.close()
            return
        run = press(form)
        scope: dict[str, Any] = {"ws": ws}
        exec(form.to_code(drawn=True), scope)  # noqa: S102 - what is tested
        assert json.dumps(sent(sandbox, scope["run"]), sort_keys=True) == json.dumps(sent(sandbox, run), sort_keys=True)
        form.close()


def test_forms_leave_nothing_behind(ws: comfynb.Workspace) -> None:
    """Neither widgets nor threads."""
    from ipywidgets.widgets import widget

    opened = ws.form("text2img")
    assert opened.box
    opened.close()
    before, threads = len(widget._instances), threading.active_count()
    for _ in range(200):
        form: RunForm = ws.form("text2img")
        assert form.box
        form.close()
    assert len(widget._instances) <= before
    assert threading.active_count() <= threads
