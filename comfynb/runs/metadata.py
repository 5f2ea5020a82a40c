"""What a run really executed, out of the metadata that ComfyUI writes into its pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from comfynb.rules.inputs import InputDefinition


def executed_graph(picture: bytes) -> dict[str, Any] | None:
    """Return the graph that made a picture; None for a picture without one.

    ComfyUI writes it as JSON into the text chunk ``prompt`` of a PNG.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture)) as image:
            text = image.info.get("prompt")
            if text is None:
                image.load()  # chunks may stand behind the pixels
                text = image.info.get("prompt")
        graph = json.loads(text) if isinstance(text, str | bytes) else None
    except (OSError, ValueError, SyntaxError):
        return None
    return graph if isinstance(graph, dict) else None


def used_values(
    graph: Mapping[str, Any],
    definitions: Sequence[InputDefinition],
    seeds: Sequence[tuple[str, str]],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the values that a graph was executed with, by input name.

    The machine replaces the `input_id` of an External node by the value that it was given, as text; where none was
    given, the name still stands there, and the node used its default.

    Parameters
    ----------
    graph : mapping
        What `executed_graph` returned.
    definitions : sequence of InputDefinition
        The inputs of the workflow, which know their nodes.
    seeds : sequence of (node id, class)
        Seeds that no input controls; they come as ``KSampler.seed (node 3)``.
    given : mapping
        What the run was given, by input name.
    """
    used: dict[str, Any] = {}
    for definition in definitions:
        inputs = _inputs(graph, definition.node_id)
        if "input_id" not in inputs:
            continue
        if definition.name in given:
            used[definition.name] = _typed(inputs["input_id"], definition)
        elif definition.kind == "seed":
            used[definition.name] = _drawn_by_node(graph, definition)
        elif definition.has_default:
            used[definition.name] = definition.default
    for node_id, class_type in seeds:
        inputs = _inputs(graph, node_id)
        if "seed" in inputs:
            used[f"{class_type}.seed (node {node_id})"] = inputs["seed"]
    return used


def _inputs(graph: Mapping[str, Any], node_id: str | None) -> Mapping[str, Any]:
    node = graph.get(node_id or "")
    inputs = node.get("inputs") if isinstance(node, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def _drawn_by_node(graph: Mapping[str, Any], definition: InputDefinition) -> Any:
    """Return the seed that an External Seed node drew by itself, which ComfyUI notes as its fingerprint."""
    node = graph.get(definition.node_id or "")
    marks = node.get("is_changed") if isinstance(node, Mapping) else None
    while isinstance(marks, list) and marks:
        marks = marks[-1]
    return marks if isinstance(marks, int) else definition.default


def _typed(value: Any, definition: InputDefinition) -> Any:
    if not isinstance(value, str):
        return value
    try:
        if definition.kind in ("integer", "slider_integer", "seed"):
            return int(value)
        if definition.kind in ("float", "slider"):
            return float(value)
    except ValueError:
        return value
    if definition.kind == "boolean" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value
