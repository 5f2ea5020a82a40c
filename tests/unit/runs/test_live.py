"""Many runs that somebody looks at are watched by one task with few requests."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import comfynb
from comfynb.runs import live
from comfynb.runs.live import LiveView
from comfynb.sandbox import Sandbox


def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


class Watched:
    """Runs that are watched, and how often each was told."""

    def __init__(self, ws: comfynb.Workspace) -> None:
        self.ws = ws
        self.live = ws._core.live
        self.told: dict[str, int] = {}
        self.views: list[LiveView] = []

    def watch(self, run: comfynb.Run) -> LiveView:
        """Watch a run."""

        def changed() -> None:
            self.told[run.id] = self.told.get(run.id, 0) + 1

        view = LiveView(run._tracked, changed)
        self.views.append(view)
        self._do(lambda: self.live.add(view))
        return view

    def close(self, view: LiveView) -> None:
        """Watch it no longer."""
        self._do(lambda: self.live.remove(view))

    def _do(self, what: Callable[[], object]) -> None:
        async def there() -> None:
            what()

        self.ws._face.call(there)


@pytest.fixture
def watched(ws: comfynb.Workspace) -> Iterator[Watched]:
    """Watch runs of a workspace."""
    watched = Watched(ws)
    yield watched
    for view in watched.views:
        watched.close(view)


def test_a_run_is_watched_to_its_end_and_no_longer(watched: Watched, sandbox: Sandbox) -> None:
    """With its outputs; nothing is asked after that."""
    sandbox.knobs.change(speed=20.0)
    run = watched.ws.submit("text2img", prompt="a fox", seed=1)
    watched.watch(run)
    until(lambda: run.ended)
    until(lambda: bool(run.outputs))
    assert run.status == "success"
    until(lambda: len(watched.live) == 0)
    asked = sandbox.counters.of("GET ")
    time.sleep(1.2)
    assert sandbox.counters.of("GET ") == asked


def test_a_failed_run_brings_the_message_of_its_node(watched: Watched, sandbox: Sandbox) -> None:
    """Without being asked for."""
    run = watched.ws.submit("poster print (BROKEN)")
    watched.watch(run)
    until(lambda: run.error is not None)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.node_class


def test_a_hundred_views_of_one_workflow_cost_two_requests_a_second(watched: Watched, sandbox: Sandbox) -> None:
    """And every status is told within about a second all the same."""
    sandbox.knobs.change(speed=0.0)
    runs = [watched.ws.submit("text2img", seed=number + 1) for number in range(100)]
    for run in runs:
        watched.watch(run)
    asked, begun = sandbox.counters.of("GET "), time.monotonic()
    time.sleep(4.0)
    assert (sandbox.counters.of("GET ") - asked) / (time.monotonic() - begun) <= 2.2
    sandbox.advance(600)
    until(lambda: all(run.ended for run in runs), 6.0)
    assert len(watched.live) > 0


def test_a_view_that_is_closed_is_not_asked_for(watched: Watched, sandbox: Sandbox) -> None:
    """The run goes on."""
    sandbox.knobs.change(speed=0.0)
    run = watched.ws.submit("text2img", seed=1)
    view = watched.watch(run)
    until(lambda: run.id in watched.told)
    watched.close(view)
    asked = sandbox.counters.of("GET ")
    time.sleep(1.2)
    assert sandbox.counters.of("GET ") == asked
    assert not run.ended


def test_trouble_is_told_and_passes(watched: Watched, sandbox: Sandbox) -> None:
    """A server that is away for a while does not end the watch."""
    sandbox.knobs.change(speed=0.0)
    run = watched.ws.submit("text2img", seed=1)
    sandbox.knobs.change(fail_next=3, fail_status=500)
    view = watched.watch(run)
    until(lambda: view.trouble is not None)
    assert "could not be looked at just now" in str(view.trouble)
    until(lambda: view.trouble is None)
    sandbox.advance(600)
    until(lambda: run.ended)


def test_a_server_that_is_away_for_long_ends_no_view(
    watched: Watched, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it does not answer, all views go on by themselves when it does; also those that a list tells of."""
    monkeypatch.setattr(live, "TICK", 0.02)
    monkeypatch.setattr(live, "AWAY_TICK", 0.05)
    sandbox.knobs.change(speed=0.0)
    runs = [watched.ws.submit("text2img", seed=1 + number) for number in range(live.IN_FOCUS + 3)]
    views = [watched.watch(run) for run in runs]
    until(lambda: all(run.id in watched.told for run in runs))
    asked = sandbox.counters.total
    sandbox.knobs.change(error_rate=1.0, fail_status=500)
    until(lambda: sandbox.counters.total > asked + 60)
    assert all(view.trouble and not view.done for view in views)
    sandbox.knobs.change(error_rate=0.0)
    until(lambda: not any(view.trouble for view in views))
    sandbox.advance(3600)
    until(lambda: all(run.ended for run in runs))


