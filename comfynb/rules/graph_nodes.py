"""Reading the nodes of a graph that may have any shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["is_link", "linked_nodes", "node_classes", "nodes_of"]

_ID_TYPES: Final = (str, int)


def nodes_of(workflow_api: object) -> list[tuple[str, dict[str, Any]]]:
    """Return id and content of each node of a graph; what is no node is left out.

    Examples
    --------
    >>> [node_id for node_id, _ in nodes_of({"1": {"class_type": "SaveImage"}, "2": None})]
    ['1']
    """
    if not isinstance(workflow_api, Mapping):
        return []
    return [(str(node_id), node) for node_id, node in workflow_api.items() if isinstance(node, dict)]


def node_classes(workflow_api: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the class of each node of a graph, by node id.

    Examples
    --------
    >>> node_classes({"9": {"class_type": "SaveImage", "inputs": {}}})
    {'9': 'SaveImage'}
    """
    return {
        node_id: node["class_type"]
        for node_id, node in nodes_of(workflow_api)
        if isinstance(node.get("class_type"), str)
    }


def linked_nodes(workflow_api: object) -> frozenset[str]:
    """Return the ids of the nodes whose result another node takes."""
    linked: set[str | int] = set()
    for _, node in nodes_of(workflow_api):
        inputs = node.get("inputs")
        if isinstance(inputs, dict):
            for value in inputs.values():
                # As in is_link, without the call: this runs over every value of whole catalogs.
                if type(value) is list and len(value) == 2 and type(value[0]) in _ID_TYPES:
                    linked.add(value[0])
    return frozenset(map(str, linked))


def is_link(value: object) -> bool:
    """Whether an input's value is a link, `[node id, output]`, to another node."""
    return type(value) is list and len(value) == 2 and type(value[0]) in _ID_TYPES and type(value[1]) is int
