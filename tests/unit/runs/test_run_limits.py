"""A server that limits requests is waited for, and whoever looks at a run sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import comfynb
from comfynb.rules.health import HealthFacts, judge
from comfynb.sandbox import Sandbox

ASKED = "as the server asked (429)"


def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_whoever_looks_at_a_run_sees_that_the_server_is_waited_for(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The card, the view and the workspace say so while it lasts, and no more afterwards; the run ends as it would."""
    sandbox.knobs.change(speed=0.0)
    run = ws.submit("text2img", prompt="a fox", seed=7)
    view = run.view()
    sandbox.knobs.change(limit_next=1, retry_after=2)
    waiter = threading.Thread(target=run.wait)
    waiter.start()
    until(lambda: ASKED in repr(run))
    until(lambda: ASKED in view._html.value)
    assert ASKED in repr(ws)
    assert ASKED in ws._repr_mimebundle_()["text/html"]
    sandbox.knobs.change(speed=20.0)
    waiter.join(20.0)
    assert run.status == "success"
    assert ASKED not in repr(run)
    until(lambda: ASKED not in view._html.value)
    assert ws.metrics()["waited_seconds"].sum() > 1.0
    view.close()


def test_a_bar_says_so_first() -> None:
    """What is waited for stands before what the run does, and not behind the end of the line."""
    from comfynb.rules.observing import Observed
    from comfynb.runs.progress import Progress

    said: list[str] = []

    class Bar(Progress):
        def move(self, share: float, words: str, style: str = "") -> None:
            said.append(words)

    Bar().show(Observed(status="running", progress=0.5), f"waiting 12 s, {ASKED}")
    Bar().show(Observed(status="success", progress=1.0), f"waiting 12 s, {ASKED}")
    assert said == [f"waiting 12 s, {ASKED}; running (50%)", "finished"]


def test_health_warns_of_it() -> None:
    """Requests that wait are nothing bad, and nothing to overlook."""
    facts = HealthFacts("https://host", status=200, is_api=True, calls=50, waiting=f"waiting 12 s, {ASKED}")
    found = {each.check: each for each in judge(facts)}["requests"]
    assert (found.state, found.seen) == ("warn", f"none of the last 50 failed; waiting 12 s, {ASKED}")


def test_many_runs_at_a_low_rate_all_end(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Twenty runs that are waited for at once, at forty requests a second: none is lost, and the rate is kept."""
    import asyncio

    calm = comfynb.connect(sandbox.url, sandbox.api_key, journal=False, max_rate=40.0)

    async def main() -> list[str]:
        async with calm.aio as aio:
            runs = await asyncio.gather(*(aio.run("text2img", prompt="a fox", seed=n + 1) for n in range(20)))
            return [run.status for run in runs]

    begun = time.monotonic()
    assert asyncio.run(main()) == ["success"] * 20
    took = time.monotonic() - begun
    assert calm.metrics()["calls"].sum() <= took * 40 + 1
    assert len(ws.runs("text2img")) == 20