def test_a_fault_of_ours_ends_the_views_that_it_is_about_and_no_others(
    watched: Watched, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """It is logged, and they say that they are watched no longer."""
    sandbox.knobs.change(speed=0.0)
    grouped = [watched.watch(watched.ws.submit("text2img", seed=number)) for number in (1, 2)]
    other = watched.ws.submit("img2vid - wan 2.1")
    watched.watch(other)
    client = watched.ws.comfyui_service.client

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(client, "workflow_runs_v2", broken)
    until(lambda: all(view.done for view in grouped))
    assert all("a fault of ours" in str(view.trouble) for view in grouped)
    assert "failed" in caplog.text
    sandbox.advance(3600)
    until(lambda: other.ended)


def test_views_that_come_and_go_are_not_held(watched: Watched, sandbox: Sandbox) -> None:
    """Whether they were looked at or not."""
    sandbox.knobs.change(speed=0.0)
    run = watched.ws.submit("text2img", seed=1)
    gone = []

    def come_and_go() -> None:
        for _ in range(100):
            view = LiveView(run._tracked, lambda: None)
            watched.live.add(view)
            watched.live.remove(view)
            gone.append(weakref.ref(view))

    watched._do(come_and_go)
    gc.collect()
    assert [each() for each in gone] == [None] * 100


def test_a_run_that_is_not_there_is_given_up(watched: Watched, sandbox: Sandbox) -> None:
    """With words; nothing is asked for ever."""
    sandbox.knobs.change(speed=0.0)
    run = watched.ws.submit("text2img", seed=1)
    view = watched.watch(run)
    until(lambda: run.id in watched.told)
    world = sandbox.world
    del world.runs[run.id]
    world.live.clear()
    until(lambda: view.done)
    assert "watched no longer" in str(view.trouble)


def test_a_view_that_fails_does_not_end_the_others(watched: Watched, caplog: Any) -> None:
    """It is logged."""
    first, second = (watched.ws.submit("text2img", seed=number) for number in (1, 2))

    def broken() -> None:
        raise ValueError("a fault of a display")

    view = LiveView(first._tracked, broken)
    watched.views.append(view)
    watched._do(lambda: watched.live.add(view))
    watched.watch(second)
    until(lambda: first.ended and second.ended)
    assert "a fault of a display" in caplog.text


def test_a_run_older_than_the_list_is_looked_at_by_itself(
    watched: Watched, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list has the newest runs only."""
    from comfynb.runs import live

    monkeypatch.setattr(live, "_LISTED", 2)
    sandbox.knobs.change(speed=0.0)
    runs = [watched.ws.submit("text2img", seed=number + 1) for number in range(8)]
    for run in runs:
        watched.watch(run)
    sandbox.advance(600)
    until(lambda: all(run.ended for run in runs))


def test_a_workspace_that_is_closed_watches_nothing_any_more(sandbox: Sandbox) -> None:
    """No poller stays behind that would open its connections again; the view says so."""
    sandbox.knobs.speed = 0
    with comfynb.connect(sandbox=sandbox) as ws:
        view = ws.submit("text2img").view()
        until(lambda: len(ws._core.live) == 1)
    assert len(ws._core.live) == 0
    assert "the workspace was closed" in view._html.value
    seen = sandbox.counters.total
    time.sleep(0.7)
    assert sandbox.counters.total == seen
