"""One field of a form: label, help, control, and what is wrong with its value, below each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from comfynb.display.form import field_head_html, wrong_html
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.text import tidy

__all__ = ["UNSET", "Field", "Unset", "sendable"]


class Unset(Enum):
    """What a field gives while the default is meant."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class Field(ABC):
    """One field of a form. The form holds the value; the field shows it, and tells the form what a person does.

    Parameters
    ----------
    definition : InputDefinition
        What it is for.
    give : callable
        Called with a value, or UNSET for the default, when a person has changed it.

    Attributes
    ----------
    box : ipywidgets.VBox
        The field.
    """

    def __init__(self, definition: InputDefinition, give: Callable[[Any], None]) -> None:
        import ipywidgets as widgets

        self.definition = definition
        self._give = give
        self._showing = False
        self._wrong = widgets.HTML(layout=widgets.Layout(display="none"))
        head = widgets.HTML(field_head_html(definition))
        self.box = widgets.VBox([head, *self._make(widgets), self._wrong], layout=widgets.Layout(margin="4px 0 8px 0"))

    @abstractmethod
    def _make(self, widgets: Any) -> list[Any]:
        """Return the controls, which show the default."""

    @abstractmethod
    def _put(self, value: Any) -> None:
        """Show a value, or the default for UNSET."""

    def show(self, value: Any) -> None:
        """Show a value, or the default for UNSET, without telling the form."""
        self._showing = True
        try:
            self._put(value)
        finally:
            self._showing = False

    def tell(self, problem: str | None) -> None:
        """Say below it what is wrong with its value."""
        words = wrong_html(problem)
        if words != self._wrong.value:
            self._wrong.value = words
            self._wrong.layout.display = None if words else "none"

    @property
    def hint(self) -> str:
        """What is read where the pointer rests."""
        return tidy(self.definition.label)

    def _changed(self, value: Any) -> None:
        if not self._showing:
            self._give(value)


def sendable(text: object) -> str:
    r"""Return a text that any connection takes: half surrogates, which UTF-8 has none of, are replaced.

    Examples
    --------
    >>> sendable("a fox"), sendable("a\ud800")
    ('a fox', 'a?')
    """
    return str(text).encode("utf-8", "replace").decode()
