"""Graphs for workflows of which only the inputs are told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from comfynb.rules.input_classes import INPUT_CLASSES, Kind
from comfynb.sandbox.world.entries import InputEntry
from comfynb.sandbox.world.graph import Graph, Node

__all__ = ["graph_with"]

_CLASSES: Final[Mapping[str, str]] = {row.kind: class_type for class_type, row in reversed(INPUT_CLASSES.items())}
"""The class of each kind of input: the first one in the table."""
_TEXTS: Final[frozenset[Kind]] = frozenset({"text", "line"})
_NUMBERS: Final[frozenset[Kind]] = frozenset({"float", "integer", "slider", "slider_integer", "seed"})
_SAMPLER: Final[Mapping[str, Any]] = {"seed": 42, "steps": 20, "cfg": 7.0, "denoise": 1.0}


def graph_with(inputs: Sequence[InputEntry], name: str) -> Graph:
    """Return a graph that makes a picture and has these inputs.

    Inputs that are called like something in it go there: ``steps``, ``width``, ``seed`` and so on, the texts become
    its prompts, and a picture is where it begins.

    Parameters
    ----------
    inputs : sequence of InputEntry
        The inputs.
    name : str
        Of the workflow, for the names of its files.

    Examples
    --------
    >>> graph = graph_with([InputEntry(name="steps", kind="integer", default=25)], "shoes").api()
    >>> [node["inputs"]["steps"] for node in graph.values() if node["class_type"] == "KSampler"]
    [['2', 0]]
    """
    graph = Graph()
    model = graph.add("CheckpointLoaderSimple", ckpt_name="sd_xl_base_1.0.safetensors")
    nodes = [(each, _input(graph, each)) for each in inputs]
    numbers = {each.name.lower(): node[0] for each, node in nodes if each.kind in _NUMBERS}
    seeds = [node[0] for each, node in nodes if each.kind == "seed"]
    texts = [(each, node) for each, node in nodes if each.kind in _TEXTS]
    pictures = [node for each, node in nodes if each.kind == "image"]
    wanted = [node[0] for each, node in texts if not each.name.lower().startswith("neg")]
    avoided = [node[0] for each, node in texts if each.name.lower().startswith("neg")]
    positive = graph.add("CLIPTextEncode", clip=model[1], text=wanted[0] if wanted else name)
    negative = graph.add("CLIPTextEncode", clip=model[1], text=avoided[0] if avoided else "")
    latent = (
        graph.add("VAEEncode", pixels=pictures[0][0], vae=model[2])
        if pictures
        else graph.add(
            "EmptyLatentImage", width=numbers.get("width", 512), height=numbers.get("height", 512), batch_size=1
        )
    )
    settings = {key: numbers.get(key, value) for key, value in _SAMPLER.items()}
    if seeds:
        settings["seed"] = seeds[0]
    sampler = graph.add(
        "KSampler",
        **settings,
        sampler_name="euler",
        scheduler="normal",
        model=model[0],
        positive=positive[0],
        negative=negative[0],
        latent_image=latent[0],
    )
    picture = graph.add("VAEDecode", samples=sampler[0], vae=model[2])
    prefix = "".join(char if char.isalnum() else "_" for char in name)
    graph.add("SaveImage", images=picture[0], filename_prefix=prefix or "picture")
    return graph


def _input(graph: Graph, entry: InputEntry) -> Node:
    """Add an input, with what the nodes of its kind have."""
    class_type = _CLASSES[entry.kind]
    known = INPUT_CLASSES[class_type]
    settings: dict[str, Any] = {}
    default: Any = entry.default
    if entry.kind == "enum":
        options = entry.options or ([str(default)] if default is not None else ["default"])
        settings["options"] = json.dumps(options)
        default = options[0] if default is None else default
    elif entry.kind == "images":
        default = json.dumps(default if isinstance(default, list) else [])
    elif entry.kind == "seed":
        default = -1 if default is None else default
    elif default is None and entry.kind in _NUMBERS:
        default = known.default if known.default is not None else entry.min or 0
    elif default is None and entry.kind == "boolean":
        default = False
    if known.minimum is not None or entry.min is not None:
        settings["min_value"] = known.minimum if entry.min is None else entry.min
    if known.maximum is not None or entry.max is not None:
        settings["max_value"] = known.maximum if entry.max is None else entry.max
    if default is not None and known.default_keys:
        settings[known.default_keys[0]] = default
    return graph.add(
        class_type, input_id=entry.name, display_name=entry.label, description=entry.description, **settings
    )
