"""What inputs make of the values that they are sent, and how prompts are checked."""

from __future__ import annotations

from typing import Any

import pytest

from comfynb.sandbox.prompt import Prompt, Verdict, prepare
from comfynb.sandbox.values import MISSING, BadValueError, seen_value
from comfynb.sandbox.world.graph import Graph

NUMBER_INT = {"default_value": 7}
NUMBER = {"default_value": 1.5}
SLIDER = {"default_value": 0.5, "min_value": 0, "max_value": 1}
SLIDER_INT = {"default_value": 3, "min_value": 0, "max_value": 10}
BOOLEAN = {"default_value": False}
ENUM = {"default_value": "bilinear", "options": '["nearest-exact","bilinear","bicubic"]'}
SEED = {"default_value": -1, "min_value": 1, "max_value": 4294967295}
TEXT = {"default_value": "default"}
DRAWN = "drawn"


@pytest.mark.parametrize(
    ("kind", "node", "sent", "seen"),
    [
        ("NumberInt", NUMBER_INT, 640, 640),
        ("NumberInt", NUMBER_INT, "640", 640),
        ("NumberInt", NUMBER_INT, 0, 0),
        ("NumberInt", NUMBER_INT, 3_000_000_000, 3_000_000_000),
        ("NumberInt", NUMBER_INT, -5, 7),
        ("NumberInt", NUMBER_INT, 12.0, 7),
        ("NumberInt", NUMBER_INT, "abc", 7),
        ("NumberInt", NUMBER_INT, True, 7),
        ("NumberInt", NUMBER_INT, MISSING, 7),
        ("Number", NUMBER, "2.25", 2.25),
        ("Number", NUMBER, -0.5, -0.5),
        ("Number", NUMBER, 0, 0.0),
        ("Number", NUMBER, 3, 3.0),
        ("Number", NUMBER, "abc", 1.5),
        ("NumberSlider", SLIDER, 0.75, 0.75),
        ("NumberSlider", SLIDER, 1.01, 0.5),
        ("NumberSlider", SLIDER, -1, 0.5),
        ("NumberSlider", SLIDER, "abc", 0.5),
        ("NumberSliderInt", SLIDER_INT, 4.6, 5),
        ("NumberSliderInt", SLIDER_INT, "4", 4),
        ("NumberSliderInt", SLIDER_INT, 11, 3),
        ("Boolean", BOOLEAN, True, True),
        ("Boolean", BOOLEAN, False, False),
        ("Boolean", BOOLEAN, 0, False),
        ("Boolean", BOOLEAN, "false", True),
        ("Boolean", BOOLEAN, "no", True),
        ("Boolean", BOOLEAN, "", False),
        ("Enum", ENUM, "bicubic", "bicubic"),
        ("Enum", ENUM, "not-an-option", "not-an-option"),
        ("Enum", ENUM, "", ""),
        ("Enum", ENUM, 7, "7"),
        ("Seed", SEED, 4660, 4660),
        ("Seed", SEED, "123", 123),
        ("Seed", SEED, 12.7, 12),
        ("Seed", SEED, 0, DRAWN),
        ("Seed", SEED, -1, DRAWN),
        ("Seed", SEED, 4294967296, DRAWN),
        ("Seed", SEED, MISSING, DRAWN),
        ("Text", TEXT, 123, "123"),
        ("Text", TEXT, True, "True"),
        ("Text", TEXT, "", ""),
        ("Text", TEXT, MISSING, "default"),
        ("TextAny", TEXT, "any", "any"),
        ("Image", {"default_value_url": ""}, MISSING, None),
        ("Image", {"default_value_url": "http://x/a.png"}, MISSING, "http://x/a.png"),
        ("ImageBatch", {"images": "[]"}, ["http://x/1.png"], '["http://x/1.png"]'),
        ("Lora", {"default_lora_name": "a", "lora_url": "b"}, MISSING, "a"),
        ("FaceModel", {"face_model_url": "b"}, "c", "c"),
    ],
)
def test_wrong_values_give_the_default_silently(kind: str, node: dict[str, Any], sent: Any, seen: Any) -> None:
    """Each class has its own idea of what is wrong, and none of them says so."""
    found = seen_value(f"ComfyUIDeployExternal{kind}", node, sent, lambda low, high: DRAWN)  # type: ignore[arg-type, return-value]
    assert found == seen
    assert type(found) is type(seen)


@pytest.mark.parametrize(("kind", "sent"), [("Text", ["a"]), ("NumberInt", [1]), ("Seed", "abc")])
def test_some_values_make_comfyui_refuse_the_prompt(kind: str, sent: Any) -> None:
    """A list looks like a link, and a seed must be a number."""
    with pytest.raises(BadValueError):
        seen_value(f"ComfyUIDeployExternal{kind}", {"default_value": -1}, sent, max)


