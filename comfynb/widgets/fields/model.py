"""A field for a LoRA, a checkpoint or a face model: its name, or where it can be fetched."""

from __future__ import annotations

from typing import Any

from comfynb.widgets.fields.address import default_words
from comfynb.widgets.fields.field import UNSET, Field, sendable

__all__ = ["ModelField"]


class ModelField(Field):
    """A name or a URL; an empty one means the default."""

    def _make(self, widgets: Any) -> list[Any]:
        self._default, told = default_words(self.definition)
        self._control = widgets.Text(
            value=self._default,
            placeholder=told or "name or URL",
            layout=widgets.Layout(width="auto", max_width="720px"),
            tooltip=self.hint,
        )
        self._control.observe(self._typed, "value")
        return [self._control]

    def _typed(self, change: Any) -> None:
        text = change.new.strip()
        self._changed(UNSET if text in ("", self._default) else text)

    def _put(self, value: Any) -> None:
        self._control.value = self._default if value is UNSET else sendable(value)
