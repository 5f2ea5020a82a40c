"""What a graph tells."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.rules.graph import GraphFacts, describe_graph, node_classes


def graph(*nodes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a graph of classes with their inputs; ids count from 1."""
    return {
        str(place): {"class_type": class_type, "inputs": inputs}
        for place, (class_type, inputs) in enumerate(nodes, start=1)
    }


def external(class_name: str, name: str, order: int | None = None) -> dict[str, Any]:
    """Return an input node."""
    meta = {} if order is None else {"cd_input_order": order}
    return {"class_type": f"ComfyUIDeployExternal{class_name}", "inputs": {"input_id": name}, "_meta": meta}


@pytest.mark.parametrize(
    ("classes", "kinds", "saves"),
    [
        (["SaveImage"], ("image",), True),
        (["PreviewImage"], ("image",), False),
        (["PreviewImage", "SaveVideo"], ("video",), True),
        (["SaveImage", "VHS_VideoCombine"], ("video", "image"), True),
        (["SaveAnimatedWEBP"], ("video",), True),
        (["SaveWEBM"], ("video",), True),
        (["SaveAudioMP3"], ("audio",), True),
        (["SaveGLB"], ("3d",), True),
        (["PreviewAny"], ("text",), False),
        (["SaveImage", "PreviewAny"], ("image", "text"), True),
        (["ComfyDeployOutputText"], ("text",), True),
        (["ComfyDeployStdOutputImage"], ("image",), True),
        (["ComfyDeployOutputFile"], ("file",), True),
        (["Image Save"], ("image",), True),
        (["SaveMeshToDisk"], ("3d",), True),
        (["SuperVideoExporter"], ("video",), True),
        (["SaveImageWebsocket"], ("image",), False),
        (["KSampler", "LoadImageOutput"], (), False),
    ],
)
def test_outputs_follow_from_the_nodes_that_save(classes: list[str], kinds: tuple[str, ...], saves: bool) -> None:
    """Known classes by name, others by what they are called; previews count only where nothing else does."""
    facts = describe_graph(graph(*((name, {}) for name in classes)))
    assert facts.output_kinds == kinds
    assert facts.output_kind == (kinds[0] if kinds else None)
    assert facts.saves_outputs is saves


def test_a_class_that_sounds_like_saving_must_stand_at_the_end() -> None:
    """A node whose value others take gives nothing out by its name alone."""
    facts = describe_graph(graph(("ImageOutputSize", {}), ("KSampler", {"size": ["1", 0]})))
    assert facts.output_kinds == ()


def test_loras_are_named_in_many_ways() -> None:
    """Loaders, stacks and switchable rows; linked and empty names are left out."""
    facts = describe_graph(
        graph(
            ("LoraLoader", {"lora_name": "a.safetensors", "model": ["9", 0]}),
            ("LoraLoader", {"lora_name": ["5", 0]}),
            ("Lora Loader Stack (rgthree)", {"lora_01": "b.safetensors", "lora_02": "None"}),
            (
                "Power Lora Loader (rgthree)",
                {"lora_1": {"on": True, "lora": "c"}, "lora_2": {"on": False, "lora": "d"}},
            ),
            (
                "ComfyUIDeployExternalLora",
                {"default_lora_name": "e", "lora_url": "https://x/?token=s", "bearer_token": "t"},
            ),
        )
    )
    assert facts.uses_lora
    assert facts.loras == ("a.safetensors", "b.safetensors", "c", "e")
    assert not describe_graph(graph(("KSampler", {}))).uses_lora


def test_seeds_that_no_input_controls() -> None:
    """An unlinked seed of any class is replaced by the machine at each run; a linked one is not."""
    nodes = graph(
        ("KSampler", {"seed": 42}), ("Noise", {"seed": 1}), ("KSampler", {"seed": ["4", 0]}), ("X", {"noise_seed": 1})
    )
    assert describe_graph(nodes).uncontrolled_seeds == (("1", "KSampler"), ("2", "Noise"))


