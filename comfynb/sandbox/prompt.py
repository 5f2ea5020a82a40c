"""A prompt: a graph with the inputs of one run written into it, checked as ComfyUI checks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from comfynb.sandbox.installed import STANDARD, Installed
from comfynb.sandbox.nodes import EXTERNAL
from comfynb.sandbox.refusals import dangling, missing_input, out_of_limits, refusals
from comfynb.sandbox.values import MISSING, BadValueError, is_input, is_link, seen_value, written_value

__all__ = ["Prompt", "Verdict", "prepare"]

LIMITS: dict[str, dict[str, float]] = {
    "width": {"default": 512, "min": 1, "max": 16384, "step": 1},
    "height": {"default": 512, "min": 1, "max": 16384, "step": 1},
    "batch_size": {"default": 1, "min": 1, "max": 4096},
    "steps": {"default": 20, "min": 1, "max": 10000},
    "cfg": {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1},
    "denoise": {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01},
}
"""What ComfyUI accepts in a node's own inputs. Values that come over a link are not checked."""

DEFAULT_TOO: dict[str, Callable[[Any], Any]] = {
    f"{EXTERNAL}Text": str,
    f"{EXTERNAL}Enum": str,
    f"{EXTERNAL}Seed": int,
}
"""Inputs whose `default_value` is overwritten with what was sent, besides their `input_id`, and what makes it fit."""

MAX_PIXELS = 32768 * 32768
"""Above so many pixels an image node fails: no machine has the memory."""


class Verdict(Enum):
    """What ComfyUI says to a prompt before it executes anything."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """Every output has a fault: the machine answers 400."""
    HALF = "half"
    """Some outputs have a fault: the machine answers 400, and executes the others."""
    UNKNOWN = "unknown"
    """A class of nodes is not installed, or nothing is an output: accepted, and never started."""


@dataclass(slots=True)
class Prompt:
    """A graph as it is executed."""

    graph: dict[str, Any]
    """The executed graph: input ids replaced by the values, free seeds replaced by random ones."""
    values: dict[str, Any]
    """What the inputs of the workflow give to the next node, by node id."""
    verdict: Verdict
    order: list[str] = field(default_factory=list)
    """Node ids in the order of execution."""
    faults: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Why nodes were refused, by node id, in ComfyUI's words."""
    needs: dict[str, frozenset[str]] = field(default_factory=dict)
    """What each output needs, by node id, itself included."""
    installed: Installed = STANDARD
    """What the machine has installed."""

    def resolve(self, value: Any, depth: int = 0) -> Any:
        """Follow a link to the value that arrives; a link to something that is no value stays None."""
        if not is_link(value) or depth > len(self.graph):
            return value
        node = self.graph.get(value[0])
        if node is None:
            return None
        return self.values.get(value[0]) if is_input(node["class_type"]) else None

    def inputs_of(self, node_id: str) -> dict[str, Any]:
        """Return the inputs of a node with links to values followed."""
        return {name: self.resolve(value) for name, value in self.graph[node_id]["inputs"].items()}

    def class_of(self, node_id: str) -> str:
        """Return the class of a node."""
        return str(self.graph[node_id]["class_type"])

    def find(self, name: str, *, last: bool = False) -> Any:
        """Return the value that the first or the last node of the graph with an input of this name has for it."""
        order = self.order or list(self.graph)
        for node_id in reversed(order) if last else order:
            if is_input(self.class_of(node_id)):
                continue
            value = self.resolve(self.graph[node_id]["inputs"].get(name))
            if value is not None and not isinstance(value, list):
                return value
        return None


