"""Trying again what changes nothing: when, how often, and after how long a wait."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from comfynb.api.answers import Answer, retry_after
from comfynb.api.connections import Limits
from comfynb.errors import ApiError, ComfyError, TransportError

T = TypeVar("T")

log = logging.getLogger("comfynb")

RETRIED = frozenset({429, 502, 503, 504})
"""Statuses after which a read is tried again. No 500 is: every one that was seen is deterministic."""


class _TryAgain(Exception):
    def __init__(self, answer: Answer | None, error: ComfyError | None = None) -> None:
        super().__init__()
        self.answer = answer
        self.error = error or ComfyError("")


async def retried(
    once: Callable[[], Awaitable[T]],
    *,
    what: object,
    limits: Limits,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    waiting: Callable[[float], object] = lambda _: None,
) -> T:
    """Call `once` until what it returns is worth returning, with full jitter between the tries.

    Parameters
    ----------
    once : coroutine function
        One try. It is repeated after an `Answer` or an `ApiError` of a status in `RETRIED`, and after a
        `TransportError` that may fare better.
    what : object
        What is tried, for the log.
    limits : Limits
        How often and how long.
    now : callable
        The server's time, for a `Retry-After` that is a date.
    waiting : callable
        Told the seconds of each wait, before it begins.

    Returns
    -------
    object
        What the last try brought; an `Answer` whatever its status.

    Raises
    ------
    TransportError, ApiError
        If the last try brought none.
    """
    from tenacity import AsyncRetrying, retry_if_exception_type

    deadline, tries = time.monotonic() + limits.budget, 0

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
        status = fault.answer.status if fault.answer is not None else getattr(fault.error, "status", None)
        why = str(status) if status is not None else "no answer"
        log.info("waiting %.1f s (%s) before %s is tried again", state.upcoming_sleep, why, what)

    answers: list[T] = []
    try:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(_TryAgain),
            wait=wait,
            stop=stop,
            before_sleep=tell,
            reraise=True,
        ):
            with attempt:
                tries = attempt.retry_state.attempt_number
                try:
                    found = await once()
                except (TransportError, ApiError) as error:
                    if error.again if isinstance(error, TransportError) else error.status in RETRIED:
                        raise _TryAgain(None, error) from error
                    raise
                if isinstance(found, Answer) and found.status in RETRIED:
                    answers = [found]
                    raise _TryAgain(found)
    except _TryAgain as fault:
        if fault.answer is not None:
            return answers[0]
        if tries > 1:
            fault.error.args = (f"{fault.error} It was tried {tries} times.", *fault.error.args[1:])
        raise fault.error from fault.error.__cause__
    return found
