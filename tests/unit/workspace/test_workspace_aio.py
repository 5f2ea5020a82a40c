"""A workspace that is used by coroutines alone is closed by them, too."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from faults import Proxy

import comfynb
from comfynb.sandbox import Sandbox


def sandbox_threads() -> set[str]:
    """Return the names of the threads of sandboxes."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("comfynb-sandbox-")}


def test_async_with_closes_the_workspace_and_its_sandbox() -> None:
    """As `with` does."""
    before = sandbox_threads()

    async def main() -> str:
        async with comfynb.connect(sandbox=True).aio as ws:
            assert len(sandbox_threads()) == len(before) + 1
            run = await ws.submit("text2img", prompt="a red fox")
            return (await run).status

    assert asyncio.run(main()) == "success"
    assert sandbox_threads() == before


def test_closing_is_awaited(sandbox: Sandbox) -> None:
    """The connections are closed by then; a sandbox that was given goes on; to close twice is no error."""

    async def main() -> None:
        ws = comfynb.connect(sandbox=sandbox)
        assert len(await ws.aio.workflows()) == 8
        await ws.aio.close()
        await ws.aio.close()

    asyncio.run(main())
    assert sandbox.running
    gc.collect()  # an open socket would warn


def test_async_with_closes_after_an_error(sandbox: Sandbox) -> None:
    """And the error is what is seen."""
    before = sandbox_threads()

    async def main() -> None:
        async with comfynb.connect(sandbox=True).aio as ws:
            await ws.workflow("nope")

    with pytest.raises(comfynb.NotFoundError, match="No workflow is called 'nope'"):
        asyncio.run(main())
    assert sandbox_threads() == before


def test_a_cancelled_submit_is_not_lost(sandbox: Sandbox) -> None:
    """Whoever awaited it: its handle is the last run."""

    async def main(ws: comfynb.Workspace) -> comfynb.Run:
        submitting = asyncio.create_task(ws.aio.submit("text2img", prompt="x"))
        while not proxy.arrived.is_set():  # noqa: ASYNC110 - on another thread
            await asyncio.sleep(0.002)
        submitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitting
        proxy.opened.set()
        while ws.last_run is None:  # noqa: ASYNC110 - on the I/O thread
            await asyncio.sleep(0.002)
        return await ws.last_run

    with Proxy(sandbox.url, hold=b"POST /api/run") as proxy, comfynb.connect(proxy.url, sandbox.api_key) as ws:
        assert asyncio.run(main(ws)).status == "success"
    assert sandbox.counters.runs_created == 1
