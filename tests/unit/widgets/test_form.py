"""Forms over the inputs of workflows: every kind, problems beside fields, runs, and code that does the same."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import comfynb
from comfynb.rules.input_classes import INPUT_CLASSES
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


def test_only_what_differs_from_the_defaults_is_sent(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """As with ws.submit; the drawn seed is shown and recorded."""
    form = ws.form("text2img", values={"prompt": "a red fox"})
    assert form.values == {"prompt": "a red fox"}
    run = form.submit()
    assert sent(sandbox, run) == {"prompt": "a red fox", "seed": run.inputs["seed"]}
    assert str(run.inputs["seed"]) in words(form.box)
    form.reset()
    assert form.values == {}
    form.close()


def test_problems_stand_beside_their_fields_and_run_is_disabled_with_the_reason(ws: comfynb.Workspace) -> None:
    """While one types, without asking the server."""
    form = ws.form("text2img")
    assert not form._run_button.disabled
    form._fields["width"]._control.value = "wide"
    assert "must be a whole number" in form._fields["width"]._problem.value
    assert form._run_button.disabled
    assert "width" in form._reason.value
    assert "cannot be run" in repr(form)
    form._fields["width"]._control.value = "640"
    assert (form._run_button.disabled, form._reason.value) == (False, "")
    assert form.values == {"width": 640}
    form.close()
    with pytest.raises(comfynb.InputError, match="has no input 'promt'"):
        ws.form("text2img", values={"promt": "x"})


def test_a_machine_that_cannot_and_a_route_are_shown_before_anything(sandbox: Sandbox) -> None:
    """With the price."""
    with comfynb.connect(sandbox=sandbox, routing={"routing_rules": {"text2img": "serverless-h100"}}) as ws:
        form = ws.form("text2img")
        assert "the rule &#x27;text2img&#x27; says so" in form._where.value
        assert "$0.0023" in form._where.value
        paused = ws.form("upscale_esrgan")
        assert paused._run_button.disabled
        assert "is paused" in paused._reason.value
        form.close()
        paused.close()


def test_a_double_click_submits_once_and_the_run_is_shown(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """As it goes on; Cancel says what it did."""
    sandbox.knobs.change(latency=0.05)
    form = ws.form("text2img", values={"seed": 5})
    for _ in range(3):
        form._press()
    until(lambda: form.run is not None and bool(form._slot.children))
    until(lambda: form._submitting is None)
    assert sandbox.counters.runs_created == 1
    run = form.run
    assert run is not None
    until(lambda: "finished" in words(form._slot))
    form._cancel()
    until(lambda: "had ended" in form._reason.value or "ended" in form._reason.value)
    assert form.runs["id"].tolist() == [run.id]
    assert form.runs["input.seed"].tolist() == [5]
    form.close()


def test_an_error_of_the_submit_is_shown(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """And the button can be pressed again."""
    form = ws.form("text2img")
    sandbox.knobs.change(no_credits=True)
    form._press()
    until(lambda: form._submitting is None)
    assert "credits" in form._reason.value
    assert not form._run_button.disabled
    form.close()


def test_there_is_a_field_for_every_class_of_input(ws: comfynb.Workspace) -> None:
    """Those that nobody knows yet are lines of text."""
    classes = [*INPUT_CLASSES, "ComfyUIDeployExternalBrandNew"]
    nodes = [
        node(name, f"input {place}", options='["a", "b"]', default_value="a") for place, name in enumerate(classes)
    ]
    form = ws.form(upload(ws, "everything", *nodes))
    assert len(form._fields) == len(classes)
    kinds = {type(field).__name__ for field in form._fields.values()}
    assert kinds >= {"TextField", "LineField", "NumberField", "CheckField", "ChoiceField", "ColourField", "SeedField"}
    assert kinds >= {"MediaField", "BatchField", "RealtimeField"}
    assert repr(form)
    form.close()


def test_traps_in_the_definitions_do_no_harm(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """A link as default, options that are no JSON, twice the same id, no label, limits that are none."""
    name = upload(
        ws,
        "traps",
        node("ComfyUIDeployExternalImage", "picture", default_value=["47", 0]),
        node("ComfyUIDeployExternalEnum", "mode", options="no json", default_value="x"),
        node("ComfyUIDeployExternalNumberSlider", "strength", min_value=3, max_value=1, default_value=2),
        node("ComfyUIDeployExternalText", "twice", default_value="a"),
        node("ComfyUIDeployExternalText", "twice", default_value="b"),
        node("ComfyUIDeployExternalText", "class", display_name=HOSTILE, description=HOSTILE, default_value=HOSTILE),
        node("ComfyUIDeployExternalColor", "tint", default_value=[{"r": 1, "g": 2, "b": 3}]),
        node("ComfyUIDeployExternalBoolean", "on", default_value="false"),
        deploy=False,  # the server cannot list a deployment of it
    )
    form = ws.form(name, machine="studio-classic-a")
    everything = words(form.box) + form._repr_mimebundle_()["text/html"]
    assert "<img src=x" not in everything.replace(form._fields["class"]._control.value, "")
    assert "\x1b" not in repr(form)
    assert form._run_button.disabled
    assert type(form._fields["strength"]).__name__ == "NumberField"
    assert type(form._fields["mode"]).__name__ == "LineField"
    form.close()


def test_forty_inputs_stand_in_their_groups_and_order(ws: comfynb.Workspace) -> None:
    """As the author of the workflow has it."""
    nodes = [
        node(
            "ComfyUIDeployExternalText",
            f"input_{place}",
            {
                "cd_input_order": 40 - place,
                "cd_input_group_id": f"g{place % 6}",
                "cd_input_group_name": f"Group {place % 6}",
            },
            default_value="x",
        )
        for place in range(40)
    ]
    form = ws.form(upload(ws, "many", *nodes))
    accordion = next(child for child in form.box.children if type(child).__name__ == "Accordion")
    assert len(accordion.children) == 6
    assert next(iter(form._fields)) == "input_39"
    form.close()


def test_a_file_is_uploaded_once_and_its_link_is_sent(ws: comfynb.Workspace, sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is uploaded before the run; a link stays a link."""
    path = tmp_path / "mask.png"
    Image.new("RGB", (8, 8)).save(path)
    form = ws.form("inpaint")
    assert form._run_button.disabled
    form._fields["mask_image"]._control.value = str(path)
    assert not form._run_button.disabled
    assert form.values == {"mask_image": path}
    assert sandbox.counters.of("POST /file/upload") == 0
    first, second = form.submit(), form.submit()
    assert sandbox.counters.of("POST /file/upload") == 1
    assert sent(sandbox, first)["mask_image"] == sent(sandbox, second)["mask_image"]
    assert "/inputs/" in sent(sandbox, first)["mask_image"]
    assert f"ws.upload({str(path)!r})".replace("'", '"') in form.to_code()
    form.close()


