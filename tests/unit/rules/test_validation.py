"""Given inputs against definitions."""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.errors import InputError
from comfynb.rules.input_classes import INPUT_CLASSES, LARGEST_SEED
from comfynb.rules.inputs import InputDefinition, input_definitions
from comfynb.rules.validation import MergedInputs, check_problems, merge_inputs

PREFIX = "ComfyUIDeployExternal"
PNG = "data:image/png;base64,iVBORw0KGgo="
DRAWN = 4660


def draw(low: int, high: int) -> int:
    """Draw the same seed each time."""
    assert low <= DRAWN <= high
    return DRAWN


def definition(class_name: str, name: str = "x", **inputs: Any) -> InputDefinition:
    """Return the definition of an input whose value is taken by a node."""
    node = {"class_type": PREFIX + class_name, "inputs": {"input_id": name, **inputs}}
    (found,) = input_definitions(None, {"1": node, "2": {"class_type": "Sink", "inputs": {"in": ["1", 0]}}})
    return found


def merge(known: InputDefinition, value: Any) -> MergedInputs:
    """Give one value to one input."""
    return merge_inputs([known], {known.name: value}, draw=draw)


INTEGER = definition("NumberInt", default_value=7)
FLOAT = definition("Number", default_value=1.5)
SLIDER = definition("NumberSlider", default_value=0.5, min_value=0, max_value=1)
SLIDER_INT = definition("NumberSliderInt", default_value=3, min_value=0, max_value=10)
FLAG = definition("Boolean", default_value=False)
METHOD = definition("Enum", default_value="bilinear", options='["nearest-exact", "bilinear", "2"]')
SEED = definition("Seed", default_value=-1, min_value=1, max_value=4294967295)
TEXT = definition("Text", default_value="")
IMAGE = definition("Image")
IMAGES = definition("ImageBatch")
VIDEO = definition("Video")
COLOR = definition("Color")
LORA = definition("Lora")


@pytest.mark.parametrize(
    ("known", "value", "sent"),
    [
        (INTEGER, 640, 640),
        (INTEGER, "640", 640),
        (INTEGER, 12.0, 12),
        (INTEGER, 0, 0),
        (INTEGER, 3_000_000_000, 3_000_000_000),
        (INTEGER, np.int64(5), 5),
        (FLOAT, "2.25", 2.25),
        (FLOAT, -0.5, -0.5),
        (FLOAT, 3, 3),
        (FLOAT, np.float32(0.5), 0.5),
        (SLIDER, 1, 1),
        (SLIDER, "0.75", 0.75),
        (SLIDER_INT, 10.0, 10),
        (FLAG, True, True),
        (FLAG, "FALSE", False),
        (FLAG, "true", True),
        (FLAG, 0, False),
        (FLAG, np.bool_(True), True),
        (METHOD, "bilinear", "bilinear"),
        (METHOD, 2, "2"),
        (SEED, 123, 123),
        (SEED, "123", 123),
        (SEED, 4294967295, 4294967295),
        (TEXT, "", ""),
        (TEXT, "a\nb", "a\nb"),
        (TEXT, 5, "5"),
        (TEXT, 4.5, "4.5"),
        (IMAGE, " https://x/y.png ", "https://x/y.png"),
        (IMAGE, "HTTP://127.0.0.1:5555/y", "HTTP://127.0.0.1:5555/y"),
        (IMAGE, PNG, PNG),
        (IMAGE, "data:image/jpg;base64,AA==", "data:image/jpg;base64,AA=="),
        (IMAGES, ("https://x/1.png", PNG), ["https://x/1.png", PNG]),
        (IMAGES, "https://x/all.zip", ["https://x/all.zip"]),
        (VIDEO, "https://x/y.mp4", "https://x/y.mp4"),
        (COLOR, "#ff8000", [{"r": 255, "g": 128, "b": 0}]),
        (COLOR, (255, 128, 0), [{"r": 255, "g": 128, "b": 0}]),
        (LORA, "detail.safetensors", "detail.safetensors"),
        (definition("BrandNew"), [1, "a"], [1, "a"]),
        (definition("BrandNew"), 5, 5),
    ],
)
def test_what_fits_is_sent_as_a_real_json_type(known: InputDefinition, value: Any, sent: Any) -> None:
    """A value that can be meant in one way only is sent in that way."""
    merged = merge(known, value)
    assert merged.problems == {}
    assert merged.send == {"x": sent}
    assert type(merged.send["x"]) is type(sent)
    assert merged.effective == merged.send


