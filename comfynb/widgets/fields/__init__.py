"""The fields of a form, one for each kind of input."""

from comfynb.rules.inputs import InputDefinition
from comfynb.widgets.fields.choice import CheckField, ChoiceField
from comfynb.widgets.fields.colour import ColourField
from comfynb.widgets.fields.field import NOT_GIVEN, Field
from comfynb.widgets.fields.media import BatchField, MediaField
from comfynb.widgets.fields.number import NumberField, SliderField, slides
from comfynb.widgets.fields.seed import SeedField
from comfynb.widgets.fields.text import LineField, RealtimeField, TextField

__all__ = ["NOT_GIVEN", "Field", "field_for"]

_KINDS: dict[str, type[Field]] = {
    "text": TextField,
    "float": NumberField,
    "integer": NumberField,
    "boolean": CheckField,
    "image": MediaField,
    "video": MediaField,
    "audio": MediaField,
    "exr": MediaField,
    "file": MediaField,
    "images": BatchField,
    "seed": SeedField,
    "color": ColourField,
    "realtime": RealtimeField,
}


def field_for(definition: InputDefinition) -> Field:
    """Return the field for an input; one of a kind that is not known is a line of text.

    Examples
    --------
    >>> field_for(InputDefinition("steps", "Steps", "", "integer", default=20, has_default=True)).value
    NOT_GIVEN
    """
    kind = definition.kind
    if kind in ("slider", "slider_integer"):
        return SliderField(definition) if slides(definition) else NumberField(definition)
    if kind == "enum":
        return ChoiceField(definition) if definition.options else LineField(definition)
    return _KINDS.get(kind, LineField)(definition)
