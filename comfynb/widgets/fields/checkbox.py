"""A field for true or false."""

from __future__ import annotations

from typing import Any

from comfynb.widgets.fields.field import UNSET, Field

__all__ = ["CheckboxField"]


class CheckboxField(Field):
    """A box to tick; without a default, three choices, so that one sees that nothing was chosen."""

    def _make(self, widgets: Any) -> list[Any]:
        if self.definition.has_default:
            self._control = widgets.Checkbox(
                value=bool(self.definition.default), indent=False, tooltip=self.hint, layout=widgets.Layout()
            )
        else:
            self._control = widgets.Dropdown(
                options=[("choose …", None), ("true", True), ("false", False)],
                layout=widgets.Layout(width="auto", max_width="320px"),
                tooltip=self.hint,
            )
        self._control.observe(self._ticked, "value")
        return [self._control]

    def _ticked(self, change: Any) -> None:
        chosen = change.new
        self._changed(UNSET if chosen is None or chosen is self.definition.default else chosen)

    def _put(self, value: Any) -> None:
        default = self.definition.default if self.definition.has_default else None
        if value is UNSET:
            self._control.value = default
        else:
            self._control.value = {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower(), default)
