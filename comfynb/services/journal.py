"""The journal: every submit is written down before it is sent, and completed with its run.

So a crash, a lost answer or a restart of the kernel loses no run: what is open is looked for in the server's run lists.
A journal that cannot be written is a warning, and no reason not to submit.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from comfynb.errors import ComfyError
from comfynb.notices import notice
from comfynb.services.private_files import make_private
from comfynb.services.spending import SpendGuard, Spent
from comfynb.warnings import JournalWarning

__all__ = ["FAULTS", "LISTENED", "UNDER_WAY", "Journal", "Noted", "NotedState", "cannot_be_read"]

NotedState: TypeAlias = Literal["queued", "open", "uncertain", "taken", "ended", "refused", "lost"]
"""``queued``: kept for when the server is back. ``open``: sent or about to be. ``uncertain``: no run is known, and
there may be one. ``taken``: its run is known. ``ended``: that has ended. ``refused``: the server took none, or nothing
was sent. ``lost``: no run ever showed."""

UNDER_WAY: Final[set[str]] = set()
"""The entries of submits that this process is at."""

_KEPT: Final = timedelta(days=30)
_PATIENCE: Final = 5.0
"""Seconds to wait while another process writes."""
_STATEMENT: Final = """
CREATE TABLE IF NOT EXISTS submits (
    id TEXT PRIMARY KEY, at TEXT NOT NULL, state TEXT NOT NULL, workflow TEXT, workflow_id TEXT, version_id TEXT,
    deployment_id TEXT, machine_id TEXT, inputs TEXT NOT NULL, since TEXT NOT NULL, before TEXT NOT NULL,
    run_id TEXT, why TEXT, host TEXT NOT NULL, pid INTEGER NOT NULL, connection TEXT NOT NULL, price REAL, cost REAL,
    webhook TEXT, sent TEXT
)
"""
_COLUMNS: Final = (
    "id, at, state, workflow, workflow_id, version_id, deployment_id, machine_id, inputs, since, before, run_id, why, "
    "host, pid, connection, price, webhook, sent"
)
_DOUBTFUL: Final = "state IN ('open', 'uncertain')"
FAULTS: Final = (OSError, sqlite3.Error, ValueError)
"""What reading and writing may raise; a path that can be none is a `ValueError`."""
LISTENED: Final = "listen"
"""Stands for the address of this machine's receiver, which has a token and ends with it."""


@dataclass(frozen=True, slots=True)
class Noted:
    """One submit as it was written down.

    Attributes
    ----------
    workflow, workflow_id, version_id, deployment_id, machine_id : str or None
        What was submitted, and where to.
    inputs : dict
        As they were sent.
    since : datetime
        By the server's clock, the earliest time at which its run can have been made.
    before : frozenset of str
        Runs of the workflow that were there before, as far as they were seen.
    id : str
        Of this entry.
    at : datetime
        When it was written down, by this machine's clock, in UTC.
    state : NotedState
        What became of it.
    run_id : str or None
        Its run.
    why : str or None
        What went wrong.
    connection : str
        Of which connection it is.
    price : float or None
        US dollars a second of its machine.
    sent : datetime or None
        When it was sent, by the server's clock, where that was known.
    webhook : str or None
        What the server was asked to call; `LISTENED` for the receiver of this machine.
    host, pid
        Whose it is.
    """

    workflow: str | None
    workflow_id: str | None
    version_id: str | None
    deployment_id: str | None
    machine_id: str | None
    inputs: dict[str, Any]
    since: datetime
    before: frozenset[str] = frozenset()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: NotedState = "open"
    run_id: str | None = None
    why: str | None = None
    connection: str = ""
    price: float | None = None
    webhook: str | None = None
    sent: datetime | None = None
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    @property
    def under_way(self) -> bool:
        """Whether this process, or another one of this machine that lives, is still at it."""
        if self.id in UNDER_WAY:
            return True
        if self.state != "open" or self.host != socket.gethostname() or self.pid == os.getpid():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return datetime.now(UTC) - self.at < timedelta(minutes=10)  # a number is given again to another process


