"""A field for true or false."""

from __future__ import annotations

from typing import Any, Final

from comfynb.widgets.fields.field import UNSET, Field

__all__ = ["CheckboxField"]

_CHOICES: Final = (("choose …", None), ("true", True), ("false", False))
_WORDS: Final = {"true": True, "false": False, "1": True, "0": False}


class CheckboxField(Field):
    """A box to tick; without a default, three choices, so that one sees that nothing was chosen."""

    def _make(self, widgets: Any) -> list[Any]:
        if self.definition.has_default:
            self._control = widgets.Checkbox(
                value=bool(self.definition.default), indent=False, tooltip=self.hint, layout=widgets.Layout()
            )
        else:
            self._control = widgets.Dropdown(
                options=_CHOICES,
                index=0,
                layout=widgets.Layout(width="auto", max_width="320px"),
                tooltip=self.hint,
            )
        self._control.observe(self._ticked, "value" if self.definition.has_default else "index")
        return [self._control]

    def _ticked(self, _: Any) -> None:
        chosen = self._control.value
        self._changed(UNSET if chosen is None or chosen is self.definition.default else chosen)

    def _put(self, value: Any) -> None:
        word = None if value is UNSET else _WORDS.get(str(value).lower())
        if self.definition.has_default:
            self._control.value = bool(self.definition.default) if word is None else word
        else:
            self._control.index = [choice for _, choice in _CHOICES].index(word)
