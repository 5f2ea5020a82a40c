"""The cache in memory: time to live per entry, tags, and one fetch for simultaneous askers.

What it keeps is decoded. Behind it there may be answers that several processes share, see
`comfynb.services.cache.keeper`: then it asks twice a second at most whether one of them dropped something.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar

from cachetools import TLRUCache

from comfynb.api.keeping import Allowed, allowed
from comfynb.api.transport import NeedsNetwork, no_network
from comfynb.notices import collecting, notice
from comfynb.services.cache.keeper import AWAY, AnswerKeeper
from comfynb.services.cache.kept import EVERYTHING
from comfynb.warnings import ComfyWarning

T = TypeVar("T")

SEEN_FOR = 0.5
"""Seconds for which it is taken for granted that nobody else dropped anything."""
_MOST_COUNTED = 4096


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
    stale : float
        Seconds after `ttl` for which it is still given, while a new one is fetched.
    size : int
        Bytes of the answers that it was made of.
    begun : float
        By the cache's own timer, when it was good for the first time.
    away : bool
        Whether it is the last that is known of a server that is away.
    """

    value: T
    number: int
    stored: float
    ttl: float
    tags: frozenset[str]
    stale: float = 0.0
    size: int = 0
    begun: float = 0.0
    away: bool = False


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
    keeper : AnswerKeeper, optional
        What is kept outside this process.
    background : callable, optional
        Starts a coroutine function where the connections live. Without it nothing is given that is past its time.

    Attributes
    ----------
    counts : dict of str to int
        How often a read was answered, by what: "hit" (from here), "stale" (from here, while a new answer was
        fetched), "shared" (from where others share answers), "last known" (of a server that is away), "miss" (by the
        server).
    """

    def __init__(
        self,
        size: int = 1024,
        timer: Callable[[], float] = time.monotonic,
        keeper: AnswerKeeper | None = None,
        background: Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any] | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._untold: list[ComfyWarning] = []
        self._timer = timer
        self._entries: TLRUCache[str, Entry[Any]] = TLRUCache(
            size, lambda _key, entry, now: now + entry.ttl + entry.stale, timer
        )
        self._fetching: dict[tuple[str, asyncio.AbstractEventLoop], _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._dropped: dict[str, int] = {}
        self._numbers = count(1)
        self._refreshing: set[str] = set()
        self._marks: dict[str, int] = {}
        self._verified = float("-inf")
        self.keeper = keeper
        self.background = background
        self.counts = dict.fromkeys(("hit", "stale", "shared", "last known", "miss"), 0)
        self.hits: dict[str, int] = {}
        if keeper is not None:
            keeper.told = self._told

    def peek(self, key: str) -> Entry[Any] | None:
        """Return what is kept and still good, or None."""
        with self._lock:
            entry = self._entries.get(key)
        return entry if entry is not None and self._is_good(entry) else None

    async def get(
        self,
        key: str,
        fetch: Callable[[], Coroutine[Any, Any, T]],
        *,
        ttl: float,
        tags: Iterable[str] = (),
        refresh: bool = False,
        stale: float = 0.0,
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
        stale : float
            Seconds after `ttl` for which what is kept is given still, while a new one is fetched behind it.
        """
        marks = frozenset(tags)
        if not refresh:
            shared = self.keeper is not None and self.keeper.shared is not None
            if shared and (self._timer() - self._verified > SEEN_FOR or not marks <= self._marks.keys()):
                if no_network.get():
                    raise NeedsNetwork(key)
                await self._verify(marks)
            with self._lock:
                entry = self._entries.get(key)
            if entry is not None and self._is_good(entry):
                return self._noted(self._counted(key, entry, "hit"))
            if entry is not None and self.background is not None:
                if key not in self._refreshing:
                    self._refreshing.add(key)
                    self._behind(lambda: self._refresh(key, fetch, ttl, marks, stale))
                return self._noted(self._counted(key, entry, "stale"))
        if no_network.get():
            raise NeedsNetwork(key)
        # One asker that gives up must not take the answer from the others.
        return self._noted(await asyncio.shield(self._flight(key, fetch, ttl, marks, stale, refresh).task))

    def _flight(
        self,
        key: str,
        fetch: Callable[[], Coroutine[Any, Any, Any]],
        ttl: float,
        marks: frozenset[str],
        stale: float,
        refresh: bool,
    ) -> _Flight:
        asked = (key, asyncio.get_running_loop())
        with self._lock:
            flight = None if refresh else self._fetching.get(asked)
            if flight is None:
                number = next(self._numbers)
                allows = Allowed(ttl, marks, refresh)
                made = self._fetch(key, fetch, allows, stale, number)
                flight = _Flight(asyncio.ensure_future(made), marks)
                self._fetching[asked] = flight
                self._tasks.add(flight.task)
                flight.task.add_done_callback(lambda done: self._landed(asked, done))
        return flight

    def _landed(self, asked: tuple[str, asyncio.AbstractEventLoop], task: asyncio.Task[Any]) -> None:
        with self._lock:
            self._tasks.discard(task)
            if (flight := self._fetching.get(asked)) is not None and flight.task is task:
                del self._fetching[asked]
        if not task.cancelled():
            task.exception()  # looked at, so that a fetch that nobody waits for any more is not reported as lost

    async def _refresh(
        self,
        key: str,
        fetch: Callable[[], Coroutine[Any, Any, Any]],
        ttl: float,
        marks: frozenset[str],
        stale: float,
    ) -> None:
        """Fetch a new one behind what is given meanwhile; where that fails, who asks later is told."""
        try:
            with collecting(self._untold):
                await asyncio.wait((self._flight(key, fetch, ttl, marks, stale, refresh=False).task,))
        finally:
            self._refreshing.discard(key)

    async def _fetch(
        self, key: str, fetch: Callable[[], Coroutine[Any, Any, T]], allows: Allowed, stale: float, number: int
    ) -> Entry[T]:
        allowed.set(allows)  # of this task alone
        begun = allows.begun = time.time()
        value = await fetch()
        stored = min((begun, *allows.stored))
        age, ttl = begun - stored, allows.ttl
        if allows.away:
            ttl, age, stale = min(ttl, AWAY), 0.0, 0.0
        elif not allows.stored:
            self.counts["miss"] += 1
        entry = Entry(
            value, number, stored, ttl, allows.tags, stale, allows.size, begun=self._timer() - age, away=allows.away
        )
        with self._lock:
            # What was dropped while this was on its way may be out of date already, and a fetch that began later
            # may have landed before it.
            kept = self._entries.get(key)
            overtaken = kept is not None and kept.number > number
            if ttl > 0 and not overtaken and all(self._dropped.get(tag, 0) < number for tag in (*allows.tags, "*")):
                self._entries[key] = entry
        return entry

    async def _verify(self, marks_of: frozenset[str]) -> None:
        """Drop what another process has dropped since the last look; know the marks of what is read next."""
        keeper = self.keeper
        assert keeper is not None  # noqa: S101 - callers have looked
        with self._lock:
            known = {tag for entry in self._entries.values() for tag in entry.tags}
        known |= marks_of | {EVERYTHING}
        marks = await keeper.marks(sorted(known))
        if marks is not None:
            changed = [tag for tag, mark in marks.items() if self._marks.get(tag, mark) != mark]
            if changed:
                self._forget(*(() if EVERYTHING in changed else changed))
            self._marks.update(marks)
        self._verified = self._timer()

    def drop(self, *tags: str) -> int:
        """Drop every entry that has one of these tags, and all of them without tags; return how many.

        Whoever shares answers with this process drops them within a second.
        """
        if self.keeper is not None and self.keeper.shared is not None:
            self.keeper.drop(tags)
            self._verified = float("-inf")
            self._behind(self.keeper.flush)
        return self._forget(*tags)

    def _forget(self, *tags: str) -> int:
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
        if self.keeper is not None:
            await self.keeper.aclose()

    def age(self, entry: Entry[Any]) -> float:
        """Return how many seconds ago an entry was kept."""
        return max(0.0, time.time() - entry.stored)

    def entries(self) -> dict[str, Entry[Any]]:
        """Return what is kept, by key."""
        with self._lock:
            found = [(key, self._entries.get(key)) for key in list(self._entries)]
        return {key: entry for key, entry in found if entry is not None}

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def _behind(self, function: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Start what nobody waits for, with nothing of the read that is under way: it may ask the server."""
        if self.background is not None:
            Context().run(self.background, function)

    def _is_good(self, entry: Entry[Any]) -> bool:
        return self._timer() - entry.begun < entry.ttl

    def _counted(self, key: str, entry: Entry[T], how: str) -> Entry[T]:
        self.counts[how] += 1
        if len(self.hits) > _MOST_COUNTED:
            self.hits.clear()
        self.hits[key] = self.hits.get(key, 0) + 1
        return entry

    def _told(self, how: str) -> None:
        self.counts[how] += 1

    def _noted(self, entry: Entry[T]) -> Entry[T]:
        """Tell the read that is under way how old this is, and what came up while nobody listened."""
        while self._untold:
            with suppress(IndexError):  # another thread has told it meanwhile
                notice(self._untold.pop(0))
        asking = allowed.get()
        if asking is not None:
            asking.stored.append(entry.stored)
            asking.away = asking.away or entry.away
        return entry
