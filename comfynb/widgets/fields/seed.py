"""A field for a seed: a number, dice, or a new one for each run."""

from __future__ import annotations

from random import SystemRandom
from typing import Any, Final

from comfynb.display.form import said_html
from comfynb.rules.coercion import is_random_seed, seed_range
from comfynb.rules.scalars import parse_number
from comfynb.widgets.fields.field import UNSET, Field, sendable

__all__ = ["RANDOM", "SeedField"]

RANDOM: Final = -1
"""What stands for a seed that is drawn, where the workflow's own seed is fixed."""

_draw = SystemRandom().randint


class SeedField(Field):
    """A seed. The number that was drawn for a run is shown, and can be kept."""

    def _make(self, widgets: Any) -> list[Any]:
        definition = self.definition
        self._random = not definition.has_fixed_seed
        self._default = "" if self._random else str(definition.default)
        low, high = seed_range(definition)
        self._control = widgets.Text(
            value=self._default,
            placeholder=f"{low} to {high}",
            layout=widgets.Layout(width="200px"),
            tooltip=self.hint,
        )
        self._dice = widgets.Button(
            description="Dice",
            icon="random",
            tooltip="Draw a seed now",
            disabled=low > high,
            layout=widgets.Layout(width="auto"),
        )
        self._each = widgets.Checkbox(
            value=self._random, description="random each run", indent=False, layout=widgets.Layout(width="auto")
        )
        self._drawn: int | None = None
        self._note = widgets.HTML()
        self._keep = widgets.Button(description="Use it again", layout=widgets.Layout(width="auto"))
        self._last = widgets.HBox([self._note, self._keep], layout=widgets.Layout(display="none", align_items="center"))
        self._control.observe(self._typed, "value")
        self._each.observe(self._ticked, "value")
        self._dice.on_click(lambda _: self._take(_draw(*seed_range(definition))))
        self._keep.on_click(lambda _: self._take(self._drawn))
        return [widgets.HBox([self._control, self._dice, self._each]), self._last]

    def _typed(self, change: Any) -> None:
        if self._showing:
            return
        text = change.new.strip()
        number = parse_number(text)
        self._tick(self._random and not text)
        self._changed(UNSET if text in ("", self._default) else change.new if number is None else number)

    def _ticked(self, change: Any) -> None:
        if self._showing:
            return
        if change.new:
            value: Any = UNSET if self._random else RANDOM
        elif self._random:
            low, high = seed_range(self.definition)
            value = _draw(low, high) if low <= high else UNSET
        else:
            value = UNSET
        self.show(value)
        self._give(value)

    def _take(self, number: int | None) -> None:
        if number is None:
            return
        value: Any = UNSET if str(number) == self._default else number
        self.show(value)
        self._give(value)

    def _tick(self, random: bool) -> None:
        self._showing = True
        try:
            self._each.value = random
        finally:
            self._showing = False

    def _put(self, value: Any) -> None:
        random = self._random if value is UNSET else is_random_seed(value)
        self._each.value = random
        self._control.value = "" if random else self._default if value is UNSET else sendable(value)

    def drew(self, number: int) -> None:
        """Show what was drawn for the last run."""
        self._drawn = number
        self._note.value = said_html(f"The last run drew {number}.", "plain")
        self._last.layout.display = None
