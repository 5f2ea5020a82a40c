"""Watching one run by asking for it: often at first and while it changes, seldom while it does not.

Polling is the truth about a run. A look that fails is not a failed run: it is repeated, and only when many fail one
after the other does the watch give up, with the run's handle still good. An event makes it look sooner, and that is
all.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from comfynb.api.models import Run
from comfynb.api.pacing import Pacer, Turn, turn
from comfynb.errors import ApiError, AuthenticationError, NotFoundError, PermissionDeniedError, TransportError
from comfynb.notices import notice
from comfynb.rules.observing import STALL, Observed
from comfynb.rules.status import KNOWN, WAITING
from comfynb.services.events import RunEvents
from comfynb.warnings import UnknownStatusWarning

log = logging.getLogger("comfynb")

SHORTEST = 0.5
LONGEST = 5.0
SOONEST = 0.25
"""Seconds between two looks, however many events come."""
MOST_FAILURES = 10
MOST_MISSED = 4

_unknown_seen: set[str] = set()


class Looks(Protocol):
    """Whoever can tell how a run stands."""

    async def check_status(self, run_id: str, *, queue_position: bool = False) -> Run:
        """Return the run as it is now."""
        ...


class State:
    """What a watch knows: what was seen, the last answer and when it came, and why it cannot go on."""

    def __init__(self) -> None:
        self.looked = time.monotonic()
        self.seen = Observed(changed=self.looked)
        self.run: Run | None = None
        self.failures = 0
        self.fatal: Exception | None = None

    @property
    def ended(self) -> bool:
        """Whether the run has ended, well or not."""
        return self.seen.ended

    def take(self, run: Run) -> bool:
        """Take in an answer; return whether anything changed."""
        self.run, self.failures, self.looked = run, 0, time.monotonic()
        status = run.status
        if status is not None and status not in KNOWN and status not in _unknown_seen:
            _unknown_seen.add(status)
            notice(
                UnknownStatusWarning(
                    f"The server calls the run {run.id} {status!r}, which comfynb does not know; it is taken as not "
                    "ended."
                )
            )
        return self.seen.observe(
            status=status,
            live_status=run.live_status,
            progress=run.progress,
            queue_position=run.queue_position,
            outputs=len(run.outputs or []),
            at=run.updated_at,
            now=self.looked,
        )

    def is_stalled(self, stall: float = STALL) -> bool:
        """Whether nothing had changed for too long when it was last looked at.

        The time since then does not count: nobody looked, or nobody could.
        """
        return self.seen.is_stalled(self.looked, stall)


class Watch:
    """Watches one run while somebody wants to know.

    Parameters
    ----------
    service : ComfyUIService
        Whom to ask.
    run_id : str
        The run.
    state : State, optional
        What is known already.
    events : RunEvents, optional
        Tells of events, at which it looks at once.
    pacer : Pacer, optional
        Tells that requests have to wait, which the listeners are told then.
    """

    def __init__(
        self,
        service: Looks,
        run_id: str,
        state: State | None = None,
        *,
        events: RunEvents | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        self.service = service
        self.run_id = run_id
        self.state = state or State()
        self.listeners: list[Callable[[State], None]] = []
        self._events = events
        self._pacer = pacer
        self._waiters = 0
        self._task: asyncio.Task[None] | None = None
        self._looked: asyncio.Event | None = None

    async def look(self) -> State:
        """Look once."""
        waiting = self.state.seen.status in WAITING
        run = await self.service.check_status(self.run_id, queue_position=waiting)
        self.state.take(run)
        self._wake()
        self._tell()
        return self.state

    async def until(self, done: Callable[[State], bool]) -> State:
        """Watch until `done` says so of what is known; it is asked after each look.

        Raises
        ------
        ApiError, TransportError
            If the run cannot be looked at: it does not exist, the key is refused, or too many looks failed.
        """
        self._waiters += 1
        try:
            while not done(self.state):
                if self.state.ended:
                    break
                looked = self._ensure()
                await looked.wait()
                if self.state.fatal is not None:
                    error, self.state.fatal = self.state.fatal, None
                    raise error
            return self.state
        finally:
            self._waiters -= 1
            if self._waiters == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    def _ensure(self) -> asyncio.Event:
        if self._task is None or self._task.done():
            self.state.failures = 0
            self._looked = asyncio.Event()
            self._task = asyncio.ensure_future(self._poll())
        assert self._looked is not None  # noqa: S101 - made with the task
        return self._looked

    async def _poll(self) -> None:
        turn.set(Turn.LOOK)  # of this task alone
        nudge, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            if not nudge.is_set():
                loop.call_soon_threadsafe(nudge.set)

        unsubscribe = self._events.subscribe(self.run_id, wake) if self._events is not None else None
        if self._pacer is not None:
            self._pacer.listeners.append(self._tell)
        try:
            await self._poll_until_end(nudge)
        finally:
            if self._pacer is not None:
                self._pacer.listeners.remove(self._tell)
            if unsubscribe is not None:
                unsubscribe()

    async def _poll_until_end(self, nudge: asyncio.Event) -> None:
        interval, woken = SHORTEST, False
        while not self.state.ended:
            before = self.state.seen.changed
            nudge.clear()
            try:
                await self.look()
            except Exception as error:
                gives_up = self._gives_up(error)
                self.state.fatal = error if gives_up else None
                self._wake()
                if gives_up:
                    return
            if self.state.seen.changed != before:
                # Where events tell of changes, the next one will, too.
                interval = LONGEST if woken else SHORTEST
            elif not woken:
                interval = min(LONGEST, interval * 1.5)
            woken = await self._rest(interval * random.uniform(0.9, 1.1), nudge)

    async def _rest(self, seconds: float, nudge: asyncio.Event) -> bool:
        """Wait for the next look; return whether an event calls for it before its time."""
        if self._events is None:
            await asyncio.sleep(seconds)
            return False
        await asyncio.sleep(min(SOONEST, seconds))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds - SOONEST)):
                await nudge.wait()
        return nudge.is_set()

    def _gives_up(self, error: Exception) -> bool:
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            return True
        if isinstance(error, NotFoundError):
            # A server of several machines may not know everywhere at once what it has just made.
            self.state.failures += 1
            return self.state.failures >= MOST_MISSED
        if not isinstance(error, ApiError | TransportError):
            return True  # a fault of ours: who waits must hear of it, not wait for ever
        self.state.failures += 1
        return self.state.failures >= MOST_FAILURES

    def _wake(self) -> None:
        looked, self._looked = self._looked, asyncio.Event()
        if looked is not None:
            looked.set()

    def _tell(self) -> None:
        for listener in list(self.listeners):
            try:
                listener(self.state)
            except Exception:  # a display that fails must not end the watch
                log.exception("a display of the run %s failed", self.run_id)