def test_a_sampler_with_a_fixed_seed_keeps_it() -> None:
    """The drawn graph says so, and only samplers are asked."""
    nodes = graph(("KSampler", {"seed": 42}), ("KSampler", {"seed": 43}), ("Noise", {"seed": 1}))
    drawn = {
        "nodes": [
            {"id": 1, "type": "KSampler", "widgets_values": [42, "fixed", 20]},
            {"id": 2, "type": "KSampler", "widgets_values": [43, "randomize", 20]},
            {"id": 3, "type": "Noise", "widgets_values": [1, "fixed"]},
        ]
    }
    assert describe_graph(nodes, drawn).uncontrolled_seeds == (("2", "KSampler"), ("3", "Noise"))


def test_notes_come_from_the_drawn_graph() -> None:
    """Both kinds of notes, in subgraphs too; empty ones are none."""
    drawn = {
        "nodes": [
            {"type": "Note", "widgets_values": [" Use 1024 px. "]},
            {"type": "MarkdownNote", "widgets_values": ["# Licence"]},
            {"type": "Note", "widgets_values": [""]},
            {"type": "Note"},
            {"type": "KSampler", "widgets_values": ["no note"]},
        ],
        "definitions": {"subgraphs": [{"nodes": [{"type": "Note", "widgets_values": ["inside"]}]}, None]},
    }
    assert describe_graph(graph(("SaveImage", {})), drawn).notes == ("Use 1024 px.", "# Licence", "inside")


@pytest.mark.parametrize(
    ("inputs", "primary"),
    [
        ([external("Text", "style"), external("Text", "Negative Prompt"), external("Text", "PROMPT")], "PROMPT"),
        ([external("Text", "neg_prompt"), external("Text", "caption")], "caption"),
        ([external("Text", "b_prompt", 2), external("Text", "a_prompt", 1)], "a_prompt"),
        ([external("NumberInt", "steps"), external("Text", "negative_prompt"), external("Image", "photo")], "photo"),
        ([external("Text", "negative_prompt")], "negative_prompt"),
        ([external("ImageBatch", "pictures"), external("Seed", "seed")], "pictures"),
        ([external("Seed", "seed")], None),
    ],
)
def test_the_primary_input_is_the_prompt_else_a_text_else_a_picture(
    inputs: list[dict[str, Any]], primary: str | None
) -> None:
    """A negative prompt is the last choice."""
    assert describe_graph({str(place): node for place, node in enumerate(inputs)}).primary_input == primary


@pytest.mark.parametrize("nothing", [None, {}, [], "graph", {"1": None, "2": [], "3": {"class_type": 5}}])
def test_without_a_graph_everything_is_unknown(nothing: Any) -> None:
    """It says so, and claims nothing."""
    assert describe_graph(nothing) == GraphFacts(unknown=True)
    assert node_classes(nothing) == {}


def test_node_classes_by_id() -> None:
    """Ids are texts, also where they were numbers."""
    assert node_classes({"9": {"class_type": "SaveImage"}, 4: {"class_type": "X"}, "5": {}}) == {
        "9": "SaveImage",
        "4": "X",
    }


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NODES = st.fixed_dictionaries(
    {"class_type": st.sampled_from(["KSampler", "LoraLoader", "SaveThing", "ComfyUIDeployExternalText"]) | JSON_VALUES},
    optional={
        "inputs": st.dictionaries(st.sampled_from(["seed", "input_id", "lora_name"]), JSON_VALUES) | JSON_VALUES,
        "_meta": st.fixed_dictionaries({"cd_input_order": JSON_VALUES}) | JSON_VALUES,
    },
)
DRAWN = st.fixed_dictionaries(
    {},
    optional={
        "nodes": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["Note", "KSampler"]) | JSON_VALUES, "widgets_values": JSON_VALUES}
            )
            | JSON_VALUES
        )
        | JSON_VALUES,
        "definitions": st.fixed_dictionaries({"subgraphs": JSON_VALUES}) | JSON_VALUES,
    },
)


@given(st.dictionaries(st.text(max_size=3), NODES | JSON_VALUES, max_size=4) | JSON_VALUES, DRAWN | JSON_VALUES)
def test_no_shape_is_an_error(nodes: Any, drawn: Any) -> None:
    """Whatever comes, the answer is facts."""
    facts = describe_graph(nodes, drawn)
    assert facts.unknown is (facts.node_count == 0)
    assert facts.primary_input is None or isinstance(facts.primary_input, str)
