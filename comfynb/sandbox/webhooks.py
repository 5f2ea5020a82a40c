"""Tells the webhooks of runs what happens, as the real server does: unsigned, and with three tries."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from comfynb.rules.status import is_terminal
from comfynb.sandbox import run_views
from comfynb.sandbox.http import encode
from comfynb.sandbox.plan import State
from comfynb.sandbox.signing import signed
from comfynb.sandbox.world.run import Run
from comfynb.sandbox.world.world import World

__all__ = ["Webhooks"]

WAITS = (0.5, 1.0)
"""Seconds between the tries, before they are divided by the speed."""
TIMEOUT = 20.0
LOOK = 0.02
"""Real seconds between two looks at the machines' pace."""


class Webhooks:
    """Follows runs that have a webhook, and posts each change.

    Parameters
    ----------
    world : World
        Whose runs they are.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: dict[str, int] = {}
        """Up to which of its states a run was followed."""
        self._followed: set[str] = set()

    def follow(self, run: Run) -> None:
        """Post the changes of a run that were not posted yet. Must be called in the server's event loop."""
        if run.id not in self._followed:
            self._followed.add(run.id)
            self._start(self._follow(run))

    async def settle(self) -> None:
        """Wait until nothing is left to post."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, run: Run) -> None:
        told = self._told.get(run.id, 0)
        while True:
            index = run.index(self._world.pace.now())
            while told < index:
                told += 1
                self._told[run.id] = told
                # Each delivery is a task of its own, so that a slow one is overtaken.
                for body in self._bodies(run, run.plan.states[told], run.plan.states[told - 1]):
                    self._start(self._deliver(str(run.webhook), body))
            if run.settled:
                self._followed.discard(run.id)
                return
            await asyncio.sleep(LOOK)

    def _outputs(self, run: Run, state: State) -> list[Any]:
        outputs: list[Any] = signed(self._world, run_views.webhook_outputs(run, state))
        return outputs

    def _bodies(self, run: Run, state: State, before: State) -> Iterator[dict[str, Any]]:
        if state.event in {"marked", "times"}:
            return
        body = {
            "event_type": "run.updated",
            "status": state.status,
            "live_status": state.live_status,
            "progress": state.progress,
            "run_id": run.id,
            "outputs": self._outputs(run, state) if is_terminal(state.status) else [],
        }
        if state.event == "output":
            if "run.output" in _targets(run):
                new = self._outputs(run, state)[before.outputs :]
                yield {**body, "event_type": "run.output", "outputs": new}
            return
        if state.event == "progress":
            if not run.webhook_intermediate_status:
                return
            body["progress"] = round(state.progress, 2)
        yield body
        if is_terminal(state.status) and self._world.knobs.repeat_webhooks:
            yield body

    async def _deliver(self, url: str, body: dict[str, Any]) -> None:
        import httpx

        knobs, counters = self._world.knobs, self._world.counters
        if knobs.take("lose_webhooks_next"):
            counters.webhooks_lost += 1
            counters.faults["lose_webhooks_next"] += 1
            return
        headers = {"content-type": "application/json", "user-agent": "Python/3.12 aiohttp/3.12.15"}
        async with httpx.AsyncClient(
            timeout=TIMEOUT, follow_redirects=True, trust_env=False, verify=_certificates()
        ) as client:
            for wait in (*WAITS, None):
                counters.webhooks_sent += 1
                try:
                    reply = await client.post(url, content=encode(body), headers=headers)
                    if reply.status_code < 400:
                        return
                except (httpx.HTTPError, httpx.InvalidURL):
                    pass
                if wait is not None:
                    await asyncio.sleep(wait / max(1.0, knobs.speed))
        counters.webhooks_lost += 1


@cache
def _certificates() -> ssl.SSLContext:
    # Made once: it takes longer than the delivery.
    return ssl.create_default_context()


def _targets(run: Run) -> list[str]:
    try:
        query = urlsplit(run.webhook or "").query
    except ValueError:
        return []
    return [target for text in parse_qs(query).get("target_events", []) for target in text.split(",")]
