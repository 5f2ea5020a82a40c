"""Why ComfyUI refuses a value or a link of a node, in its own words."""

from __future__ import annotations

from typing import Any

from comfynb.sandbox.values import is_link

__all__ = ["dangling", "missing_input", "out_of_limits", "refusals"]

Json = dict[str, Any]

BAD_LINK = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
CONVERSION = "Failed to convert an input value to a INT value"


def missing_input(name: str) -> Json:
    """Return what is said of an input that has to be there and is not."""
    return _fault("required_input_missing", "Required input is missing", name, input_name=name)


def out_of_limits(name: str, value: object, limits: dict[str, float]) -> Json | None:
    """Return what is said of a number that is too small or too large; None if it is neither.

    Examples
    --------
    >>> out_of_limits("width", 0, {"default": 512, "min": 1, "max": 16384})["message"]
    'Value 0 smaller than min of 1'
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    low, high = limits["min"], limits["max"]
    if low <= value <= high:
        return None
    kind, words = ("smaller", f"min of {low}") if value < low else ("bigger", f"max of {high}")
    return _fault(
        f"value_{kind}_than_{words[:3]}",
        f"Value {value} {kind} than {words}",
        name,
        input_name=name,
        input_config=["FLOAT" if isinstance(low, float) else "INT", limits],
        received_value=value,
    )


def refusals(graph: Json, node_id: str, sent: object) -> list[Json]:
    """Return what is said of a value that was sent for an input and that ComfyUI cannot take.

    Parameters
    ----------
    graph : dict
        The graph that is executed.
    node_id : str
        The input.
    sent : object
        A list, which looks like a link, or a text for a seed.
    """
    if not isinstance(sent, list):
        reason = f"invalid literal for int() with base 10: {sent!r}"
        config: list[Any] = ["INT", {"default": -1}]
        return [_bad_value("invalid_input_type", CONVERSION, f"default_value, {sent}, {reason}", sent, config, reason)]
    if len(sent) == 2:
        return [dangling(graph, node_id, sent[0])]
    written = [name for name in ("input_id", "default_value") if graph[node_id]["inputs"].get(name) == sent]
    return [
        _fault("bad_linked_input", BAD_LINK, name, input_name=name, input_config=["STRING", {}], received_value=sent)
        for name in written
    ]


def dangling(graph: Json, node_id: str, source: object) -> Json:
    """Return what is said of a node that is linked to one that is not there."""
    words, kind = repr(source), "KeyError"
    trace = ["  File \"/opt/ComfyUI/execution.py\", line 788, in validate_inputs\n    prompt[o_id]['class_type']\n"]
    raised = {"exception_message": words, "exception_type": kind, "traceback": trace}
    for other in graph.values():
        for name, value in other["inputs"].items():
            if is_link(value) and value[0] == node_id:
                extra = {"input_name": name, "input_config": ["*", {}], **raised, "linked_node": value}
                return _fault(
                    "exception_during_inner_validation", "Exception when validating inner node", words, **extra
                )
    return _fault("exception_during_validation", "Exception when validating node", words, **raised)


def _bad_value(kind: str, message: str, details: str, value: object, config: list[Any], reason: str) -> Json:
    extra = {"input_name": "default_value", "input_config": config, "received_value": value}
    return _fault(kind, message, details, **extra, exception_message=reason)


def _fault(kind: str, message: str, details: str, **extra: Any) -> Json:
    return {"type": kind, "message": message, "details": details, "extra_info": extra}
