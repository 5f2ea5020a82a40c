"""What may stand between a read and the network: somebody who keeps answers, and what a read allows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from comfynb.api.answers import Answer


@dataclass(slots=True)
class Allowed:
    """What a read may be answered with, and what it was answered with.

    A read that allows nothing is answered by the server or not at all: the looks at a run that is waited for, and
    whatever decides whether something is submitted.

    Attributes
    ----------
    ttl : float
        Seconds that an answer may be old when others share it.
    tags : frozenset of str
        Dropping one of these drops the answer.
    refresh : bool
        Whether only the server's own answer will do, unless the server is away.
    begun : float
        `time.time()` when it began; 0 for each request's own time.
    stored : list of float
        `time.time()` of the answers that were not the server's own.
    away : bool
        Whether one of them is the last that is known, since the server is away.
    size : int
        Bytes of all answers.
    """

    ttl: float = 0.0
    tags: frozenset[str] = frozenset()
    refresh: bool = False
    begun: float = 0.0
    stored: list[float] = field(default_factory=list)
    away: bool = False
    size: int = 0


allowed: ContextVar[Allowed | None] = ContextVar("comfynb_allowed", default=None)
"""What the read that is under way allows; None for nothing but the server's own answer."""


@contextmanager
def last_known() -> Iterator[Allowed]:
    """Let the reads inside be answered with the last that is known, where the server is away."""
    allows = Allowed()
    token = allowed.set(allows)
    try:
        yield allows
    finally:
        allowed.reset(token)


class Keeper(Protocol):
    """Keeps answers, and gives them instead of the server where that is allowed."""

    async def answer(self, key: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer to a read: what is kept, or what the server says when it is asked."""
        ...


recorder: ContextVar[Keeper | None] = ContextVar("comfynb_recorder", default=None)
"""Who keeps the answers to the reads that are under way, instead of the connection's own keeper."""


@contextmanager
def recorded_by(keeper: Keeper) -> Iterator[None]:
    """Let a keeper have the reads inside, and those of the tasks that they start; other reads do not see it."""
    token = recorder.set(keeper)
    try:
        yield
    finally:
        recorder.reset(token)