@pytest.mark.parametrize(
    ("known", "value", "problem"),
    [
        (INTEGER, -5, "must be 0 or more, not -5; the node would ignore it and use 7"),
        (INTEGER, 12.5, "must be a whole number, not 12.5"),
        (INTEGER, "abc", "must be a whole number, not 'abc'"),
        (INTEGER, True, "must be a whole number, not True"),
        (INTEGER, None, "None is no value; leave the input out to use its default"),
        (INTEGER, math.nan, "must be a whole number, not nan"),
        (INTEGER, 10**400, "is too large a number"),
        (FLOAT, math.inf, "must be a number, not inf"),
        (FLOAT, "abc", "must be a number, not 'abc'"),
        (FLOAT, False, "must be a number, not False"),
        (FLOAT, [1], "must be a number, not a list"),
        (SLIDER, 2.0, "must be 0 to 1, not 2.0; the node would ignore it and use 0.5"),
        (SLIDER_INT, 4.6, "must be a whole number, not 4.6"),
        (SLIDER_INT, -1, "must be 0 to 10, not -1; the node would ignore it and use 3"),
        (FLAG, "no", "must be true or false, not 'no'"),
        (FLAG, "", "must be true or false, not ''"),
        (FLAG, 2, "must be true or false, not 2"),
        (METHOD, "bicubic", "'bicubic' is not an option; the options are nearest-exact, bilinear, 2"),
        (METHOD, True, "must be one of the options, as text, not True"),
        (SEED, 0, "must be 1 to 4294967295, or -1 for a random one, not 0"),
        (SEED, 4294967296, "must be 1 to 4294967295, or -1 for a random one, not 4294967296"),
        (SEED, "abc", "must be a whole number, not 'abc'"),
        (SEED, 12.7, "must be a whole number, not 12.7"),
        (SEED, True, "must be a whole number, not True"),
        (TEXT, True, "must be text, not True"),
        (TEXT, ["a"], "must be text, not a list"),
        (TEXT, {}, "must be text, not a dict"),
        (TEXT, "a\x00b", "contains a NUL character, which the server cannot store"),
        (TEXT, "\ud800", "contains half of a surrogate pair, which cannot be sent"),
        (IMAGE, "", "is empty; it must be"),
        (IMAGE, "cat.png", "'cat.png' is no URL, and there is no file of that name here"),
        (IMAGE, "s3://bucket/cat.png", "must be a public URL"),
        (IMAGE, pathlib.Path("cat.png"), "or a file, not a "),
        (IMAGE, "https://", "'https://' is not a valid one"),
        (IMAGE, "https://x/a cat.png", "'https://x/a cat.png' is not a valid one"),
        (IMAGE, "data:image/webp;base64,AA==", "not a data URI of image/webp;"),
        (IMAGE, "data:image/png,AA==", "not a data URI of image/png without base64"),
        (
            IMAGE,
            ["https://x/y.png"],
            "must be a public URL (http or https), or a PNG or JPEG data URI, or a file, not a list",
        ),
        (VIDEO, PNG, "must be a public URL (http or https), not a data URI of image/png"),
        (IMAGES, [], "is an empty list"),
        (IMAGES, ["https://x/1.png", "2.png"], "item 2: must be a public URL"),
        (IMAGES, 5, "must be a list of images, not 5"),
        (COLOR, "red", "must be a color such as '#ff8000' or (255, 128, 0), not 'red'"),
        (LORA, " ", "must be the name or the URL of a lora, not ' '"),
        (definition("BrandNew"), {}, "must be text, a number, true or false, or a list, not a dict"),
        (definition("BrandNew"), [math.nan], "is a list that holds something that is no JSON"),
        (definition("BrandNew"), math.nan, "must be a finite number, not nan"),
    ],
)
def test_what_does_not_fit_is_a_problem(known: InputDefinition, value: Any, problem: str) -> None:
    """What a node would swallow, misread or choke on is not sent, and the problem says why."""
    merged = merge(known, value)
    assert problem in merged.problems["x"]
    assert merged.send == {}
    assert merged.effective == {}


