"""Which field an input has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comfynb.rules.inputs import InputDefinition
from comfynb.widgets.fields.batch import BatchField
from comfynb.widgets.fields.checkbox import CheckboxField
from comfynb.widgets.fields.colour import ColourField
from comfynb.widgets.fields.dropdown import DropdownField
from comfynb.widgets.fields.field import Field
from comfynb.widgets.fields.file import FileField
from comfynb.widgets.fields.model import ModelField
from comfynb.widgets.fields.number import NumberField
from comfynb.widgets.fields.realtime import RealtimeField
from comfynb.widgets.fields.seed import SeedField
from comfynb.widgets.fields.slider import SliderField, slides
from comfynb.widgets.fields.text import TextField

__all__ = ["make_field"]

_FIELDS: dict[str, type[Field]] = {
    "text": TextField,
    "line": TextField,
    "float": NumberField,
    "integer": NumberField,
    "slider": SliderField,
    "slider_integer": SliderField,
    "boolean": CheckboxField,
    "enum": DropdownField,
    "image": FileField,
    "images": BatchField,
    "video": FileField,
    "audio": FileField,
    "exr": FileField,
    "file": FileField,
    "lora": ModelField,
    "checkpoint": ModelField,
    "face_model": ModelField,
    "seed": SeedField,
    "color": ColourField,
    "realtime": RealtimeField,
}


def make_field(definition: InputDefinition, give: Callable[[Any], None]) -> Field:
    """Return the field of an input; see `Field` for `give`.

    A slider whose range cannot be used is a number, a list that cannot be read is a text.
    """
    kind = _FIELDS[definition.kind]
    if kind is SliderField and not slides(definition):
        kind = NumberField
    elif kind is DropdownField and not definition.options:
        kind = TextField
    return kind(definition, give)
