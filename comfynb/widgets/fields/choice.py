"""Yes or no, and one of a list."""

from __future__ import annotations

from typing import Any

from comfynb.widgets.fields.field import NOT_GIVEN, Field

__all__ = ["CheckField", "ChoiceField"]


class CheckField(Field):
    """Yes or no."""

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        self._control = widgets.Checkbox(indent=False, description="yes", layout={"width": "auto"})
        self._control.observe(self.touched, "value")
        return self._control

    def read(self) -> Any:
        """Return whether it is ticked."""
        return bool(self._control.value)

    @property
    def initial(self) -> Any:
        """Return whether it is ticked at the beginning."""
        return self.definition.default if isinstance(self.definition.default, bool) else NOT_GIVEN

    def show(self, value: Any) -> None:
        """Tick it, or not."""
        self._control.value = value is True


class ChoiceField(Field):
    """One of a list."""

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        options: list[tuple[str, Any]] = [(option, option) for option in self.definition.options]
        if self.initial not in self.definition.options:
            options.insert(0, ("choose …" if self.definition.required else "the workflow's own", NOT_GIVEN))
        self._control = widgets.Dropdown(options=options, layout={"width": "420px"})
        self._control.observe(self.touched, "value")
        return self._control

    def read(self) -> Any:
        """Return what is chosen."""
        return self._control.value

    def show(self, value: Any) -> None:
        """Choose something; what is not in the list chooses what stands first."""
        known = [choice for _, choice in self._control.options]
        self._control.value = value if value in known else known[0]
