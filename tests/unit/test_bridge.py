"""Where coroutines run: one thread for all I/O, or the loop of who calls."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from types import ModuleType

import pytest

from comfynb.bridge import THREAD_NAME, IOThread, KernelLoop, choose
from comfynb.errors import ConfigurationError


async def where() -> str:
    """Return the name of the thread."""
    await asyncio.sleep(0)
    return threading.current_thread().name


async def fails() -> None:
    """Raise."""
    await asyncio.sleep(0)
    raise LookupError("from below")


class Endless:
    """Waits until it is cancelled, and tells of it."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self) -> None:
        self.began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def script(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, which has to end."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, env=environment, timeout=30
    )


PRELUDE = """
import asyncio, os, sys, threading, time
from comfynb.bridge import IOThread, KernelLoop
async def pid():
    await asyncio.sleep(0)
    return os.getpid()
"""


# The thread


def test_there_is_one_thread_for_all() -> None:
    """Whoever calls: this thread, others, an event loop."""

    async def awaited() -> str:
        return await IOThread.get().arun(where)

    with ThreadPoolExecutor(4) as pool:
        found = {*pool.map(lambda _: IOThread.get().run(where), range(8)), asyncio.run(awaited())}
    assert found == {IOThread.get().run(where)} == {THREAD_NAME}
    assert [thread.name for thread in threading.enumerate()].count(THREAD_NAME) == 1
    assert choose(None) is choose("thread") is IOThread.get()


def test_calls_of_several_threads_go_on_at_the_same_time() -> None:
    """They wait for each other, which would take for ever one after the other."""
    gate = asyncio.Barrier(5)

    async def meet() -> None:
        await gate.wait()

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(lambda _: IOThread.get().run(meet), range(5), timeout=10)) == [None] * 5


def test_an_error_is_raised_where_it_was_called() -> None:
    """From code that is not async, and awaited."""
    with pytest.raises(LookupError, match="from below"):
        IOThread.get().run(fails)
    with pytest.raises(LookupError, match="from below"):
        asyncio.run(IOThread.get().arun(fails))


def test_it_works_inside_a_running_event_loop() -> None:
    """As in a notebook's cell, whose loop is running: the call blocks, and the loop goes on afterwards."""

    async def cell() -> str:
        return IOThread.get().run(where)

    assert asyncio.run(cell()) == THREAD_NAME


