"""Reads that go on at the same time, and reads that the cache alone can answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import closing
from typing import Any, TypeVar

from comfynb.api.transport import NeedsNetwork, no_network

T = TypeVar("T")


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
