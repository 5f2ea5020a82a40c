"""A field for a colour: a text, with a picker beside it."""

from __future__ import annotations

from typing import Any, Final

from comfynb.rules.scalars import parse_color
from comfynb.widgets.fields.field import UNSET, Field, sendable

__all__ = ["ColourField"]

_NONE: Final = "#000000"


class ColourField(Field):
    """A colour as ``#rrggbb``; an empty text means the default."""

    def _make(self, widgets: Any) -> list[Any]:
        self._default = _hex(self.definition.default) if self.definition.has_default else ""
        self._control = widgets.Text(
            value=self._default,
            placeholder=self._default or "#rrggbb",
            layout=widgets.Layout(width="120px"),
            tooltip=self.hint,
        )
        self._picker = widgets.ColorPicker(concise=True, value=self._default or _NONE, tooltip=self.hint)
        self._control.observe(self._typed, "value")
        self._picker.observe(self._picked, "value")
        return [widgets.HBox([self._control, self._picker])]

    def _typed(self, change: Any) -> None:
        text = change.new.strip()
        if not self._showing:
            self._paint(text)
        self._changed(UNSET if text in ("", self._default) else text)

    def _picked(self, change: Any) -> None:
        if not self._showing:
            self._control.value = change.new

    def _put(self, value: Any) -> None:
        self._control.value = self._default if value is UNSET else _hex(value) or sendable(value)
        self._picker.value = _hex(self._control.value) or self._default or _NONE

    def _paint(self, text: str) -> None:
        found = _hex(text)
        if found:
            self._showing = True
            try:
                self._picker.value = found
            finally:
                self._showing = False


def _hex(value: Any) -> str:
    """Return a colour as a picker takes it; empty if it is none."""
    found: Any = parse_color(value)
    return "#" + "".join(f"{found[0][part]:02x}" for part in "rgb") if found else ""
