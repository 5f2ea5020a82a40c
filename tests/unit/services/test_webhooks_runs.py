"""What webhooks do to runs: they are looked at sooner, and nothing else."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from worlds import begin_anew

import comfynb
from comfynb.core.listener import Listener
from comfynb.runs.live import LiveView
from comfynb.sandbox import Sandbox
from comfynb.services import events, watching
from comfynb.services.events import RunEvents
from comfynb.warnings import WebhookWarning

LOOK = "GET /run/{run_id}"
"""How the sandbox counts them."""


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """Return a sandbox without a past, whose building would take most of the time of a test."""
    return begin_anew(_server, history=0)


@pytest.fixture
def ws(sandbox: Sandbox) -> Iterator[comfynb.Workspace]:
    """Connect, and look at runs as seldom as it is for users."""
    with comfynb.connect(sandbox=sandbox) as workspace:
        yield workspace


@pytest.fixture
def listener(ws: comfynb.Workspace) -> Listener:
    """Listen for them."""
    return ws.listen()


def until(done: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def tell(listener: Listener, run_id: str, status: str = "success", **more: Any) -> None:
    """Post an event that nobody sent."""
    event = {"event_type": "run.updated", "status": status, "run_id": run_id, "outputs": [], **more}
    assert httpx.post(listener.address, json=event).status_code == 204


# What is sent


def test_the_address_of_the_receiver_is_sent_with_a_run(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener
) -> None:
    """With the wish to hear of each node; a URL that is given is sent as it is, and None sends none."""
    for asked, sent, each in ((True, listener.address, True), ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x", False)):
        run = sandbox.world.runs[ws.submit("text2img", webhook=asked).id]
        assert (run.webhook, run.webhook_intermediate_status) == (sent, each)
    for silent in (None, False):
        assert sandbox.world.runs[ws.submit("text2img", webhook=silent).id].webhook is None


def test_where_the_receiver_stands_for_the_webhook_of_the_connection_it_is_called(sandbox: Sandbox) -> None:
    """Its bare address would be found by nobody. With an address of its own, the connection's stays."""
    with comfynb.connect(sandbox=sandbox, webhook="http://127.0.0.1:9/a") as ws:
        listener = ws.listen()
        assert ws.prepare("text2img").webhook == listener.address
        assert ws.prepare("text2img", webhook=False).webhook is None
        listener = ws.listen(public_url="http://127.0.0.1:9/b")
        assert ws.prepare("text2img").webhook == "http://127.0.0.1:9/a"
        assert ws.prepare("text2img", webhook=True).webhook == listener.address
        listener.close()
        assert ws.prepare("text2img", webhook=True).webhook == "http://127.0.0.1:9/a"


