"""What nodes make of values, and what pictures tell of their making, is in the sandbox as it was recorded."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import comfynb
from comfynb.rules.inputs import InputDefinition
from comfynb.sandbox import Sandbox
from comfynb.services import watching

from . import recorded
from .player import Player
from .posted import Json
from .recorded import error_differences
from .replaying import Replaying, workspace
from .replica import rebuild
from .run_facts import Known, graphs, runs_known
from .sequences import Life, looks

WHERE = recorded.folder()
CONTENTS = recorded.load_all(WHERE) if WHERE else {}
KNOWN = runs_known(CONTENTS)
GRAPHS = graphs(CONTENTS)

LARGEST_SEED = 4294967295

pytestmark = pytest.mark.skipif(not CONTENTS, reason="no recordings: COMFYNB_RECORDINGS names their folder")


@dataclass(frozen=True)
class Row:
    """A row of a table of values: what was sent, how that was answered, and what the next nodes saw."""

    name: str
    known: Known
    inputs: Json
    status: int
    answer: Json
    seen: dict[str, str]


UNPLACED: list[str] = []
"""Recordings of which nobody knows what was executed."""


def rows() -> list[Row]:
    """Return the rows of all tables of values."""
    found = []
    for name, content in CONTENTS.items():
        cases = content.get("cases") if isinstance(content, dict) else None
        if not isinstance(cases, dict):
            continue
        ids = [case["queue_body"].get("run_id") for case in cases.values()]
        placed = [KNOWN[run_id] for run_id in ids if run_id in KNOWN and KNOWN[run_id].rows]
        if not placed:
            UNPLACED.append(name)
            continue
        known = placed[0]
        for key, case in cases.items():
            seen = case.get("seen_by_next_node") or {}
            found.append(Row(f"{name}:{key}", known, case["inputs"], case["queue_status"], case["queue_body"], seen))
    return found


ROWS = rows()
VALUES = [(row, name) for row in ROWS for name in row.inputs]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run the recorded workspace, with quick machines."""
    with Sandbox(speed=1000) as running:
        rebuild(running, workspace(KNOWN, GRAPHS))
        yield running


@pytest.fixture(scope="module")
def ws(sandbox: Sandbox) -> Iterator[comfynb.Workspace]:
    """Connect to it."""
    with comfynb.connect(sandbox=sandbox) as workspace:
        yield workspace


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at runs without a pause that somebody would notice."""
    monkeypatch.setattr(watching, "SHORTEST", 0.001)
    monkeypatch.setattr(watching, "LONGEST", 0.01)


def shown_by(known: Known) -> dict[str, str]:
    """Return which input each node shows that does nothing but to show one: input name by node id."""
    graph = GRAPHS[known.tells("workflow_version_id")]
    links = {node_id: node["inputs"].get("source") for node_id, node in graph.items()}
    return {node_id: graph[link[0]]["inputs"]["input_id"] for node_id, link in links.items() if link}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_nodes_make_the_recorded_of_values(row: Row, sandbox: Sandbox) -> None:
    """What the next node sees, or the refusal; without a word where the value was swallowed."""
    body = {name: row.known.tells(name) for name in ("workflow_version_id", "machine_id")} | {"inputs": row.inputs}
    key = {"authorization": f"Bearer {sandbox.api_key}"}
    with httpx.Client(base_url=f"{sandbox.url}/api", headers=key, timeout=20) as client:
        reply = client.post("/run", json=body)
        assert reply.status_code == row.status
        if row.status >= 400:
            assert error_differences(row.answer, reply.json()) == []
            return
        sandbox.advance(1000)
        run = client.get(f"/run/{reply.json()['run_id']}").json()
    names = shown_by(row.known)
    ours = {
        names[output["node_meta"]["node_id"]]: output["data"]["text"][0]
        for output in run["outputs"]
        if "text" in output["data"]
    }
    assert ours.keys() == row.seen.keys()
    for name, seen in row.seen.items():
        if is_drawn(row, name):
            assert 1 <= int(ours[name]) <= LARGEST_SEED
        else:
            assert ours[name] == seen


def is_drawn(row: Row, name: str) -> bool:
    """Whether the node drew a number by itself: it saw a seed that nobody sent."""
    node = next(node for node in graph_of(row).values() if node["inputs"].get("input_id") == name)
    if not node["class_type"].endswith("Seed"):
        return False
    sent = row.inputs.get(name)
    return sent is None or int(row.seen[name]) != int(sent)


def graph_of(row: Row) -> Json:
    """Return the graph of a row's workflow."""
    return GRAPHS[row.known.tells("workflow_version_id")]


