"""Reading a whole workspace, so that every answer is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfynb.core.each import of_each
from comfynb.services.cache.disk import DiskStore
from comfynb.services.cache.keeper import AnswerKeeper
from comfynb.services.cache.kept import Kept

if TYPE_CHECKING:
    from comfynb.api.models import Workflow
    from comfynb.core.core import Core


async def record(core: Core, *, runs: int) -> dict[str, Kept]:
    """Read everything that the tables show, and return the server's answers, by path and query.

    Parameters
    ----------
    core : Core
        The workspace. What it has in memory is read again; where the server must not be asked, what is kept is taken.
    runs : int
        The newest runs of each workflow.
    """
    catalogue, tables = core.catalogue, core.tables
    transport = catalogue.client.transport
    kept, book = transport.keeper, DiskStore(None, largest=1 << 30)
    if transport.offline is not None and isinstance(kept, AnswerKeeper) and isinstance(kept.book, DiskStore):
        return await kept.book.all()
    recorder = AnswerKeeper(book)
    transport.keeper = recorder
    try:
        await tables.workflows(refresh=True)
        await tables.deployments(refresh=True)
        await tables.machines(refresh=True)
        await catalogue.machines.prices()
        await tables.catalog(runs=True, refresh=True)
        await tables.runs()

        async def read(workflow: Workflow) -> tuple[str, None]:
            await catalogue.workflows.detail(workflow.id, refresh=True)
            await catalogue.versions.of(workflow, refresh=True)
            await tables.runs(workflow=workflow.id, limit=runs)
            return workflow.id, None

        async for _ in of_each(await catalogue.workflows.all(), read, what="workflows"):
            pass
        for deployment in await catalogue.get_deployments():
            await catalogue.deployments.by_id(deployment.id, refresh=True)
        await recorder.flush()
        return await book.all()
    finally:
        transport.keeper = kept
        await recorder.aclose()
