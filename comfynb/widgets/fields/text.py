"""Texts of several lines, of one line, names and links, and what cannot be given."""

from __future__ import annotations

from typing import Any

from comfynb.widgets.fields.field import NOT_GIVEN, Field, shown_text

__all__ = ["LineField", "RealtimeField", "TextField"]


class TextField(Field):
    """A text of several lines. An emptied one is given as an empty text."""

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        self._control = widgets.Textarea(rows=3, layout={"width": "auto", "max_width": "680px"})
        self._control.observe(self.touched, "value")
        return self._control

    def read(self) -> Any:
        """Return the text."""
        if not self._control.value and self.initial is NOT_GIVEN:
            return NOT_GIVEN
        return self._control.value

    def show(self, value: Any) -> None:
        """Hold a text."""
        self._control.value = shown_text(value)


class LineField(TextField):
    """A text of one line: names, links, and inputs of a class that is not known."""

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        self._control = widgets.Text(layout={"width": "auto", "max_width": "680px"})
        self._control.observe(self.touched, "value")
        return self._control


class RealtimeField(Field):
    """A realtime image, which a queued run cannot be given."""

    editable = False

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        return widgets.Text("comes over a websocket; it cannot be given here", disabled=True, layout={"width": "420px"})

    def read(self) -> Any:
        """Return nothing."""
        return NOT_GIVEN

    def show(self, value: Any) -> None:
        """Hold nothing."""
