"""What is written down of submits: before they are sent, and what becomes of them."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from comfynb.errors import (
    AnswerError,
    ApiError,
    ComfyError,
    CreditsError,
    InputError,
    NotFoundError,
    OfflineError,
    RateLimitError,
    SpendLimitError,
    SubmitUncertainError,
    TransportError,
)
from comfynb.notices import notice
from comfynb.services.flight import Submitted
from comfynb.services.journal import FAULTS, UNDER_WAY, Journal, Noted
from comfynb.warnings import JournalWarning

__all__ = ["NOTHING", "Notes", "refused_for_good"]

log = logging.getLogger("comfynb")

_CALLED_OFF: Final = "called off before anything was sent"

NOTHING: Final = " Nothing was submitted."
"""What is said at the end of an error before which nothing was sent."""


class Notes:
    """Writes down what becomes of submits, where there is a journal that can be written.

    Parameters
    ----------
    journal : Journal or None
        Where to.
    queue_offline : bool
        Whether a submit that cannot reach the server is kept there for later.
    """

    def __init__(self, journal: Journal | None, *, queue_offline: bool = False) -> None:
        self.journal = journal
        self.queue_offline = queue_offline
        self._failed = False
        self._late: set[asyncio.Task[bool]] = set()

    async def outcome(
        self, noted: Noted, flying: Coroutine[Any, Any, Submitted], *, written: bool, queued: bool
    ) -> Submitted:
        """Write down what becomes of a submit; if it could not be written down itself, it may be now."""
        try:
            return await (self._noting_end(noted, flying, queued) if written else self._noting_late(noted, flying))
        finally:
            UNDER_WAY.discard(noted.id)

    async def _noting_end(self, noted: Noted, flying: Coroutine[Any, Any, Submitted], queued: bool) -> Submitted:
        try:
            submitted = await flying
        except SubmitUncertainError as error:
            why = str(error)
            await self.note(lambda journal: journal.uncertain(noted.id, why))
            raise
        except OfflineError as error:
            if not self.queue_offline and not queued:
                why = str(error)
                await self.note(lambda journal: journal.refused(noted.id, why))
                raise
            raise await self.away(error, noted, kept=queued) from error
        except ComfyError as error:
            why = str(error)
            if queued and not refused_for_good(error):
                await self.note(lambda journal: journal.queue(noted.id, why))
            else:
                await self.note(lambda journal: journal.refused(noted.id, why))
            raise
        except Exception as error:  # a fault of ours, after which nobody knows
            why = f"{type(error).__name__}: {error}"
            await self.note(lambda journal: journal.uncertain(noted.id, why))
            raise
        await self.note(lambda journal: journal.taken(noted.id, submitted.run_id))
        return submitted

    async def _noting_late(self, noted: Noted, flying: Coroutine[Any, Any, Submitted]) -> Submitted:
        try:
            submitted = await flying
        except SubmitUncertainError as error:
            uncertain = replace(noted, state="uncertain", why=str(error))
            await self.note(lambda journal: journal.begin(uncertain))
            raise
        except OfflineError as error:
            raise await self.away(error, replace(noted, id="")) from error
        taken = replace(noted, state="taken", run_id=submitted.run_id)
        # Nobody has to wait for that.
        task = asyncio.ensure_future(self.note(lambda journal: journal.begin(taken)))
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return submitted

    async def settle(self) -> None:
        """Wait until everything is written down that nobody waited for."""
        here = asyncio.get_running_loop()
        late = [task for task in self._late if task.get_loop() is here]
        if late:
            await asyncio.wait(late)

    async def away(self, error: TransportError, noted: Noted, *, kept: bool = False) -> OfflineError:
        """Return what is raised for a submit that cannot reach the server; keep it for later if that is wanted.

        One that is not in the journal yet has no id; one that was kept before is kept on.
        """
        said = str(error).removesuffix(NOTHING)
        if not self.queue_offline and not kept:
            return OfflineError(f"{said}{NOTHING}")
        if noted.id:
            name = noted.id
            done = await self.note(lambda journal: journal.queue(name, said))
        else:
            later = replace(noted, id=uuid.uuid4().hex, state="queued", why=said)
            name = later.id
            done = await self.note(lambda journal: journal.begin(later))
        if not done:
            return OfflineError(f"{said}{NOTHING} It could not be kept for later either.")
        return OfflineError(
            f"{said}{NOTHING} It is kept in the journal as {name}: ws.resume() submits it when the server is back.",
            kept=name,
        )

    async def called_off(self, noted: Noted, *, queued: bool) -> None:
        """Write down that nothing of a submit was sent; one that was kept for later is kept on."""
        if queued:
            await self.note(lambda journal: journal.queue(noted.id, _CALLED_OFF))
        else:
            await self.note(lambda journal: journal.refused(noted.id, _CALLED_OFF))

    async def note(self, write: Callable[[Journal], object], *, needed: bool = False) -> bool:
        """Write into the journal; return whether that could be done.

        Raises
        ------
        SpendLimitError
            If it is needed, and could not be done.
        """
        journal = self.journal
        if journal is None:
            return False
        try:
            await asyncio.shield(asyncio.to_thread(write, journal))
            return True
        except FAULTS as error:
            log.warning("the journal %s cannot be written: %s", journal.path, error)
            if needed:
                raise SpendLimitError(
                    f"Nothing was submitted: what this connection may spend is counted in {str(journal.path)!r}, which "
                    f"cannot be written ({error})."
                ) from error
            if not self._failed:
                self._failed = True
                notice(
                    JournalWarning(
                        f"Submits cannot be written into the journal {str(journal.path)!r} ({error}); they are sent "
                        "all the same. connect(journal=…) takes another file, or False for none."
                    )
                )
            return False


def refused_for_good(error: ComfyError) -> bool:
    """Whether a submit that is sent again would be refused again, whatever becomes of the server and the account."""
    if isinstance(error, InputError | NotFoundError):
        return True
    if not isinstance(error, ApiError) or isinstance(error, AnswerError | CreditsError | RateLimitError):
        return False
    return error.status in (400, 403, 405, 413, 422)
