"""Input definitions, from the server's list and the graph."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.rules.input_classes import INPUT_CLASSES, kind_of
from comfynb.rules.inputs import InputDefinition, input_definitions

PREFIX = "ComfyUIDeployExternal"


def node(class_name: str, name: Any = "x", meta: dict[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    """Return a node of the graph for an input."""
    return {"class_type": PREFIX + class_name, "inputs": {"input_id": name, **inputs}, "_meta": meta or {"title": ""}}


def graph(*nodes: dict[str, Any]) -> dict[str, Any]:
    """Return a graph of such nodes, with one node that takes all their values."""
    sink = {"class_type": "Sink", "inputs": {f"in{place}": [str(place), 0] for place in range(len(nodes))}}
    return {**{str(place): content for place, content in enumerate(nodes)}, "sink": sink}


def one(content: dict[str, Any]) -> InputDefinition:
    """Return the definition of the only input of a graph."""
    (definition,) = input_definitions(None, graph(content))
    return definition


def row(name: str, class_name: str, **more: Any) -> dict[str, Any]:
    """Return a row of the server's list."""
    empty = dict.fromkeys(["default_value", "min_value", "max_value", "display_name", "description", "step"])
    return {
        "type": "string",
        "class_type": PREFIX + class_name,
        "input_id": name,
        **empty,
        "enum_options": None,
        **more,
    }


def test_all_classes_are_known() -> None:
    """The table has 23 classes; the server does not list four of them."""
    assert len(INPUT_CLASSES) == 23
    unlisted = {name.removeprefix(PREFIX) for name, known in INPUT_CLASSES.items() if not known.listed}
    assert unlisted == {"Vid", "FaceModel", "Seed", "Color"}


@pytest.mark.parametrize(
    ("class_name", "kind", "inputs", "default"),
    [
        ("Text", "text", {"default_value": "a fox"}, "a fox"),
        ("TextAny", "text", {"default_value": ""}, ""),
        ("TextSingleLine", "line", {"default_value": 7}, "7"),
        ("Number", "float", {"default_value": "1.5"}, 1.5),
        ("NumberInt", "integer", {"default_value": 7.0}, 7),
        ("NumberSlider", "slider", {"default_value": 0.85}, 0.85),
        ("NumberSlider", "slider", {}, 0.5),
        ("NumberSliderInt", "slider_integer", {}, 1),
        ("NumberSliderInt", "slider_integer", {"min_value": 4, "max_value": 8}, None),
        ("Boolean", "boolean", {"default_value": False}, False),
        ("Boolean", "boolean", {"default_value": "True"}, True),
        ("Enum", "enum", {"default_value": "b", "options": '["a","b"]'}, "b"),
        ("Image", "image", {"default_value_url": "https://x/y.png"}, "https://x/y.png"),
        ("Image", "image", {"default_value_url": ""}, None),
        ("Image", "image", {"default_value": ["47", 0]}, None),
        ("ImageAlpha", "image", {"default_value": ["47", 0]}, None),
        ("ImageBatch", "images", {"images": '["https://x/1.png"]'}, ["https://x/1.png"]),
        ("ImageBatch", "images", {"images": "[]"}, None),
        ("ImageBatch", "images", {"images": ["47", 0]}, None),
        ("Video", "video", {"default_value_url": "https://x/y.mp4"}, "https://x/y.mp4"),
        ("Vid", "video", {"default_value": "https://x/y.mp4"}, "https://x/y.mp4"),
        ("Audio", "audio", {"audio_file": "https://x/y.wav"}, "https://x/y.wav"),
        ("EXR", "exr", {"exr_file": "https://x/y.exr"}, "https://x/y.exr"),
        ("File", "file", {"file_url": "https://x/y.zip"}, "https://x/y.zip"),
        ("Lora", "lora", {"default_lora_name": "a.safetensors", "lora_url": "https://x/b"}, "a.safetensors"),
        ("Lora", "lora", {"default_lora_name": "", "lora_url": "https://x/b"}, "https://x/b"),
        ("Checkpoint", "checkpoint", {"default_value": "sd.ckpt"}, "sd.ckpt"),
        ("FaceModel", "face_model", {"face_model_url": "https://x/f"}, "https://x/f"),
        ("Seed", "seed", {"default_value": -1}, -1),
        ("Color", "color", {"default_value": "#102030"}, [{"r": 16, "g": 32, "b": 48}]),
        ("Color", "color", {"default_value": '[{"r":1,"g":2,"b":3}]'}, [{"r": 1, "g": 2, "b": 3}]),
        ("BrandNew", "line", {"default_value": "z"}, "z"),
    ],
)
def test_each_class_keeps_its_default_in_its_own_place(
    class_name: str, kind: str, inputs: dict[str, Any], default: Any
) -> None:
    """The kind follows from the class, and the default is read from where that class has it."""
    definition = one(node(class_name, **inputs))
    assert (definition.kind, definition.default) == (kind, default)
    assert definition.has_default is (default is not None)
    assert type(definition.default) is type(default)


