"""What a workflow asks for: its input definitions, from the server's list and the graph together.

Neither source is enough. The server's `input_types` omits seeds and drops the default of images; the graph
(`workflow_api`) may be missing. Both hold what other people typed, so every field may have any shape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from comfynb.rules.graph_nodes import linked_nodes, nodes_of
from comfynb.rules.input_classes import UNKNOWN_CLASS, InputClass, Kind, class_of
from comfynb.rules.scalars import JSON, parse_color, parse_number

__all__ = ["InputDefinition", "input_definitions"]

_TYPE_WORDS: Final[dict[Kind, str]] = {
    "text": "text",
    "line": "line of text",
    "float": "number",
    "integer": "integer",
    "slider": "number",
    "slider_integer": "integer",
    "boolean": "true or false",
    "enum": "one of a list",
    "image": "image (URL or file)",
    "images": "list of images (URLs or files)",
    "video": "video (URL or file)",
    "audio": "audio (URL or file)",
    "exr": "EXR (URL or file)",
    "file": "file (URL or path)",
    "lora": "LoRA (name or URL)",
    "checkpoint": "checkpoint (name or URL)",
    "face_model": "face model (name or URL)",
    "seed": "seed",
    "color": "color",
    "realtime": "realtime image (cannot be given)",
}
_INTEGER_KINDS: Final = frozenset({"integer", "slider_integer", "seed"})
_NUMBER_KINDS: Final = _INTEGER_KINDS | {"float", "slider"}
_NO_LIMITS: Final = (None, None, None)
_NOTHING: Final[dict[str, Any]] = {}
_LONGEST_SHOWN: Final = 60
_MOST_OPTIONS_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class InputDefinition:
    """One input of a workflow.

    Parameters
    ----------
    name : str
        The name under which a value is sent (the node's `input_id`).
    label : str
        What a person reads: the node's display name, or the name.
    class_type : str
        The class of its node.
    kind : Kind
        What it takes.
    description : str
        Its help; may be empty.
    default : JSON value or None
        What the node uses when nothing is sent.
    has_default : bool
        Whether `default` is usable. A link to another node is not.
    minimum, maximum, step : int, float or None
        Limits of a number.
    options : tuple of str
        What an enum takes; empty where that is unknown.
    node_id : str or None
        Its node in the graph; None if only the server's list knows it.
    group, group_name : str or None
        The group that it belongs to, and the title of the group.
    order : float or None
        Its place among the inputs, where the workflow's author gave one.
    listed : bool
        Whether the server's `input_types` has it.
    used : bool
        Whether another node takes its value. One that no node takes is never required.
    uses : int
        How many nodes use the name. More than one is a mistake in the workflow.
    problem : str or None
        What is wrong with the definition itself.

    Examples
    --------
    >>> graph = {"3": {"class_type": "ComfyUIDeployExternalNumberSliderInt",
    ...                "inputs": {"input_id": "steps", "default_value": 4, "min_value": 1, "max_value": "8"}}}
    >>> input_definitions(None, graph)[0].describe()
    'steps: integer 1–8, default 4'
    """

    name: str
    label: str
    class_type: str
    kind: Kind
    description: str = ""
    default: JSON = None
    has_default: bool = False
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    options: tuple[str, ...] = ()
    node_id: str | None = None
    group: str | None = None
    group_name: str | None = None
    order: float | None = None
    listed: bool = False
    used: bool = True
    uses: int = 1
    problem: str | None = None

    @property
    def required(self) -> bool:
        """Whether a run cannot do without a value for it: it has no usable default, and a node takes its value.

        A seed is never required, since one is drawn, nor is a realtime image. Nor is a file that only the server's
        list knows, because that list drops the defaults of files.
        """
        if self.has_default or not self.used or self.kind in ("seed", "realtime"):
            return False
        known = class_of(self.class_type) or UNKNOWN_CLASS
        return self.node_id is not None or known.default_keys == ("default_value",)

    @property
    def has_fixed_seed(self) -> bool:
        """Whether it is a seed with a default that the machine keeps; any other seed is random, unless one is given."""
        if self.kind != "seed" or not isinstance(self.default, int) or self.default in (-1, 0):
            return False
        return (self.minimum is None or self.default >= self.minimum) and (
            self.maximum is None or self.default <= self.maximum
        )

    @property
    def type_word(self) -> str:
        """What it takes, for people: "text", "integer 0–10", "one of: nearest, bilinear"."""
        if self.kind == "enum" and self.options:
            more = ", …" if len(self.options) > _MOST_OPTIONS_SHOWN else ""
            return f"one of: {', '.join(self.options[:_MOST_OPTIONS_SHOWN])}{more}"
        word = _TYPE_WORDS[self.kind]
        if self.kind not in _NUMBER_KINDS or (self.minimum is None and self.maximum is None):
            return word
        if self.maximum is None:
            return f"{word} from {self.minimum}"
        if self.minimum is None:
            return f"{word} up to {self.maximum}"
        return f"{word} {self.minimum}–{self.maximum}"

    def describe(self) -> str:
        """Return one line for a person: name, type, default, help and problem."""
        if self.kind == "seed" and not self.has_fixed_seed:
            need = "drawn if not given"
        elif self.has_default:
            shown = repr(self.default)
            need = f"default {shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + '…'}"
        else:
            need = "required" if self.required else "optional"
        line = f"{self.name}: {self.type_word}, {need}"
        if self.description:
            line += f" – {self.description}"
        if self.problem:
            line += f" ({self.problem})"
        return " ".join(line.split())


def input_definitions(
    input_types: Sequence[Mapping[str, Any]] | None, workflow_api: Mapping[str, Any] | None
) -> tuple[InputDefinition, ...]:
    """Return the inputs of a workflow, from the server's list and the graph together.

    They are matched by name. Where both say something the graph is right; what it lacks comes from the server. Two
    nodes with one name become one definition with a `problem`. What cannot be read is left out, and never an error.

    Parameters
    ----------
    input_types : sequence of mapping or None
        A deployment's `input_types`.
    workflow_api : mapping or None
        The graph of the version.

    Returns
    -------
    tuple of InputDefinition
        In the order that the author gave, else as the server lists them, else as they stand in the graph.
    """
    nodes: dict[str, list[_Node]] = {}
    for node_id, node in nodes_of(workflow_api):
        inputs = node.get("inputs")
        name = inputs.get("input_id") if isinstance(inputs, dict) else None
        # A name that is no text can never be given: the machine compares it with the names of a JSON object.
        if name and isinstance(name, str) and class_of(node.get("class_type")):
            nodes.setdefault(name, []).append((node_id, node, inputs or {}))
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in input_types if isinstance(input_types, list | tuple) else ():
        name = row.get("input_id") if isinstance(row, dict) else None
        if isinstance(name, str) and name:
            rows.setdefault(name, []).append(row)
    if not nodes and not rows:
        return ()
    taken = linked_nodes(workflow_api) if nodes else frozenset()
    found = [
        _definition(name, nodes.get(name, ()), rows.get(name, ()), taken) for name in dict.fromkeys((*rows, *nodes))
    ]
    # The sort is stable: without the author's order they stay as they were found.
    found.sort(key=_place)
    return tuple(found)


_Node: TypeAlias = tuple[str, Mapping[str, Any], Mapping[str, Any]]


def _place(definition: InputDefinition) -> float:
    return math.inf if definition.order is None else definition.order


def _definition(
    name: str, nodes: Sequence[_Node], rows: Sequence[Mapping[str, Any]], taken: frozenset[str]
) -> InputDefinition:
    row = rows[0] if rows else _NOTHING
    node_id, node, inputs = nodes[0] if nodes else (None, _NOTHING, _NOTHING)
    meta = node.get("_meta")
    order = group = group_name = None
    if isinstance(meta, dict):
        order = parse_number(meta.get("cd_input_order"))
        group = _text(meta.get("cd_input_group_id")) or None
        group_name = _text(meta.get("cd_group_name")) or None
    class_type = node.get("class_type") or row.get("class_type")
    known = class_of(class_type) or UNKNOWN_CLASS
    kind = known.kind
    uses = max(len(nodes), len(rows))
    problems = [] if uses == 1 else [f"{'two' if uses == 2 else uses} nodes use the name {name!r}"]

    minimum, maximum, step = _limits(known, inputs, row) if kind in _NUMBER_KINDS else _NO_LIMITS
    if minimum is not None and maximum is not None and minimum > maximum:
        problems.append(f"its smallest value, {minimum}, is above its largest, {maximum}")
    options: tuple[str, ...] = ()
    if kind == "enum":
        read = _options(inputs.get("options"))
        read = _options(row.get("enum_options")) if read is None else read
        if read:
            options = read
        else:
            problems.append("its options are not a list" if read is None else "its list of options is empty")
    default = _default(known, inputs, row)
    if default is None and known.default is not None and (minimum or 0) <= known.default <= (maximum or 0):
        default = _tidy(known.default, kind)
    return InputDefinition(
        name=name,
        label=_text(inputs.get("display_name")) or _text(row.get("display_name")) or name,
        class_type=class_type if isinstance(class_type, str) else "",
        kind=kind,
        description=_text(inputs.get("description")) or _text(row.get("description")),
        default=default,
        has_default=default is not None,
        minimum=minimum,
        maximum=maximum,
        step=step,
        options=options,
        node_id=node_id,
        group=group,
        group_name=group_name,
        order=order,
        listed=bool(rows),
        used=node_id is None or node_id in taken or any(each[0] in taken for each in nodes),
        uses=uses,
        problem="; ".join(problems) or None,
    )


def _text(value: object) -> str:
    return value.strip() if value and isinstance(value, str) else ""


def _limits(
    known: InputClass, inputs: Mapping[str, Any], row: Mapping[str, Any]
) -> tuple[float | None, float | None, float | None]:
    usual = (known.minimum, known.maximum, known.step)
    found = []
    for key, fallback in zip(("min_value", "max_value", "step"), usual, strict=True):
        number = parse_number(inputs.get(key))
        if number is None:
            number = parse_number(row.get(key))
        if number is None:
            number = fallback
        found.append(None if number is None else _tidy(number, known.kind))
    return found[0], found[1], found[2]


def _tidy(number: float, kind: Kind) -> float:
    """Return a whole number as int where the input takes nothing else."""
    return int(number) if kind in _INTEGER_KINDS and number == int(number) else number


def _options(value: object) -> tuple[str, ...] | None:
    """Return the options of an enum: a list, or a text that holds one as JSON; None for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list | tuple):
        return None
    if any(isinstance(option, dict | list | bool) or option is None for option in value):
        return None
    return tuple(dict.fromkeys(str(option) for option in value))