def test_giving_up_an_await_cancels_what_was_begun() -> None:
    """A timeout of the caller ends the request there."""
    endless = Endless()

    async def impatient() -> None:
        await asyncio.wait_for(IOThread.get().arun(endless), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    assert endless.cancelled.wait(5)


def test_ctrl_c_ends_a_call_and_what_it_began() -> None:
    """The keyboard interrupt reaches the caller at once."""
    endless = Endless()

    def interrupt() -> None:
        endless.began.wait(5)
        time.sleep(0.1)  # until the call waits
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        IOThread.get().run(endless)
    assert endless.cancelled.wait(5)


def test_what_is_started_goes_on_alone() -> None:
    """Its future can be waited for or cancelled."""
    assert IOThread.get().start(where).result(5) == THREAD_NAME
    endless = Endless()
    future = IOThread.get().start(endless)
    assert endless.began.wait(5)
    assert not future.done()
    future.cancel()
    assert endless.cancelled.wait(5)
    with pytest.raises(CancelledError):
        future.result(5)


def test_a_blocking_call_on_the_thread_itself_is_refused() -> None:
    """It would wait for itself for ever; awaiting is possible."""

    async def blocks() -> None:
        IOThread.get().run(where)

    async def awaits() -> str:
        return await IOThread.get().arun(where)

    with pytest.raises(RuntimeError, match=r"own I/O thread; await its twin on ws\.aio"):
        IOThread.get().run(blocks)
    assert IOThread.get().run(awaits) == THREAD_NAME


# Processes


@pytest.mark.parametrize(
    "more",
    [
        "",
        "runner.start(lambda: asyncio.sleep(60)); time.sleep(0.05)",
        "async def deaf():\n    while True:\n        try: await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError: pass\nrunner.start(deaf); time.sleep(0.05)",
        "IOThread._instance = None; del runner",
        "raise SystemExit(0)",
    ],
    ids=["idle", "busy", "deaf", "forgotten", "exit"],
)
@pytest.mark.parametrize("options", [(), ("-X", "dev")])
def test_a_process_that_used_it_ends_at_once_and_in_silence(more: str, options: tuple[str, ...]) -> None:
    """Whatever still runs on the thread."""
    begun = time.monotonic()
    found = script(f"{PRELUDE}\nrunner = IOThread.get()\nprint(runner.run(pid) == os.getpid())\n{more}", *options)
    assert (found.returncode, found.stdout, found.stderr) == (0, "True\n", "")
    assert time.monotonic() - begun < 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_gets_a_thread_of_its_own_and_ends() -> None:
    """Threads do not survive a fork; what the parent holds is of no use and in nobody's way."""
    code = """
import gc, warnings
warnings.simplefilter("ignore", DeprecationWarning)
runner = IOThread.get()
runner.run(pid)
child = os.fork()
if child == 0:
    good = runner.run(pid) == os.getpid() == asyncio.run(runner.arun(pid)) and IOThread.get() is not runner
    del runner
    gc.collect()
    sys.exit(0 if good else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), runner.run(pid) == os.getpid())
"""
    found = script(PRELUDE + code)
    assert (found.returncode, found.stdout, found.stderr) == (0, "0 True\n", "")


@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_nest_asyncio_of_somebody_else_changes_nothing(when: str) -> None:
    """Notebooks often apply it on their own, before or after the thread is there."""
    apply = "import nest_asyncio; nest_asyncio.apply()\n"
    code = f"""
{apply if when == "before" else ""}
runner = IOThread.get()
assert runner.run(pid) == os.getpid()
{apply if when == "after" else ""}
async def cell():
    return runner.run(pid) == await runner.arun(pid) == os.getpid()
async def later():
    await asyncio.sleep(0.01)
    return await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(pid())), 5)
print(asyncio.run(cell()), runner.run(later) == os.getpid())
"""
    found = script(PRELUDE + code)
    assert (found.returncode, found.stdout, found.stderr) == (0, "True True\n", "")


# The loop of who calls


def test_the_kernels_loop_runs_nested_calls() -> None:
    """Plain, nested, awaited, in the background; in a process of its own, since nest-asyncio stays for good."""
    code = """
runner = KernelLoop()
async def fails():
    raise LookupError("from below")
print(runner.run(pid) == os.getpid())
async def cell():
    nested = runner.run(pid)
    started = runner.start(pid)
    failed = runner.start(fails)
    awaited = await runner.arun(pid)
    await asyncio.sleep(0.01)
    assert isinstance(failed.exception(0), LookupError)
    return {nested, awaited, started.result(0)} == {os.getpid()}
print(asyncio.get_event_loop().run_until_complete(cell()))
print("comfynb-io" in [thread.name for thread in threading.enumerate()])
"""
    found = script(PRELUDE + code, "-W", "ignore::DeprecationWarning")
    assert (found.returncode, found.stdout) == (0, "True\nTrue\nFalse\n"), found.stderr


def test_nest_asyncio_is_applied_on_first_use_only() -> None:
    """Neither on import nor when it is chosen."""
    code = """
import comfynb
runner = KernelLoop()
print("nest_asyncio" in sys.modules)
runner.run(pid)
print("nest_asyncio" in sys.modules)
"""
    found = script(PRELUDE + code, "-W", "ignore::DeprecationWarning")
    assert (found.returncode, found.stdout) == (0, "False\nTrue\n"), found.stderr


def pretend(monkeypatch: pytest.MonkeyPatch, name: str, version: str = "") -> None:
    """Make it look as if a module were imported."""
    module = ModuleType(name)
    module.__version__ = version  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)


def test_the_kernels_loop_is_refused_where_it_loses_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sentence that says why and what to do."""
    pretend(monkeypatch, "ipykernel", "7.1.0")
    with pytest.raises(
        ConfigurationError, match=r'loop="kernel"\) is not possible here: on ipykernel 7\.1\.0 .* Leave'
    ):
        choose("kernel")


def test_the_kernels_loop_is_refused_on_a_python_where_it_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 3.14 on."""
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    with pytest.raises(ConfigurationError, match=r"Python 3\.14"):
        choose("kernel")


def test_colab_gets_the_kernels_loop_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It drops widget updates from threads; with a kernel that would lose cells it gets the thread all the same."""
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    pretend(monkeypatch, "google.colab")
    pretend(monkeypatch, "ipykernel", "6.29.5")
    assert isinstance(choose(None), KernelLoop)
    assert choose("thread") is IOThread.get()
    pretend(monkeypatch, "ipykernel", "7.0.0")
    assert choose(None) is IOThread.get()


def test_another_loop_is_an_error() -> None:
    """The message names both that there are."""
    with pytest.raises(ConfigurationError, match=r'"thread" \(the default\) or "kernel"'):
        choose("tread")
