"""Reading a whole workspace, so that every answer is kept."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from comfynb.api.keeping import recorded_by
from comfynb.api.models import Deployment, Machine, Workflow
from comfynb.api.pacing import Turn, as_turn
from comfynb.api.run_calls import RUN_PAGE
from comfynb.core.each import AT_ONCE, of_each
from comfynb.core.tables import Tables
from comfynb.errors import ApiError, AuthenticationError, OfflineError, RateLimitError
from comfynb.notices import notice
from comfynb.services.cache import Cache, together
from comfynb.services.cache.disk import DiskStore
from comfynb.services.cache.keeper import AnswerKeeper
from comfynb.services.cache.kept import Kept, StoreError
from comfynb.services.cache.snapshot import LARGEST
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.workflows import Times, WorkflowsService
from comfynb.warnings import PartialResultWarning

if TYPE_CHECKING:
    from comfynb.core.core import Core

T = TypeVar("T")

_ALL_THE_WHILE: Final = 24 * 3600.0
"""Seconds; what was read for a snapshot is not asked for again by the same one."""


async def record(core: Core, *, runs: int) -> dict[str, Kept]:
    """Read everything that the tables show, and return the server's answers, by path and query.

    Parameters
    ----------
    core : Core
        The workspace. The server is asked for everything, whatever is in memory; where it must not be asked, what is
        kept is taken.
    runs : int
        The newest runs of each workflow that are read one by one.

    Raises
    ------
    OfflineError, TransportError
        If the server is away.
    """
    transport = core.catalogue.client.transport
    kept = transport.keeper
    if transport.offline is not None and isinstance(kept, AnswerKeeper) and isinstance(kept.book, DiskStore):
        try:
            return await kept.book.all()
        except StoreError as error:
            raise OfflineError(f"{transport.offline} What was read before cannot be read: {error}.") from error
    # What is too much for a snapshot is refused when it is written; nothing may be dropped here without a word.
    book = DiskStore(None, largest=2 * LARGEST)
    recorder = AnswerKeeper(book)
    reading = _Reading(core)
    try:
        # Whoever reads in another cell meanwhile goes first.
        with recorded_by(recorder), as_turn(Turn.LOOK):
            await reading.everything(runs)
        await recorder.flush()
        return await book.all()
    finally:
        await reading.end()
        await recorder.aclose()


class _Reading:
    """Reads a workspace through a cache of its own.

    With that of the workspace, an answer that another cell had asked for would be taken, and not be recorded.
    """

    def __init__(self, core: Core) -> None:
        self._cache = Cache()
        times = Times(_ALL_THE_WHILE, _ALL_THE_WHILE)
        client, names = core.catalogue.client, core.catalogue.names
        self._catalogue = WorkflowsService(client, self._cache, times, names=names, routing=False)
        self._comfyui = ComfyUIService(self._catalogue, submitter=core.comfyui.submitter)
        self._tables = Tables(self._comfyui)
        self._versions: set[str] = set()

    async def end(self) -> None:
        """Cancel what is being read still."""
        await self._cache.end()

    async def everything(self, runs: int) -> None:
        """Read what the tables, the objects and the handles of the newest runs show."""
        catalogue, tables = self._catalogue, self._tables
        await tables.workflows()
        await tables.deployments()
        await tables.machines()
        await catalogue.machines.prices()
        await tables.catalog(runs=True)
        workflows = await catalogue.workflows.all()
        await self._graphs(workflows)
        await _each(await catalogue.deployments.some(), self._deployment, what="deployments")
        await _each(await catalogue.machines.all(), self._machine, what="machines")
        await _each(await self._listed(workflows, runs), self._run, what="runs")

    async def _graphs(self, workflows: Sequence[Workflow]) -> None:
        async def detail(workflow: Workflow) -> object:
            return await self._catalogue.workflows.detail(workflow.id)

        async def versions(workflow: Workflow) -> object:
            return await self._catalogue.versions.of(workflow)

        for what, read in (("graphs", detail), ("versions", versions)):
            async for _ in of_each(workflows, read, what=what):
                pass

    async def _listed(self, workflows: Sequence[Workflow], runs: int) -> list[str]:
        """Read the run lists, in whole pages, of which any shorter list can be cut; return the ids of the newest."""
        limit = RUN_PAGE * max(1, -(-runs // RUN_PAGE))
        found: list[str] = []

        async def read(workflow: Workflow) -> list[str]:
            rows = await self._catalogue.client.workflow_runs(workflow.id, limit=limit)
            return [row.id for row in rows[:runs] if row.id]

        async for part in of_each(workflows, read, what="runs"):
            found += [run_id for ids in part for run_id in ids]
        return found

    async def _deployment(self, deployment: Deployment) -> None:
        await self._catalogue.deployments.by_id(deployment.id, refresh=True)
        await self._catalogue.versions.pinned(deployment)

    async def _machine(self, machine: Machine) -> None:
        await self._catalogue.machines.by_id(machine.id)

    async def _run(self, run_id: str) -> None:
        """Read a run, and the version that it executed, which tells the nodes of its outputs."""
        version = (await self._comfyui.check_status(run_id)).workflow_version_id
        if version is not None and version not in self._versions:
            self._versions.add(version)
            await self._catalogue.versions.by_id(version)


async def _each(things: Sequence[T], read: Callable[[T], Coroutine[Any, Any, None]], *, what: str) -> None:
    """Read something of each thing, some at a time; what cannot be read is left out, and told of in one warning.

    Raises
    ------
    AuthenticationError, RateLimitError
        Since the others would fare no better.
    """
    lost = 0

    async def one(thing: T) -> None:
        nonlocal lost
        try:
            await read(thing)
        except (AuthenticationError, RateLimitError):
            raise
        except ApiError:
            lost += 1

    for start in range(0, len(things), AT_ONCE):
        await together(*(one(thing) for thing in things[start : start + AT_ONCE]))
    if lost:
        notice(PartialResultWarning(f"{lost} of {len(things)} {what} could not be read, and are not in the snapshot."))