def test_a_default_may_be_given_even_if_the_node_would_ignore_it() -> None:
    """Ignoring it leads to the same value."""
    assert merge(definition("NumberInt", default_value=-1), -1).send == {"x": -1}


def test_a_near_option_is_suggested() -> None:
    """A mistyped option names the one that was meant."""
    assert merge(METHOD, "bilinaer").problems["x"].endswith("did you mean 'bilinear'?")


def test_all_problems_come_at_once_and_in_order() -> None:
    """First what was given, as it was given, then what is missing."""
    known = [
        definition("Text", "prompt"),
        definition("NumberInt", "steps", default_value=20),
        definition("Image", "photo"),
    ]
    merged = merge_inputs(known, {"steps": "many", "promt": "a fox", "qqqqqq": 1}, draw=draw)
    assert merged.problems == {
        "steps": "must be a whole number, not 'many'",
        "promt": "unknown input 'promt'; did you mean 'prompt'?",
        "qqqqqq": "unknown input 'qqqqqq'; the inputs are prompt, steps, photo",
        "prompt": "is required and not given (text)",
        "photo": "is required and not given (image (URL or file))",
    }
    with pytest.raises(InputError) as caught:
        check_problems(merged, "text2img")
    assert str(caught.value).splitlines()[:2] == [
        "5 inputs of text2img cannot be sent, so nothing was submitted:",
        "  steps: must be a whole number, not 'many'",
    ]
    assert caught.value.problems == merged.problems


def test_names_of_inputs_are_harmless_and_short_in_the_message() -> None:
    """One who copies a notebook may give what he did not read."""
    name = f"\x1b[31m\u202e{'x' * 1_000_000}"
    merged = merge_inputs([], {name: 1}, draw=lambda low, _: low)
    with pytest.raises(InputError) as caught:
        check_problems(merged, f"\x1b[2J{name}")
    assert str(caught.value).replace("\n", "").isprintable()
    assert len(str(caught.value)) < 2000
    assert list(caught.value.problems) == [name]


def test_no_problem_is_no_error() -> None:
    """Good inputs pass in silence."""
    check_problems(merge(TEXT, "a fox"), "text2img")


def test_a_workflow_without_inputs_says_so() -> None:
    """There is nothing to suggest then."""
    assert merge_inputs([], {"a": 1}, draw=draw).problems == {"a": "unknown input 'a'; this workflow takes none"}


def test_two_inputs_with_one_name_are_a_problem_given_or_not() -> None:
    """Which of the two is meant cannot be told."""
    node = {"class_type": PREFIX + "Text", "inputs": {"input_id": "x", "default_value": "a"}}
    known = input_definitions(None, {"1": node, "2": node})
    for given_inputs in ({}, {"x": "b"}):
        problems = merge_inputs(known, given_inputs, draw=draw).problems
        assert problems == {"x": "two nodes use the name 'x'; rename one of them in the workflow"}


def test_a_realtime_image_cannot_be_given() -> None:
    """It is left empty, and giving it is a problem."""
    known = InputDefinition("camera", "Camera", "ComfyDeployWebscoketImageInput", "realtime")
    assert "cannot be given" in merge(known, PNG).problems["camera"]
    assert merge_inputs([known], {}, draw=draw) == MergedInputs()