class Journal:
    """What was submitted, in a small SQLite file, or in memory.

    Parameters
    ----------
    path : pathlib.Path or None
        The file, readable for its owner alone, since it holds prompts; None keeps it in memory.

    Examples
    --------
    >>> journal = Journal(None)
    >>> noted = Noted("text2img", "w1", "v1", None, "m1", {"seed": 7}, datetime(2026, 1, 1, tzinfo=UTC))
    >>> journal.begin(noted)
    True
    >>> journal.taken(noted.id, "r1")
    >>> [(each.state, each.run_id) for each in journal.all()]
    [('taken', 'r1')]
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._file: tuple[int, int] | None = None
        self._unreadable = False

    def begin(self, noted: Noted, guard: SpendGuard | None = None, *, queued: bool = False) -> bool:
        """Write a submit down, before it is sent.

        Parameters
        ----------
        noted : Noted
            The submit.
        guard : SpendGuard, optional
            What its connection may start; asked in the same transaction, so that two submits at once are counted.
        queued : bool
            Whether it was kept for later under the same id.

        Returns
        -------
        bool
            Whether it can be sent; not if it was kept for later, and somebody else has sent it meanwhile.

        Raises
        ------
        SpendLimitError
            If it is too much; it is not written down then.
        OSError, sqlite3.Error
            If it cannot be written.
        """
        with self._lock, self._open() as connection:
            if queued or (guard is not None and guard.limits):
                connection.execute("BEGIN IMMEDIATE")
            if queued:
                gone = connection.execute("DELETE FROM submits WHERE id = ? AND state = 'queued'", (noted.id,))
                if gone.rowcount != 1:
                    return False
            if guard is not None and guard.limits:
                guard.check(_spent(connection, guard.connection), noted.workflow or "The run")
            connection.execute(
                f"INSERT INTO submits ({_COLUMNS}) VALUES ({', '.join('?' * 19)})",  # noqa: S608 - written above
                (
                    noted.id,
                    noted.at.isoformat(),
                    noted.state,
                    noted.workflow,
                    noted.workflow_id,
                    noted.version_id,
                    noted.deployment_id,
                    noted.machine_id,
                    json.dumps(noted.inputs),
                    noted.since.isoformat(),
                    json.dumps(sorted(noted.before)),
                    noted.run_id,
                    noted.why,
                    noted.host,
                    noted.pid,
                    noted.connection,
                    noted.price,
                    noted.webhook,
                    None if noted.sent is None else noted.sent.isoformat(),
                ),
            )

        return True

    def queue(self, id: str, why: str) -> None:
        """Keep a submit for later, of which nothing was sent."""
        self._set("state = 'queued', why = ? WHERE id = ?", why, id)

    def taken(self, id: str, run_id: str, why: str | None = None) -> None:
        """Write down the run that came of a submit, and how it was found if nobody said so."""
        self._set("state = 'taken', run_id = ?, why = ?, before = '[]' WHERE id = ?", run_id, why, id)

    def refused(self, id: str, why: str) -> None:
        """Write down that there is no run."""
        self._set("state = 'refused', why = ? WHERE id = ?", why, id)

    def uncertain(self, id: str, why: str) -> None:
        """Write down that there may be a run."""
        self._set(f"state = 'uncertain', why = ? WHERE id = ? AND {_DOUBTFUL}", why, id)

    def lost(self, id: str, why: str) -> None:
        """Write down that no run ever showed."""
        self._set(f"state = 'lost', why = ? WHERE id = ? AND {_DOUBTFUL}", why, id)

    def ended(self, run_id: str, cost: float | None = None) -> None:
        """Write down that a run has ended, and what it cost in US dollars."""
        self._set("state = 'ended', cost = ? WHERE state = 'taken' AND run_id = ?", cost, run_id)

    def spent(self, connection: str) -> Spent:
        """Return what a connection has started so far."""
        with self._lock, self._open() as opened:
            return _spent(opened, connection)

    def all(self, *states: NotedState) -> list[Noted]:
        """Return what was written down, the oldest first; only those of some states if any are named."""
        marks = f" WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        with self._lock, self._open() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM submits{marks} ORDER BY at, rowid",  # noqa: S608 - written above
                states,
            ).fetchall()
        return [noted for noted in map(self._read, rows) if noted is not None]

    def _read(self, row: Iterable[Any]) -> Noted | None:
        """Return an entry; None for one that cannot be read, which hides none of the others."""
        try:
            return _noted(row)
        except (ValueError, TypeError, RecursionError) as error:
            if not self._unreadable:
                self._unreadable = True
                notice(
                    JournalWarning(
                        f"The journal {str(self.path)!r} has an entry that cannot be read ({error}), and is passed "
                        "over; look at ws.runs() for a run that is missed."
                    )
                )
            return None

    def runs(self) -> frozenset[str]:
        """Return the ids of all runs that are known here."""
        with self._lock, self._open() as connection:
            rows = connection.execute("SELECT run_id FROM submits WHERE run_id IS NOT NULL").fetchall()
        return frozenset(row[0] for row in rows)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._pid == os.getpid():
                connection.close()

    def _set(self, change: str, *values: str | float | None) -> None:
        with self._lock, self._open() as connection:
            connection.execute(f"UPDATE submits SET {change}", values)  # noqa: S608 - written above, not given

    def _open(self) -> sqlite3.Connection:
        """Return the connection, which is a transaction when it is entered."""
        if self._connection is not None and self._pid == os.getpid():
            if self._file == self._found():
                return self._connection
            self._connection.close()  # somebody has moved or deleted the file: what is written into it is lost
        self._connection = None
        if self.path is not None:
            make_private(self.path)
        connection = sqlite3.connect(
            self.path if self.path is not None else ":memory:", timeout=_PATIENCE, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            with connection:
                connection.execute(_STATEMENT)
                known = {row[1] for row in connection.execute("PRAGMA table_info(submits)")}
                for column in sorted({"webhook", "sent"} - known):  # of a file that an earlier version made
                    with suppress(sqlite3.OperationalError):  # another process has done it meanwhile
                        connection.execute(f"ALTER TABLE submits ADD COLUMN {column} TEXT")
                connection.execute(
                    "DELETE FROM submits WHERE at < ? AND state IN ('ended', 'taken', 'refused', 'lost')",
                    ((datetime.now(UTC) - _KEPT).isoformat(),),
                )
        except BaseException:
            connection.close()
            raise
        self._connection, self._pid, self._file = connection, os.getpid(), self._found()
        return connection

    def _found(self) -> tuple[int, int] | None:
        """Return which file is there now; None if there is none."""
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def cannot_be_read(journal: Journal, error: Exception) -> ComfyError:
    """Return the error for a journal that cannot be read."""
    return ComfyError(
        f"The journal {str(journal.path)!r} cannot be read ({error}); move it away, or name another file with "
        "connect(journal=…)."
    )


def _spent(connection: sqlite3.Connection, opened_by: str) -> Spent:
    rows = connection.execute(
        "SELECT at, state, price, cost FROM submits WHERE connection = ? "
        "AND state NOT IN ('refused', 'lost', 'queued')",
        (opened_by,),
    ).fetchall()
    now, dollars = datetime.now(UTC), 0.0
    for at, state, price, cost in rows:
        if cost is not None:
            dollars += cost
        elif price is not None and state != "ended":
            dollars += price * max(0.0, (now - datetime.fromisoformat(at)).total_seconds())
    return Spent(len(rows), dollars)


def _noted(row: Iterable[Any]) -> Noted:
    id, at, state, workflow, workflow_id, version_id, deployment_id, machine_id, inputs, since, before, *rest = row
    run_id, why, host, pid, opened_by, price, webhook, sent = rest
    return Noted(
        workflow=workflow,
        workflow_id=workflow_id,
        version_id=version_id,
        deployment_id=deployment_id,
        machine_id=machine_id,
        inputs=json.loads(inputs),
        since=datetime.fromisoformat(since),
        before=frozenset(json.loads(before)),
        id=id,
        at=datetime.fromisoformat(at),
        state=state,
        run_id=run_id,
        why=why,
        host=host,
        pid=pid,
        connection=opened_by,
        price=price,
        webhook=webhook,
        sent=None if sent is None else datetime.fromisoformat(sent),
    )