def check(graph: Graph, inputs: dict[str, Any] | None = None) -> Prompt:
    """Prepare a graph with a drawing that gives the middle."""
    return prepare(graph.api(), graph.ui(), inputs or {}, lambda _node, low, high: (low + high) // 2)


def picture(graph: Graph, **inputs: Any) -> Any:
    """Add an empty picture."""
    return graph.add("EmptyImage", **{"width": 64, "height": 64, "batch_size": 1, "color": 0, **inputs})


def test_a_free_seed_is_random_at_each_run() -> None:
    """Whatever the workflow says; only a sampler that the editor marks as fixed keeps it."""
    graph = Graph()
    noise = graph.add("ImageAddNoise", image=picture(graph)[0], seed=42, strength=0.5)
    graph.add("SaveImage", images=noise[0])
    seed = check(graph).graph["2"]["inputs"]["seed"]
    assert 10**14 <= seed < 10**15
    api = {"3": {"class_type": "KSampler", "inputs": {"seed": 42}}}
    fixed = {"nodes": [{"id": 3, "type": "KSampler", "widgets_values": [42, "fixed", 20]}]}
    kept = prepare(api, fixed, {}, lambda _node, low, high: low)
    assert kept.graph["3"]["inputs"]["seed"] == 42


def test_a_seed_over_a_link_is_that_of_the_input() -> None:
    """What it became is written into the executed graph."""
    graph = Graph()
    seed = graph.external("Seed", "seed", min_value=1, max_value=100, default_value=-1)
    noise = graph.add("ImageAddNoise", image=picture(graph)[0], seed=seed[0], strength=0.5)
    graph.add("SaveImage", images=noise[0])
    sent = check(graph, {"seed": 7})
    assert sent.graph["1"]["inputs"]["input_id"] == "7"
    assert sent.graph["1"]["is_changed"] == [["7", 7]]
    drawn = check(graph)
    assert drawn.graph["1"]["inputs"]["input_id"] == "seed"
    assert drawn.graph["1"]["is_changed"] == [["seed", 50]]


def test_only_what_an_output_needs_is_executed() -> None:
    """In an order in which each node has what it needs."""
    graph = Graph()
    unused = graph.external("Text", "unused")
    first = picture(graph)
    last = graph.add("ImageInvert", image=first[0])
    end = graph.add("SaveImage", images=last[0])
    assert check(graph).order == [first.id, last.id, end.id]
    assert unused.id not in check(graph).order


def test_a_prompt_without_a_good_output_is_refused() -> None:
    """With the reason at the node that has the fault."""
    graph = Graph()
    graph.add("SaveImage", images=picture(graph, width=0)[0])
    prompt = check(graph)
    assert prompt.verdict is Verdict.REJECTED
    assert [fault["type"] for fault in prompt.faults["1"]] == ["value_smaller_than_min"]


def test_a_prompt_with_one_good_output_is_half_refused() -> None:
    """And the good one is executed."""
    graph = Graph()
    good = graph.add("SaveImage", images=picture(graph)[0])
    bad = graph.add("SaveImage")
    prompt = check(graph)
    assert prompt.verdict is Verdict.HALF
    assert good.id in prompt.order
    assert bad.id not in prompt.order
    assert [fault["type"] for fault in prompt.faults[bad.id]] == ["required_input_missing"]
    assert prompt.needs == {good.id: frozenset({"1", good.id}), bad.id: frozenset({bad.id})}


@pytest.mark.parametrize("kind", ["unknown", "no output", "empty"])
def test_what_comfyui_cannot_even_check_is_accepted(kind: str) -> None:
    """An unknown node anywhere, or nothing to make: no refusal, and no start."""
    graph = Graph()
    if kind != "empty":
        picture(graph)
    if kind == "unknown":
        graph.add("SaveImage", images=graph.add("NoSuchNode")[0])
    assert check(graph).verdict is Verdict.UNKNOWN


def test_links_in_a_circle_or_to_nowhere_are_refused() -> None:
    """Neither hangs."""
    circle = {
        "1": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}},
    }
    assert set(prepare(circle, None, {}, lambda *_: 0).order) == {"1", "2", "3"}
    nowhere = {"3": {"class_type": "SaveImage", "inputs": {"images": ["9", 0]}}}
    assert prepare(nowhere, None, {}, lambda *_: 0).verdict is Verdict.REJECTED


def test_values_over_a_link_are_not_checked() -> None:
    """So a number that is too large arrives at the node, which then fails."""
    graph = Graph()
    size = graph.external("NumberInt", "size", default_value=200000)
    graph.add("SaveImage", images=picture(graph, width=size[0])[0])
    assert check(graph).verdict is Verdict.ACCEPTED