def prepare(
    workflow_api: dict[str, Any],
    workflow: dict[str, Any] | None,
    inputs: dict[str, Any],
    draw: Callable[[str, int, int], int],
    installed: Installed = STANDARD,
) -> Prompt:
    """Write the inputs of a run into a graph, and check it.

    Parameters
    ----------
    workflow_api : dict
        The graph that runs.
    workflow : dict or None
        The graph of the editor; it says which samplers keep their seed.
    inputs : dict
        The inputs of the run; unknown names do nothing.
    draw : callable
        Draws a number for a node id between two bounds.
    installed : Installed
        Which classes of nodes the machine has.
    """
    graph = {node_id: _copy(node) for node_id, node in workflow_api.items()}
    fixed = _fixed_seeds(workflow)
    values: dict[str, Any] = {}
    refused: dict[str, Any] = {}
    for node_id, node in graph.items():
        node_inputs, class_type = node["inputs"], node["class_type"]
        if is_input(class_type):
            input_id = node_inputs.get("input_id")
            sent = inputs.get(input_id, MISSING) if isinstance(input_id, str) else MISSING
            try:
                values[node_id] = seen_value(class_type, node_inputs, sent, partial(draw, node_id))
            except BadValueError:
                refused[node_id] = sent
            if sent is not MISSING:
                node_inputs["input_id"] = written_value(class_type, sent)
                if class_type in DEFAULT_TOO:
                    node_inputs["default_value"] = sent if node_id in refused else DEFAULT_TOO[class_type](sent)
            if class_type.endswith("ExternalSeed") and node_id in values:
                node["is_changed"] = [[node_inputs.get("input_id"), values[node_id]]]
        elif isinstance(node_inputs.get("seed"), int) and not (class_type == "KSampler" and node_id in fixed):
            node_inputs["seed"] = draw(node_id, 10**14, 10**15 - 1)
    for node_id, value in list(values.items()):
        # A default may be a link: then the input gives what that node gives.
        if is_link(value):
            values[node_id] = values.get(value[0], "linked")
    prompt = Prompt(graph, values, Verdict.ACCEPTED, installed=installed)
    for node_id, sent in refused.items():
        prompt.faults[node_id] = refusals(graph, node_id, sent)
    return _check(prompt)


def _copy(node: Any) -> dict[str, Any]:
    """Return a copy of what is written to; links and lists are shared, since nobody changes them."""
    given = node if isinstance(node, dict) else {}
    inputs = given.get("inputs")
    return {
        **given,
        "inputs": dict(inputs) if isinstance(inputs, dict) else {},
        "class_type": str(given.get("class_type", "")),
    }


def _fixed_seeds(workflow: dict[str, Any] | None) -> set[str]:
    nodes = (workflow or {}).get("nodes")
    return {
        str(node.get("id"))
        for node in (nodes if isinstance(nodes, list) else [])
        if isinstance(node, dict)
        and node.get("type") == "KSampler"
        and "fixed" in (node.get("widgets_values") or [])[1:2]
    }


def _check(prompt: Prompt) -> Prompt:
    graph = prompt.graph
    ends = [node_id for node_id in graph if prompt.installed.of(prompt.class_of(node_id)).ends]
    if not ends or any(not prompt.installed.knows(prompt.class_of(node_id)) for node_id in graph):
        prompt.verdict = Verdict.UNKNOWN
        return prompt
    for end in ends:
        needed: dict[str, int] = {}
        _walk(prompt, end, needed)
        prompt.needs[end] = frozenset(needed)
    good = [end for end in ends if prompt.needs[end].isdisjoint(prompt.faults)]
    executed: dict[str, int] = {}
    for end in good:
        _walk(prompt, end, executed)
    prompt.order = sorted(executed, key=executed.__getitem__)
    if not good:
        prompt.verdict = Verdict.REJECTED
    elif len(good) < len(ends):
        prompt.verdict = Verdict.HALF
    return prompt


def _walk(prompt: Prompt, node_id: str, order: dict[str, int]) -> None:
    """Give numbers to what a node needs, then to the node, in the order in which ComfyUI executes them."""
    if node_id in order:
        return
    # Numbered on the way in as well, so that a circle of links ends.
    order[node_id] = 0
    inputs = prompt.graph[node_id]["inputs"]
    for name in prompt.installed.of(prompt.class_of(node_id)).required:
        if name not in inputs:
            _refuse(prompt, node_id, missing_input(name))
    for name, value in inputs.items():
        if not is_link(value):
            limits = LIMITS.get(name) if not is_input(prompt.class_of(node_id)) else None
            fault = out_of_limits(name, value, limits) if limits is not None else None
            if fault is not None:
                _refuse(prompt, node_id, fault)
        elif value[0] not in prompt.graph:
            _refuse(prompt, node_id, dangling(prompt.graph, node_id, value[0]))
        else:
            _walk(prompt, value[0], order)
    order[node_id] = len(order) + max(order.values())


def _refuse(prompt: Prompt, node_id: str, fault: dict[str, Any]) -> None:
    """Note a fault, once: several outputs may need the same node."""
    known = prompt.faults.setdefault(node_id, [])
    if fault not in known:
        known.append(fault)
