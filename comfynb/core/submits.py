"""What was submitted and is not known to have ended, and going on with it."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

from comfynb.errors import (
    ComfyError,
    CreditsError,
    NotFoundError,
    RoutingError,
    SpendLimitError,
    SubmitUncertainError,
)
from comfynb.notices import notice
from comfynb.runs.run import Run, find_run
from comfynb.services.journal import FAULTS, LISTENED, Journal, Noted, NotedState, cannot_be_read
from comfynb.services.resuming import resolve
from comfynb.services.submit_notes import refused_for_good
from comfynb.warnings import JournalWarning

if TYPE_CHECKING:
    import pandas as pd

    from comfynb.core.core import Core


class Submits:
    """The submits that the journal has.

    Parameters
    ----------
    core : Core
        The workspace.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def pending(self) -> pd.DataFrame:
        """Return the submits of this machine whose runs are not known to have ended, the oldest first.

        Every submit is written down before it is sent, so this has those of kernels that are gone, too.

        Returns
        -------
        pandas.DataFrame
            One row a submit; ``comfynb.TABLES["pending"].describe()`` tells the columns.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> run = ws.run("text2img", prompt="a red fox")
        >>> len(ws.pending())
        0
        """
        from comfynb.frames.pending import pending_frame

        journal = self._core.comfyui.submitter.journal
        if journal is None:
            return pending_frame([])
        return pending_frame(await _read(journal, "queued", "open", "uncertain", "taken"))

    async def resume(self) -> list[Run]:
        """Find the runs of submits that were cut off, and return handles of all that are not known to have ended.

        A crash, a restart of the kernel or a lost answer loses no run: those whose id is not known are looked for in
        the server's run lists, by version, machine, inputs and time. What others started with the same inputs is
        reported, never claimed. Nothing is submitted, but for what ``connect(queue_offline=True)`` kept while the
        server was away: each of those is submitted now, once.

        Returns
        -------
        list of Run
            Each was looked at once. ``[run.wait(check=False) for run in ws.resume()]`` waits for them.
        """
        journal = self._core.comfyui.submitter.journal
        if journal is None:
            return []
        queued = await _read(journal, "queued")
        if queued:
            await self._server_is_back()
            for noted in queued:
                await self._submit_queued(journal, noted)
        try:
            await resolve(self._core.comfyui.client, journal)
        except (OSError, sqlite3.Error) as error:
            raise cannot_be_read(journal, error) from error
        room = asyncio.Semaphore(8)

        async def found(noted: Noted) -> Run | None:
            run_id = noted.run_id or ""
            async with room:
                try:
                    return await find_run(self._core, run_id, trouble=noted.why)
                except NotFoundError:
                    await asyncio.to_thread(journal.ended, run_id)  # it was deleted
                    return None
                except ComfyError as error:
                    # One that cannot be shown now must not take away the others.
                    notice(JournalWarning(f"The run {run_id} of {noted.workflow} could not be looked at: {error}"))
                    return Run(self._core, run_id, trouble=noted.why)

        known = [noted for noted in await _read(journal, "taken") if noted.run_id]
        return [run for run in await asyncio.gather(*map(found, known)) if run is not None]

    async def _server_is_back(self) -> None:
        """Make sure that the server itself answers, and that nothing is decided by what was read before.

        Raises
        ------
        ApiError, TransportError
            If it does not; what was kept for it is kept on.
        """
        client = self._core.comfyui.client
        if client.transport.prefix is None:
            await client.transport.discover()
        await client.workflows()
        self._core.catalogue.invalidate_cache()

    async def _submit_queued(self, journal: Journal, noted: Noted) -> None:
        """Submit what was kept while the server was away; what can never be taken is told, and kept no longer.

        Raises
        ------
        ComfyError
            If the server does not take anything at the moment. It is kept, as those after it are.
        """
        deployed = noted.deployment_id is not None
        try:
            prepared = await self._core.prepare(
                noted.deployment_id or noted.workflow_id,
                noted.inputs,
                version=None if deployed else noted.version_id,
                machine=None if deployed else noted.machine_id,
                webhook=None if noted.webhook == LISTENED else noted.webhook or False,
                route=False,
            )
            taken = await self._core.comfyui.submitter.submit(prepared, queued=noted.id)
        except SubmitUncertainError:
            return  # it is in the journal as such, and looked for next
        except ComfyError as error:
            keeper = self._core.catalogue.cache.keeper
            if refused_for_good(error) and not (keeper is not None and keeper.away):
                why = str(error)
                await asyncio.to_thread(journal.refused, noted.id, why)
                notice(JournalWarning(f"The submit of {noted.workflow} that was kept for later is dropped: {why}"))
                return
            if noted.id not in {each.id for each in await _read(journal, "queued")}:
                return  # somebody else has sent it meanwhile
            if isinstance(error, RoutingError | SpendLimitError | CreditsError):
                notice(JournalWarning(f"The submit of {noted.workflow} is still kept for later: {error}"))
                return
            raise
        self._core.last_run = Run(self._core, taken.run_id, prepared=taken.prepared or prepared, trouble=taken.trouble)


async def _read(journal: Journal, *states: NotedState) -> list[Noted]:
    """Return entries of the journal; one that cannot be read is an error of ours."""
    try:
        return await asyncio.to_thread(journal.all, *states)
    except FAULTS as error:
        raise cannot_be_read(journal, error) from error
