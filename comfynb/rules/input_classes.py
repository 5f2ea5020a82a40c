"""The node classes that are inputs of a ComfyDeploy workflow, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["EXTERNAL_PREFIX", "FILE_KINDS", "INPUT_CLASSES", "LARGEST_SEED", "InputClass", "Kind", "kind_of"]

Kind: TypeAlias = Literal[
    "text",
    "line",
    "float",
    "integer",
    "slider",
    "slider_integer",
    "boolean",
    "enum",
    "image",
    "images",
    "video",
    "audio",
    "exr",
    "file",
    "lora",
    "checkpoint",
    "face_model",
    "seed",
    "color",
    "realtime",
]
"""What an input takes, as forms and checks tell inputs apart. "line" is a text of one line."""

EXTERNAL_PREFIX: Final = "ComfyUIDeployExternal"
LARGEST_SEED: Final = 999_999_999_999_999

FILE_KINDS: Final = frozenset({"image", "video", "audio", "exr", "file"})
"""Kinds whose value is the URL of one file."""


@dataclass(frozen=True, slots=True)
class InputClass:
    """What is known about one class of input node.

    Parameters
    ----------
    kind : Kind
        What it takes.
    listed : bool
        Whether the server puts it in a deployment's `input_types`.
    default_keys : tuple of str
        The node's inputs that can hold the default, the first one first.
    minimum, maximum, step, default : number or None
        What the node takes where the workflow gives none.
    """

    kind: Kind
    listed: bool = True
    default_keys: tuple[str, ...] = ("default_value",)
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    default: float | None = None


_PLAIN: Final[dict[str, InputClass]] = {
    "Text": InputClass("text"),
    "TextAny": InputClass("text"),
    "TextSingleLine": InputClass("line"),
    "Number": InputClass("float", step=0.01),
    "NumberInt": InputClass("integer", step=1),
    "NumberSlider": InputClass("slider", minimum=0, maximum=1, step=0.01, default=0.5),
    "NumberSliderInt": InputClass("slider_integer", minimum=0, maximum=10, step=1, default=1),
    "Boolean": InputClass("boolean"),
    "Enum": InputClass("enum"),
    "Image": InputClass("image", default_keys=("default_value_url", "default_value")),
    "ImageAlpha": InputClass("image"),
    "ImageBatch": InputClass("images", default_keys=("images",)),
    "Video": InputClass("video", default_keys=("default_value_url", "default_value")),
    "Vid": InputClass("video", listed=False),
    "Audio": InputClass("audio", default_keys=("audio_file",)),
    "EXR": InputClass("exr", default_keys=("exr_file",)),
    "File": InputClass("file", default_keys=("file_url",)),
    "Lora": InputClass("lora", default_keys=("default_lora_name", "lora_url")),
    "Checkpoint": InputClass("checkpoint"),
    "FaceModel": InputClass("face_model", listed=False, default_keys=("default_face_model_name", "face_model_url")),
    "Seed": InputClass("seed", listed=False, minimum=1, maximum=4_294_967_295, step=1),
    "Color": InputClass("color", listed=False),
}

INPUT_CLASSES: Final[dict[str, InputClass]] = {
    **{EXTERNAL_PREFIX + name: row for name, row in _PLAIN.items()},
    # The class really is spelt like this.
    "ComfyDeployWebscoketImageInput": InputClass("realtime", default_keys=()),
}
"""Every known class of input node, by its `class_type`."""

UNKNOWN_CLASS: Final = InputClass("line", listed=False)
"""An input class that is not in the table is shown as a line of text."""


def kind_of(class_type: object) -> Kind | None:
    """Return the kind of input that a node class is, or None if it is none.

    Examples
    --------
    >>> kind_of("ComfyUIDeployExternalNumberInt"), kind_of("ComfyUIDeployExternalNew"), kind_of("KSampler")
    ('integer', 'line', None)
    """
    found = class_of(class_type)
    return found.kind if found else None


def class_of(class_type: object) -> InputClass | None:
    """Return what is known about a node class as an input, or None if it is none."""
    if not isinstance(class_type, str):
        return None
    found = INPUT_CLASSES.get(class_type)
    if found is None and class_type.startswith(EXTERNAL_PREFIX):
        return UNKNOWN_CLASS
    return found
