"""From the options of `connect` to where answers are kept."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_data_path

from comfynb.api.transport import Transport
from comfynb.errors import ConfigurationError
from comfynb.services.cache.disk import DiskStore
from comfynb.services.cache.keeper import AnswerKeeper
from comfynb.services.cache.kept import Store

if TYPE_CHECKING:
    from comfynb.services.cache.snapshot import Snapshot

__all__ = ["data_file", "open_keeper"]

_SCHEMES: Final = ("redis://", "rediss://", "unix://")


def data_file(transport: Transport, kind: str) -> Path:
    """Return our file of one kind for a server and a key, in the user's data folder; its name tells neither."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", str(transport.address).partition("://")[2])[:60]
    return user_data_path("comfynb", appauthor=False) / kind / f"{name}-{transport.tenant}.sqlite"


def open_keeper(
    transport: Transport,
    *,
    cache: str = "memory",
    offline: bool = False,
    snapshot: Snapshot | None = None,
    in_memory: bool = False,
    oldest: float,
) -> AnswerKeeper:
    """Return who keeps the answers of a connection, and put it before its transport.

    Parameters
    ----------
    transport : Transport
        The server.
    cache : str
        "memory", "disk", or the address of a Redis server.
    offline : bool
        Whether the server must not be asked.
    snapshot : Snapshot, optional
        What there is instead of a server.
    in_memory : bool
        Whether the last known answers are kept for this process alone.
    oldest : float
        Seconds; an older answer is not given for a server that is away.

    Raises
    ------
    ConfigurationError
        If `cache` is nothing that is known.
    """
    shared: Store | None = None
    book = DiskStore(None if in_memory or snapshot is not None else data_file(transport, "answers"))
    if cache == "disk":
        if book.path is None and snapshot is None:
            book = DiskStore(data_file(transport, "answers"))
        shared = book
    elif cache.startswith(_SCHEMES):
        from comfynb.services.cache.redis import RedisStore

        shared = RedisStore(cache, transport.tenant)
    elif cache != "memory":
        raise ConfigurationError('cache= is unknown; it is "memory", "disk" or "redis://host:6379/0".')
    if snapshot is not None:
        # How large it may be was decided when it was read; from here on nothing of it may go.
        shared, book = None, DiskStore(None, largest=sys.maxsize)
        book.fill(snapshot.answers)
        taken = snapshot.taken.isoformat(sep=" ", timespec="seconds")
        transport.offline = f"This is a snapshot of {snapshot.server}, taken {taken}; there is no server behind it."
        oldest = float("inf")
    elif offline:
        transport.offline = "connect(offline=True) asks nothing of the server."
    keeper = AnswerKeeper(book, shared, offline=transport.offline, oldest=oldest)
    transport.keeper = keeper
    return keeper