def test_a_realtime_image_is_shown_and_never_required() -> None:
    """The one class that is not called External takes nothing that could be given."""
    definition = one({"class_type": "ComfyDeployWebscoketImageInput", "inputs": {"input_id": "camera"}})
    assert (definition.kind, definition.required) == ("realtime", False)
    assert kind_of("KSampler") is None


@pytest.mark.parametrize("value", [["47", 0], None, {}, "  ", 3])
def test_a_default_that_is_no_url_leaves_an_image_required(value: Any) -> None:
    """A link, an empty text or a number is no picture."""
    assert one(node("Image", default_value=value)).required


def test_the_graph_knows_what_the_list_omits() -> None:
    """A seed, and the default of a picture, come from the graph; the list's order is kept."""
    listed = [row("steps", "NumberInt", default_value=25), row("photo", "Image")]
    nodes = graph(
        node("Seed", "seed", default_value=-1, min_value=1, max_value=4294967295),
        node("Image", "photo", default_value_url="https://x/y.png"),
        node("NumberInt", "steps", default_value=25),
    )
    steps, photo, seed = input_definitions(listed, nodes)
    assert (steps.name, photo.name, seed.name) == ("steps", "photo", "seed")
    assert photo.default == "https://x/y.png"
    assert (steps.listed, seed.listed) == (True, False)
    assert (seed.minimum, seed.maximum) == (1, 4294967295)


def test_without_graph_the_list_is_enough() -> None:
    """Nothing is required that may have a default which the list drops."""
    listed = [
        row("photo", "Image"),
        row("prompt", "Text"),
        row("method", "Enum", default_value="a", enum_options=["a", "b"]),
        row("strength", "NumberSlider", default_value=0.5, min_value=0, max_value=1),
    ]
    photo, prompt, method, strength = input_definitions(listed, None)
    assert (photo.required, prompt.required) == (False, True)
    assert method.options == ("a", "b")
    assert strength.type_word == "number 0–1"


def test_the_graph_is_right_where_both_speak() -> None:
    """What the list says differently is out of date; what the graph lacks is taken from it."""
    listed = [row("n", "NumberInt", default_value=1, description="from the list", display_name="List")]
    (definition,) = input_definitions(listed, graph(node("NumberInt", "n", default_value=2, display_name="Graph")))
    assert (definition.default, definition.label, definition.description) == (2, "Graph", "from the list")


def test_names_are_matched_exactly() -> None:
    """Two inputs that differ in case or blanks are two inputs."""
    names = ["Prompt", "prompt", "prompt ", "PROMPT"]
    found = input_definitions([row(names[0], "Text")], graph(*(node("Text", name) for name in names)))
    assert [definition.name for definition in found] == names


def test_the_authors_order_comes_first() -> None:
    """Inputs with an order stand first, by it; the rest as found."""
    nodes = [
        node("Text", "none"),
        node("Text", "b", {"cd_input_order": 2, "cd_input_group_id": "g1", "cd_group_name": "Look"}),
        node("Text", "a", {"cd_input_order": "1"}),
    ]
    found = input_definitions(None, graph(*nodes))
    assert [definition.name for definition in found] == ["a", "b", "none"]
    assert (found[1].group, found[1].group_name) == ("g1", "Look")


def test_two_nodes_with_one_name_are_one_definition_with_a_problem() -> None:
    """The name appears once, and says what is wrong, from either source."""
    nodes = graph(node("Text", "x", default_value="a"), node("NumberInt", "x", default_value=1))
    listed = [row("x", "Text"), row("x", "NumberInt")]
    for found in (input_definitions(None, nodes), input_definitions(listed, nodes), input_definitions(listed, None)):
        assert len(found) == 1
        assert found[0].uses == 2
        assert found[0].problem == "two nodes use the name 'x'"


@pytest.mark.parametrize("options", ["not json", '{"a": 1}', None, 5, '[["a"]]', "[null]", "[" * 100_000])
def test_options_that_are_no_list_are_a_problem_of_the_definition(options: Any) -> None:
    """The input is still there, without options."""
    definition = one(node("Enum", options=options, default_value="a"))
    assert definition.options == ()
    assert definition.problem == "its options are not a list"


