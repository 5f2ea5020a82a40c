"""Answers in a file of SQLite: they survive a restart, and several processes of one machine share them."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, TypeVar, cast

from comfynb.services.cache.kept import EVERYTHING, Kept, StoreError, new_mark, spoilt
from comfynb.services.private_files import make_private

__all__ = ["DiskStore"]

T = TypeVar("T")

_STATEMENTS: Final = """
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, size INTEGER NOT NULL, stored REAL NOT NULL,
    head TEXT NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_age ON answers (stored, size);
CREATE TABLE IF NOT EXISTS marks (tag TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL);
"""
_ANSWERS: Final = "SELECT key, CAST(head AS BLOB) AS head, CAST(content AS BLOB) AS content FROM answers"
"""They are read as bytes, whatever somebody else has put there: a text that is no UTF-8 could not be read."""
_MARKS: Final = "SELECT tag, CASE typeof(number) WHEN 'integer' THEN number END, NULL, NULL FROM marks"
"""A column of numbers takes any text, too, also one that could not be read."""
_PATIENCE: Final = 2.0
"""Seconds that a write waits for another process."""
_READ_PATIENCE: Final = 0.25
"""Seconds that a read waits; it is done on the event loop, and a writer does not stop it as a rule."""


@cache
def _holes(count: int) -> str:
    return ", ".join("?" * count)


@cache
def _looking(tags: int) -> str:
    """Return the question for an answer and the marks of so many tags."""
    answer = f"SELECT NULL, NULL, head, content FROM ({_ANSWERS} WHERE key = ?)"  # noqa: S608 - written above
    return f"{answer} UNION ALL {_MARKS} WHERE tag IN ({_holes(tags)})" if tags else answer


class DiskStore:
    """Answers in a file of SQLite, or in memory.

    Parameters
    ----------
    path : pathlib.Path or None
        The file, readable for its owner alone; None keeps them in memory.
    largest : int
        Bytes of all answers; beyond that the oldest go.

    Examples
    --------
    >>> async def both():
    ...     store = DiskStore(None)
    ...     await store.keep({"/machines": Kept(b"[]", 1.0)})
    ...     return (await store.look("/machines"))[0].content, await store.size()
    >>> asyncio.run(both())
    (b'[]', (1, 2))
    """

    def __init__(self, path: Path | None, largest: int = 256 << 20) -> None:
        self.path = path
        self.name = "memory" if path is None else f"disk ({path})"
        self.largest = largest
        self._locks: dict[int, tuple[threading.RLock, ...]] = {}
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._pid = 0

    def fill(self, answers: Mapping[str, Kept]) -> None:
        """Keep these, here and now."""
        self._tried(lambda: self._keep(self._opened()[0], answers), writing=True)

    async def look(self, key: str, tags: Iterable[str] = ()) -> tuple[Kept | None, dict[str, int]]:
        """See `Store.look`."""
        names = tuple(tags)
        row, marks = self._tried(lambda: self._look(key, names))
        kept = None if row is None else Kept.of(*row)
        if row is not None and kept is None:
            await self._changed("DELETE FROM answers WHERE key = ?", [(key,)])
            if names:  # who asks without tags wants the last that is known, of this or of what is asked next
                raise spoilt(self.name)
        return kept, await self._whole(marks)

    async def marks(self, tags: Iterable[str]) -> dict[str, int]:
        """See `Store.marks`."""
        names = tuple(tags)
        return await self._whole(self._tried(lambda: self._marks(names)))

    async def keep(self, answers: Mapping[str, Kept]) -> None:
        """See `Store.keep`."""
        await self._written(lambda writer: self._keep(writer, answers))

    async def drop(self, tags: Iterable[str]) -> None:
        """See `Store.drop`."""
        rows = [(tag, new_mark()) for tag in tags]
        await self._changed("INSERT OR REPLACE INTO marks VALUES (?, ?)", rows)

    async def claim(self, key: str, owner: str, seconds: float) -> bool:
        """See `Store.claim`."""

        def ask(writer: sqlite3.Connection) -> bool:
            now = time.time()
            # Also one from a clock that was set back since.
            writer.execute("DELETE FROM claims WHERE key = ? AND (until < ? OR until > ?)", (key, now, now + 3600))
            return (
                writer.execute("INSERT OR IGNORE INTO claims VALUES (?, ?, ?)", (key, owner, now + seconds)).rowcount
                > 0
            )

        return await self._written(ask)

    async def release(self, key: str, owner: str) -> None:
        """See `Store.release`."""
        await self._changed("DELETE FROM claims WHERE key = ? AND owner = ?", [(key, owner)])

    async def clear(self) -> None:
        """See `Store.clear`."""

        def forget(writer: sqlite3.Connection) -> None:
            writer.execute("DELETE FROM answers")
            writer.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (EVERYTHING, new_mark()))

        await self._written(forget)

    async def size(self) -> tuple[int, int]:
        """See `Store.size`."""
        found = self._tried(
            lambda: self._opened()[1].execute("SELECT count(*), coalesce(sum(size), 0) FROM answers").fetchone()
        )
        return int(found[0]), int(found[1])

    async def all(self) -> dict[str, Kept]:
        """Return every answer, by its key."""
        rows = self._tried(lambda: self._opened()[1].execute(f"{_ANSWERS} ORDER BY key").fetchall())
        found = {key: Kept.of(head, content) for key, head, content in rows}
        return {key: kept for key, kept in found.items() if kept is not None}

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock(1), self._lock(2), self._lock(0):
            if self._pid == os.getpid():
                for connection in {self._writer, self._reader} - {None}:
                    connection.close()  # type: ignore[union-attr]
            self._writer = self._reader = None

    # -- how it is done -----------------------------------------------------------------------------------------

    def _look(self, key: str, tags: tuple[str, ...]) -> tuple[tuple[bytes, bytes] | None, dict[str, int | None]]:
        """Return what stands for a key, and the marks, in one question."""
        row: tuple[bytes, bytes] | None = None
        marks: dict[str, int | None] = dict.fromkeys(tags, 0)
        for tag, number, head, content in self._opened()[1].execute(_looking(len(tags)), (key, *tags)):
            if head is not None:
                row = (head, content)
            else:
                marks[tag] = number
        return row, marks

    def _marks(self, tags: tuple[str, ...]) -> dict[str, int | None]:
        found = self._opened()[1].execute(f"{_MARKS} WHERE tag IN ({_holes(len(tags))})", tags)
        return {**dict.fromkeys(tags, 0), **{tag: number for tag, number, *_ in found}}

    async def _whole(self, marks: dict[str, int | None]) -> dict[str, int]:
        """Return marks if they are some. A column of numbers takes any text, too; another mark stands for that."""
        if None in marks.values():
            await self.drop([tag for tag, number in marks.items() if number is None])
            raise spoilt(self.name)
        return cast("dict[str, int]", marks)

    def _keep(self, writer: sqlite3.Connection, answers: Mapping[str, Kept]) -> None:
        writer.executemany(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
            [(key, len(kept.content), kept.stored, kept.head, kept.content) for key, kept in answers.items()],
        )
        (total,) = writer.execute("SELECT coalesce(sum(size), 0) FROM answers").fetchone()
        if total <= self.largest:
            return
        gone = []
        for key, size in writer.execute("SELECT key, size FROM answers ORDER BY stored"):
            gone.append((key,))
            total -= size
            if total <= self.largest * 0.9:
                break
        writer.executemany("DELETE FROM answers WHERE key = ?", gone)

    async def _changed(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        # A cursor that was given away would reset its statement at its end, while another thread uses it.
        await self._written(lambda writer: writer.executemany(statement, rows).close())

    async def _written(self, change: Callable[[sqlite3.Connection], T]) -> T:
        def write() -> T:
            writer = self._opened()[0]
            with writer:
                return change(writer)

        try:
            return await asyncio.to_thread(self._tried, write, writing=True)
        except RuntimeError:
            # The interpreter is ending, and starts no threads any more.
            return self._tried(write, writing=True)

    def _lock(self, what: int) -> threading.RLock:
        """Return the lock for opening (0), for writing (1) or for reading (2).

        Of this process, since that of a parent may have been held by one of its threads at the fork. Who reads does
        not wait for who writes, but in memory, where they have one connection.
        """
        locks = self._locks.get(os.getpid())
        if locks is None:
            new = (threading.RLock(), threading.RLock(), threading.RLock())
            locks = self._locks.setdefault(os.getpid(), new)
        return locks[1 if what == 2 and self.path is None else what]

    def _tried(self, function: Callable[[], T], *, writing: bool = False) -> T:
        try:
            with self._lock(1 if writing else 2):
                return function()
        except sqlite3.Error as error:
            misused = sqlite3.OperationalError, sqlite3.ProgrammingError, sqlite3.InterfaceError
            if self.path is not None and not isinstance(error, misused):
                self._discard()  # it is no database, or a broken one; what it had can be asked for again
            raise StoreError(f"{self.name}: {error}") from error
        except OSError as error:
            raise StoreError(f"{self.name}: {error}") from error

    def _discard(self) -> None:
        self.close()
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self.path}{ending}").unlink()

    def _opened(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        """Return the connection that writes and the one that reads."""
        writer, reader = self._writer, self._reader
        if writer is not None and reader is not None and self._pid == os.getpid():
            return writer, reader
        with self._lock(0):
            until = time.monotonic() + _PATIENCE
            while True:
                try:
                    return self._open()
                except sqlite3.OperationalError as error:
                    # SQLite does not wait by itself while another process makes the file.
                    if "locked" not in str(error) or time.monotonic() >= until:
                        raise
                    time.sleep(0.02)

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        if self._writer is not None and self._reader is not None and self._pid == os.getpid():
            return self._writer, self._reader
        self._writer = self._reader = None
        if self.path is not None:
            make_private(self.path)
        where = ":memory:" if self.path is None else self.path
        writer = sqlite3.connect(where, timeout=_PATIENCE, check_same_thread=False)
        try:
            writer.execute("PRAGMA journal_mode = WAL")
            # What a crash of the machine costs can be asked for again.
            writer.execute("PRAGMA synchronous = OFF")
            writer.executescript(_STATEMENTS)
            reader = (
                writer if self.path is None else sqlite3.connect(where, timeout=_READ_PATIENCE, check_same_thread=False)
            )
        except BaseException:
            writer.close()
            raise
        self._writer, self._reader, self._pid = writer, reader, os.getpid()
        return writer, reader