def test_a_rerun_is_told_of_to_whoever_listens_then(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The address of a receiver that is closed is of no use."""
    first = ws.listen()
    run = ws.run("text2img", seed=1, webhook=True, progress=False)
    first.close()
    assert sandbox.world.runs[run.rerun().id].webhook is None
    second = ws.listen()
    assert sandbox.world.runs[run.rerun().id].webhook == second.address


# Sooner


def test_the_end_of_a_run_is_seen_when_it_is_told_and_not_at_the_next_look(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait that looks every minute ends within a second of the event."""
    monkeypatch.setattr(watching, "SHORTEST", 60.0)
    monkeypatch.setattr(watching, "LONGEST", 60.0)
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", seed=1, webhook=True)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run.wait, 50, progress=False)
        until(lambda: run.model is not None)
        begun = time.monotonic()
        sandbox.advance(600)
        assert waiting.result(20).status == "success"
    assert time.monotonic() - begun < 2.0


def test_without_a_receiver_the_same_wait_does_not_end(
    ws: comfynb.Workspace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it was the event that ended it."""
    monkeypatch.setattr(watching, "SHORTEST", 60.0)
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", seed=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run.wait, 2, progress=False)
        until(lambda: run.model is not None)
        sandbox.advance(600)
        with pytest.raises(comfynb.WaitTimeout):
            waiting.result(20)


def test_a_view_looks_as_soon_as_an_event_comes(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that has become quiet."""
    from comfynb.runs import live

    monkeypatch.setattr(live, "LONGEST_TICK", 60.0)
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", seed=1, webhook=True)
    view = LiveView(run._tracked, lambda: None)

    async def add() -> None:
        ws._core.live.add(view)
        ws._core.live._quiet = 60.0

    ws._face.call(add)
    until(lambda: run.model is not None)
    time.sleep(0.6)
    begun = time.monotonic()
    sandbox.advance(600)
    until(lambda: run.ended)
    assert time.monotonic() - begun < 2.0
    until(lambda: len(ws._core.live) == 0)
    assert ws._core.comfyui.events._watchers == {}


def test_a_run_of_somebody_else_is_looked_at_sooner_while_it_is_waited_for(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handle was made from its id."""
    monkeypatch.setattr(watching, "SHORTEST", 60.0)
    sandbox.knobs.speed = 0
    run = ws.get_run(ws.submit("text2img", seed=1).id)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run.wait, 50, progress=False)
        until(lambda: run.id in ws._core.comfyui.events._watchers)
        sandbox.advance(600)
        time.sleep(0.3)
        tell(listener, run.id)
        assert waiting.result(20).status == "success"


# And nothing else


@pytest.mark.parametrize("status", ["success", "failed", "cancelled", "timeout", "brand-new", "", None])
def test_a_forged_event_changes_no_run(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener, status: str | None
) -> None:
    """Whatever it says: how the run stands is what the server says when it is asked."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", seed=1, webhook=True)
    outputs = [{"data": {"images": [{"url": "http://127.0.0.1:9/evil.png", "filename": "evil.png"}]}}]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run.wait, 60, progress=False)
        until(lambda: run.model is not None)
        tell(listener, run.id, status, progress=1.0, outputs=outputs)  # type: ignore[arg-type]
        time.sleep(0.4)
        assert (run.status, run.progress, run.outputs) == ("not-started", 0.0, ())
        assert not waiting.done()
        sandbox.advance(600)
        assert waiting.result(20).status == "success"
    assert [output.filename for output in run.outputs] != ["evil.png"]


def test_late_and_repeated_events_change_nothing_in_any_order(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener
) -> None:
    """Also after the end, and when each is posted twice."""
    sandbox.knobs.repeat_webhooks = True
    run = ws.run("text2img", seed=1, webhook=True, progress=False)
    seen = (run.status, run.progress, len(run.outputs), len(run.timeline))
    for order in itertools.permutations(["running", "failed", "success", "queued"]):
        for status in order:
            tell(listener, run.id, status, progress=0.1)
    run.refresh()
    assert (run.status, run.progress, len(run.outputs), len(run.timeline)) == seen


def test_a_flood_of_events_is_a_few_looks_a_second(ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener) -> None:
    """However many events come of however many runs that are not known here."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", seed=1, webhook=True)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run.wait, 60, progress=False)
        until(lambda: run.model is not None)
        before, begun, posted = sandbox.counters.total, time.monotonic(), 0
        with httpx.Client() as client:
            while time.monotonic() - begun < 2.0:
                for run_id in (run.id, f"stranger-{posted}"):
                    client.post(listener.address, json={"run_id": run_id, "status": "success"})
                posted += 1
        looks = sandbox.counters.total - before
        assert posted > 50
        assert 4 <= looks <= 12
        sandbox.advance(600)
        waiting.result(20)
    assert listener.counts["other"] == posted


def test_looks_are_rarer_while_events_bring_the_news(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change that was told, nothing is asked for a while; after one that was not, it is soon."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", seed=1, webhook=True)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run.wait, 60, progress=False)
        until(lambda: run.model is not None)
        sandbox.advance(0.3)
        until(lambda: run.status == "running")
        time.sleep(0.3)
        before = sandbox.counters.of(LOOK)
        time.sleep(2.0)
        assert sandbox.counters.of(LOOK) - before <= 1
        sandbox.advance(600)
        waiting.result(20)


def test_what_is_remembered_of_strangers_has_an_end() -> None:
    """A flood of events of unknown runs takes no more memory than a thousand."""
    told: list[None] = []
    heard = RunEvents(lambda: told.append(None))
    heard.open(lambda: "http://127.0.0.1:9", None)
    for number in range(20_000):
        assert not heard.heard(f"run-{number}", "success")
        heard.expect(f"ours-{number}")
    assert len(heard._strangers) == 1_000
    assert len(heard._ours) == 10_000
    assert told == []


# When nothing comes


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for seconds for what does not come."""
    monkeypatch.setattr("comfynb.runs.waiting.GRACE", 0.2)


@pytest.mark.meets("lose_webhooks_next")
@pytest.mark.usefixtures("impatient")
def test_where_webhooks_are_lost_runs_are_asked_for_and_it_is_said_once(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener
) -> None:
    """The warning points at the line that waited, and has no token in it."""
    sandbox.knobs.lose_webhooks_next = 10_000
    with pytest.warns(WebhookWarning, match="no webhook of it has come") as told:
        assert ws.run("text2img", seed=1, webhook=True, progress=False).status == "success"
    assert told[0].filename == __file__
    assert listener.address not in str(told[0].message)
    assert f"{listener.url}/hooks/…" in str(told[0].message)
    assert "unheard" in repr(listener)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ws.run("text2img", seed=2, webhook=True, progress=False).status == "success"
        sandbox.knobs.lose_webhooks_next = 0
        assert ws.run("text2img", seed=3, webhook=True, progress=False).status == "success"
        until(lambda: listener.counts["event"] > 0)
        assert "unheard" not in repr(listener)
        sandbox.knobs.lose_webhooks_next = 10_000
        assert ws.run("text2img", seed=4, webhook=True, progress=False).status == "success"
        until(lambda: "unheard" in repr(listener))


@pytest.mark.usefixtures("impatient")
def test_a_receiver_that_the_server_cannot_reach_is_said(ws: comfynb.Workspace) -> None:
    """Its public address leads nowhere."""
    ws.listen(public_url="http://127.0.0.1:9/nowhere")
    with pytest.warns(WebhookWarning, match=r"cannot reach http://127.0.0.1:9/nowhere/hooks/…"):
        assert ws.run("text2img", seed=1, webhook=True, progress=False).status == "success"


def test_an_event_that_is_a_little_late_is_no_lost_one(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener
) -> None:
    """A wait gives it some seconds before it says anything."""
    sandbox.knobs.lose_webhooks_next = 10_000
    with ThreadPoolExecutor(1) as pool, warnings.catch_warnings():
        warnings.simplefilter("error")
        waiting = pool.submit(ws.run, "text2img", seed=1, webhook=True, progress=False)
        until(lambda: ws.last_run is not None and ws.last_run.ended)
        time.sleep(0.2)
        assert not waiting.done()
        tell(listener, str(ws.last_run and ws.last_run.id))
        assert waiting.result(1).status == "success"


def test_an_event_that_comes_before_the_answer_of_the_submit_counts(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server posts as soon as the run is there, and a short run is over by then."""
    sandbox.knobs.lose_webhooks_next = 10_000
    expect = RunEvents.expect
    monkeypatch.setattr(RunEvents, "expect", lambda self, run_id: None)
    run = ws.submit("text2img", seed=1, webhook=True)
    tell(listener, run.id)
    expect(ws._core.comfyui.events, run.id)  # as it is when its answer comes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run.wait(progress=False).status == "success"


@pytest.mark.parametrize("prompt", ["__fail__", "__machine_down__"])
@pytest.mark.usefixtures("impatient")
def test_of_a_run_that_fails_no_event_is_missed(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener, prompt: str
) -> None:
    """The server calls some failed by itself, and tells nobody then."""
    sandbox.knobs.lose_webhooks_next = 10_000
    with warnings.catch_warnings():
        warnings.simplefilter("error", WebhookWarning)
        warnings.simplefilter("ignore", comfynb.warnings.RecoveredSubmitWarning)
        assert ws.run("text2img", prompt=prompt, webhook=True, check=False, progress=False).status == "failed"


@pytest.mark.usefixtures("impatient")
def test_a_receiver_that_is_closed_meanwhile_is_not_missed(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener
) -> None:
    """Whoever closed it knows."""
    sandbox.knobs.lose_webhooks_next = 10_000
    run = ws.submit("text2img", seed=1, webhook=True)
    listener.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run.wait(progress=False).status == "success"


def test_the_timeout_of_a_wait_holds_where_nothing_comes(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener
) -> None:
    """It does not wait longer for an event than it may for the run."""
    sandbox.knobs.lose_webhooks_next = 10_000
    begun = time.monotonic()
    with pytest.warns(WebhookWarning):
        assert ws.run("text2img", seed=1, webhook=True, timeout=1.5, progress=False).status == "success"
    assert time.monotonic() - begun < 2.5


# The cache


def test_what_depends_on_runs_and_machines_is_read_anew_after_an_end(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener
) -> None:
    """Not after an event of a run that is not known, nor after each of many."""
    cache = ws._core.catalogue.cache
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", seed=1, webhook=True)
    ws.machines()
    workflows = cache.peek("workflows")
    tell(listener, "stranger", "success")
    tell(listener, run.id, "running")
    assert cache.peek("machines") is not None
    tell(listener, run.id, "success")
    assert cache.peek("machines") is None
    assert cache.peek("workflows") is workflows
    dropped: list[float] = []
    cache.drop = lambda *tags: dropped.append(time.monotonic()) or 0  # type: ignore[method-assign, func-returns-value]
    begun = time.monotonic()
    for _ in range(50):
        tell(listener, run.id, "success")
    assert len(dropped) <= 1 + (time.monotonic() - begun) / events.DROPS_APART
    until(lambda: len(dropped) >= 1, events.DROPS_APART + 2)


# Two who listen


def test_two_workspaces_hear_of_their_own_runs(sandbox: Sandbox) -> None:
    """And not of those of the other."""
    with comfynb.connect(sandbox=sandbox) as one, comfynb.connect(sandbox=sandbox) as other:
        mine, theirs = one.listen(), other.listen()
        assert one.run("text2img", seed=1, webhook=True, progress=False).status == "success"
        until(lambda: mine.counts["event"] > 0)
        assert sum(theirs.counts.values()) == 0
        assert other.run("text2img", seed=2, webhook=True, progress=False).status == "success"
        until(lambda: theirs.counts["event"] > 0)


def test_webhooks_are_heard_from_async_code_as_well(sandbox: Sandbox) -> None:
    """By the twins of the same methods."""
    import asyncio

    async def main() -> tuple[str, int]:
        async with comfynb.connect(sandbox=sandbox).aio as ws, await ws.listen() as listener:
            run = await ws.run("text2img", seed=1, webhook=True)
            await asyncio.to_thread(until, lambda: listener.counts["event"] > 0)
            return run.status, listener.counts["event"]

    status, heard = asyncio.run(asyncio.wait_for(main(), 20))
    assert (status, heard > 0) == ("success", True)


def test_what_is_noted_late_does_not_undo_what_came_since(
    ws: comfynb.Workspace, sandbox: Sandbox, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of which nothing came makes the receiver unheard only if nothing came of a later one."""
    monkeypatch.setattr("comfynb.runs.waiting.GRACE", 0.6)
    sandbox.knobs.lose_webhooks_next = 10_000
    with pytest.warns(WebhookWarning):
        ws.run("text2img", seed=1, webhook=True, progress=False)
    ws.run("text2img", seed=2, webhook=True, progress=False)  # noted 0.6 s from now
    sandbox.knobs.lose_webhooks_next = 0
    ws.run("text2img", seed=3, webhook=True, progress=False)
    until(lambda: listener.counts["event"] > 0)
    time.sleep(0.8)
    assert "unheard" not in repr(listener)
