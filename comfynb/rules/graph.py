"""What a graph tells about its workflow, without running it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple

from comfynb.rules.graph_nodes import is_link, linked_nodes, node_classes, nodes_of
from comfynb.rules.input_classes import FILE_KINDS, Kind, kind_of
from comfynb.rules.scalars import parse_number

__all__ = ["GraphFacts", "describe_graph", "node_classes"]

OUTPUT_KINDS: Final = ("video", "3d", "audio", "image", "text", "file")
"""Kinds of output; of several the first is the main one, since a video is often saved with a picture of it."""

_PREVIEWS: Final = {
    "PreviewImage": "image",
    "MaskPreview": "image",
    "SaveImageWebsocket": "image",
    "Preview3D": "3d",
    "PreviewAudio": "audio",
}
"""Nodes that show something in ComfyUI's own page, and upload nothing."""

_SHOWN_TEXT: Final = frozenset({"PreviewAny", "ShowText|pysssss", "DisplayAny", "easy showAnything"})
"""Nodes whose text arrives with the run's outputs, without a file."""

_SAVERS: Final = {
    "SaveImage": "image",
    "SaveAudio": "audio",
    "SaveAudioMP3": "audio",
    "SaveAudioOpus": "audio",
    "SaveAnimatedWEBP": "video",
    "SaveAnimatedPNG": "video",
    "VHS_VideoCombine": "video",
    "SaveWEBM": "video",
    "SaveVideo": "video",
    "SaveGLB": "3d",
    "SaveLatent": "file",
    "ComfyDeployOutputImage": "image",
    "ComfyDeployOutputText": "text",
    "ComfyDeployOutputFile": "file",
    "ComfyDeployOutputEXR": "file",
    "ComfyDeployStdOutputImage": "image",
    "ComfyDeployStdOutputAny": "file",
}
_SAMPLER: Final = "KSampler"
"""The only class that the machine asks for its "control after generate" before it replaces a seed."""

_DRAWN_CLASSES: Final = ("Note", "MarkdownNote", _SAMPLER)

