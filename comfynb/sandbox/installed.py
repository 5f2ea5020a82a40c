"""The node classes that machines have installed: the usual ones, and those that a world's own graphs need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from comfynb.rules.graph import describe_graph
from comfynb.rules.graph_nodes import linked_nodes, node_classes
from comfynb.sandbox.nodes import NodeClass, is_known, node_class
from comfynb.sandbox.values import is_input

__all__ = ["STANDARD", "Installed", "installed_for"]

_MAKES: Final = {"image": ("images", "png"), "video": ("gifs", "webp"), "text": ("text", "txt")}
"""What the sandbox can make of each kind of output; any other kind becomes a text file."""


class Installed:
    """Node classes by name.

    Parameters
    ----------
    more : mapping of str to NodeClass, optional
        Classes besides the usual ones.

    Examples
    --------
    >>> STANDARD.knows("KSampler"), STANDARD.knows("MyOwnNode")
    (True, False)
    """

    def __init__(self, more: Mapping[str, NodeClass] | None = None) -> None:
        self._more = dict(more or {})

    def knows(self, class_type: str) -> bool:
        """Whether a machine can execute this class."""
        return is_known(class_type) or class_type in self._more

    def of(self, class_type: str) -> NodeClass:
        """Return what is known of a class; nothing, if it is not installed."""
        return self._more.get(class_type) or node_class(class_type)


STANDARD: Final = Installed()
"""What machines have that were told of no others."""


def installed_for(graphs: Iterable[Mapping[str, Any]]) -> Installed:
    """Return what machines need to have for these graphs to run.

    A team's workflows run on its machines. What a class that is not known makes is guessed from its name, as it is for
    a table; one that nobody takes anything from ends its graph.

    Parameters
    ----------
    graphs : iterable of mapping
        Graphs as they are executed.

    Examples
    --------
    >>> graph = {"1": {"class_type": "MySampler", "inputs": {}},
    ...          "2": {"class_type": "MyImageSaver", "inputs": {"images": ["1", 0]}}}
    >>> installed = installed_for([graph])
    >>> installed.of("MyImageSaver").makes, installed.of("MySampler").makes
    ('images', '')
    """
    found: dict[str, NodeClass] = {}
    for graph in graphs:
        classes = node_classes(graph)
        strange = {node_id: name for node_id, name in classes.items() if not is_known(name)}
        linked = linked_nodes(graph)
        for name in strange.values():
            found.setdefault(name, NodeClass(("*",)))
        ending = {name for node_id, name in strange.items() if node_id not in linked and not is_input(name)}
        for name in ending:
            facts = describe_graph({"1": {"class_type": name, "inputs": {}}})
            if facts.output_kind is not None:
                shows = facts.saves_outputs or facts.output_kind == "text"
                found[name] = _ending(facts.output_kind) if shows else NodeClass(makes="preview")
        if ending and not any(_class(found, name).ends for name in classes.values()):
            # Something has to come of it, else it would never have been made.
            for name in ending:
                found[name] = _ending("image")
    return Installed(found)


def _class(found: Mapping[str, NodeClass], name: str) -> NodeClass:
    return found.get(name) or node_class(name)


def _ending(kind: str) -> NodeClass:
    makes, extension = _MAKES.get(kind, ("files", "txt"))
    return NodeClass((), (), 0.3, makes, extension)
