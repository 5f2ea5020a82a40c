"""A field for a realtime image, which no queued run can be given."""

from __future__ import annotations

from typing import Any

from comfynb.widgets.fields.field import UNSET, Field, sendable

__all__ = ["RealtimeField"]


class RealtimeField(Field):
    """Says that there is such an input; it cannot be changed."""

    def _make(self, widgets: Any) -> list[Any]:
        self._control = widgets.Text(
            disabled=True,
            placeholder="comes over a websocket; a queued run is not given it",
            layout=widgets.Layout(width="auto", max_width="480px"),
            tooltip=self.hint,
        )
        return [self._control]

    def _put(self, value: Any) -> None:
        self._control.value = "" if value is UNSET else sendable(value)
