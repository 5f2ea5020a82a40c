"""A field for text, of one line or several; also for an input of a class that is not known."""

from __future__ import annotations

from typing import Any, Final

from comfynb.widgets.fields.field import UNSET, Field, sendable

__all__ = ["TextField"]

_MOST_ROWS: Final = 10
_LINE: Final = 80


class TextField(Field):
    """A field for text. An empty one without a default is not given."""

    def _make(self, widgets: Any) -> list[Any]:
        definition = self.definition
        self._default = sendable(definition.default) if definition.has_default else ""
        options: dict[str, Any] = {
            "value": self._default,
            "placeholder": "" if definition.has_default else definition.type_word,
            "layout": widgets.Layout(width="auto", max_width="720px"),
            "tooltip": self.hint,
        }
        if definition.kind == "text":
            rows = max(len(self._default) // _LINE, self._default.count("\n")) + 2
            self._control = widgets.Textarea(rows=min(rows, _MOST_ROWS), **options)
        else:
            self._control = widgets.Text(**options)
        self._control.observe(self._typed, "value")
        return [self._control]

    def _typed(self, change: Any) -> None:
        self._changed(UNSET if change.new == self._default else change.new)

    def _put(self, value: Any) -> None:
        self._control.value = self._default if value is UNSET else sendable(value)
