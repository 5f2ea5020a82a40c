"""Between the reads and the network: answers that others share, and the last known ones where the server is away."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from comfynb.api.answers import Answer
from comfynb.api.keeping import Allowed, allowed
from comfynb.api.run_calls import RUN_PAGE
from comfynb.errors import OfflineError, TransportError
from comfynb.notices import notice
from comfynb.services.cache.kept import EVERYTHING, Kept, Store, StoreError
from comfynb.warnings import CacheWarning, StaleDataWarning

__all__ = ["AWAY", "AnswerKeeper"]

log = logging.getLogger("comfynb")

AWAY: Final = 15.0
"""Seconds for which a server that is away is not asked again by reads that can do without it."""
_GATEWAYS: Final = frozenset({502, 503, 504})
"""What a gateway answers for a server that is away."""
_NOT_KEPT: Final = frozenset({401, 403, 408, 425, 429, *_GATEWAYS})
_LARGEST: Final = 32 << 20
"""Bytes of one answer; a larger one is not kept."""
_CLAIMED: Final = 30.0
"""Seconds for which one process may be the one that asks."""
_MOST_DROPS: Final = 200
_BYPASS: Final = 10.0
"""Seconds for which a store that failed is left alone."""
_PLACE: Final = "?queue_position=true"
_RUN: Final = re.compile(rf"(/run/[^/?]+)({re.escape(_PLACE)})?")
"""A read of one run, with its place in the queue or without."""
_RUN_LIST: Final = re.compile(r"((?:/v2)?/workflow/[^/?]+/runs\?(?:.*&)?limit=)(\d{1,9})(&offset=.*)")
"""A read of a page of the runs of a workflow."""


class AnswerKeeper:
    """Keeps the answers to reads, and gives them where the read allows it.

    Parameters
    ----------
    book : Store, optional
        Where the last known answers are; without one there are none.
    shared : Store, optional
        Where several processes share answers; it may be `book` itself.
    offline : str, optional
        Why the server must not be asked at all.
    oldest : float
        Seconds; an older answer is not given for a server that is away.
    told : callable, optional
        Called with "shared" or "last known" for each answer that is not the server's own.
    """

    def __init__(
        self,
        book: Store | None = None,
        shared: Store | None = None,
        *,
        offline: str | None = None,
        oldest: float = 30 * 24 * 3600.0,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self.book = book
        self.shared = shared
        self.offline = offline
        self.oldest = oldest
        self.told = told
        self.as_of: float | None = None
        self._away_until = 0.0
        self._said = False
        self._broken: dict[str, float] = {}
        self._complained: set[str] = set()
        self._untold: list[CacheWarning] = []
        self._unwritten: dict[str, Kept] = {}
        self._writing: asyncio.Task[None] | None = None
        self._dropping: list[tuple[str, ...]] = []

    @property
    def away(self) -> bool:
        """Whether the server was away when it was asked last, or must not be asked."""
        return self.offline is not None or self._said

    @property
    def failing(self) -> tuple[str, ...]:
        """Where answers are kept that failed lately, and are left alone for now."""
        return tuple(name for name, until in self._broken.items() if time.monotonic() < until)

    async def answer(self, key: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer to a read.

        Parameters
        ----------
        key : str
            Path and query.
        ask : coroutine function
            Asks the server.

        Raises
        ------
        OfflineError
            If the server must not be asked, and no answer is kept.
        TransportError
            If no answer came, and none is kept.
        """
        allows = allowed.get()
        try:
            if self.offline is not None:
                return await self._without_server(key, allows)
            if allows is None or self.shared is None or allows.ttl <= 0:
                return await self._ask(key, ask, allows)
            try:
                return await self._together(key, ask, allows, self.shared)
            except StoreError as error:
                self._complain(self.shared, error)
                return await self._ask(key, ask, allows)
        finally:
            # What went wrong behind a read is told with the next one: nobody listens behind it.
            untold, self._untold = self._untold, []
            for warning in untold:
                notice(warning)

    def drop(self, tags: Iterable[str]) -> None:
        """Have everybody who shares answers forget those with one of these tags, with the next `flush` or read."""
        if self.shared is None:
            return
        wanted = tuple(tags) or (EVERYTHING,)
        if wanted not in self._dropping:
            self._dropping.append(wanted)
        if len(self._dropping) > _MOST_DROPS:  # it has been away for long
            self._dropping = [(EVERYTHING,)]

    async def flush(self) -> None:
        """Do what was left for later: drop, and write the last known answers down."""
        try:
            await self._drop()
        except StoreError as error:
            log.warning("what was changed could not be dropped from the cache: %s", error)
        writing = self._writing
        if writing is not None and not writing.done() and writing.get_loop() is asyncio.get_running_loop():
            await asyncio.wait((writing,))
        await self._write()

    async def marks(self, tags: Iterable[str]) -> dict[str, int] | None:
        """Return the marks of these tags; None where that cannot be known."""
        if self.shared is None or not self._is_up(self.shared):
            return None
        try:
            await self._drop()
            return await self.shared.marks(tags)
        except StoreError as error:
            self._complain(self.shared, error)
            return None

    async def clear(self) -> None:
        """Forget every answer, also the last known ones."""
        self._unwritten.clear()
        for store in {id(store): store for store in (self.book, self.shared) if store is not None}.values():
            try:
                await store.clear()
            except StoreError as error:
                self._complain(store, error)

    async def aclose(self) -> None:
        """Write what has to be written, and close the stores."""
        await self.flush()
        for store in (self.book, self.shared):
            if store is not None:
                await store.aclose()

    # -- how it is done -----------------------------------------------------------------------------------------

    async def _together(self, key: str, ask: Callable[[], Awaitable[Answer]], allows: Allowed, shared: Store) -> Answer:
        """Take what others have asked already, or be the one who asks."""
        if not self._is_up(shared):
            return await self._ask(key, ask, allows)
        await self._drop()
        tags = (*sorted(allows.tags), EVERYTHING)
        kept, marks = await shared.look(key, tags)
        if not allows.refresh:
            if self._is_good(kept, marks, allows):
                return self._given(kept, allows, "shared")
            owner, wait = uuid.uuid4().hex, 0.01
            until = time.monotonic() + _CLAIMED
            while not await shared.claim(key, owner, _CLAIMED) and time.monotonic() < until:
                await asyncio.sleep(wait)
                wait = min(2 * wait, 0.1)
                kept, marks = await shared.look(key, tags)
                if self._is_good(kept, marks, allows):
                    return self._given(kept, allows, "shared")
        try:
            if not allows.refresh:
                # It may have come between the look and the claim.
                kept, marks = await shared.look(key, tags)
                if self._is_good(kept, marks, allows):
                    return self._given(kept, allows, "shared")
            return await self._ask(key, ask, allows, marks)
        finally:
            if not allows.refresh:
                try:
                    await shared.release(key, owner)
                except StoreError as error:
                    self._complain(shared, error)

    async def _ask(
        self,
        key: str,
        ask: Callable[[], Awaitable[Answer]],
        allows: Allowed | None,
        marks: dict[str, int] | None = None,
    ) -> Answer:
        """Ask the server; where it is away, give the last known answer to who may have it."""
        if allows is not None and time.monotonic() < self._away_until:
            kept = await self._known(key)
            if kept is not None:
                return self._given(kept, allows, "last known")
        begun = (allows.begun if allows is not None else 0.0) or time.time()
        try:
            answer = await ask()
        except OfflineError:
            raise
        except TransportError:
            kept = await self._known(key) if allows is not None else None
            if kept is None or allows is None:
                raise
            return self._stale(kept, allows)
        if answer.status in _GATEWAYS:
            kept = await self._known(key) if allows is not None else None
            return answer if kept is None or allows is None else self._stale(kept, allows)
        self._away_until, self._said, self.as_of = 0.0, False, None
        if allows is not None:
            allows.size += len(answer.content)
        await self._keep(key, answer, begun, marks)
        return answer

    async def _keep(self, key: str, answer: Answer, begun: float, marks: dict[str, int] | None) -> None:
        if answer.status in _NOT_KEPT or len(answer.content) > _LARGEST or not _is_whole(answer):
            return
        kept = Kept(answer.content, begun, marks or {}, answer.status, answer.content_type)
        if marks is not None and answer.status == 200 and self.shared is not None:
            try:
                await self.shared.keep({key: kept})
            except StoreError as error:
                self._complain(self.shared, error)
            if self.shared is self.book:
                return
        if self.book is not None and self._is_up(self.book):
            # A bad answer is worth keeping where nothing good is known: it is what the server says each time.
            if answer.status != 200 and await self._last(key) is not None:
                return
            self._unwritten[key] = kept
            self._write_soon()

    def _write_soon(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        while self._unwritten and self.book is not None:
            answers, self._unwritten = self._unwritten, {}
            try:
                await self.book.keep(answers)
            except StoreError as error:
                self._complain(self.book, error)

    async def _drop(self) -> None:
        while self._dropping and self.shared is not None:
            tags = self._dropping[0]
            # What cannot be dropped is tried again before anything is read from there.
            await self.shared.drop(tags)
            if self._dropping and self._dropping[0] is tags:
                self._dropping.pop(0)

    async def _known(self, key: str) -> Kept | None:
        """Return the newest of what is kept that tells what a read asks for, whichever read has brought it.

        Of a run list it can be a longer page than what was asked for; who reads pages cuts them.
        """
        best = await self._last(key)
        for other, fewer_than in _others(key):
            kept = await self._last(other, shared=False)
            if kept is None or kept.status != 200:
                continue
            if best is not None and best.status == 200 and best.stored >= kept.stored:
                continue
            if fewer_than is None or _rows(kept) < fewer_than:
                best = kept
        return best

    async def _last(self, key: str, *, shared: bool = True) -> Kept | None:
        if key in self._unwritten:
            return self._unwritten[key]
        for store in (self.book, self.shared if shared else None):
            if store is None or not self._is_up(store):
                continue
            try:
                kept, _ = await store.look(key)
            except StoreError as error:
                self._complain(store, error)
                continue
            if kept is not None and time.time() - kept.stored <= self.oldest:
                return kept
        return None

    async def _without_server(self, key: str, allows: Allowed | None) -> Answer:
        kept = await self._known(key) if allows is not None else None
        if kept is None or allows is None:
            why = "needs the server's own answer of now" if allows is None else "was not read before"
            raise OfflineError(f"{self.offline} What was asked for ({_path(key)}) {why}.", sent=False)
        return self._given(kept, allows, "last known")

    def _stale(self, kept: Kept, allows: Allowed) -> Answer:
        self._away_until = time.monotonic() + AWAY
        if not self._said:
            self._said = True
            when = datetime.fromtimestamp(kept.stored, UTC).isoformat(sep=" ", timespec="seconds")
            notice(
                StaleDataWarning(
                    f"The server cannot be reached; what was read before is shown instead, here of {when}. "
                    "The as_of of each table says how old it is."
                )
            )
        return self._given(kept, allows, "last known")

    def _given(self, kept: Kept | None, allows: Allowed, how: str) -> Answer:
        assert kept is not None  # noqa: S101 - callers have looked
        allows.stored.append(kept.stored)
        allows.size += len(kept.content)
        if how == "last known":
            allows.away = True
            self.as_of = kept.stored if self.as_of is None else min(self.as_of, kept.stored)
        if self.told is not None:
            self.told(how)
        return Answer(kept.status, kept.content, kept.content_type)

    def _is_good(self, kept: Kept | None, marks: dict[str, int], allows: Allowed) -> bool:
        if kept is None or kept.status != 200:
            return False
        # One from the future is of a clock that was wrong.
        return 0 <= time.time() - kept.stored + 1.0 <= allows.ttl + 1.0 and dict(kept.marks) == marks

    def _is_up(self, store: Store) -> bool:
        return time.monotonic() >= self._broken.get(store.name, 0.0)

    def _complain(self, store: Store, error: StoreError) -> None:
        self._broken[store.name] = time.monotonic() + _BYPASS
        log.warning("the cache fails: %s", error)
        if store.name not in self._complained:
            self._complained.add(store.name)
            self._untold.append(
                CacheWarning(
                    f"The cache on {error}. Reads go on without it, and ask the server; it is tried again from time "
                    "to time."
                )
            )


def _is_whole(answer: Answer) -> bool:
    """Whether it is no cut-off JSON, which would stand for a good answer later."""
    if not answer.is_json:
        return answer.status != 200
    text = answer.content.strip()
    return text[:1] + text[-1:] in (b"{}", b"[]") or (text[:1] not in (b"{", b"[") and bool(text))


def _others(key: str) -> Iterator[tuple[str, int | None]]:
    """Yield other reads whose answer tells what this one asks for; with a number, only if it has fewer rows than that.

    A page that is shorter than it might be ends its list, so that there is no more to know.
    """
    if run := _RUN.fullmatch(key):
        yield run[1] + ("" if run[2] else _PLACE), None
    if page := _RUN_LIST.fullmatch(key):
        asked = int(page[2])
        for size in range(RUN_PAGE, 0, -1):
            if size != asked:
                yield f"{page[1]}{size}{page[3]}", None if size > asked else size


def _rows(kept: Kept) -> float:
    """Return how many rows a list has; more than any if it is none."""
    try:
        rows = json.loads(kept.content)
    except (ValueError, RecursionError):
        return float("inf")
    return len(rows) if isinstance(rows, list) else float("inf")


def _path(key: str) -> str:
    return key.partition("?")[0]
