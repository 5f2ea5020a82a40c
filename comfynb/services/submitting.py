"""Submitting a run exactly once, and finding it again when the answer is lost.

The server has no idempotency key, writes the run down before it talks to the machine, and may answer with an error
although the run exists. So a submit is sent once; only when it is certain that no byte of it left is it sent again.
When the answer is missing, or is one that can leave a run behind, the workflow's run list is searched for a run with
that version, machine and inputs, made since then, that nobody here knows.

Who waits for a submit may stop waiting at any time. Before anything was sent, nothing is submitted then; afterwards the
submit is seen through all the same, since its run may be there and be paid for.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from comfynb.api.answers import sentence
from comfynb.api.client import ComfyDeployClient
from comfynb.api.pacing import Turn, as_turn
from comfynb.errors import (
    ApiError,
    ComfyError,
    OfflineError,
    SpendLimitError,
    SubmitUncertainError,
    TransportError,
)
from comfynb.notices import notice
from comfynb.rules.matching import match_submits
from comfynb.services.flight import Flight, Submitted
from comfynb.services.journal import LISTENED, UNDER_WAY, Journal, Noted
from comfynb.services.prepared import Prepared
from comfynb.services.run_lists import runs_since
from comfynb.services.spending import SpendGuard
from comfynb.services.submit_notes import NOTHING, Notes
from comfynb.warnings import RecoveredSubmitWarning

log = logging.getLogger("comfynb")

REFUSED = frozenset({401, 402, 403, 404, 405, 413, 422})
"""Answers that come before the server writes a run down. So does a redirect, which is not followed."""

_MARGIN = timedelta(seconds=2)
_MARGIN_WITHOUT_CLOCK = timedelta(minutes=10)
_LISTED = 50
_GLANCE = 10.0
"""Seconds for the look at the run list before a submit."""
_OF_MACHINE = "Error creating run"
"""How the server's words begin when it passes on what a machine answered."""


