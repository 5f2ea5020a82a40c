"""A field for a number within limits: a slider with the workflow's own range and step."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from comfynb.rules.inputs import InputDefinition
from comfynb.rules.scalars import parse_number
from comfynb.widgets.fields.field import UNSET, Field

__all__ = ["SliderField", "slides"]

_EXACT: Final = 2**53
"""Beyond it a browser does not tell whole numbers apart."""
_MOST_DIGITS: Final = 12


def slides(definition: InputDefinition) -> bool:
    """Whether a slider can show every value that an input may have, its default among them.

    Examples
    --------
    >>> from comfynb.rules.inputs import InputDefinition
    >>> slider = InputDefinition("x", "X", "", "slider", default=0.5, has_default=True, minimum=0, maximum=1, step=0.1)
    >>> slides(slider), slides(InputDefinition("x", "X", "", "slider", minimum=1, maximum=0))
    (True, False)
    """
    low, high, step, default = definition.minimum, definition.maximum, definition.step, definition.default
    if low is None or high is None or not isinstance(default, int | float) or isinstance(default, bool):
        return False
    whole = definition.kind != "slider_integer" or all(isinstance(each, int) for each in (low, high, default))
    return whole and -_EXACT < low < high < _EXACT and low <= default <= high and 0 < (step or 1) <= high - low


class SliderField(Field):
    """A slider; the number beside it can be typed."""

    def _make(self, widgets: Any) -> list[Any]:
        definition = self.definition
        self._whole = definition.kind == "slider_integer"
        step: Any = definition.step or 1
        self._step = max(1, int(step)) if self._whole else step
        exponent = Decimal(str(step)).as_tuple().exponent
        self._digits = min(max(-exponent, 0), _MOST_DIGITS) if isinstance(exponent, int) else 2
        slider = widgets.IntSlider if self._whole else widgets.FloatSlider
        more = {} if self._whole else {"readout_format": f".{self._digits}f"}
        self._control = slider(
            value=definition.default,
            min=definition.minimum,
            max=definition.maximum,
            step=self._step,
            layout=widgets.Layout(width="auto", max_width="480px"),
            tooltip=self.hint,
            **more,
        )
        self._control.observe(self._moved, "value")
        return [self._control]

    def _moved(self, change: Any) -> None:
        value = change.new
        if not self._whole:
            # A browser counts steps in binary: 0.30000000000000004 means 0.3.
            tidied = round(value, self._digits)
            value = tidied if abs(tidied - value) < 1e-9 else value
        self._changed(UNSET if value == self.definition.default else value)

    def _put(self, value: Any) -> None:
        number = self.definition.default if value is UNSET else parse_number(value)
        if isinstance(number, int | float):
            low, high = self._control.min, self._control.max
            self._control.value = min(max(int(number) if self._whole else number, low), high)
