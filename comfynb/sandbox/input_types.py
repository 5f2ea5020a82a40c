"""The input definitions that the server derives from a graph, with what it leaves out and how it breaks."""

from __future__ import annotations

import json
from typing import Any

from comfynb.sandbox.nodes import EXTERNAL

__all__ = ["BrokenWorkflowError", "input_types", "output_types"]

TYPES = {
    "Text": "string",
    "TextAny": "string",
    "TextSingleLine": "string",
    "Number": "float",
    "NumberInt": "integer",
    "NumberSlider": "float",
    "NumberSliderInt": "integer",
    "Boolean": "boolean",
    "Enum": "string",
    "Image": "string",
    "ImageAlpha": "string",
    "ImageBatch": "string",
    "Video": "string",
    "Audio": "string",
    "EXR": "string",
    "File": "string",
    "Lora": "string",
    "Checkpoint": "string",
}
"""The classes that the server lists. Seed, FaceModel, Vid and Color are none of them."""


class BrokenWorkflowError(ValueError):
    """The definitions cannot be derived; on the real server the whole answer fails with 500."""


def input_types(workflow_api: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the inputs of a graph as the server lists them.

    Parameters
    ----------
    workflow_api : dict
        The graph that runs.

    Returns
    -------
    list of dict
        One definition for each input that the server knows.

    Raises
    ------
    BrokenWorkflowError
        If the options of an enum are no JSON list, or a label or a description is null.

    Examples
    --------
    >>> node = {"class_type": "ComfyUIDeployExternalNumberInt", "inputs": {"input_id": "steps", "default_value": 20}}
    >>> input_types({"1": node})[0]["type"]
    'integer'
    >>> input_types({"1": {"class_type": "ComfyUIDeployExternalSeed", "inputs": {"input_id": "seed"}}})
    []
    """
    found = []
    for node in workflow_api.values():
        if not isinstance(node, dict) or not isinstance(node.get("inputs", {}), dict):
            raise BrokenWorkflowError("a node is no object")
        class_type = str(node.get("class_type", ""))
        inputs = node.get("inputs", {})
        if class_type == "ComfyDeployWebscoketImageInput":
            kind = "binary"
        elif class_type.startswith(EXTERNAL) and class_type.removeprefix(EXTERNAL) in TYPES:
            kind = TYPES[class_type.removeprefix(EXTERNAL)]
        else:
            continue
        if "input_id" not in inputs:
            continue
        for name in ("display_name", "description"):
            if inputs.get(name, "") is None:
                raise BrokenWorkflowError(f"{name} of {inputs['input_id']} is null")
        found.append(
            {
                "type": kind,
                "class_type": class_type,
                "input_id": inputs["input_id"],
                "default_value": inputs.get("default_value"),
                "min_value": inputs.get("min_value"),
                "max_value": inputs.get("max_value"),
                "display_name": inputs.get("display_name", ""),
                "description": inputs.get("description", ""),
                "enum_options": _options(inputs) if class_type == f"{EXTERNAL}Enum" else None,
                "step": None,
            }
        )
    return found


def output_types(workflow_api: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outputs of a graph as the server lists them: of two old classes only.

    Examples
    --------
    >>> node = {"class_type": "ComfyDeployStdOutputImage", "inputs": {"output_id": "upscaled"}}
    >>> output_types({"9": node, "10": {"class_type": "SaveImage", "inputs": {}}})
    [{'class_type': 'ComfyDeployStdOutputImage', 'output_id': 'upscaled'}]
    """
    return [
        {"class_type": node["class_type"], "output_id": inputs.get("output_id") if isinstance(inputs, dict) else None}
        for node in workflow_api.values()
        if isinstance(node, dict)
        and str(node.get("class_type")) in {"ComfyDeployStdOutputImage", "ComfyDeployStdOutputAny"}
        for inputs in [node.get("inputs")]
    ]


def _options(inputs: dict[str, Any]) -> list[str]:
    try:
        options = json.loads(inputs["options"])
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenWorkflowError(f"options of {inputs['input_id']} are no JSON") from error
    if not isinstance(options, list):
        raise BrokenWorkflowError(f"options of {inputs['input_id']} are no list")
    return options
