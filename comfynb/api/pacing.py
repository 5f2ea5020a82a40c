"""Whose turn it is: a budget of requests for a connection, in which submits go first and looks at runs last.

A connection has one `Pacer`, which all its event loops and threads share. It keeps a rate if one was asked for, and the
wait that a server asks for with ``Retry-After`` is one for all requests, since they are limited together. How many
requests are under way at once is counted for each event loop: one that stands still must not hold up the others.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

log = logging.getLogger("comfynb")

LONGEST_PAUSE: Final = 60.0
"""Seconds; a server that asks for a longer wait is asked again after these."""
LONGEST_REST: Final = 30.0
"""Seconds that looks at runs are held back at most after a 429 that says no time; twice the last, from 1 s on."""
_RECHECK: Final = 1.0
_WORTH_TELLING: Final = 1.0


class Turn(IntEnum):
    """In which order requests go."""

    SUBMIT = 0
    CALL = 1
    LOOK = 2
    """A look at a run that is waited for: it can come later, and is repeated anyway."""


turn: ContextVar[Turn] = ContextVar("comfynb_turn", default=Turn.CALL)
"""The turn of the requests of the task that is under way; that of a submit itself is `Turn.SUBMIT` in any case."""


@contextmanager
def as_turn(its: Turn) -> Iterator[None]:
    """Let the requests inside have that turn."""
    token = turn.set(its)
    try:
        yield
    finally:
        turn.reset(token)


@dataclass(slots=True)
class Slots:
    """How many more requests of a kind may be under way on one event loop."""

    free: int


@dataclass(slots=True, eq=False)
class _Waiter:
    order: tuple[int, int]
    slots: Slots
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    wakes: float = -math.inf
    granted: bool = False

    def wake(self) -> None:
        with suppress(RuntimeError):  # its loop has been closed: nobody waits there
            self.loop.call_soon_threadsafe(self.woken.set)


class Pacer:
    """Gives turns to the requests of one connection.

    Parameters
    ----------
    max_rate : float, optional
        Requests a second, evenly spaced; None for no limit of ours.

    Attributes
    ----------
    listeners : list of callable
        Called when a wait begins that the server asked for, on whatever thread; they must be quick.

    Examples
    --------
    >>> import asyncio
    >>> pacer, slots = Pacer(max_rate=20), Slots(8)
    >>> async def three():
    ...     return [round(await pacer.take(Turn.CALL, slots), 2) for _ in range(3)]
    >>> first, *_, last = asyncio.run(three())
    >>> first == 0 and last > 0
    True
    """

    def __init__(self, max_rate: float | None = None) -> None:
        self.max_rate = max_rate
        self.listeners: list[Callable[[], None]] = []
        self._gap = 1.0 / max_rate if max_rate else 0.0
        self._lock = threading.Lock()
        self._waiting: list[_Waiter] = []
        self._arrived = 0
        self._next = -math.inf
        self._paused = -math.inf
        self._asked_by = 0
        self._resting = -math.inf
        self._rest = 0.0

    @property
    def queued(self) -> int:
        """How many requests wait for their turn."""
        return len(self._waiting)

    def describe(self) -> str | None:
        """Return what requests wait for, in words that end a sentence; None if they need not wait."""
        now = time.monotonic()
        queued = f" ({self.queued} requests wait)" if self.queued > 1 else ""
        if self._paused > now:
            return f"waiting {_whole(self._paused - now)} s, as the server asked ({self._asked_by}){queued}"
        if self._resting > now:
            return f"looking again in {_whole(self._resting - now)} s, since the server limits requests (429){queued}"
        if self.queued and self.max_rate and self._next - now + self.queued * self._gap >= _WORTH_TELLING:
            return f"{self.queued} requests wait their turn (max_rate={self.max_rate:g})"
        return None

    def ahead(self, its: Turn) -> float:
        """Return about how many seconds a request that comes now waits for its turn."""
        with self._lock:
            before = sum(each.order[0] <= its for each in self._waiting)
            return max(0.0, self._opens(its) - time.monotonic()) + before * self._gap

    async def take(self, its: Turn, slots: Slots) -> float:
        """Wait for a turn, and return the seconds that it took. Whoever has one gives it back with `give_back`."""
        with self._lock:
            if not self._waiting and slots.free and self._opens(its) <= time.monotonic():
                self._let_go(slots)
                return 0.0
            self._arrived += 1
            mine = _Waiter((its, self._arrived), slots, asyncio.get_running_loop())
            insort(self._waiting, mine, key=lambda each: each.order)
            self._grant()
        begun = time.monotonic()
        try:
            while not mine.granted:
                pause = self._until(mine)
                if pause is not None:
                    try:
                        async with asyncio.timeout(pause):
                            await mine.woken.wait()
                    except TimeoutError:
                        with self._lock:
                            self._grant()
                    mine.woken.clear()
        except BaseException:
            with self._lock:
                if mine.granted:
                    slots.free += 1
                    self._next -= self._gap
                elif mine in self._waiting:  # unless its loop has been closed
                    self._waiting.remove(mine)
                self._grant()
            raise
        waited = time.monotonic() - begun
        if waited >= _WORTH_TELLING:
            log.info("a request waited %.1f s for its turn", waited)
        return waited

    def give_back(self, slots: Slots) -> None:
        """End a turn."""
        with self._lock:
            slots.free += 1
            if self._waiting:
                self._grant()

    def answered(self, status: int, asked: float | None) -> None:
        """Take in how a request was answered.

        Parameters
        ----------
        status : int
            Of HTTP.
        asked : float or None
            The seconds to wait that a `Retry-After` names.
        """
        if status != 429 and not (asked and status == 503):
            if status < 500:
                self._rest = 0.0
            return
        now = time.monotonic()
        with self._lock:
            if asked is None:
                if self._resting <= now:  # what was under way together is refused together
                    self._rest = min(LONGEST_REST, max(1.0, self._rest * 2.0))
                    self._resting = now + self._rest
            else:
                pause = min(asked, LONGEST_PAUSE)
                longer = now + pause >= max(self._paused, now) + _WORTH_TELLING
                self._paused = max(self._paused, now + pause)
                self._asked_by = status
                if longer:
                    log.warning("waiting %d s, as the server asked (%d)", _whole(pause), status)
        for listener in list(self.listeners):
            listener()

    # -- how it is done; with the lock held ---------------------------------------------------------------------

    def _opens(self, its: int) -> float:
        """Return when a turn of that kind can begin, slots left aside."""
        opens = max(self._paused, self._next)
        return max(opens, self._resting) if its == Turn.LOOK else opens

    def _let_go(self, slots: Slots) -> None:
        slots.free -= 1
        if self._gap:
            self._next = max(self._next, time.monotonic()) + self._gap

    def _grant(self) -> None:
        """Give turns to whoever can have them, and see to it that the next one wakes in time."""
        now, place = time.monotonic(), 0
        while place < len(self._waiting):
            waiter = self._waiting[place]
            opens = self._opens(waiter.order[0])
            if waiter.loop.is_closed():
                del self._waiting[place]
            elif not waiter.slots.free:
                place += 1
            elif opens <= now:
                del self._waiting[place]
                self._let_go(waiter.slots)
                waiter.granted = True
                waiter.wake()
            else:
                if waiter.wakes > opens:
                    waiter.wake()
                if waiter.order[0] == Turn.LOOK or self._next > now or self._paused > now:
                    return
                place += 1

    def _until(self, mine: _Waiter) -> float | None:
        """Return the seconds to sleep before it is looked again; None if it has its turn."""
        now = time.monotonic()
        with self._lock:
            if mine.granted:
                return None
            if not mine.slots.free:
                mine.wakes = now + _RECHECK
            else:
                before = self._waiting.index(mine) if self._gap else 0
                mine.wakes = min(now + _RECHECK, self._opens(mine.order[0]) + before * self._gap)
        return max(0.001, mine.wakes - now)


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))