class Submitter:
    """Submits runs of one workspace and knows the ids of all that it submitted.

    Parameters
    ----------
    client : ComfyDeployClient
        The server.
    patience : tuple of float
        Seconds to wait before each search for a run whose submit got no answer.
    journal : Journal, optional
        Where each submit is written down before it is sent.
    guard : SpendGuard, optional
        What may be started; counted in the journal.
    queue_offline : bool
        Whether a submit that cannot reach the server is kept in the journal for later.

    Attributes
    ----------
    known : set of str
        The ids of all runs that came of its submits.
    last : Submitted or None
        The run that came of the submit that ended last, also of one that nobody waited for any more.
    """

    def __init__(
        self,
        client: ComfyDeployClient,
        patience: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0),
        journal: Journal | None = None,
        guard: SpendGuard | None = None,
        queue_offline: bool = False,
    ) -> None:
        self.client = client
        self.patience = patience
        self.journal = journal
        self.guard = guard or SpendGuard()
        self.notes = Notes(journal, queue_offline=queue_offline)
        self.known: set[str] = set()
        self.last: Submitted | None = None
        self._flying: dict[Flight, str] = {}
        self._doubtful: dict[Flight, str] = {}
        self._tasks: set[asyncio.Task[Submitted]] = set()

    async def submit(self, prepared: Prepared, flight: Flight | None = None, *, queued: str | None = None) -> Submitted:
        """Send it, and return the run that came of it.

        Cancelled before anything was sent, it submits nothing. Cancelled later, it goes on in the background; its run
        is told to `flight`, and is `last`.

        Parameters
        ----------
        prepared : Prepared
            What is sent.
        flight : Flight, optional
            For who wants to call it off from another thread, or to hear of its run in any case.
        queued : str, optional
            The id in the journal of the submit that was kept for later, and is sent now.

        Raises
        ------
        InputError, RoutingError
            If it cannot be submitted; nothing is sent then.
        ApiError
            If the server refused it and left no run.
        OfflineError
            If it never left this machine; or if it was kept for later, and has been sent meanwhile by somebody else.
        SubmitUncertainError
            If it is not known whether a run exists.
        SpendLimitError
            If the connection has started or spent as much as it may.
        """
        prepared.check()
        try:
            if self.client.transport.prefix is None:
                await self.client.transport.discover()
        except TransportError as error:
            noted = replace(_noted(prepared, _Before(frozenset(), self.client.transport.server_now())), id=queued or "")
            raise await self.notes.away(error, noted) from error
        before = await self._standing(prepared, needed=queued is not None)
        flight = flight or Flight()
        noted = _noted(prepared, before)
        noted = replace(noted, connection=self.guard.connection, id=queued or noted.id, sent=self._sent())
        UNDER_WAY.add(noted.id)
        mine = [True]
        try:
            written = await self.notes.note(
                lambda journal: mine.__setitem__(0, journal.begin(noted, self.guard, queued=queued is not None)),
                needed=self.guard.limits or queued is not None,
            )
            if not mine[0]:
                raise OfflineError(
                    f"The submit {queued} that was kept for later has been sent by somebody else already."
                )
        except (SpendLimitError, OfflineError):
            UNDER_WAY.discard(noted.id)
            raise
        except asyncio.CancelledError:
            UNDER_WAY.discard(noted.id)
            await self.notes.called_off(noted, queued=queued is not None)
            raise
        task = asyncio.ensure_future(
            self.notes.outcome(
                noted,
                self._fly(prepared, flight, before),
                written=written or self.journal is None,
                queued=queued is not None,
            )
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await asyncio.wait((task,))  # which leaves the task alone when it is cancelled itself
        except asyncio.CancelledError:
            if flight.call_off():
                task.cancel()
                await self.notes.called_off(noted, queued=queued is not None)
            else:
                task.add_done_callback(partial(_log_end, prepared.name))
            raise
        return task.result()

    async def _fly(self, prepared: Prepared, flight: Flight, before: _Before) -> Submitted:
        self._flying[flight] = _alike(prepared)
        try:
            found = await self._send(prepared, flight)
        finally:
            del self._flying[flight]
        if isinstance(found, _Doubt):
            self._doubtful[flight] = _alike(prepared, exactly=True)
            try:
                found = await self._recover(prepared, found, before)
            finally:
                del self._doubtful[flight]
        found = replace(found, prepared=prepared)
        self.known.add(found.run_id)
        self.last = found
        flight.land(found)
        return found

    def _sent(self) -> datetime | None:
        """Return the server's time, where it has told it."""
        transport = self.client.transport
        return transport.server_now() if transport.clock_offset is not None else None

    async def _standing(self, prepared: Prepared, *, needed: bool = False) -> _Before:
        """Note which runs the workflow has, so that none of them can be taken for the one that is sent now.

        Where the list cannot be had, the server's clock as it was last seen has to do, unless it is needed: what was
        kept for a server that was away is not sent to one that is half back.
        """
        transport = self.client.transport
        try:
            with as_turn(Turn.SUBMIT):
                async with asyncio.timeout(_GLANCE + transport.pacer.ahead(Turn.SUBMIT)):
                    rows = await self.client.workflow_runs_v2(prepared.workflow.id, limit=_LISTED)
            return _Before(frozenset(row.id for row in rows), datetime.min.replace(tzinfo=UTC))
        except (ComfyError, TimeoutError) as error:
            if needed:
                raise (
                    error
                    if isinstance(error, ComfyError)
                    else TransportError(
                        f"The run list of {prepared.name} did not come within {_GLANCE:g} s.{NOTHING}", sent=False
                    )
                ) from error
            seen = transport.server_seen
            since = seen - _MARGIN if seen is not None else transport.server_now() - _MARGIN_WITHOUT_CLOCK
            return _Before(frozenset(), since)

    async def _send(self, prepared: Prepared, flight: Flight) -> Submitted | _Doubt:
        route, body = prepared.request
        for wait in (0.5, 1.5, None):
            try:
                answer = await self.client.queue(route, body, begins=flight.take_off)
                break
            except TransportError as error:
                if error.sent:
                    return _Doubt(str(error), answered=False, error=error)
                flight.turn_back()
                if wait is None:
                    raise OfflineError(f"{error}{NOTHING}") from error
                log.info("no connection for a submit of %s; waiting %.1f s", prepared.name, wait)
                await asyncio.sleep(wait)
        if _OF_MACHINE in answer.detail():
            # The machine's own refusal, passed on with its status; the run has been written down by then.
            why = f"The machine refused the run ({answer.status}): {sentence(answer.detail())}"
            refusal = ApiError(why, status=answer.status, method=route.method, path=route.path, detail=answer.detail())
            return _Doubt(why, answered=True, error=refusal)
        if answer.status in REFUSED or 300 <= answer.status < 400:
            self.client.transport.check(answer, route)
        try:
            queued = self.client.queued(answer, route)
        except ComfyError as error:
            # The server wrote the run down before any answer of its own; a gateway's answer tells nothing.
            return _Doubt(str(error), answered=answer.status in (400, 429, 500), error=error)
        if not queued.run_id:
            return _Doubt(f"The answer to {route} names no run.", answered=False, error=None)
        return Submitted(queued.run_id)

    async def _recover(self, prepared: Prepared, doubt: _Doubt, before: _Before) -> Submitted:
        rows: tuple[str, ...] = ()
        equal = _alike(prepared, exactly=True)
        unseen: str | None = None
        waits = self.patience[:3] if doubt.answered else self.patience
        for wait in waits:
            await asyncio.sleep(wait)
            try:
                rows, unseen = await self._candidates(prepared, before), None
            except ComfyError as error:
                unseen = str(error)
                continue
            if rows and len(rows) <= list(self._doubtful.values()).count(equal):
                # The list is newest first; equal doubtful submits take theirs from the oldest on.
                run_id = rows[-1]
                notice(
                    RecoveredSubmitWarning(
                        f"{doubt.why} The submit had started the run {run_id}, which was found in the run list; it "
                        "was not sent again."
                    )
                )
                return Submitted(run_id, trouble=doubt.why)
        if not rows and doubt.answered and unseen is None and doubt.error is not None:
            # The same error, which says now what it means for the run.
            doubt.error.args = (f"{sentence(str(doubt.error))} No run came of it.", *doubt.error.args[1:])
            raise doubt.error
        seen = (
            f"{len(rows)} runs could be it: {', '.join(rows[:10])}."
            if rows
            else f"The run list could not be read either ({unseen})."
            if unseen
            else "The run list does not show it so far."
        )
        raise SubmitUncertainError(
            f"{doubt.why} Whether {prepared.name} was started is not known, and it was not sent again, since that "
            f"could pay for a second run. {seen} ws.resume() looks again; see ws.runs(workflow={prepared.name!r}) "
            "before you repeat it.",
            candidates=rows,
        ) from doubt.error

    async def _candidates(self, prepared: Prepared, before: _Before) -> tuple[str, ...]:
        listed = await runs_since(self.client, prepared.workflow.id, before.ids, before.since)
        alike = _alike(prepared)
        flights = {flight for flight, other in self._flying.items() if other == alike}
        while flights & self._flying.keys():  # noqa: ASYNC110 - a few at most, each ends by its own deadline
            # A run in the list may belong to a submit like this one whose answer is still on its way.
            await asyncio.sleep(0.1)
        return match_submits(
            # Only what the server said of them: what it left out rules nothing out.
            [{name: getattr(row, name) for name in row.model_fields_set} for row in listed.rows],
            version_id=prepared.version.id or None,
            deployment_id=prepared.deployment.id if prepared.deployment is not None else None,
            inputs=prepared.inputs.send,
            machine_id=prepared.machine_id,
            not_before=before.since,
            known_ids=self.known | before.ids,
        )


@dataclass(frozen=True, slots=True)
class _Before:
    ids: frozenset[str]
    since: datetime


@dataclass(frozen=True, slots=True)
class _Doubt:
    why: str
    answered: bool
    error: ComfyError | None


def _noted(prepared: Prepared, before: _Before) -> Noted:
    return Noted(
        workflow=prepared.name,
        workflow_id=prepared.workflow.id,
        version_id=prepared.version.id or None,
        deployment_id=prepared.deployment.id if prepared.deployment is not None else None,
        machine_id=prepared.machine_id,
        inputs=dict(prepared.inputs.send),
        since=before.since,
        before=before.ids,
        price=prepared.price,
        webhook=LISTENED if prepared.listened else prepared.webhook,
    )


def _log_end(name: str, task: asyncio.Task[Submitted]) -> None:
    """Say what became of a submit that nobody waits for any more."""
    if task.cancelled():
        log.warning("the submit of %s was cut off with its event loop; a run may have come of it", name)
    elif (error := task.exception()) is not None:
        log.warning("the submit of %s that was interrupted ended with: %s", name, error)
    else:
        log.info("the submit of %s that was interrupted started the run %s", name, task.result().run_id)


def _alike(prepared: Prepared, *, exactly: bool = False) -> str:
    """Return a text that is the same for all submits whose runs could be taken for one another's."""
    inputs = prepared.inputs.send
    deployment_id = prepared.deployment.id if prepared.deployment is not None else None
    where = [prepared.version.id, deployment_id, prepared.machine_id]
    return json.dumps([where, inputs if exactly else _blurred(inputs)], sort_keys=True)


def _blurred(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _blurred(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_blurred(item) for item in value]
    if isinstance(value, str) and value.lower().startswith(("http", "data:")):
        return "http"  # the server makes a URL of a data URI
    return int(value) if isinstance(value, float) and value.is_integer() else value
