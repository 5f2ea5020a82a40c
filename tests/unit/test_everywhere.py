"""The same calls work in a script, in coroutines, in threads and in other processes, and leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

import comfynb
from comfynb import ConfigurationError, Run, Sandbox, Workspace
from comfynb.bridge import THREAD_NAME, IOThread

PATIENCE = 30.0


@pytest.fixture
def ws(sandbox: Sandbox) -> Iterator[Workspace]:
    """Connect to the sandbox."""
    with comfynb.connect(sandbox.url, sandbox.api_key) as workspace:
        yield workspace


def run_script(folder: Path, code: str, *options: str) -> tuple[str, str]:
    """Run a script as a person would; return what it wrote to standard output and to standard error."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(code), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *options, str(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def in_thread(function: Callable[[], object]) -> object:
    """Call a function on a thread of its own and return what it returned."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(PATIENCE)


# -- scripts ----------------------------------------------------------------------------------------------------

STRICT = ("-X", "dev", "-W", "error")
QUIET = "import logging; logging.getLogger('asyncio').setLevel(logging.ERROR)  # -X dev reports what takes 0.1 s\n"


def test_a_script_ends_by_itself_and_says_nothing(tmp_path: Path) -> None:
    """Without closing anything: exit code 0, and not a warning even where all of them are errors."""
    said, trouble = run_script(
        tmp_path,
        QUIET
        + textwrap.dedent("""
        import comfynb
        ws = comfynb.connect(sandbox=True)
        print(len(ws.workflows()), len(ws.catalog()), ws.run("text2img", prompt="a red fox").status)
        """),
        *STRICT,
    )
    assert (said, trouble) == ("8 8 success\n", "")


def test_a_script_ends_while_a_run_is_waited_for(tmp_path: Path) -> None:
    """A wait in the background, on a thread or started from an event loop, keeps no script from ending."""
    said, trouble = run_script(
        tmp_path,
        QUIET
        + textwrap.dedent("""
        import asyncio, threading
        import comfynb
        ws = comfynb.connect(sandbox=comfynb.Sandbox(speed=0).start())
        run = ws.submit("text2img", prompt="a red fox")
        threading.Thread(target=run.wait, daemon=True).start()

        async def main():
            waiting = asyncio.create_task(ws.aio.run("text2img", prompt="a blue fox"))
            await asyncio.wait([waiting], timeout=0.3)

        asyncio.run(main())
        print(run.ended)
        """),
        *STRICT,
    )
    assert (said, trouble) == ("False\n", "")


def test_a_script_may_use_the_loop_of_its_own(tmp_path: Path) -> None:
    """`loop="kernel"` works where there is no kernel at all: in plain code, and inside a coroutine."""
    said, trouble = run_script(
        tmp_path,
        """
        import asyncio
        import comfynb
        ws = comfynb.connect(sandbox=True, loop="kernel")
        print(len(ws.workflows()))

        async def main():
            return len(ws.catalog()), len(await ws.aio.machines()), ws.run("text2img", prompt="a red fox").status

        print(asyncio.run(main()))
        """,
    )
    assert (said, trouble) == ("8\n(8, 8, 'success')\n", "")


# -- event loops ------------------------------------------------------------------------------------------------


def test_coroutines_await_everything(ws: Workspace) -> None:
    """Under `asyncio.run`, tables, runs and handles can be awaited, several at once."""

    async def main() -> tuple[int, int, str, str]:
        workflows, catalog = await asyncio.gather(ws.aio.workflows(), ws.aio.catalog())
        submitted: Run = await ws.aio.submit("text2img", prompt="a red fox")
        ended = await submitted
        return len(workflows), len(catalog), ended.status, (await ws.aio.run("text2img", prompt="x")).status

    assert asyncio.run(main()) == (8, 8, "success", "success")


def test_plain_calls_work_inside_a_coroutine(ws: Workspace) -> None:
    """They block its loop, as any plain call does, and give what they always give."""

    async def main() -> tuple[int, int, str]:
        return len(ws.workflows()), len(ws.catalog()), ws.run("text2img", prompt="a red fox").status

    assert asyncio.run(main()) == (8, 8, "success")


def test_event_loops_one_after_the_other_share_a_workspace(ws: Workspace) -> None:
    """A loop that is gone takes no connection with it, nor a run that was submitted from it."""

    async def read() -> int:
        return len(await ws.aio.workflows(refresh=True))

    async def submit() -> Run:
        run: Run = await ws.aio.submit("text2img", prompt="a red fox")
        return run

    async def wait(run: Run) -> str:
        return (await run).status

    assert [asyncio.run(read()) for _ in range(3)] == [8, 8, 8]
    submitted = asyncio.run(submit())
    assert asyncio.run(wait(submitted)) == "success"


def test_a_cancelled_task_leaves_the_run_alone(ws: Workspace, sandbox: Sandbox) -> None:
    """Giving up a wait cancels the watching, not the run; the next wait finds it."""
    sandbox.knobs.change(speed=0)

    async def give_up() -> Run:
        run: Run = await ws.aio.submit("text2img", prompt="a red fox")

        async def wait() -> Run:
            return await run

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return run

    run = asyncio.run(give_up())
    assert not run.ended
    sandbox.knobs.change(speed=1000)
    assert run.wait().status == "success"
    assert sandbox.counters.runs_created == 1


def test_a_plain_call_on_the_io_thread_is_an_error(ws: Workspace) -> None:
    """It could only wait for itself; the message names the way out."""

    async def call() -> object:
        return ws.workflows(refresh=True)

    with pytest.raises(RuntimeError, match=r"await its twin on ws\.aio"):
        IOThread.get().run(call)


# -- threads ----------------------------------------------------------------------------------------------------


def test_threads_share_a_workspace(ws: Workspace, sandbox: Sandbox) -> None:
    """Eight at once, each with a table of its own and a run of its own; the tables are fetched once."""

    def work(number: int) -> tuple[int, int, str, object]:
        run = ws.run("text2img", prompt=f"fox {number}")
        return len(ws.workflows()), len(ws.catalog()), run.status, run.inputs["prompt"]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8), timeout=PATIENCE))
    assert found == [(8, 8, "success", f"fox {number}") for number in range(8)]
    assert sandbox.counters.runs_created == 8
    assert sandbox.counters.requests["GET /workflows"] == 1


def test_a_thread_with_an_event_loop_works_too(ws: Workspace) -> None:
    """`asyncio.run` on another thread, while the first thread uses the workspace plainly."""

    async def read() -> int:
        return len(await ws.aio.workflows(refresh=True))

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(asyncio.run, read())
        assert len(ws.workflows(refresh=True)) == 8
        assert other.result(PATIENCE) == 8


def test_all_workspaces_share_one_thread(sandbox: Sandbox) -> None:
    """However many are made, there is one I/O thread."""
    for _ in range(3):
        with comfynb.connect(sandbox.url, sandbox.api_key) as workspace:
            workspace.workflows()
    assert [thread.name for thread in threading.enumerate()].count(THREAD_NAME) == 1


# -- other processes --------------------------------------------------------------------------------------------

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@needs_fork
def test_a_forked_child_reads_on(tmp_path: Path, sandbox: Sandbox) -> None:
    """The child goes on with a thread and connections of its own, and ends; the parent notices nothing."""
    said, trouble = run_script(
        tmp_path,
        f"""
        import os, sys
        import comfynb
        ws = comfynb.connect({sandbox.url!r}, {sandbox.api_key!r})
        print(len(ws.workflows()), flush=True)
        child = os.fork()
        if child == 0:
            print(len(ws.workflows(refresh=True)), ws.run("text2img", prompt="a red fox").status, flush=True)
            sys.exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print(len(ws.workflows(refresh=True)))
        """,
    )
    assert (said, trouble) == ("8\n8 success\n7\n8\n", "")


@needs_fork
def test_a_forked_child_that_ends_breaks_no_request_of_the_parent(tmp_path: Path, sandbox: Sandbox) -> None:
    """What the parent waits for comes, at the first try, though the child closes what it holds."""
    sandbox.knobs.change(latency=0.5)
    said, trouble = run_script(
        tmp_path,
        f"""
        import os, sys, threading
        import comfynb
        ws = comfynb.connect({sandbox.url!r}, {sandbox.api_key!r}, timeout=10, retries=0)
        ws.workflows()
        reading = threading.Thread(target=lambda: print(len(ws.workflows(refresh=True)), flush=True))
        reading.start()
        reading.join(0.2)
        child = os.fork()
        if child == 0:
            ws.close()
            sys.exit(0)
        os.waitpid(child, 0)
        reading.join()
        """,
    )
    assert (said, trouble) == ("8\n", "")


def read_as_a_child(url: str, api_key: str, answers: multiprocessing.SimpleQueue[int]) -> None:
    """Connect and read, in a process that was spawned."""
    answers.put(len(comfynb.connect(url, api_key).workflows()))


def test_a_spawned_process_reads(sandbox: Sandbox, ws: Workspace) -> None:
    """By multiprocessing's way of starting anew, while this process holds a workspace."""
    assert len(ws.workflows()) == 8
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.SimpleQueue[int] = context.SimpleQueue()
    child = context.Process(target=read_as_a_child, args=(sandbox.url, sandbox.api_key, answers))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0
    assert answers.get() == 8
    answers.close()
    child.close()


