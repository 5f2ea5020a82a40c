"""The code of a form submits what the form would: over workflows of all kinds, and on a server."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from forms import MACHINE, button, control, external, form_of, graph_of, texts, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import comfynb
from comfynb.api.models import Machine, Version, Workflow
from comfynb.errors import InputError
from comfynb.rules.inputs import input_definitions
from comfynb.services.catalogue.inputs import merge
from comfynb.services.prepared import Prepared
from comfynb.widgets.fields.local import NamedBytes
from comfynb.widgets.form import RunForm

NAMES = st.one_of(
    st.sampled_from(
        [
            "prompt",
            "class",
            "from",
            "machine",
            "inputs",
            "timeout",
            "self",
            "a b",
            'it\'s "so"',
            "שלום",
            "🦊",
            "__debug__",
        ]
    ),
    st.text(min_size=1, max_size=12),
)
WORDS = st.text(max_size=30)
WHOLE = st.integers(-100, 2**40)
NUMBERS = st.one_of(WHOLE, st.floats(-1e6, 1e6, allow_nan=False))
ADDRESS = st.text("abcé /?#&=\"'", max_size=12).map(lambda text: f"https://host/{text}")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Text": WORDS,
    "TextSingleLine": WORDS,
    "Number": NUMBERS,
    "NumberInt": WHOLE,
    "NumberSlider": st.floats(0, 1),
    "NumberSliderInt": st.integers(0, 10),
    "Boolean": st.booleans(),
    "Enum": st.sampled_from(["a", "b", 'c "d"']),
    "Image": ADDRESS,
    "ImageBatch": st.lists(ADDRESS, min_size=1, max_size=3),
    "Video": ADDRESS,
    "File": ADDRESS,
    "Lora": WORDS,
    "Seed": st.integers(-1, 2**32),
    "Color": st.sampled_from(["#ff8000", "#abc", "mauve", [1, 2, 3]]),
    "Unknown": st.one_of(WORDS, NUMBERS, st.booleans(), st.lists(WORDS, max_size=2)),
}


@st.composite
def workflows(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a graph, and values for some of its inputs, some of which cannot be sent."""
    names = draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
    nodes, values = [], {}
    for name in names:
        kind = draw(st.sampled_from(sorted(VALUES)))
        inputs: dict[str, Any] = {"options": json.dumps(["a", "b", 'c "d"'])} if kind == "Enum" else {}
        if draw(st.booleans()):
            default = draw(VALUES[kind])
            key = {"Image": "default_value_url", "Video": "default_value_url", "File": "file_url"}.get(kind)
            inputs[key or "default_value"] = default
        nodes.append(external(kind, name, display_name=draw(WORDS), **inputs))
        if draw(st.booleans()):
            values[name] = draw(VALUES[kind])
    return graph_of(nodes), values


def sent(prepared: Prepared) -> tuple[Any, ...]:
    """Return what would be sent, without the numbers that chance has drawn, and what could not be."""
    route, body = prepared.request
    drawn = prepared.inputs.drawn
    body["inputs"] = {name: value for name, value in body["inputs"].items() if name not in drawn}
    # Of what is sent, the type matters, too.
    return str(route), json.dumps(body, sort_keys=True), sorted(drawn), prepared.inputs.problems


def used(prepared: Prepared) -> dict[str, Any]:
    """Return what the run would use, without the numbers that chance has drawn."""
    merged = prepared.inputs
    return {name: value for name, value in merged.effective.items() if name not in merged.drawn}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workflows(), st.booleans())
def test_the_code_sends_the_same_inputs(made: tuple[dict[str, Any], dict[str, Any]], typed: bool) -> None:
    """And has the same problems, whatever the inputs are called, and whether values are typed or set."""
    graph, values = made
    definitions = input_definitions(None, graph)

    def prepared(inputs: dict[str, Any]) -> Prepared:
        return Prepared(
            Workflow(id="w"), None, Version(id="v"), Machine(id="m"), "m", definitions, merge(definitions, inputs)
        )

    form = RunForm(None, prepared({}), target="a \"name\" 'of' many\n", environment="preview", machine="m")  # type: ignore[arg-type]
    if typed:
        _ = form.box
    form.values = values
    if typed:
        for name, value in values.items():
            if isinstance(value, str) and hasattr(form._widgets().fields[name], "_typed"):
                control(form, name).value = "x"
                control(form, name).value = value
    received: list[Any] = []

    def run(workflow: str, /, inputs: Any = None, *, environment: Any = None, machine: Any = None, **more: Any) -> None:
        assert (workflow, environment, machine) == (form._target, "preview", "m")
        received.append({**(inputs or {}), **more})

    exec(form.to_code(), {"ws": SimpleNamespace(run=run)})  # noqa: S102 - what is tested
    (again,) = received
    assert sent(prepared(again)) == sent(prepared(dict(form.values)))
    # What equals a default is left out, and means the same.
    if not typed:
        assert used(prepared(again)) == used(prepared(values))
        assert prepared(again).problems == form.problems == prepared(values).problems
    form.close()