_NEGATIVE: Final = re.compile(r"(?<![a-z])neg", re.IGNORECASE)
_SAVES: Final = re.compile(r"save|output|export", re.IGNORECASE)
_WORDS: Final = (
    ("video", re.compile(r"video|webm|mp4|gif|animat", re.IGNORECASE)),
    ("3d", re.compile(r"mesh|glb|gltf|3d|\bobj|splat|\bply", re.IGNORECASE)),
    ("audio", re.compile(r"audio|sound|music|speech", re.IGNORECASE)),
    ("image", re.compile(r"image|picture|png|jpe?g|webp|mask", re.IGNORECASE)),
    ("text", re.compile(r"text|string|json|caption", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """What a graph tells about its workflow.

    Parameters
    ----------
    output_kinds : tuple of str
        What it makes: "image", "video", "audio", "text", "3d", "file".
    output_kind : str or None
        The main one of them.
    uses_lora : bool
        Whether a node loads a LoRA.
    loras : tuple of str
        The names of the LoRAs that the graph itself names.
    notes : tuple of str
        The texts of its Note nodes.
    uncontrolled_seeds : tuple of (node id, class)
        Nodes with a seed that no input controls. The machine draws a new one at each run, so that the result cannot
        be repeated from the inputs alone.
    primary_input : str or None
        The input that a person fills in first: the prompt, else another text, else a picture.
    saves_outputs : bool
        Whether a node uploads a file. A run without may never end on a classic machine.
    node_count : int
        How many nodes it has.
    unknown : bool
        Whether there is no graph to read, so that all of this is unknown.
    """

    output_kinds: tuple[str, ...] = ()
    output_kind: str | None = None
    uses_lora: bool = False
    loras: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    uncontrolled_seeds: tuple[tuple[str, str], ...] = ()
    primary_input: str | None = None
    saves_outputs: bool = False
    node_count: int = 0
    unknown: bool = False


def describe_graph(workflow_api: Mapping[str, Any] | None, workflow: Mapping[str, Any] | None = None) -> GraphFacts:
    """Return what a graph tells about its workflow. Any shape is taken; what cannot be read is left out.

    Parameters
    ----------
    workflow_api : mapping or None
        The graph as it is executed: nodes by id.
    workflow : mapping or None
        The graph as it is drawn. Only it has the notes, and says which seeds are fixed.

    Examples
    --------
    >>> facts = describe_graph({
    ...     "1": {"class_type": "KSampler", "inputs": {"seed": 5}},
    ...     "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    ... })
    >>> facts.output_kind, facts.uncontrolled_seeds
    ('image', (('1', 'KSampler'),))
    """
    notes, fixed = _read_drawing(workflow)
    found: dict[str, set[str]] = {"saves": set(), "shows": set(), "previews": set()}
    seeds: list[tuple[str, str]] = []
    loras: list[str] = []
    asked: list[tuple[float, str, str]] = []
    linked: frozenset[str] | None = None
    node_count, uses_lora = 0, False
    for node_id, node in nodes_of(workflow_api):
        class_type = node.get("class_type")
        if not isinstance(class_type, str):
            continue
        node_count += 1
        inputs = node.get("inputs")
        if not isinstance(inputs, dict):
            inputs = {}
        traits = _traits(class_type)
        if traits.role:
            if traits.needs_end and linked is None:
                linked = linked_nodes(workflow_api)
            if not traits.needs_end or node_id not in (linked or ()):
                found[traits.role].add(traits.output)
        if traits.lora:
            uses_lora = True
            loras.extend(_lora_names(inputs))
        if traits.asks and isinstance(name := inputs.get("input_id"), str) and name:
            asked.append((_place(node.get("_meta")), name, traits.asks))
        if "seed" in inputs and not is_link(inputs["seed"]):
            seeds.append((node_id, class_type))
    if not node_count:
        return GraphFacts(notes=notes, unknown=True)
    kinds = found["saves"] | found["shows"] or found["previews"]
    output_kinds = tuple(kind for kind in OUTPUT_KINDS if kind in kinds)
    return GraphFacts(
        output_kinds=output_kinds,
        output_kind=output_kinds[0] if output_kinds else None,
        uses_lora=uses_lora,
        loras=tuple(dict.fromkeys(loras)),
        notes=notes,
        uncontrolled_seeds=tuple(seed for seed in seeds if seed[0] not in fixed),
        primary_input=_primary_input(asked),
        saves_outputs=bool(found["saves"]),
        node_count=node_count,
    )


class _Traits(NamedTuple):
    """What the class of a node tells: how and what it gives out, whether it loads a LoRA, what it asks for."""

    role: Literal["saves", "shows", "previews", ""]
    output: str
    needs_end: bool
    lora: bool
    asks: Kind | None


@lru_cache(maxsize=4096)
def _traits(class_type: str) -> _Traits:
    lora = "lora" in class_type.lower()
    asks = kind_of(class_type)
    if class_type in _SAVERS:
        return _Traits("saves", _SAVERS[class_type], False, lora, asks)
    if class_type in _PREVIEWS:
        return _Traits("previews", _PREVIEWS[class_type], False, lora, asks)
    if class_type in _SHOWN_TEXT:
        return _Traits("shows", "text", False, lora, asks)
    if asks or class_type.startswith("Load") or not _SAVES.search(class_type):
        return _Traits("", "", False, lora, asks)
    # A class that is not known by name, but called like one that saves: believed if nothing comes after it.
    output = next((kind for kind, words in _WORDS if words.search(class_type)), "file")
    return _Traits("saves", output, True, lora, asks)


def _lora_names(inputs: dict[str, Any]) -> Iterator[str]:
    """Yield the LoRAs that a node names: `lora_name`, `lora_01`, or switchable rows `{"on": …, "lora": …}`."""
    for key, value in inputs.items():
        if isinstance(value, dict):
            name = value.get("lora") if value.get("on", True) else None
        elif key.startswith(("lora_", "default_lora_name")) and key not in ("lora_save_name", "lora_url"):
            name = value
        else:
            continue
        if isinstance(name, str) and name.strip() and name != "None":
            yield name


def _place(meta: object) -> float:
    place = parse_number(meta.get("cd_input_order")) if isinstance(meta, dict) else None
    return math.inf if place is None else place


def _primary_input(asked: list[tuple[float, str, str]]) -> str | None:
    asked.sort(key=itemgetter(0))
    texts = [name for _, name, kind in asked if kind in ("text", "line")]
    wanted = [name for name in texts if not _NEGATIVE.search(name)]
    prompts = [name for name in wanted if "prompt" in name.lower()]
    files = [name for _, name, kind in asked if kind in FILE_KINDS or kind == "images"]
    return next(iter((*prompts, *wanted, *files, *texts)), None)


def _read_drawing(workflow: object) -> tuple[tuple[str, ...], set[str]]:
    """Return the texts of the notes in a drawn graph, and the ids of the samplers whose seed stays as it is."""
    notes: list[str] = []
    fixed: set[str] = set()
    for node in _drawn_nodes(workflow):
        class_type = node.get("type") if isinstance(node, dict) else None
        if class_type not in _DRAWN_CLASSES:
            continue
        values = node.get("widgets_values")
        if not isinstance(values, list):
            continue
        if class_type == _SAMPLER:
            if values[1:2] == ["fixed"]:
                fixed.add(str(node.get("id")))
        elif values and isinstance(values[0], str) and values[0].strip():
            notes.append(values[0].strip())
    return tuple(notes), fixed


def _drawn_nodes(workflow: object) -> list[Any]:
    """Return the nodes of a drawn graph, those of its subgraphs too."""
    if not isinstance(workflow, Mapping):
        return []
    nodes = workflow.get("nodes")
    found = list(nodes) if isinstance(nodes, list) else []
    definitions = workflow.get("definitions")
    subgraphs = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    for subgraph in subgraphs if isinstance(subgraphs, list) else ():
        nodes = subgraph.get("nodes") if isinstance(subgraph, dict) else None
        found.extend(nodes if isinstance(nodes, list) else ())
    return found
