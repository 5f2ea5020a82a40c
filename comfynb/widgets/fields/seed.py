"""A seed: a number, a dice, and whether each run draws its own."""

from __future__ import annotations

from random import SystemRandom
from typing import Any

from comfynb.display.html import escape
from comfynb.rules.coercion import seed_range
from comfynb.widgets.fields.field import NOT_GIVEN
from comfynb.widgets.fields.number import NumberField

__all__ = ["SeedField"]


class SeedField(NumberField):
    """A seed. With "random each run" none is given, so that one is drawn; which one is shown after the run."""

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        super().make(widgets)
        self._dice = widgets.Button(icon="random", tooltip="Draw one now", layout={"width": "40px"})
        self._dice.on_click(self._drawn)
        self._random = widgets.Checkbox(description="random each run", indent=False, layout={"width": "auto"})
        self._random.observe(self._switched, "value")
        self._last = widgets.HTML()
        return widgets.HBox([self._control, self._dice, self._random, self._last])

    @property
    def initial(self) -> Any:
        """Return the seed that the workflow keeps, if it keeps one."""
        return self.definition.default if self.definition.has_fixed_seed else NOT_GIVEN

    def _drawn(self, _: Any) -> None:
        low, high = seed_range(self.definition)
        self._random.value = False
        self._control.value = str(SystemRandom().randint(low, high))

    def _switched(self, _: Any) -> None:
        self._control.disabled = self._random.value
        self.touched()

    def read(self) -> Any:
        """Return the seed; -1 where each run draws its own although the workflow keeps one."""
        if self._random.value:
            return NOT_GIVEN if self.initial is NOT_GIVEN else -1
        return super().read()

    def show(self, value: Any) -> None:
        """Hold a seed."""
        drawn = value is NOT_GIVEN or value == -1
        self._random.value = drawn
        self._control.disabled = drawn
        super().show(NOT_GIVEN if drawn else value)

    def tell_drawn(self, seed: int | None) -> None:
        """Show which seed was drawn."""
        self._last.value = "" if seed is None else f"last: <code>{escape(seed)}</code>"
