"""Trying a read again: when, how often, and after how long a wait."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from comfynb.api.answers import Answer, retry_after
from comfynb.api.connections import Limits
from comfynb.api.routes import Route
from comfynb.errors import TransportError

log = logging.getLogger("comfynb")

RETRIED = frozenset({429, 502, 503, 504})
"""Statuses after which a read is tried again. No 500 is: every one that was seen is deterministic."""


class _TryAgain(Exception):
    def __init__(self, answer: Answer | None, error: TransportError | None = None) -> None:
        super().__init__()
        self.answer = answer
        self.error = error or TransportError("")


async def retried(
    once: Callable[[], Awaitable[Answer]],
    *,
    route: Route,
    limits: Limits,
    now: Callable[[], datetime],
    waiting: Callable[[float], object] = lambda _: None,
) -> Answer:
    """Call `once` until its answer is worth returning, with full jitter between the tries.

    Parameters
    ----------
    once : coroutine function
        One try.
    route : Route
        What is tried, for the log.
    limits : Limits
        How often and how long.
    now : callable
        The server's time, for a `Retry-After` that is a date.
    waiting : callable
        Told the seconds of each wait, before it begins.

    Returns
    -------
    Answer
        The last one, whatever its status.

    Raises
    ------
    TransportError
        If the last try brought none.
    """
    from tenacity import AsyncRetrying, retry_if_exception_type

    deadline = time.monotonic() + limits.budget

    def wait(state: Any) -> float:
        fault = state.outcome.exception()
        asked = retry_after(fault.answer, now()) if fault.answer is not None else None
        if asked is not None:
            return asked
        ceiling = min(limits.longest_wait, limits.first_wait * 2.0 ** (state.attempt_number - 1))
        return random.uniform(0.0, ceiling)

    def stop(state: Any) -> bool:
        return bool(state.attempt_number > limits.retries or time.monotonic() + state.upcoming_sleep >= deadline)

    def tell(state: Any) -> None:
        fault = state.outcome.exception()
        waiting(state.upcoming_sleep)
        why = str(fault.answer.status) if fault.answer is not None else "no answer"
        log.info("waiting %.1f s (%s) before %s is tried again", state.upcoming_sleep, why, route)

    try:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(_TryAgain),
            wait=wait,
            stop=stop,
            before_sleep=tell,
            reraise=True,
        ):
            with attempt:
                try:
                    answer = await once()
                except TransportError as error:
                    raise _TryAgain(None, error) from error
                if answer.status in RETRIED:
                    raise _TryAgain(answer)
    except _TryAgain as fault:
        if fault.answer is None:
            raise fault.error from fault.error.__cause__
        return fault.answer
    return answer
