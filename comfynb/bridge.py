"""Where coroutines run: the I/O thread of the process, or the kernel's own loop.

All I/O of comfynb happens on one daemon thread with an event loop of its own. A call from a notebook cell, a script,
another thread or another event loop goes there and waits; live status goes on there while cells run. The other way,
`KernelLoop`, runs everything on the kernel's loop through nest-asyncio, for hosts that drop widget updates from
threads.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from comfynb.errors import ConfigurationError

T = TypeVar("T")

THREAD_NAME = "comfynb-io"


class Runner(Protocol):
    """Runs coroutine functions where the connections of a workspace live."""

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run it and wait for its result, from code that is not async."""
        ...

    async def arun(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run it and await its result, from any event loop."""
        ...

    def start(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start it and return at once."""
        ...


class IOThread:
    """One daemon thread with an event loop, shared by all workspaces of the process; made again after a fork."""

    # Reentrant: while one is made, a workspace may be garbage-collected that closes its connections.
    _lock = threading.RLock()
    _instance: IOThread | None = None

    def __init__(self) -> None:
        self._pid = os.getpid()
        # Never closed: its thread is a daemon, and closing would wait for whatever still runs. A portal of anyio
        # closes itself when the interpreter ends, or in a forked child, and waits there for ever.
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name=THREAD_NAME, daemon=True).start()

    @classmethod
    def get(cls) -> IOThread:
        """Return the thread of this process."""
        found = cls._instance
        if found is not None and found._pid == os.getpid():
            return found
        with cls._lock:
            if cls._instance is None or cls._instance._pid != os.getpid():
                cls._instance = cls()
            return cls._instance

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run it there and wait. Ctrl-C cancels it."""
        if threading.current_thread().name == THREAD_NAME:
            raise RuntimeError("This was called on comfynb's own I/O thread; await its twin on ws.aio there instead.")
        begun: list[asyncio.Task[Any]] = []
        given_up = threading.Event()

        async def unless_given_up() -> T:
            begun.extend(task for task in (asyncio.current_task(),) if task is not None)
            if given_up.is_set():
                raise asyncio.CancelledError
            return await function()

        try:
            return self.start(unless_given_up).result()
        except BaseException:
            # Ctrl-C strikes anywhere, also between the start and the moment at which its future is known here.
            given_up.set()
            self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in begun])
            raise

    async def arun(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run it there and await it; cancelling the awaiting task cancels it."""
        if threading.current_thread().name == THREAD_NAME:
            return await function()
        return await asyncio.wrap_future(self.start(function))

    def start(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start it there, on the thread of this process even after a fork."""
        return asyncio.run_coroutine_threadsafe(function(), IOThread.get()._loop)


class KernelLoop:
    """Runs everything on the event loop of the thread that calls, nested by nest-asyncio.

    Raises
    ------
    ConfigurationError
        Where nest-asyncio is known to break things: ipykernel 7 and later loses cells that are queued while a nested
        call runs, and on Python 3.14 and later httpx fails under it.
    """

    def __init__(self) -> None:
        _refuse_where_it_breaks()
        self._applied = False

    def _loop(self) -> asyncio.AbstractEventLoop:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            policy = asyncio.get_event_loop_policy()
            try:
                loop = policy.get_event_loop()
            except RuntimeError:
                loop = policy.new_event_loop()
                policy.set_event_loop(loop)
        if not self._applied:
            import nest_asyncio

            try:
                nest_asyncio.apply(loop)
            except ValueError as error:
                raise ConfigurationError(
                    f'connect(loop="kernel") cannot nest calls in this event loop ({error}); leave loop= out.'
                ) from error
            self._applied = True
        return loop

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run it on this thread's loop, nested if that loop is running already. Ctrl-C cancels it."""
        loop = self._loop()
        task = loop.create_task(function())
        try:
            return loop.run_until_complete(task)
        except BaseException:
            task.cancel()
            raise

    async def arun(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Await it where the caller is."""
        return await function()

    def start(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start it as a task; it goes on whenever the loop runs."""
        result: Future[T] = Future()

        def finished(task: asyncio.Task[T]) -> None:
            if task.cancelled():
                result.cancel()
            elif (error := task.exception()) is not None:
                result.set_exception(error)
            else:
                result.set_result(task.result())

        task = self._loop().create_task(function())
        task.add_done_callback(finished)
        return result


def _refuse_where_it_breaks() -> None:
    reason = ""
    if sys.version_info >= (3, 14):
        reason = "on Python 3.14 and later nest-asyncio breaks httpx"
    elif "ipykernel" in sys.modules:
        version = str(getattr(sys.modules["ipykernel"], "__version__", "0"))
        if int(version.partition(".")[0]) >= 7:
            reason = f"on ipykernel {version} nest-asyncio makes the kernel lose queued cells"
    if reason:
        raise ConfigurationError(
            f'connect(loop="kernel") is not possible here: {reason}. Leave loop= out; the default works everywhere.'
        )


def choose(loop: str | None) -> Runner:
    """Return where to run.

    Parameters
    ----------
    loop : {None, "thread", "kernel"}
        None takes the thread, except on Google Colab with an ipykernel before 7, which drops widget updates that
        come from threads.
    """
    if loop == "kernel":
        return KernelLoop()
    if loop not in (None, "thread"):
        raise ConfigurationError(f'loop={loop!r} is unknown; it is "thread" (the default) or "kernel".')
    if loop is None and "google.colab" in sys.modules:
        try:
            return KernelLoop()
        except ConfigurationError:
            return IOThread.get()
    return IOThread.get()
