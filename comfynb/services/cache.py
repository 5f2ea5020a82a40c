"""The cache in memory: time to live per entry, tags, and one fetch for simultaneous askers.

An answer that is in the cache is given in the calling thread: `served` drives a coroutine until its first miss, so
that a read that needs nothing from the network never waits for the I/O thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar, cast

from cachetools import TLRUCache

from comfynb.api.transport import NeedsNetwork, no_network

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """What is kept of one answer.

    Attributes
    ----------
    value : object
        The answer, decoded; must not be changed.
    number : int
        Grows with each fetch that begins; two entries with one number are the same answer.
    stored : float
        `time.time()` when it was kept.
    ttl : float
        Seconds that it is good for.
    tags : frozenset of str
        Dropping one of these drops the entry.
    """

    value: T
    number: int
    stored: float
    ttl: float
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Flight:
    task: asyncio.Task[Entry[Any]]
    tags: frozenset[str]


class Cache:
    """A cache of one connection.

    Parameters
    ----------
    size : int
        Entries kept; the least recently used go first.
    timer : callable
        Seconds that only grow; a test may give its own.
    """

    def __init__(self, size: int = 1024, timer: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.RLock()
        self._entries: TLRUCache[str, Entry[Any]] = TLRUCache(size, lambda _key, entry, now: now + entry.ttl, timer)
        self._fetching: dict[tuple[str, asyncio.AbstractEventLoop], _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._dropped: dict[str, int] = {}
        self._numbers = count(1)
        self.counts = dict.fromkeys(("hit", "miss"), 0)

    def peek(self, key: str) -> Entry[Any] | None:
        """Return what is kept and still good, or None."""
        with self._lock:
            return self._entries.get(key)

    async def get(
        self,
        key: str,
        fetch: Callable[[], Coroutine[Any, Any, T]],
        *,
        ttl: float,
        tags: Iterable[str] = (),
        refresh: bool = False,
    ) -> Entry[T]:
        """Return what is kept, or fetch it, once for all who ask at the same time.

        Parameters
        ----------
        key : str
            What it is.
        fetch : coroutine function
            Called without arguments when nothing good is kept. An error of it is not kept.
        ttl : float
            Seconds to keep it; 0 keeps nothing.
        tags : iterable of str
            See `drop`.
        refresh : bool
            Fetch even when something is kept.
        """
        if not refresh and (entry := self.peek(key)) is not None:
            self.counts["hit"] += 1
            return entry
        if no_network.get():
            raise NeedsNetwork(key)
        self.counts["miss"] += 1
        asked = (key, asyncio.get_running_loop())
        with self._lock:
            flight = None if refresh else self._fetching.get(asked)
            if flight is None:
                marks = frozenset(tags)
                number = next(self._numbers)
                flight = _Flight(asyncio.ensure_future(self._fetch(key, fetch, ttl, marks, number)), marks)
                self._fetching[asked] = flight
                self._tasks.add(flight.task)
                flight.task.add_done_callback(lambda done: self._landed(asked, done))
        # One asker that gives up must not take the answer from the others.
        return cast("Entry[T]", await asyncio.shield(flight.task))

    def _landed(self, asked: tuple[str, asyncio.AbstractEventLoop], task: asyncio.Task[Any]) -> None:
        with self._lock:
            self._tasks.discard(task)
            if (flight := self._fetching.get(asked)) is not None and flight.task is task:
                del self._fetching[asked]
        if not task.cancelled():
            task.exception()  # looked at, so that a fetch that nobody waits for any more is not reported as lost

    async def _fetch(
        self, key: str, fetch: Callable[[], Coroutine[Any, Any, T]], ttl: float, tags: frozenset[str], number: int
    ) -> Entry[T]:
        value = await fetch()
        entry = Entry(value, number, time.time(), ttl, tags)
        with self._lock:
            # What was dropped while this was on its way may be out of date already, and a fetch that began later
            # may have landed before it.
            kept = self._entries.get(key)
            overtaken = kept is not None and kept.number > number
            if ttl > 0 and not overtaken and all(self._dropped.get(tag, 0) < number for tag in (*tags, "*")):
                self._entries[key] = entry
        return entry

    def drop(self, *tags: str) -> int:
        """Drop every entry that has one of these tags, and all of them without tags; return how many."""
        with self._lock:
            number = next(self._numbers)
            for tag in tags or ("*",):
                self._dropped[tag] = number
            # One by one, since an entry can expire meanwhile.
            kept = [(key, self._entries.get(key)) for key in list(self._entries)]
            gone = [key for key, entry in kept if entry and (not tags or entry.tags.intersection(tags))]
            for key in gone:
                self._entries.pop(key, None)
            # Who asks from now on must not be given what was asked for before.
            for asked in [a for a, f in self._fetching.items() if not tags or f.tags.intersection(tags)]:
                del self._fetching[asked]
        return len(gone)

    async def end(self) -> None:
        """Cancel the fetches of this event loop that are under way, so that none opens a connection any more."""
        with self._lock:
            tasks = [task for task in self._tasks if task.get_loop() is asyncio.get_running_loop()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def age(self, entry: Entry[Any]) -> float:
        """Return how many seconds ago an entry was kept."""
        return max(0.0, time.time() - entry.stored)

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)


async def together(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    """Await several reads at the same time; the first error cancels the others."""
    if no_network.get():
        found: list[Any] = []
        try:
            for coroutine in coroutines:
                found.append(await coroutine)  # noqa: PERF401 - closed below when one misses
        finally:
            for coroutine in coroutines:
                coroutine.close()
        return found
    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        raise _first(errors) from None
    return [task.result() for task in tasks]


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def served(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a read that needs nothing but the cache, here and now.

    Raises
    ------
    NeedsNetwork
        If it needs more. Nothing has been sent then.
    """
    token = no_network.set(True)
    try:
        coroutine = function()  # raises by itself what is wrong with its arguments
        with closing(coroutine):
            coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        no_network.reset(token)
    raise NeedsNetwork("the read waits for something")
