"""One input of a form: label, control, help, and what is wrong with its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from comfynb.display.html import escape
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.text import tidy

__all__ = ["NOT_GIVEN", "Field"]


class _NotGiven:
    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = _NotGiven()
"""The value of a field that nothing was entered in: the workflow's own default holds."""


class Field:
    """One input of a form.

    Parameters
    ----------
    definition : InputDefinition
        What is asked for.

    Attributes
    ----------
    box : ipywidgets.VBox
        The widget.
    changed : callable
        Called when a person changes the value.
    """

    editable = True

    def __init__(self, definition: InputDefinition) -> None:
        import ipywidgets as widgets

        self.definition = definition
        self.changed: Callable[[], None] = lambda: None
        self._quiet = False
        star = ' <span title="required">*</span>' if definition.required else ""
        label = escape(definition.label or definition.name, 300)
        name = escape(definition.name, 100) if definition.label not in ("", definition.name) else ""
        aside = f' <code style="opacity:.6">{name}</code>' if name else ""
        wide = widgets.Layout(width="auto", max_width="680px", margin="0")
        self._label = widgets.HTML(f"<b>{label}</b>{star}{aside}", layout=wide)
        help_ = escape(definition.description, 600)
        self._help = widgets.HTML(f'<span style="opacity:.7">{help_}</span>' if help_ else "", layout=wide)
        self._help.layout.display = None if help_ else "none"
        self._problem = widgets.HTML(layout=widgets.Layout(width="auto", max_width="680px", display="none", margin="0"))
        control = self.make(widgets)
        self.box = widgets.VBox([self._label, control, self._help, self._problem], layout={"margin": "0 0 10px 0"})
        self.reset()

    # -- what each kind does for itself -------------------------------------------------------------------------

    def make(self, widgets: Any) -> Any:
        """Make the control, and return it."""
        raise NotImplementedError

    def read(self) -> Any:
        """Return what the control holds; NOT_GIVEN if it is empty."""
        raise NotImplementedError

    def show(self, value: Any) -> None:
        """Let the control hold a value; NOT_GIVEN empties it."""
        raise NotImplementedError

    # -- what all do --------------------------------------------------------------------------------------------

    @property
    def initial(self) -> Any:
        """What it holds at the beginning: the workflow's default, if there is one."""
        return self.definition.default if self.definition.has_default else NOT_GIVEN

    @property
    def value(self) -> Any:
        """What is given: NOT_GIVEN as long as it is what the workflow takes by itself."""
        value = self.read()
        return NOT_GIVEN if value is NOT_GIVEN or _same(value, self.initial) else value

    @value.setter
    def value(self, value: Any) -> None:
        self._quiet = True
        try:
            self.show(value)
        finally:
            self._quiet = False

    def reset(self) -> None:
        """Hold the workflow's default again."""
        self.value = self.initial

    def touched(self, _: Any = None) -> None:
        """Tell that a person changed something."""
        if not self._quiet:
            self.changed()

    def tell(self, problem: str | None) -> None:
        """Show what is wrong with the value, or that nothing is."""
        text = f'<span style="color:var(--jp-error-color1,#e04848)">{escape(problem, 400)}</span>' if problem else ""
        if self._problem.value != text:
            self._problem.value = text
            self._problem.layout.display = None if text else "none"


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def shown_text(value: Any) -> str:
    """Return a value as a control for text holds it."""
    return "" if value is NOT_GIVEN or value is None else value if isinstance(value, str) else tidy(value, None)
