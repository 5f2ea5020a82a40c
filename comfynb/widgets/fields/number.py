"""A field for a number. What is no number is told, not swallowed, so it is a text that is read."""

from __future__ import annotations

from typing import Any

from comfynb.rules.scalars import parse_number
from comfynb.widgets.fields.field import UNSET, Field, sendable

__all__ = ["NumberField"]


class NumberField(Field):
    """A field for a number; an empty one means the default."""

    def _make(self, widgets: Any) -> list[Any]:
        definition = self.definition
        self._default = str(definition.default) if definition.has_default else ""
        words = definition.type_word
        self._control = widgets.Text(
            value=self._default,
            placeholder=f"{words}, default {definition.default}" if definition.has_default else words,
            layout=widgets.Layout(width="auto", max_width="320px"),
            tooltip=self.hint,
        )
        self._control.observe(self._typed, "value")
        return [self._control]

    def _typed(self, change: Any) -> None:
        text = change.new.strip()
        number = parse_number(text)
        self._changed(UNSET if text in ("", self._default) else change.new if number is None else number)

    def _put(self, value: Any) -> None:
        self._control.value = self._default if value is UNSET else sendable(value)
