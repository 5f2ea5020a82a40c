"""Showing how a run, or a file, goes on while somebody waits: a bar in a notebook, a bar in a terminal, or nothing."""

from __future__ import annotations

import sys
from html import escape
from typing import Any, Final, Self

from comfynb.rules.observing import Observed
from comfynb.rules.text import tidy

_STYLES: Final = {"success": "success", "failed": "danger", "timeout": "danger", "cancelled": "warning"}


class Progress:
    """A display of one wait; this one shows nothing, which fits output that goes to a file, or a test."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def move(self, share: float, words: str, style: str = "") -> None:
        """Show how far it has come. Called on the I/O thread.

        Parameters
        ----------
        share : float
            0 to 1.
        words : str
            What is done.
        style : str
            That of a bar of ipywidgets: "success", "danger", "warning" or none.
        """

    def show(self, seen: Observed, waiting: str | None = None) -> None:
        """Show what is known of a run now, and what looks at it wait for."""
        share = "" if seen.ended else f" ({seen.progress:.0%})"
        words = f"{tidy(seen.stage, 80)}{share}"
        if waiting and not seen.ended:
            words = f"{waiting}; {words}"
        self.move(seen.progress, words, _STYLES.get(seen.status, ""))


class Terminal(Progress):
    """A bar on standard error."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[stage]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(tidy(title, 40), total=1.0, stage="waiting")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def move(self, share: float, words: str, style: str = "") -> None:  # noqa: ARG002 - a terminal's bar has one
        """Move the bar."""
        self._bar.update(self._task, completed=share, stage=tidy(words, 72))


class Notebook(Progress):
    """A bar below the cell. Only traits are set, which any thread may do."""

    def __init__(self, title: str, what: str = "") -> None:
        import ipywidgets as widgets

        self._title = tidy(title, 40)
        self._what = what or f"the progress of a run of {self._title}"
        self._bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="240px"))
        self._label = widgets.HTML(f"{escape(self._title)}: waiting")
        self._box = widgets.HBox([self._bar, self._label])

    def __enter__(self) -> Self:
        from IPython.display import display

        # Where widgets do not work, a page says what stood here.
        bundle = dict(self._box._repr_mimebundle_())
        bundle["text/plain"] = f"({self._what})"
        display(bundle, raw=True)  # type: ignore[no-untyped-call]
        return self

    def move(self, share: float, words: str, style: str = "") -> None:
        """Move the bar, and say what is done."""
        self._bar.value = share
        self._bar.bar_style = style
        self._label.value = f"{escape(self._title)}: {escape(tidy(words, 160))}"


def progress_for(title: str, wanted: bool | None = None, *, what: str = "") -> Progress:
    """Return the display that fits where this runs.

    Parameters
    ----------
    title : str
        What is waited for.
    wanted : bool, optional
        False shows nothing; None decides by whether somebody can see it.
    what : str
        What stands where widgets do not work; the progress of a run by default.
    """
    if wanted is False:
        return Progress()
    if in_kernel():
        return Notebook(title, what)
    if sys.stderr is not None and sys.stderr.isatty():
        return Terminal(title)
    return Progress()


def in_kernel() -> bool:
    """Whether this runs in the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None