def test_options_may_be_numbers_and_repeat() -> None:
    """Options are texts, each once."""
    assert one(node("Enum", options="[1, 2, 2, 0.5]")).options == ("1", "2", "0.5")


def test_limits_may_be_texts_and_may_be_wrong() -> None:
    """Numbers written as text count; what is no number gives way to the usual limit; a turned range is a problem."""
    assert one(node("NumberSlider", min_value="0.5", max_value="1e1")).type_word == "number 0.5–10.0"
    assert one(node("NumberSliderInt", min_value=None, max_value="many")).type_word == "integer 0–10"
    assert (
        one(node("NumberSliderInt", min_value=9, max_value=1)).problem
        == "its smallest value, 9, is above its largest, 1"
    )


def test_a_value_that_no_node_takes_is_not_required() -> None:
    """A node that leads nowhere is not executed, so it needs nothing."""
    (loose,) = input_definitions(None, {"1": node("ImageBatch", images="[]")})
    assert (loose.used, loose.required) == (False, False)
    assert "optional" in loose.describe()


@pytest.mark.parametrize("name", [None, "", 7, ["5", 0], {}, True])
def test_a_node_without_a_usable_name_is_no_input(name: Any) -> None:
    """A name that is missing, linked or no text can never be given."""
    assert input_definitions(None, graph(node("Text", name))) == ()


def test_labels_and_help_that_are_null_do_no_harm() -> None:
    """The label is then the name."""
    definition = one(node("Text", "prompt", display_name=None, description=None))
    assert (definition.label, definition.description) == ("prompt", "")


def test_a_token_in_the_node_never_appears() -> None:
    """The bearer token of a LoRA node is in no part of its definition."""
    definition = one(node("Lora", lora_url="https://x/l.safetensors", bearer_token="s3cr3t-t0ken"))
    assert "s3cr3t-t0ken" not in repr(definition) + definition.describe() + str(definition.default)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            node("Text", "prompt", default_value="a fox", description="What\nto paint"),
            "prompt: text, default 'a fox' – What to paint",
        ),
        (node("Image", "photo"), "photo: image (URL or file), required"),
        (node("Seed", "seed", default_value=-1), "seed: seed 1–4294967295, drawn if not given"),
        (node("Seed", "seed", default_value=5), "seed: seed 1–4294967295, default 5"),
        (node("Enum", "m", options='["a","b"]'), "m: one of: a, b, required"),
        (
            node("Enum", "m", options="[]", default_value="a"),
            "m: one of a list, default 'a' (its list of options is empty)",
        ),
        (node("Boolean", "flag", default_value=False), "flag: true or false, default False"),
    ],
)
def test_a_definition_describes_itself_in_one_line(content: dict[str, Any], line: str) -> None:
    """Name, type, what happens without a value, help and problem."""
    assert one(content).describe() == line


def test_a_long_default_is_shortened() -> None:
    """A page of prompt does not fill the line."""
    assert len(one(node("Text", default_value="y" * 10_000)).describe()) < 100


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["input_id", "default_value", "min_value", "max_value", "options", "display_name", "images", "default_value_url"]
)
NODES = st.fixed_dictionaries(
    {"class_type": st.sampled_from([*INPUT_CLASSES, PREFIX + "New", "KSampler"]) | JSON_VALUES},
    optional={
        "inputs": st.dictionaries(KEYS, JSON_VALUES) | JSON_VALUES,
        "_meta": st.dictionaries(st.sampled_from(["cd_input_order", "cd_group_name"]), JSON_VALUES) | JSON_VALUES,
    },
)
ROWS = st.dictionaries(
    st.sampled_from(["input_id", "class_type", "default_value", "enum_options", "step"]), JSON_VALUES
)


@given(
    st.lists(ROWS | JSON_VALUES, max_size=4) | JSON_VALUES,
    st.dictionaries(st.text(max_size=3), NODES | JSON_VALUES, max_size=4) | JSON_VALUES,
)
def test_no_shape_is_an_error(listed: Any, nodes: Any) -> None:
    """Whatever stands in list and graph, the answer is a tuple of definitions that describe themselves, as JSON."""
    found = input_definitions(listed, nodes)
    assert len({definition.name for definition in found}) == len(found)
    for definition in found:
        assert "\n" not in definition.describe()
        json.dumps(definition.default, allow_nan=False)
        assert definition.required in (True, False)
