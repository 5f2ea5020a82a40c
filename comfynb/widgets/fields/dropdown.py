"""A field for one of a list."""

from __future__ import annotations

from typing import Any

from comfynb.rules.text import tidy
from comfynb.widgets.fields.field import UNSET, Field

__all__ = ["DropdownField"]


class DropdownField(Field):
    """A list to choose from. A default that is not in the workflow's list can be chosen, too: the node takes it."""

    def _make(self, widgets: Any) -> list[Any]:
        definition = self.definition
        self._default = definition.default if definition.has_default else None
        choices: list[tuple[str, Any]] = [(tidy(option) or "(empty)", option) for option in definition.options]
        if self._default is None:
            choices.insert(0, ("choose …", None))
        elif self._default not in definition.options:
            choices.insert(0, (f"{tidy(self._default)} (default)", self._default))
        self._choices = [value for _, value in choices]
        self._control = widgets.Dropdown(
            options=choices,
            index=self._choices.index(self._default),
            layout=widgets.Layout(width="auto", max_width="480px"),
            tooltip=self.hint,
        )
        self._control.observe(self._chosen, "index")
        return [self._control]

    def _chosen(self, change: Any) -> None:
        chosen = self._default if change.new is None else self._choices[change.new]
        self._changed(UNSET if chosen == self._default else chosen)

    def _put(self, value: Any) -> None:
        wanted = self._default if value is UNSET else str(value)
        self._control.index = self._choices.index(wanted) if wanted in self._choices else None
