"""A colour."""

from __future__ import annotations

from typing import Any

from comfynb.rules.scalars import parse_color
from comfynb.widgets.fields.field import NOT_GIVEN, Field

__all__ = ["ColourField"]


class ColourField(Field):
    """A colour, picked or written as #rrggbb."""

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        self._control = widgets.ColorPicker(concise=False, layout={"width": "200px"})
        self._control.observe(self.touched, "value")
        return self._control

    @property
    def initial(self) -> Any:
        """Return the colour at the beginning, as #rrggbb."""
        return _hex(self.definition.default) or NOT_GIVEN

    def read(self) -> Any:
        """Return the colour as #rrggbb."""
        return self._control.value or NOT_GIVEN

    def show(self, value: Any) -> None:
        """Hold a colour."""
        self._control.value = _hex(value) or "#000000"


def _hex(value: Any) -> str | None:
    parsed: Any = None if value is NOT_GIVEN else parse_color(value)
    if not parsed:
        return None
    colour = parsed[0]
    return f"#{colour['r']:02x}{colour['g']:02x}{colour['b']:02x}"