@pytest.mark.parametrize(("row", "name"), VALUES, ids=lambda each: getattr(each, "name", each))
def test_a_value_that_a_node_swallows_is_refused_before_it_is_sent(
    row: Row, name: str, ws: comfynb.Workspace, sandbox: Sandbox
) -> None:
    """Or is sent as something that the node takes for what it says."""
    value, machine = row.inputs[name], row.known.tells("machine_id")
    prepared = ws.prepare(row.known.tells("workflow_id"), inputs={name: value}, machine=machine)
    definition = next(each for each in prepared.definitions if each.name == name)
    taken = row.status < 400 and says(definition, value, row.seen[name])
    if name in prepared.problems:
        # A text input takes what is no text as well, but nobody means that.
        assert not taken or isinstance(value, bool)
        with pytest.raises(comfynb.InputError, match=name):
            ws.submit(prepared.workflow.id, inputs={name: value}, machine=machine)
        return
    if name in prepared.inputs.drawn:
        assert value == -1
        assert any("was drawn" in note for note in prepared.notes)
        return
    sent = prepared.inputs.send[name]
    assert taken or (type(sent), sent) != (type(value), value)
    run = ws.submit(prepared.workflow.id, inputs={name: value}, machine=machine)
    assert sandbox.ended()
    names = shown_by(row.known)
    seen = {names[each.node_id or ""]: each.text for each in run.refresh().outputs if each.text is not None}
    assert says(definition, value, seen[name] or "")


def says(definition: InputDefinition, value: Any, seen: str) -> bool:
    """Whether a node saw what the sender of a value must have meant."""
    if definition.kind == "boolean":
        meant = {"true": "True", "false": "False", "1": "True", "0": "False"}.get(str(value).lower())
        return seen == meant
    if definition.kind in ("integer", "float", "slider", "slider_integer", "seed"):
        try:
            return not isinstance(value, bool) and float(seen) == float(value)
        except (TypeError, ValueError):
            return False
    return seen == str(value) and (definition.kind != "enum" or seen in definition.options)


# What pictures tell


@dataclass(frozen=True)
class Picture:
    """A picture of a run, as it was found: its text chunks, and the graph in one of them."""

    known: Known
    keys: list[str] | None
    prompt: Json
    size: list[int] | None


def pictures() -> list[Picture]:
    """Return the pictures whose metadata were recorded, with their runs."""
    found = []
    for name, content in CONTENTS.items():
        for each in content.get("files", ()) if isinstance(content, dict) else ():
            if not isinstance(each.get("prompt"), dict):
                continue
            runs = [
                known for known in KNOWN.values() if known.run_id in each.get("url", "") or ends(known, each.get("run"))
            ]
            if not runs:
                UNPLACED.append(name)
                continue
            found.append(Picture(runs[0], each.get("png_text_keys"), each["prompt"], each.get("size")))
    return found


def ends(known: Known, name: str | None) -> bool:
    """Whether what a machine posted about a run is recorded under this name."""
    return name is not None and known.machine is not None and known.machine.name.endswith(f":{name}")


PICTURES = pictures()


def drawn_nodes(picture: Picture) -> list[str]:
    """Return the nodes whose seed no input controls."""
    graph = GRAPHS[picture.known.tells("workflow_version_id")]
    return [
        node_id
        for node_id, node in graph.items()
        if isinstance(node["inputs"].get("seed"), int) and not node["class_type"].startswith("ComfyUIDeploy")
    ]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.known.run_id[:8])
