"""Numbers, as text that may be wrong, or as a slider that cannot be."""

from __future__ import annotations

import math
from typing import Any

from comfynb.rules.inputs import InputDefinition
from comfynb.widgets.fields.field import NOT_GIVEN, Field, shown_text

__all__ = ["NumberField", "SliderField", "slides"]


def number(text: str) -> Any:
    """Return a number that a text is; the text itself if it is none, so that it can be told what is wrong with it.

    Examples
    --------
    >>> number("12"), number("0.5"), number("1e3"), number("twelve")
    (12, 0.5, 1000.0, 'twelve')
    """
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        if math.isfinite(found):
            return found
    return text


class NumberField(Field):
    """A number. Whatever is entered stays as it is, and what is wrong with it is said."""

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        self._control = widgets.Text(layout={"width": "200px"}, placeholder=self.definition.type_word)
        self._control.observe(self.touched, "value")
        return self._control

    def read(self) -> Any:
        """Return the number."""
        text = self._control.value.strip()
        if not text:
            return NOT_GIVEN
        found = number(text)
        if self.definition.kind in ("float", "slider") and isinstance(found, int) and isinstance(self.initial, float):
            return float(found)
        return found

    def show(self, value: Any) -> None:
        """Hold a number."""
        self._control.value = shown_text(value)


def slides(definition: InputDefinition) -> bool:
    """Whether an input can be a slider: its limits and its default are good for one."""
    low, high = definition.minimum, definition.maximum
    if low is None or high is None or not low < high or not all(map(math.isfinite, (low, high))):
        return False
    default = definition.default
    return isinstance(default, int | float) and not isinstance(default, bool) and low <= default <= high


class SliderField(Field):
    """A number within its real limits, with the real step."""

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        definition = self.definition
        whole = definition.kind == "slider_integer"
        kind = widgets.IntSlider if whole else widgets.FloatSlider
        step = definition.step or (1 if whole else 0.01)
        limits = (int, int, int) if whole else (float, float, float)
        low, high, step = (
            limit(value) for limit, value in zip(limits, (definition.minimum, definition.maximum, step), strict=True)
        )
        options: dict[str, Any] = {"min": low, "max": high, "step": max(step, 1) if whole else step, "value": low}
        if not whole:
            options["readout_format"] = ".4g"
        self._control = kind(**options, layout={"width": "420px"})
        self._control.observe(self.touched, "value")
        return self._control

    def read(self) -> Any:
        """Return the number."""
        value = self._control.value
        return int(value) if isinstance(self.initial, int) and float(value).is_integer() else value

    def show(self, value: Any) -> None:
        """Hold a number."""
        if value is not NOT_GIVEN:
            self._control.value = value
