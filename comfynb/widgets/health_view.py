"""A small panel over a watch of health: what the last look found, by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfynb.display.health import watch_html, watch_text
from comfynb.widgets.cells import take_cell
from comfynb.widgets.closing import close_tree

if TYPE_CHECKING:
    from comfynb.core.health_watch import HealthWatch

__all__ = ["HealthView"]


class HealthView:
    """A panel that shows what each look of a watch finds, while other cells run.

    It ends with the watch, when it is closed, or when its cell is run again; closing it does not stop the watch.

    Parameters
    ----------
    watch : HealthWatch
        Which watch.

    Attributes
    ----------
    box : ipywidgets.HTML
        The widget.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> with ws.watch_health(every=60) as watch:
    ...     panel = watch.view()
    >>> "no longer" in repr(panel)
    True
    >>> panel.close()
    """

    def __init__(self, watch: HealthWatch) -> None:
        import ipywidgets as widgets

        self.watch = watch
        self.box = widgets.HTML()
        self._update()
        watch.listeners.append(self._update)
        take_cell(self)

    def _update(self) -> None:
        text = watch_html(self.watch.facts())
        if text != self.box.value:
            self.box.value = text

    def close(self) -> None:
        """Take the panel away. The watch goes on."""
        if self._update in self.watch.listeners:
            self.watch.listeners.remove(self._update)
        close_tree(self.box)

    def __repr__(self) -> str:
        return watch_text(self.watch.facts())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        facts = self.watch.facts()
        return {
            **(self.box._repr_mimebundle_() or {}),
            "text/plain": watch_text(facts),
            "text/html": watch_html(facts),
        }
