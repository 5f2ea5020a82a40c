"""A small builder of ComfyUI graphs: the one that runs and the one that the editor shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from comfynb.sandbox.nodes import node_class

__all__ = ["GivenGraph", "Graph", "Graphs", "Node"]

MOST_OUTPUTS = 256
"""A link to an output beyond that is none: no node has so many."""

Link = list[Any]
"""An input that comes from another node: ``[node id, output number]``."""


@dataclass(slots=True)
class Node:
    """A node of a graph; ``node[1]`` is the link to its second output."""

    id: str
    class_type: str
    title: str
    inputs: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, output: int) -> Link:
        return [self.id, output]


class Graphs(Protocol):
    """Both graphs of a version."""

    def api(self) -> dict[str, Any]:
        """Return the graph that runs."""

    def ui(self) -> dict[str, Any]:
        """Return the graph that the editor shows."""


@dataclass(frozen=True, slots=True)
class GivenGraph:
    """Graphs that were exported from somewhere; without the editor's, one is drawn.

    Examples
    --------
    >>> graph = GivenGraph({"7:2": {"class_type": "SaveImage", "inputs": {}}})
    >>> [node["type"] for node in graph.ui()["nodes"]]
    ['SaveImage']
    """

    executed: Mapping[str, Any]
    drawn: Mapping[str, Any] | None = None

    def api(self) -> dict[str, Any]:
        """Return the graph that runs."""
        return dict(self.executed)

    def ui(self) -> dict[str, Any]:
        """Return the graph that the editor shows."""
        return Graph.of(self.executed).ui() if self.drawn is None else dict(self.drawn)


class Graph:
    """Nodes that were added one after the other.

    Examples
    --------
    >>> graph = Graph()
    >>> model = graph.add("CheckpointLoaderSimple", ckpt_name="sd15.safetensors")
    >>> text = graph.add("CLIPTextEncode", clip=model[1], text="a fox")
    >>> graph.api()["2"]["inputs"]
    {'clip': ['1', 1], 'text': 'a fox'}
    >>> graph.ui()["links"]
    [[1, 1, 1, 2, 0, 'CLIP']]
    """

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._notes: list[tuple[str, str]] = []

    @classmethod
    def of(cls, workflow_api: Mapping[str, Any]) -> Graph:
        """Return a graph with the nodes of one that runs; what is no node is left out."""
        graph = cls()
        for node_id, node in workflow_api.items():
            if not isinstance(node, dict):
                continue
            inputs, meta = node.get("inputs"), node.get("_meta")
            class_type = str(node.get("class_type", ""))
            title = meta.get("title") if isinstance(meta, dict) else None
            graph._nodes.append(
                Node(
                    str(node_id),
                    class_type,
                    title if isinstance(title, str) else class_type,
                    inputs if isinstance(inputs, dict) else {},
                )
            )
        return graph

    def add(self, class_type: str, *, title: str | None = None, **inputs: Any) -> Node:
        """Add a node; its inputs are values, or links such as ``other[0]``."""
        node = Node(str(len(self._nodes) + 1), class_type, title or class_type, inputs)
        self._nodes.append(node)
        return node

    def external(self, kind: str, input_id: str, label: str = "", description: str = "", **more: Any) -> Node:
        """Add an input of the workflow: ``ComfyUIDeployExternal`` and the kind."""
        return self.add(
            f"ComfyUIDeployExternal{kind}", input_id=input_id, display_name=label, description=description, **more
        )

    def note(self, text: str, title: str = "Note") -> None:
        """Add a note that only the editor shows."""
        self._notes.append((title, text))

    def api(self) -> dict[str, Any]:
        """Return the graph that runs: node id to class and inputs."""
        return {
            node.id: {
                "inputs": dict(node.inputs),
                "class_type": node.class_type,
                "_meta": {"title": node.title, **node.meta},
            }
            for node in self._nodes
        }

    def ui(self) -> dict[str, Any]:
        """Return the graph that the editor shows: nodes with places, links with numbers, notes."""
        numbers = _numbers([node.id for node in self._nodes])
        classes = {node.id: node.class_type for node in self._nodes}
        links: list[list[Any]] = []
        leaving: dict[tuple[str, int], list[int]] = {}
        entering: dict[str, list[dict[str, Any]]] = {}
        for node in self._nodes:
            slots = entering.setdefault(node.id, [])
            for name, value in node.inputs.items():
                if not _is_link(value) or value[0] not in classes or not 0 <= value[1] < MOST_OUTPUTS:
                    continue
                source, output = str(value[0]), int(value[1])
                kind = _output(classes[source], output)[1]
                number = len(links) + 1
                links.append([number, numbers[source], output, numbers[node.id], len(slots), kind])
                leaving.setdefault((source, output), []).append(number)
                slots.append({"name": name, "type": kind, "link": number})
        nodes = [
            {"id": numbers[node.id], **_ui_node(order, node, entering[node.id], leaving)}
            for order, node in enumerate(self._nodes)
        ]
        last = max(numbers.values(), default=0)
        for index, (title, text) in enumerate(self._notes):
            nodes.append({"id": last + index + 1, **_ui_note(index, title, text)})
        return {
            "last_node_id": max([last, *(node["id"] for node in nodes)]),
            "last_link_id": len(links),
            "nodes": nodes,
            "links": links,
            "groups": [],
            "config": {},
            "extra": {
                "ds": {"scale": 1, "offset": [0, 0]},
                "node_versions": {"comfy-core": "0.3.64", "comfyui-deploy": "2.4.1"},
            },
            "version": 0.4,
        }


def _numbers(node_ids: list[str]) -> dict[str, int]:
    """Return the number that the editor gives to each node; those of subgraphs have ids such as ``7:2``."""
    numbers = {node_id: int(node_id) for node_id in node_ids if node_id.isascii() and node_id.isdecimal()}
    for node_id in node_ids:
        numbers.setdefault(node_id, max(numbers.values(), default=0) + 1)
    return numbers


def _ui_node(
    order: int, node: Node, inputs: list[dict[str, Any]], leaving: dict[tuple[str, int], list[int]]
) -> dict[str, Any]:
    used = [output for source, output in leaving if source == node.id]
    count = max([len(node_class(node.class_type).outputs), *(output + 1 for output in used)])
    outputs = []
    for index in range(count):
        name, kind = _output(node.class_type, index)
        links = leaving.get((node.id, index))
        outputs.append({"name": name, "type": kind, "links": links, "slot_index": index})
    return {
        "type": node.class_type,
        "pos": [60 + 340 * (order % 5), 60 + 260 * (order // 5)],
        "size": [315, 120],
        "flags": {},
        "order": order,
        "mode": 0,
        "inputs": inputs,
        "outputs": outputs,
        "properties": {"Node name for S&R": node.class_type},
        "widgets_values": _widgets(node),
    }


def _ui_note(index: int, title: str, text: str) -> dict[str, Any]:
    return {
        "type": "Note",
        "title": title,
        "pos": [60 + 340 * index, -200],
        "size": [300, 140],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {"text": ""},
        "widgets_values": [text],
        "color": "#432",
        "bgcolor": "#653",
    }


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def _output(class_type: str, index: int) -> tuple[str, str]:
    outputs = node_class(class_type).outputs
    return (outputs[index], outputs[index]) if index < len(outputs) else (f"out{index}", "*")


def _widgets(node: Node) -> list[Any]:
    values: list[Any] = []
    for name, value in node.inputs.items():
        if _is_link(value):
            continue
        values.append(value)
        if name in {"seed", "noise_seed"} and not node.class_type.startswith("ComfyUIDeploy"):
            # The editor keeps beside each seed what happens to it after a run.
            values.append("randomize")
    return values
