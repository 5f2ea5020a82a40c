"""What a machine posts when ComfyUI refuses a prompt, or a part of it."""

from __future__ import annotations

from typing import Any

from comfynb.sandbox.prompt import Prompt

__all__ = ["half_rejection", "rejection"]


def _node_errors(prompt: Prompt) -> dict[str, Any]:
    """Return why nodes were refused, as the machine posts it."""
    return {
        "node_errors": {
            node_id: {
                "errors": faults,
                "class_type": prompt.class_of(node_id),
                "dependent_outputs": [end for end, needed in prompt.needs.items() if node_id in needed],
            }
            for node_id, faults in prompt.faults.items()
        }
    }


def half_rejection(prompt: Prompt) -> dict[str, Any]:
    """Return what is posted when only some outputs are refused."""
    # The id of the prompt is that of the run, which whoever keeps the run writes in.
    return {"error": {"prompt_id": "", "number": 1, **_node_errors(prompt)}}


def rejection(prompt: Prompt) -> dict[str, Any]:
    """Return what is posted when every output is refused."""
    error = {
        "type": "prompt_outputs_failed_validation",
        "message": "Prompt outputs failed validation",
        "details": "",
        "extra_info": {},
    }
    return {"error": {"error": error, **_node_errors(prompt)}}
