"""What was submitted and is not known to have ended, and going on with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from comfynb.errors import ComfyError, NotFoundError, SubmitUncertainError, TransportError
from comfynb.notices import notice
from comfynb.runs.run import Run, find_run
from comfynb.services.journal import Journal, Noted
from comfynb.services.resuming import resolve
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
        return pending_frame(await asyncio.to_thread(journal.all, "queued", "open", "uncertain", "taken"))

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
        for noted in await asyncio.to_thread(journal.all, "queued"):
            await self._submit_queued(journal, noted)
        await resolve(self._core.comfyui.client, journal)
        known = [noted.run_id for noted in await asyncio.to_thread(journal.all, "taken") if noted.run_id]
        room = asyncio.Semaphore(8)

        async def found(run_id: str) -> Run | None:
            async with room:
                try:
                    return await find_run(self._core, run_id)
                except NotFoundError:
                    await asyncio.to_thread(journal.ended, run_id)  # it was deleted
                    return None

        return [run for run in await asyncio.gather(*map(found, known)) if run is not None]

    async def _submit_queued(self, journal: Journal, noted: Noted) -> None:
        """Submit what was kept while the server was away; what it refuses now is told, and kept no longer."""
        deployed = noted.deployment_id is not None
        try:
            prepared = await self._core.prepare(
                noted.deployment_id or noted.workflow_id,
                noted.inputs,
                version=None if deployed else noted.version_id,
                machine=None if deployed else noted.machine_id,
                route=False,
            )
            taken = await self._core.comfyui.submitter.submit(prepared, queued=noted.id)
        except TransportError:
            if noted.id not in {each.id for each in await asyncio.to_thread(journal.all, "queued")}:
                return  # somebody else has sent it meanwhile
            raise  # it is kept, as those after it are
        except SubmitUncertainError:
            return  # it is in the journal as such, and looked for next
        except ComfyError as error:
            why = str(error)
            await asyncio.to_thread(journal.refused, noted.id, why)
            notice(JournalWarning(f"The submit of {noted.workflow} that was kept for later is dropped: {why}"))
            return
        self._core.last_run = Run(self._core, taken.run_id, prepared=taken.prepared or prepared, trouble=taken.trouble)
