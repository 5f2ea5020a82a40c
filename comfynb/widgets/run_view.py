"""A run as it goes on: status, bar, timeline, pictures as they come; or why it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfynb.display.runs import run_html, run_text
from comfynb.rules.status import is_terminal
from comfynb.runs.live import LiveView
from comfynb.widgets.cells import take_cell
from comfynb.widgets.closing import close_tree

if TYPE_CHECKING:
    from comfynb.runs.run import Run

__all__ = ["RunView"]

_BARS = {"success": "success", "failed": "danger", "timeout": "danger", "cancelled": "warning"}


class RunView:
    """A run as it goes on.

    It shows what is known and goes on by itself while other cells run: it asks on comfynb's own thread, a few times a
    second at most, together with all other views. It ends with the run, when it is closed, or when its cell is run
    again.

    Parameters
    ----------
    run : Run
        Which run.

    Attributes
    ----------
    box : ipywidgets.VBox
        The widget.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> view = RunView(ws.run("text2img", prompt="a red fox", seed=7))
    >>> print(repr(view).splitlines()[0])
    finished – run of text2img
    >>> view.close()
    """

    def __init__(self, run: Run) -> None:
        import ipywidgets as widgets

        self.run = run
        self._bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="320px", margin="0 0 0 14px"))
        self._html = widgets.HTML()
        self.box = widgets.VBox([self._bar, self._html])
        self._text = ""
        self._live: LiveView | None = None
        self._update()
        if not run.ended:
            live = self._live = LiveView(run._tracked, self._update)
            runs = run._tracked.core.live

            async def add() -> None:
                runs.add(live)

            run._face.start(add)
            take_cell(self)

    def _update(self) -> None:
        facts = self.run.facts()
        trouble = self._live.trouble if self._live is not None else None
        text = run_html(facts, note=trouble)
        if text == self._text:
            return
        self._text = text
        self._bar.value = facts.progress
        self._bar.bar_style = _BARS.get(facts.status, "")
        self._bar.layout.display = "none" if is_terminal(facts.status) else None
        self._html.value = text

    def close(self) -> None:
        """Watch it no longer, and take the widget away. The run goes on."""
        if self._live is not None:
            _forget(self.run._face, self.run._tracked.core.live, self._live)
        close_tree(self.box)

    def __repr__(self) -> str:
        return run_text(self.run.facts())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        facts = self.run.facts()
        bundle = {"text/plain": run_text(facts), "text/html": run_html(facts)}
        return {**(self.box._repr_mimebundle_() or {}), **bundle}


def _forget(face: Any, runs: Any, live: LiveView) -> None:
    if live.done:
        return

    async def remove() -> None:
        runs.remove(live)

    face.start(remove)
