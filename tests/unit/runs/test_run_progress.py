"""The display of a wait: a bar where somebody can see it, harmless whatever names and machines say."""

from __future__ import annotations

import io
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import comfynb
from comfynb.rules.observing import Observed
from comfynb.runs import progress as module
from comfynb.runs.progress import Notebook, Progress, Terminal, progress_for

HOSTILE = "\x1b]0;title\x07\x1b[31m<script>[red]\u202eevil"


class Screen(io.StringIO):
    """A terminal that remembers what was written to it."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def seen(status: str, **more: Any) -> Observed:
    """Return what was seen of a run."""
    watched = Observed()
    facts: dict[str, Any] = {"live_status": None, "progress": None, "queue_position": None, "outputs": 0}
    watched.observe(status=status, at=None, now=0.0, **{**facts, **more})
    return watched


def test_nothing_is_shown_where_nobody_can_see_it(ws: comfynb.Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    """Output that goes to a file stays clean, on both streams."""
    assert type(progress_for("x")) is Progress
    ws.run("text2img", prompt="x")
    assert capfd.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output is for results."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    display = progress_for("text2img")
    assert isinstance(display, Terminal)
    with display as bar:
        bar.show(seen("running", progress=0.5, live_status="Executing KSampler"))
        bar.show(seen("success"))
    assert "text2img" in screen.getvalue()
    assert "finished" in screen.getvalue()
    assert type(progress_for("text2img", wanted=False)) is Progress


def test_a_terminal_is_safe_from_hostile_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither escape sequences nor the markup of rich are obeyed."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "dumb")
    with Terminal(HOSTILE) as bar:
        bar.show(seen("running", live_status=HOSTILE))
    written = screen.getvalue()
    assert "\x1b]0" not in written
    assert "\x1b[31m" not in written
    assert "\u202e" not in written
    assert "[red]" in written


def test_a_notebook_gets_a_bar_whose_traits_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Escaped, coloured by the end, with a plain twin where widgets do not work."""
    shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr("IPython.display.display", lambda *objects, **options: shown.append((objects[0], options)))
    with Notebook(HOSTILE) as bar:
        bar.show(seen("running", progress=0.5, live_status=HOSTILE))
        assert isinstance(bar, Notebook)
        assert bar._bar.value == 0.5
        assert "<script>" not in bar._label.value
        assert "50%" in bar._label.value
        bar.show(seen("failed", progress=0.5))
        assert (bar._bar.bar_style, bar._bar.value) == ("danger", 0.5)
        bar.show(seen("success"))
        assert (bar._bar.bar_style, bar._bar.value) == ("success", 1.0)
    bundle, options = shown[0]
    assert options == {"raw": True}
    assert bundle["text/plain"].startswith("(the progress of a run of <script>")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_kernel_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that runs, not IPython in a terminal."""
    fake = ModuleType("IPython")
    monkeypatch.setitem(sys.modules, "IPython", fake)
    for shell, is_kernel in ((None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=object()), True)):
        fake.get_ipython = lambda shell=shell: shell  # type: ignore[attr-defined]
        assert module.in_kernel() is is_kernel
