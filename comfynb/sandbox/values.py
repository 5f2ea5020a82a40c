"""What the inputs of a workflow make of the values that they are sent, as ComfyDeploy's nodes do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from comfynb.sandbox.nodes import EXTERNAL

__all__ = ["MISSING", "BadValueError", "is_input", "is_link", "seen_value", "written_value"]

MISSING: Any = object()
"""Stands for a value that was not sent."""

SEED_MAX = 4294967295

LISTS = frozenset({f"{EXTERNAL}ImageBatch", f"{EXTERNAL}Color"})


class BadValueError(ValueError):
    """ComfyUI refuses the prompt because of this value."""


def is_input(class_type: str) -> bool:
    """Whether nodes of this class are inputs of a workflow.

    Examples
    --------
    >>> is_input("ComfyUIDeployExternalText"), is_input("KSampler")
    (True, False)
    """
    return class_type.startswith(EXTERNAL) or class_type == "ComfyDeployWebscoketImageInput"


def is_link(value: object) -> bool:
    """Whether an input of a node is a link to another node: ``[node id, output number]``.

    Examples
    --------
    >>> is_link(["4", 0]), is_link(["a", "b"])
    (True, False)
    """
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and not isinstance(value[1], bool)
    )


def written_value(class_type: str, sent: Any) -> Any:
    """Return what the plugin writes into a node's ``input_id`` for a sent value.

    Examples
    --------
    >>> written_value("ComfyUIDeployExternalNumberInt", 640)
    '640'
    >>> written_value("ComfyUIDeployExternalImageBatch", ["http://x/1.png"])
    '["http://x/1.png"]'
    """
    if isinstance(sent, list):
        return json.dumps(sent) if class_type in LISTS else sent
    if isinstance(sent, bool):
        return sent if class_type == f"{EXTERNAL}Boolean" else str(sent)
    return sent if isinstance(sent, str) else str(sent)


def seen_value(class_type: str, node: Mapping[str, Any], sent: Any, draw: Callable[[int, int], int]) -> Any:
    """Return what the next node sees of a workflow's input. Wrong values give the default, silently.

    Parameters
    ----------
    class_type : str
        Class of the input.
    node : mapping
        Its inputs in the graph: defaults and limits.
    sent : object
        The value that came with the run, or `MISSING`.
    draw : callable
        Draws a seed between two bounds.

    Returns
    -------
    object
        The value; None for a picture that is not there.

    Raises
    ------
    BadValueError
        If ComfyUI refuses the prompt.

    Examples
    --------
    >>> number = {"default_value": 7}
    >>> seen_value("ComfyUIDeployExternalNumberInt", number, "640", max)
    640
    >>> seen_value("ComfyUIDeployExternalNumberInt", number, -5, max)
    7
    >>> seen_value("ComfyUIDeployExternalBoolean", {"default_value": False}, "false", max)
    True
    """
    kind = class_type.removeprefix(EXTERNAL)
    if isinstance(sent, list) and class_type not in LISTS:
        raise BadValueError("a list looks like a link")
    read = _READERS.get(kind)
    return read(node, sent, draw) if read else _read_other(node, sent, draw)


def _read_int(node: Mapping[str, Any], sent: Any, _draw: Callable[[int, int], int]) -> Any:
    text = "" if sent is MISSING else str(sent)
    return int(text) if text.isdigit() else node.get("default_value")


def _read_float(node: Mapping[str, Any], sent: Any, _draw: Callable[[int, int], int]) -> Any:
    number = _number(sent)
    return node.get("default_value") if number is None else number


def _read_slider(node: Mapping[str, Any], sent: Any, _draw: Callable[[int, int], int]) -> Any:
    number = _number(sent)
    low, high = _limit(node, "min_value", 0), _limit(node, "max_value", 1)
    return node.get("default_value") if number is None or not low <= number <= high else number


def _read_slider_int(node: Mapping[str, Any], sent: Any, draw: Callable[[int, int], int]) -> Any:
    number = _read_slider({"max_value": 10, **node}, sent, draw)
    return round(number) if isinstance(number, float) else number


def _read_boolean(node: Mapping[str, Any], sent: Any, _draw: Callable[[int, int], int]) -> Any:
    return node.get("default_value") if sent is MISSING else bool(sent)


def _read_seed(node: Mapping[str, Any], sent: Any, draw: Callable[[int, int], int]) -> Any:
    low = int(_limit(node, "min_value", 1) or 1)
    high = max(low, int(_limit(node, "max_value", SEED_MAX) or SEED_MAX))
    value = node.get("default_value") if sent is MISSING else sent
    number = _number(value)
    if number is None or (isinstance(sent, str) and not _is_whole(sent)):
        if sent is not MISSING:
            raise BadValueError("a seed that is no number")
        return draw(low, high)
    seed = int(str(value)) if str(value).lstrip("-").isdigit() else int(number)
    return seed if low <= seed <= high else draw(low, high)


def _is_whole(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _read_text(node: Mapping[str, Any], sent: Any, _draw: Callable[[int, int], int]) -> Any:
    return node.get("default_value") if sent is MISSING else str(sent)


def _read_picture(node: Mapping[str, Any], sent: Any, _draw: Callable[[int, int], int]) -> Any:
    return (node.get("default_value_url") or node.get("default_value") or None) if sent is MISSING else str(sent)


def _read_batch(node: Mapping[str, Any], sent: Any, _draw: Callable[[int, int], int]) -> Any:
    return node.get("images", "[]") if sent is MISSING else written_value(f"{EXTERNAL}ImageBatch", sent)


def _read_lora(node: Mapping[str, Any], sent: Any, _draw: Callable[[int, int], int]) -> Any:
    return (node.get("default_lora_name") or node.get("lora_url")) if sent is MISSING else str(sent)


def _read_other(node: Mapping[str, Any], sent: Any, _draw: Callable[[int, int], int]) -> Any:
    names = ("default_value", "default_value_url", "default_face_model_name", "audio_file", "exr_file", "file_url")
    if sent is MISSING:
        return next((node[name] for name in names if node.get(name)), None)
    return sent


_READERS: dict[str, Callable[[Mapping[str, Any], Any, Callable[[int, int], int]], Any]] = {
    "NumberInt": _read_int,
    "Number": _read_float,
    "NumberSlider": _read_slider,
    "NumberSliderInt": _read_slider_int,
    "Boolean": _read_boolean,
    "Seed": _read_seed,
    "Text": _read_text,
    "TextAny": _read_text,
    "TextSingleLine": _read_text,
    "Enum": _read_text,
    "Checkpoint": _read_text,
    "Image": _read_picture,
    "ImageAlpha": _read_picture,
    "ImageBatch": _read_batch,
    "Lora": _read_lora,
}


def _limit(node: Mapping[str, Any], name: str, default: float) -> float:
    """Return a limit of a node; what is no number, such as a link, limits nothing more than usual."""
    value = node.get(name)
    return value if isinstance(value, int | float) and _number(value) is not None else default


def _number(value: Any) -> float | None:
    if value is MISSING or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number == number and abs(number) != float("inf") else None