def test_seeds_are_random_until_one_is_written_or_drawn(ws: comfynb.Workspace) -> None:
    """The dice draws one that stays."""
    form = ws.form("text2img")
    seed: Any = form._fields["seed"]
    assert seed._random.value
    seed._drawn(None)
    assert isinstance(form.values["seed"], int)
    seed._random.value = True
    assert "seed" not in form.values
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
            field = form._fields.get(name)
            if field is not None and data.draw(st.booleans()):
                field.value = data.draw(VALUES[kind])
        form._changed()
        if form._run_button.disabled:
            form.close()
            return
        run = form.submit()
        scope: dict[str, Any] = {"ws": ws}
        exec(form.to_code(), scope)  # noqa: S102 - what is tested
        assert json.dumps(sent(sandbox, scope["run"]), sort_keys=True) == json.dumps(sent(sandbox, run), sort_keys=True)
        form.close()


def test_forms_leave_nothing_behind(ws: comfynb.Workspace) -> None:
    """Neither widgets nor threads."""
    from ipywidgets.widgets import widget

    ws.form("text2img").close()
    before, threads = len(widget._instances), threading.active_count()
    for _ in range(200):
        form: RunForm = ws.form("text2img")
        form.close()
    assert len(widget._instances) <= before
    assert threading.active_count() <= threads
