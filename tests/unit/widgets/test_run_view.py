"""A run as it goes on: what it shows, when it stops, and that nothing hostile is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.widgets import cells
from comfynb.widgets.run_view import RunView


def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


@pytest.fixture
def ws(sandbox: Sandbox) -> Any:
    """Connect to the sandbox."""
    with comfynb.connect(sandbox=sandbox) as ws:
        yield ws


def test_it_goes_on_by_itself_and_never_back(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Status, bar and picture, without a call; a server whose word steps back changes nothing."""
    sandbox.knobs.change(speed=4.0, step_back=True)
    run = ws.submit("text2img", prompt="a fox", seed=1)
    view = RunView(run)
    seen: list[float] = [view._bar.value]
    shown: set[str] = set()

    def look() -> bool:
        seen.append(view._bar.value)
        shown.add(repr(view).splitlines()[0])
        return "<img " in view._html.value

    until(look)
    assert seen == sorted(seen)
    assert len({value for value in seen if 0 < value < 1}) >= 1
    assert len(shown) >= 3
    assert "finished" in repr(view)
    assert view._bar.layout.display == "none"
    view.close()


def test_a_failed_run_shows_its_node_and_what_it_said(ws: comfynb.Workspace) -> None:
    """Never an empty "failed"."""
    run = ws.submit("poster print (BROKEN)")
    view = RunView(run)
    until(lambda: run.error is not None)
    until(lambda: "node" in view._html.value)
    assert run.error is not None
    assert run.error.message[:20] in repr(view)
    view.close()


def test_queue_cold_start_running_and_cost_are_told(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """As far as the server tells them."""
    run = ws.run("MAKEIMAGE", {"PROMPT": "a fox", "seed": 3})
    words = " ".join(repr(RunView(run)).split())
    assert "cold start" in words
    assert "running" in words
    assert "cost about $0." in words


def test_closing_ends_the_watch(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """And takes the widgets away."""
    sandbox.knobs.change(speed=0.0)
    view = RunView(ws.submit("text2img", seed=1))
    until(lambda: len(ws._core.live) == 1)
    view.close()
    until(lambda: len(ws._core.live) == 0)
    assert view.box.comm is None


def test_running_a_cell_again_ends_what_it_showed(
    ws: comfynb.Workspace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two views of one execution stay side by side."""
    sandbox.knobs.change(speed=0.0)
    execution = ["1"]
    monkeypatch.setattr(cells, "this_cell", lambda: cells.Cell("a-cell", execution[0]))
    run = ws.submit("text2img", seed=1)
    first, second = RunView(run), RunView(run)
    until(lambda: len(ws._core.live) == 2)
    execution[0] = "2"
    third = RunView(run)
    until(lambda: len(ws._core.live) == 1)
    assert (first.box.comm, second.box.comm) == (None, None)
    assert third.box.comm is not None
    third.close()


def test_many_views_leave_nothing_behind(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Neither threads nor widgets nor a poller."""
    from ipywidgets.widgets import widget

    sandbox.knobs.change(speed=0.0)
    run = ws.submit("text2img", seed=1)
    RunView(run).close()
    threads, widgets = threading.active_count(), len(widget._instances)
    for _ in range(200):
        RunView(run).close()
    until(lambda: len(ws._core.live) == 0)
    assert threading.active_count() <= threads
    assert len(widget._instances) <= widgets


def test_hostile_words_are_text(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Prompts and messages come from other people."""
    run = ws.run("text2img", prompt="<img src=x onerror=alert(1)>\x1b[31m", seed=1)
    view = RunView(run)
    assert "<img src=x" not in view._html.value
    assert "\x1b" not in view._html.value + repr(view)
    view.close()


def test_a_run_that_goes_on_is_displayed_as_a_view_in_a_notebook(
    ws: comfynb.Workspace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its twins; elsewhere, and when it has ended, as what is known."""
    from comfynb.runs import run as module

    sandbox.knobs.change(speed=0.0)
    run = ws.submit("text2img", seed=1)
    plain = {"text/plain", "text/html"}
    assert set(run._repr_mimebundle_()) == plain
    monkeypatch.setattr(module, "in_kernel", lambda: True)
    assert set(run._repr_mimebundle_()) == plain | {"application/vnd.jupyter.widget-view+json"}
    sandbox.advance(600)
    until(lambda: run.ended)
    assert set(run._repr_mimebundle_()) == plain