def test_a_picture_holds_the_graph_that_was_executed(picture: Picture, sandbox: Sandbox) -> None:
    """In the same chunks; with what was sent written into it, and each seed that nobody controls drawn anew."""
    known, drawn = picture.known, drawn_nodes(picture)
    replaying = Replaying(sandbox)
    try:
        ids = [replaying.submit(known, None).run_id for _ in range(2)]
        assert sandbox.ended()
        runs = [replaying.client.get(f"/run/{run_id}").json() for run_id in ids]
    finally:
        replaying.close()
    images = [Image.open(io.BytesIO(httpx.get(url_of(run)).content)) for run in runs]
    prompts = [json.loads(image.text["prompt"]) for image in images]
    for image, prompt in zip(images, prompts, strict=True):
        if picture.keys is not None:
            assert list(image.text) == picture.keys
        if picture.size is not None:
            assert list(image.size) == picture.size
        for node_id in drawn:
            for each in (prompt, picture.prompt):
                assert len(str(each[node_id]["inputs"]["seed"])) == 15
        assert without_seeds(prompt, drawn) == without_seeds(picture.prompt, drawn)
    assert {node_id: prompts[0][node_id] == prompts[1][node_id] for node_id in drawn} == dict.fromkeys(drawn, False)


def url_of(run: Json) -> str:
    """Return where the picture of a run is."""
    return str(next(row["data"]["images"][0]["url"] for row in run["outputs"] if "images" in row["data"]))


def without_seeds(prompt: Json, drawn: list[str]) -> Json:
    """Return a graph without the seeds that nobody controls."""
    return {
        node_id: node | {"inputs": {**node["inputs"], "seed": "drawn"}} if node_id in drawn else node
        for node_id, node in prompt.items()
    }


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.known.run_id[:8])
def test_a_run_tells_what_its_recorded_picture_was_made_with(picture: Picture) -> None:
    """`used_inputs` reads the values that were sent and the seeds that were drawn."""
    known = picture.known
    life = next(each for each in looks(CONTENTS) if each.run_id == known.run_id)
    with Player(KNOWN, GRAPHS) as player, comfynb.connect(player.url, player.api_key) as ws:
        player.play(Life(life.name, life.answers))
        player.picture = png({"prompt": json.dumps(picture.prompt), "workflow": "{}"})
        used = ws.get_run(known.run_id).used_inputs()
    expected = dict(known.sent)
    for node_id in drawn_nodes(picture):
        node = picture.prompt[node_id]
        expected[f"{node['class_type']}.seed (node {node_id})"] = node["inputs"]["seed"]
    assert used == expected


def png(texts: dict[str, str]) -> bytes:
    """Return a picture with these text chunks."""
    info, buffer = PngInfo(), io.BytesIO()
    for name, text in texts.items():
        info.add_text(name, text)
    Image.new("RGB", (1, 1)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@recorded.of_the_usual_set
def test_a_run_of_the_sandbox_tells_its_seed(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The same, of a run that was submitted here: the seed in the picture, not the one in the workflow."""
    picture = next(each for each in PICTURES if drawn_nodes(each))
    known, node_id = picture.known, drawn_nodes(picture)[0]
    run = ws.submit(known.tells("workflow_id"), inputs=known.sent, machine=known.tells("machine_id"))
    assert sandbox.ended()
    used = run.used_inputs()
    written = GRAPHS[known.tells("workflow_version_id")][node_id]
    assert [seed for name, seed in used.items() if name.startswith(f"{written['class_type']}.seed")] != [
        written["inputs"]["seed"]
    ]
    assert all(len(str(seed)) == 15 for name, seed in used.items() if ".seed (node" in name)


@recorded.of_the_usual_set
def test_there_is_something_to_compare() -> None:
    """A run over nothing would prove nothing."""
    assert UNPLACED == []
    assert len(ROWS) >= 10
    assert any(row.status >= 400 for row in ROWS)
    assert len(PICTURES) >= 2
    assert any(map(drawn_nodes, PICTURES))
