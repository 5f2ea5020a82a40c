"""The panel over a watch of health: what it shows, when it stops, and that nothing hostile is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import comfynb
from comfynb.core.health_watch import HealthWatch
from comfynb.sandbox import Sandbox
from comfynb.widgets import cells


@pytest.fixture
def ws(sandbox: Sandbox) -> Iterator[comfynb.Workspace]:
    """Connect to the sandbox."""
    with comfynb.connect(sandbox=sandbox) as ws:
        yield ws


@pytest.fixture
def watch(ws: comfynb.Workspace) -> Iterator[HealthWatch]:
    """Watch it, looking when a test says so."""
    with ws.watch_health(every=3600, config={"alerts": {"after": 1, "over": 1}}) as watch:
        yield watch


def test_each_look_shows_by_itself(watch: HealthWatch, sandbox: Sandbox) -> None:
    """The widget and its twins say the same; from the look's own thread only a trait is set."""
    view = watch.view()
    assert "serverless-h100" in view.box.value
    sandbox.knobs.change(fail_next=1, fail_status=503, faults_on="GET /api/machines")
    watch.look()
    assert "answers 503" in view.box.value
    bundle = view._repr_mimebundle_()
    assert "answers 503" in bundle["text/plain"]
    assert bundle["text/html"] == view.box.value
    watch.stop()
    assert "no longer" in view.box.value
    view.close()


def test_closing_it_stops_no_watch(watch: HealthWatch) -> None:
    """And it is not told of looks any more."""
    view = watch.view()
    view.close()
    view.close()
    assert watch.listeners == []
    assert watch.running
    watch.look()


def test_running_a_cell_again_closes_what_it_showed(watch: HealthWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each execution would leave a panel that goes on."""
    execution = ["1"]
    monkeypatch.setattr(cells, "this_cell", lambda: cells.Cell("a-cell", execution[0]))
    first = watch.view()
    execution[0] = "2"
    second = watch.view()
    assert (first.box.comm, len(watch.listeners)) == (None, 1)
    second.close()


def test_names_of_machines_are_text(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """They come from other people."""
    machine: Any = sandbox.world.machine_named("office-box")
    machine.name = "<img src=x onerror=alert(1)>\x1b[31m"
    with ws.watch_health(every=3600) as watch:
        view = watch.view()
        assert "<img" not in view.box.value
        assert "&lt;img" in view.box.value
        assert "\x1b" not in repr(view)
        view.close()