def _default(known: InputClass, inputs: Mapping[str, Any], row: Mapping[str, Any]) -> JSON:
    for key in known.default_keys:
        default = _usable(known.kind, inputs.get(key))
        if default is not None:
            return default
    return _usable(known.kind, row.get("default_value"))


def _usable(kind: Kind, raw: object) -> JSON:
    """Return a default in the type of its input, or None if it cannot be one, like a link to another node."""
    if raw is None:
        return None
    if kind in ("text", "line", "enum"):
        return raw if type(raw) is str else str(raw) if isinstance(raw, int | float) else None
    if kind in _NUMBER_KINDS:
        number = parse_number(raw)
        return None if number is None else _tidy(number, kind)
    if kind == "boolean":
        return _usable_boolean(raw)
    if kind == "color":
        return parse_color(_from_json(raw))
    if kind == "images":
        urls = _from_json(raw)
        if isinstance(urls, list) and urls and all(isinstance(url, str) and url for url in urls):
            return urls
        return None
    return raw if isinstance(raw, str) and raw.strip() and kind != "realtime" else None


def _usable_boolean(raw: object) -> bool | None:
    if isinstance(raw, str):
        return {"true": True, "false": False}.get(raw.strip().lower())
    return bool(raw) if isinstance(raw, bool) or raw in (0, 1) else None


def _from_json(raw: object) -> object:
    if not isinstance(raw, str) or raw.strip()[:1] not in ("[", "{"):
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
