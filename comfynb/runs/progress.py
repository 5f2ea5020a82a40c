"""Showing how a run goes on while somebody waits for it: a bar in a notebook, a bar in a terminal, or nothing."""

from __future__ import annotations

import sys
from html import escape
from types import TracebackType
from typing import Any, Protocol

from comfynb.rules.observing import Observed
from comfynb.rules.text import tidy


class Progress(Protocol):
    """A display of one wait."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, seen: Observed) -> None:
        """Show what is known now. Called on the I/O thread."""


class Silent:
    """Shows nothing: output that goes to a file, or a test."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, seen: Observed) -> None:
        """Show nothing."""


class Terminal:
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

    def __enter__(self) -> Terminal:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, seen: Observed) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=seen.progress, stage=tidy(seen.stage, 40))


class Notebook:
    """A bar below the cell. Only traits are set, which any thread may do."""

    def __init__(self, title: str) -> None:
        import ipywidgets as widgets

        self._title = tidy(title, 40)
        self._bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="240px"))
        self._label = widgets.HTML(f"{escape(self._title)}: waiting")
        self._box = widgets.HBox([self._bar, self._label])

    def __enter__(self) -> Notebook:
        from IPython.display import display

        # Where widgets do not work, a page says what stood here.
        bundle = dict(self._box._repr_mimebundle_())
        bundle["text/plain"] = f"(the progress of a run of {self._title})"
        display(bundle, raw=True)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, seen: Observed) -> None:
        """Move the bar, and say what the run does."""
        self._bar.value = seen.progress
        self._bar.bar_style = {
            "success": "success",
            "failed": "danger",
            "timeout": "danger",
            "cancelled": "warning",
        }.get(seen.status, "")
        share = "" if seen.ended else f" ({seen.progress:.0%})"
        self._label.value = f"{escape(self._title)}: {escape(tidy(seen.stage, 80))}{share}"


def progress_for(title: str, wanted: bool | None = None) -> Progress:
    """Return the display that fits where this runs.

    Parameters
    ----------
    title : str
        What is waited for.
    wanted : bool, optional
        False shows nothing; None decides by whether somebody can see it.
    """
    if wanted is False:
        return Silent()
    if in_kernel():
        return Notebook(title)
    if sys.stderr is not None and sys.stderr.isatty():
        return Terminal(title)
    return Silent()


def in_kernel() -> bool:
    """Whether this runs in the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None
