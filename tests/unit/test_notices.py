"""Warnings from below are shown where the user called."""

from __future__ import annotations

import asyncio
import threading
import warnings

import pytest

import comfynb
from comfynb.bridge import IOThread
from comfynb.face import Face
from comfynb.notices import collecting, notice, show
from comfynb.sandbox import Sandbox
from comfynb.warnings import ComfyWarning, PartialResultWarning, SchemaDriftWarning


def test_a_notice_is_a_warning_where_nobody_collects() -> None:
    """It points at the line outside comfynb that called."""
    with pytest.warns(PartialResultWarning, match="half of it") as caught:
        notice(PartialResultWarning("half of it"))
    assert caught[0].filename == __file__


def test_collected_notices_wait_until_they_are_shown() -> None:
    """In their order, and then they point here."""
    told: list[ComfyWarning] = []
    with collecting(told):
        notice(PartialResultWarning("one"))
        notice(SchemaDriftWarning("two"))
    assert [str(each) for each in told] == ["one", "two"]
    with pytest.warns(ComfyWarning) as caught:
        show(told)
    assert [(str(each.message), each.filename) for each in caught] == [("one", __file__), ("two", __file__)]


def test_collecting_includes_the_tasks_that_are_begun_meanwhile() -> None:
    """A read that is shared by several belongs to who began it; the others are not told twice."""
    first: list[ComfyWarning] = []
    second: list[ComfyWarning] = []

    async def tell() -> None:
        await asyncio.sleep(0)
        notice(PartialResultWarning("from a task"))

    async def main() -> None:
        with collecting(first):
            task = asyncio.create_task(tell())
        with collecting(second):
            await task

    asyncio.run(main())
    assert (len(first), len(second)) == (1, 0)


def test_collecting_ends_with_its_block() -> None:
    """Also after an error."""
    with pytest.raises(LookupError), collecting([]):
        raise LookupError
    with pytest.warns(PartialResultWarning):
        notice(PartialResultWarning("shown"))


def test_a_warning_of_the_io_thread_points_at_the_callers_line() -> None:
    """It is found on another thread and shown in this one, with this one's filters."""

    async def read() -> int:
        notice(PartialResultWarning("from below"))
        return 7

    async def cell() -> int:
        return await face.acall(read)

    face = Face(IOThread.get())
    with pytest.warns(PartialResultWarning, match="from below") as caught:
        assert face.call(read) == 7
    assert caught[0].filename == __file__
    with pytest.warns(PartialResultWarning) as caught:
        assert asyncio.run(cell()) == 7
    assert caught[0].filename == __file__


def test_a_filter_of_the_caller_applies() -> None:
    """Silenced here, an error there."""

    async def read() -> int:
        notice(PartialResultWarning("from below"))
        return 7

    face = Face(IOThread.get())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialResultWarning)
        assert face.call(read) == 7
    with warnings.catch_warnings():
        warnings.simplefilter("error", PartialResultWarning)
        with pytest.raises(PartialResultWarning):
            face.call(read)


def test_warnings_of_two_threads_do_not_mix() -> None:
    """Each caller is told what its own call found."""
    begin = threading.Barrier(2)
    found: dict[int, list[str]] = {}

    def call(number: int) -> None:
        async def read() -> None:
            await asyncio.sleep(0.01)
            notice(PartialResultWarning(f"for {number}"))

        told: list[ComfyWarning] = []

        async def collected() -> None:
            with collecting(told):
                await read()

        begin.wait()
        IOThread.get().run(collected)
        found[number] = [str(each) for each in told]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: ["for 0"], 1: ["for 1"]}


def test_a_table_that_lacks_something_warns_where_it_was_asked_for(sandbox: Sandbox) -> None:
    """Through the whole product: the line of the user's cell."""
    workspace = comfynb.connect(sandbox.url, sandbox.api_key, retries=0)
    sandbox.knobs.change(fail_next=1, faults_on="GET /api/workflows/all")
    with pytest.warns(PartialResultWarning, match="without descriptions") as caught:
        workspace.workflows()
    assert caught[0].filename == __file__