def test_the_server_receives_the_same(ws: comfynb.Workspace) -> None:
    """Of the form's own run, and of its code; with the seeds that were drawn, the run is the same."""
    nodes = [
        external("Text", "class", default_value="a"),
        external("NumberInt", "timeout", default_value=3),
        external("Color", "tint"),
        external("Seed", "seed"),
        external("Enum", "kind", options='["x", "y"]', default_value="x"),
    ]
    form = form_of(ws, *nodes, values={"class": "b\n\"c\" 'd' \\ \u202e 🦊", "timeout": 5, "tint": "#102030"})
    button(form, "Run").click()
    until(lambda: form.run is not None and form.run.ended)
    assert form.run is not None
    assert form.run.inputs["tint"] == [{"r": 16, "g": 32, "b": 48}]
    space: dict[str, Any] = {"ws": ws}
    exec(form.to_code(drawn=True), space)  # noqa: S102 - what is tested
    assert space["run"].inputs == form.run.inputs
    assert space["run"].machine_id == form.run.machine_id
    exec(form.to_code(), space)  # noqa: S102 - what is tested
    others = {name: value for name, value in form.run.inputs.items() if name != "seed"}
    assert {name: value for name, value in space["run"].inputs.items() if name != "seed"} == others
    form.close()


def test_code_names_what_the_form_was_made_for(ws: comfynb.Workspace) -> None:
    """The name rather than the id where it leads there alone; a deployment is its id."""
    workflow, deployment = ws.workflow("text2img"), ws.deployment("text2img")
    assert ws.form("text2img").to_code() == 'run = ws.run("text2img")\nrun'
    assert ws.form(workflow.id).to_code() == 'run = ws.run("text2img")\nrun'
    table = ws.workflows().set_index("name", drop=False)
    assert ws.form(table.loc["text2img"]).to_code() == 'run = ws.run("text2img")\nrun'
    assert ws.form(deployment).to_code() == f'run = ws.run("{deployment.id}")\nrun'
    there = ws.form("text2img", machine=ws.machine("serverless-a10g"))
    assert there.to_code() == f'run = ws.run("text2img", machine="{ws.machine("serverless-a10g").id}")\nrun'


def test_files_are_written_as_paths_and_small_uploads_in_full(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """A large one cannot be, which is said with what to do."""
    path = tmp_path / "it's.png"
    path.write_bytes(b"x")
    form = form_of(ws, external("Image", "a"), external("Image", "b"), external("ImageBatch", "c"))
    form.values = {"a": path, "b": NamedBytes(b"\x00\xff", "b.png"), "c": ["https://h/1.png", path]}
    received: dict[str, Any] = {}
    space = {"ws": SimpleNamespace(run=lambda workflow, **inputs: received.update(inputs))}
    exec(form.to_code(), space)  # noqa: S102 - what is tested
    assert received == {"a": path, "b": b"\x00\xff", "c": ["https://h/1.png", path], "machine": MACHINE}
    form.values["b"] = NamedBytes(bytes(100_000), "b.png")
    with pytest.raises(InputError, match="b is an upload of 100 kB, which code cannot hold: save it as a file"):
        form.to_code()
    form.close()


def test_the_code_is_behind_a_button_and_follows_the_fields(ws: comfynb.Workspace) -> None:
    """As text that cannot be anything else."""
    form = form_of(ws, external("Text", "prompt", default_value="x"))
    assert "ws.run" not in texts(form)
    button(form, "Code").click()
    control(form, "prompt").value = "</pre><b>"
    assert "prompt=&quot;&lt;/pre&gt;&lt;b&gt;&quot;" in texts(form)
    button(form, "Code").click()
    control(form, "prompt").value = "y"
    assert form._widgets()._code.layout.display == "none"
    form.close()
