"""The async twin of a workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from comfynb.core import Core
from comfynb.face import Twin
from comfynb.rules.observing import STALL
from comfynb.rules.waiting import DEFAULT_TIMEOUT, check_seconds
from comfynb.runs.run import Run
from comfynb.services.given_files import file_to_upload
from comfynb.workspace.cache import WorkspaceCache
from comfynb.workspace.names import WorkspaceNames
from comfynb.workspace.routing import WorkspaceRouting


class AsyncWorkspace(Twin):
    """The methods of a `Workspace` that do I/O, as coroutine functions, for any event loop.

    They take and return the same: ``await ws.aio.run("text2img", prompt="a red fox")``. ``async with ws.aio`` closes
    the workspace at its end.

    Parameters
    ----------
    workspace : Workspace
        Whose twin it is.
    core : Core
        What it does.

    Examples
    --------
    >>> import asyncio, comfynb
    >>> async def main():
    ...     async with comfynb.connect(sandbox=True).aio as ws:
    ...         run = await ws.submit("text2img", prompt="a red fox")
    ...         return (await run).status
    >>> asyncio.run(main())
    'success'
    """

    def __init__(self, workspace: object, core: Core) -> None:
        self._core = core

        async def submit(workflow: Any, /, inputs: Mapping[str, Any] | None = None, **options: Any) -> Run:
            prepared = await core.face.acall(lambda: core.prepare(workflow, inputs, **options))
            core.comfyui.uploads.announce(prepared.files)
            return await core.face.acall(lambda: core.launch(prepared))

        async def upload(file: Any, name: str | None = None) -> str:
            given = await core.face.acall(lambda: asyncio.to_thread(file_to_upload, file, name))
            core.comfyui.uploads.announce([given])
            return await core.face.acall(lambda: core.comfyui.uploads.url(given))

        async def run(
            workflow: Any,
            /,
            inputs: Mapping[str, Any] | None = None,
            *,
            timeout: float | None = DEFAULT_TIMEOUT,
            check: bool = True,
            stall: float = STALL,
            progress: bool | None = None,
            **options: Any,
        ) -> Run:
            check_seconds(timeout=timeout, stall=stall)
            submitted = await submit(workflow, inputs, **options)
            ended: Run = await submitted.aio.wait(timeout, check=check, stall=stall, progress=progress)
            return ended

        super().__init__(workspace, "ws", submit=submit, run=run, upload=upload)

    @property
    def cache(self) -> Twin:
        """The coroutine functions of `ws.cache`: ``await ws.aio.cache.clear()``."""
        return WorkspaceCache(self._core).aio

    @property
    def routing(self) -> Twin:
        """The coroutine functions of `ws.routing`."""
        return WorkspaceRouting(self._core).aio

    @property
    def names(self) -> Twin:
        """The twin of `ws.names`: ``await ws.aio.names.compare(database)``."""
        return WorkspaceNames(self._core).aio

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
