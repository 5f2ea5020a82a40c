"""Why a node fails while a prompt is executed, and what the machine posts about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comfynb.sandbox.prompt import MAX_PIXELS, Prompt
from comfynb.sandbox.values import is_input, is_link

__all__ = ["Failure", "failure_data", "find_failure", "number"]

FRAMES = (
    (496, "execute", "output_data = await get_output_data(prompt_id, unique_id, obj, input_data_all)"),
    (315, "get_output_data", "return_values = await _async_map_node_over_list(prompt_id, unique_id)"),
    (277, "process_inputs", "result = f(**inputs)"),
)
TENSOR = "tensor([[[[0.4118, 0.4039, 0.3882],\n          ...,\n          [0.1020, 0.0980, 0.0941]]]])"


@dataclass(frozen=True, slots=True)
class Failure:
    """A node that fails, with the type and the text of its exception."""

    node_id: str
    exception: str
    message: str


def find_failure(prompt: Prompt, unreadable: Callable[[str], bool]) -> Failure | None:
    """Return the first node of a prompt that fails by itself.

    Parameters
    ----------
    prompt : Prompt
        What is executed.
    unreadable : callable
        Whether a machine cannot read the picture at an address.
    """
    for node_id in prompt.order:
        class_type = prompt.class_of(node_id)
        if is_input(class_type):
            # An input swallows what is wrong with its picture; the node after it pays for it.
            continue
        for value in prompt.graph[node_id]["inputs"].values():
            source = value[0] if is_link(value) else None
            if source in prompt.values and _no_picture(prompt, source, unreadable):
                message = "'NoneType' object has no attribute 'shape'\n"
                if class_type == "ImageInvert":
                    message = "unsupported operand type(s) for -: 'float' and 'NoneType'\n"
                return Failure(node_id, "TypeError", message)
        inputs = prompt.inputs_of(node_id)
        pixels = number(inputs.get("width"), 1) * number(inputs.get("height"), 1)
        if pixels > MAX_PIXELS:
            message = (
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
                f"you tried to allocate {int(pixels * 12)} bytes. Error code 12 (Cannot allocate memory)\n"
            )
            return Failure(node_id, "RuntimeError", message)
    return None


def failure_data(prompt: Prompt, failure: Failure, executed: list[str]) -> dict[str, Any]:
    """Return what a machine posts about a failure; whoever keeps the run adds its id and the time."""
    return {
        "node_id": failure.node_id,
        "executed": executed,
        "node_type": prompt.class_of(failure.node_id),
        "traceback": [
            f'  File "/opt/ComfyUI/execution.py", line {line}, in {function}\n    {code}\n'
            for line, function, code in FRAMES
        ],
        "current_inputs": {
            name: [TENSOR if value is None else value] for name, value in prompt.inputs_of(failure.node_id).items()
        },
        "exception_type": failure.exception,
        "current_outputs": executed,
        "exception_message": failure.message,
    }


def number(value: Any, default: float) -> float:
    """Return a value if it is a number, else the default.

    Examples
    --------
    >>> number(3, 1), number("wide", 512), number(True, 1)
    (3.0, 512, 1)
    """
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def _no_picture(prompt: Prompt, node_id: str, unreadable: Callable[[str], bool]) -> bool:
    if not prompt.class_of(node_id).endswith(("ExternalImage", "ExternalImageAlpha")):
        return False
    value = prompt.values[node_id]
    if value == "linked":
        return False
    return not isinstance(value, str) or not value or unreadable(value)