# -- letting go -------------------------------------------------------------------------------------------------


def sandbox_threads() -> list[str]:
    """Return the names of the threads of sandboxes."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("comfynb-sandbox-")]


def test_a_workspace_that_is_let_go_takes_its_sandbox_along() -> None:
    """When neither it nor a handle of it is held any more; a handle keeps it usable."""
    before = sandbox_threads()
    run = comfynb.connect(sandbox=True).submit("text2img", prompt="a red fox")
    gc.collect()
    assert len(sandbox_threads()) == len(before) + 1
    assert run.wait().status == "success"
    del run
    gc.collect()
    assert sandbox_threads() == before


@pytest.mark.parametrize("place", ["the sandbox's own thread", "the I/O thread", "another thread"])
def test_a_workspace_may_be_collected_on_any_thread(place: str) -> None:
    """The garbage collector runs wherever memory is asked for; no thread waits for itself then."""
    before = sandbox_threads()
    gc.collect()
    gc.disable()
    try:
        ws = comfynb.connect(sandbox=True)
        ws.run("text2img", prompt="a red fox")
        assert ws.sandbox is not None
        started = next(
            thread for thread in threading.enumerate() if thread.name in set(sandbox_threads()) - set(before)
        )
        if place == "another thread":
            del ws
            in_thread(gc.collect)
        elif place == "the I/O thread":
            del ws
            IOThread.get().run(collect)
        else:
            # A reset that is asked for over the wire happens on the thread that serves.
            reset = f"{ws.url}/sandbox/reset"
            ws.sandbox.app.reset = gc.collect
            del ws
            with suppress(httpx.TransportError):  # the server ends meanwhile
                httpx.post(reset, trust_env=False)
        started.join(PATIENCE)
        assert not started.is_alive()
    finally:
        gc.enable()


async def collect() -> int:
    """Collect garbage wherever this runs."""
    return gc.collect()


def test_a_wrong_loop_is_refused() -> None:
    """The message says which there are, and no sandbox is left running."""
    before = sandbox_threads()
    with pytest.raises(ConfigurationError, match=r"loop='nested' is unknown; it is \"thread\""):
        comfynb.connect(sandbox=True, loop="nested")
    assert sandbox_threads() == before