def test_only_given_inputs_are_sent_and_defaults_are_known() -> None:
    """The server's defaults stay the server's, and what the run will use is still told."""
    known = [definition("Text", "prompt", default_value="a fox"), definition("NumberInt", "steps", default_value=20)]
    merged = merge_inputs(known, {"steps": 8}, draw=draw)
    assert merged.send == {"steps": 8}
    assert merged.effective == {"prompt": "a fox", "steps": 8}


@pytest.mark.parametrize("value", [None, -1, "-1", -1.0, np.int64(-1)])
def test_a_random_seed_is_drawn_and_recorded(value: Any) -> None:
    """None and -1 stand for a random seed, in every spelling."""
    merged = merge(SEED, value)
    assert merged.send == merged.effective == merged.drawn == {"x": DRAWN}
    assert merged.notes == (f"The seed {DRAWN} was drawn for 'x'.",)


@pytest.mark.parametrize("default", [-1, 0, None, "abc", 4294967296])
def test_an_omitted_seed_without_fixed_default_is_drawn(default: Any) -> None:
    """Otherwise the machine would draw one, and nobody would get to know it."""
    known = definition("Seed", default_value=default, min_value=1, max_value=4294967295)
    assert merge_inputs([known], {}, draw=draw).drawn == {"x": DRAWN}


def test_an_omitted_seed_with_a_fixed_default_is_left_alone() -> None:
    """The author of the workflow wanted that one."""
    merged = merge_inputs([definition("Seed", default_value=42)], {}, draw=draw)
    assert (merged.send, merged.effective, merged.drawn) == ({}, {"x": 42}, {})


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"min_value": -5, "max_value": 10**18}, (1, LARGEST_SEED)),
        ({"min_value": 10, "max_value": 20}, (10, 20)),
        ({}, (1, 4294967295)),
    ],
)
def test_seeds_are_drawn_within_what_machine_and_server_take(limits: dict[str, int], expected: tuple[int, int]) -> None:
    """From 1 upwards, at most the largest seed, inside the node's own range."""
    asked: list[tuple[int, int]] = []

    def note(low: int, high: int) -> int:
        asked.append((low, high))
        return low

    merge_inputs([definition("Seed", **limits)], {"x": -1}, draw=note)
    assert asked == [expected]


def test_a_seed_of_zero_is_good_where_the_range_has_it() -> None:
    """Only out of range is it a problem."""
    assert merge(definition("Seed", min_value=0, max_value=9), 0).send == {"x": 0}


def test_a_seed_without_any_room_is_a_problem() -> None:
    """A range with its ends swapped leaves nothing to draw from."""
    assert "no seed to draw" in merge(definition("Seed", min_value=9, max_value=2), -1).problems["x"]


def test_unreadable_options_are_a_note() -> None:
    """The value is sent unchecked, and that is said."""
    merged = merge(definition("Enum", options="oops"), "anything")
    assert merged.send == {"x": "anything"}
    assert merged.notes == ("The options of 'x' cannot be read, so its value was not checked.",)


def test_a_megabyte_of_text_is_fine() -> None:
    """Long prompts and pictures as data URIs go through whole."""
    assert merge(TEXT, "y" * 2_000_000).problems == {}
    assert merge(IMAGE, PNG + "A" * 2_000_000).problems == {}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([PNG, "https://x/y", "-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from(sorted(INPUT_CLASSES)), VALUES)
def test_every_value_is_either_sent_as_json_or_a_problem(class_type: str, value: Any) -> None:
    """Nothing raises, nothing is dropped in silence, and what is sent is JSON of a kind that the API takes."""
    node = {"class_type": class_type, "inputs": {"input_id": "x", "options": '["a"]'}}
    merged = merge_inputs(input_definitions(None, {"1": node}), {"x": value}, draw=lambda low, _: low)
    assert ("x" in merged.send) != ("x" in merged.problems)
    for sent in merged.send.values():
        assert isinstance(sent, str | int | float | list)
        json.dumps(sent, allow_nan=False).encode()
        if merged.drawn == {}:
            again = merge_inputs(input_definitions(None, {"1": node}), {"x": sent}, draw=lambda low, _: low)
            assert again.send == merged.send
