"""One run as this process knows it: what was seen of it, looking again, and cancelling it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.api.models import Run as RunModel
from comfynb.display.explanation import Explanation
from comfynb.display.runs import RunFacts
from comfynb.errors import ApiError, TransportError
from comfynb.notices import collecting
from comfynb.rules.diagnosis import Failure, stall_cause
from comfynb.rules.naming import display_name
from comfynb.rules.observing import STALL
from comfynb.rules.phases import phases, running_seconds
from comfynb.rules.pricing import estimate, price_per_second
from comfynb.rules.status import KNOWN
from comfynb.services.cancelling import CancelResult
from comfynb.services.metrics import EndedRun
from comfynb.services.prepared import Prepared
from comfynb.services.results import ResultFile, result_files
from comfynb.services.watching import State, Watch

if TYPE_CHECKING:
    from comfynb.core import Core

_APART = 3600.0
LOOKUP = 10.0
"""Seconds that may be spent on finding out what a run itself does not tell."""


class Tracked:
    """What is known of one run.

    Parameters
    ----------
    core : Core
        The workspace.
    run_id : str
        Which run.
    prepared : Prepared or None
        What was submitted; None for a run that is known by its id alone.
    trouble : str or None
        What went wrong with its submit.

    Attributes
    ----------
    state : State
        What was seen.
    watch : Watch
        Looks at it while somebody waits.
    files : tuple of ResultFile
        What it has made, as last seen.
    failure : Failure or None
        The error that a node raised, if it was asked for.
    saved : dict of key to pathlib.Path
        Where its files were saved last, by the keys of `files`.
    patience : float
        Seconds without any change after which it counts as stalled: those of the last wait.
    pacer : Pacer
        Knows whether looks at it have to wait.
    lookup : float
        Seconds that may be spent on what the run itself does not tell; less near the end of a wait.
    """

    def __init__(self, core: Core, run_id: str, prepared: Prepared | None, trouble: str | None) -> None:
        self.core = core
        self.id = run_id
        self.prepared = prepared
        self.trouble = trouble
        self.state = State()
        self.pacer = core.comfyui.client.transport.pacer
        self.watch = Watch(core.comfyui, run_id, self.state, events=core.comfyui.events, pacer=self.pacer)
        self.watch.listeners += [self._note_end, self._count]
        self.files: tuple[ResultFile, ...] = ()
        self.failure: Failure | None = None
        self.saved: dict[tuple[str | None, str, str | None], Path] = {}
        self.patience = STALL
        self.lookup = LOOKUP
        self._machine: str | None = None
        self._version: int | None = None
        self._as_of: tuple[float, datetime | None] = (-1.0, None)

    # -- what is known ------------------------------------------------------------------------------------------

    @property
    def model(self) -> RunModel | None:
        """The server's last answer; None before the first look."""
        return self.state.run

    @property
    def name(self) -> str:
        """The workflow's name, where it is known; else its id."""
        if self.prepared is not None:
            return self.prepared.name
        workflow_id = self.model.workflow_id if self.model is not None else None
        listed = self.core.catalogue.cache.peek("workflows")
        for workflow in listed.value if listed is not None else ():
            if workflow.id == workflow_id:
                return display_name(workflow.name or workflow.id)
        return workflow_id or "run"

    @property
    def inputs(self) -> dict[str, Any]:
        """What was sent: the given inputs and the seeds that were drawn."""
        if self.model is not None and self.model.workflow_inputs is not None:
            return dict(self.model.workflow_inputs)
        return dict(self.prepared.inputs.send) if self.prepared is not None else {}

    @property
    def machine_id(self) -> str | None:
        """The machine on which it runs, as the server says."""
        if self.model is not None and self.model.machine_id is not None:
            return self.model.machine_id
        return self.prepared.machine_id if self.prepared is not None else None

    @property
    def machine(self) -> str | None:
        """The name of its machine where it is known, else its id."""
        if self.prepared is not None and self.machine_id == self.prepared.machine_id:
            return self.prepared.machine_name
        return self._machine or self.machine_id

    @property
    def stalled(self) -> str | None:
        """How long nothing had changed when last looked at, and the likely cause; None if it goes on or has ended."""
        return self.stall_text() if self.state.is_stalled(self.patience) else None

    def stall_text(self) -> str:
        """Return for how long nothing has changed, and the likely cause."""
        run, seen = self.model, self.state.seen
        silent = seen.silent(self.state.looked)
        cause = stall_cause(
            seen.status,
            run.machine_type if run is not None else None,
            seen.live_status,
            seen.progress,
            bool(self.files),
        )
        return f"nothing has changed for {silent:.0f} s ({seen.stage}). {cause}"

    def facts(self) -> RunFacts:
        """Return what is known, for a display."""
        run, prepared, seen = self.model, self.prepared, self.state.seen
        return RunFacts(
            id=self.id,
            name=self.name,
            status=seen.status,
            stage=seen.stage,
            progress=seen.progress,
            live_status=seen.live_status,
            queue_position=seen.queue_position,
            machine=self.machine,
            gpu=(run.gpu if run is not None else None) or (prepared.gpu if prepared is not None else None),
            version=prepared.version.version if prepared is not None else self._version,
            environment=prepared.environment if prepared is not None else None,
            created=run.created_at if run is not None else None,
            duration_seconds=run.duration if run is not None else None,
            outputs=tuple((file.kind, file.filename, file.url) for file in self.files),
            failure=self.failure,
            trouble=self.trouble,
            stalled=self.stalled,
            inputs=self.inputs,
            phases=phases(run, self._now(run), seen.status) if run is not None else (),
            price=self.price,
            waiting=None if self.state.ended else self.pacer.describe(),
            as_of=self.as_of,
        )

    def known_since(self, as_of: datetime | None) -> None:
        """Note of when the last answer is, if the server was away; the next look makes that good."""
        self._as_of = (self.state.looked, as_of)

    @property
    def as_of(self) -> datetime | None:
        """Of when what is known is, if the server was away when it was asked for; else None."""
        looked, as_of = self._as_of
        return as_of if looked == self.state.looked else None

    def _now(self, run: RunModel) -> datetime:
        """Return the server's time; that of its last word on the run, where its clock and its rows do not agree."""
        now, updated = self.core.comfyui.client.transport.server_now(), run.updated_at
        return now if updated is None or abs((now - updated).total_seconds()) < _APART else updated

    @property
    def price(self) -> float | None:
        """US dollars a second of its GPU, where it is known by now."""
        if self.prepared is not None and self.prepared.price is not None:
            return self.prepared.price
        gpu = self.model.gpu if self.model is not None else None
        prices = self.core.catalogue.cache.peek("prices")
        return price_per_second(gpu, prices.value) if prices is not None else None

    def explained(self, hint: str) -> Explanation:
        """Return why it ended, or stands, as it does, as far as that is known."""
        return Explanation.of(
            run_id=self.id,
            name=self.name,
            status=self.state.seen.status,
            stage=self.state.seen.stage,
            failure=self.failure,
            hint=hint,
            outputs=len(self.files),
            trouble=self.trouble,
        )

    def _note_end(self, state: State) -> None:
        """Write down that it has ended, once."""
        journal = self.core.comfyui.submitter.journal
        if journal is None or not state.ended:
            return
        self.watch.listeners.remove(self._note_end)

        run = self.model
        busy = running_seconds(phases(run, self._now(run), state.seen.status)) if run is not None else None
        cost, run_id = estimate(busy, self.price), self.id

        # It holds the workspace no longer than anybody else does.
        def write() -> None:
            with suppress(OSError, sqlite3.Error):  # it is looked at again when it is resumed
                journal.ended(run_id, cost)

        asyncio.get_running_loop().run_in_executor(None, write)

    def _count(self, state: State) -> None:
        """Tell the metrics of its end, once, if that was seen from here; and of what is not known of its statuses."""
        run, metrics = self.model, self.core.metrics
        if run is not None and run.status is not None and run.status not in KNOWN:
            metrics.unknown(f"the run status {run.status!r}")
        if not state.ended:
            return
        self.watch.listeners.remove(self._count)
        if run is None or (self.prepared is None and len(state.seen.changes) < 2):
            return  # it had ended long before it was looked at
        took = {phase.name: phase.seconds for phase in phases(run, self._now(run), state.seen.status)}
        metrics.ended(
            self.id,
            EndedRun(
                workflow=self.name,
                machine=self.machine or "not known",
                status=state.seen.status,
                queue=took.get("queued"),
                cold_start=took.get("cold start"),
                running=took.get("running"),
                total=run.duration if run.duration is not None and run.duration >= 0 else None,
            ),
        )

    # -- asking -------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Look once."""
        await self.watch.look()
        await self.take_outputs()

    async def look_round(self) -> None:
        """Look once, and find out the names and the price of what it runs on, for a run known by its id alone."""
        await self.look()
        with suppress(ApiError, TransportError), collecting([]):
            await self.core.catalogue.get_workflows()
            names = {m.id: m.name for m in await self.core.catalogue.get_machines()}
            self._machine = display_name(names.get(self.machine_id or "") or "") or None
            version = await self.core.comfyui.provenance.version(self.model) if self.model is not None else None
            self._version = version.version if version is not None else None
            if self.model is not None and self.model.gpu:
                await self.core.catalogue.get_prices()

    async def cancel(self) -> CancelResult:
        """Cancel it, and say what happened: cancelled, ended already, or on a machine that cannot cancel.

        Returns
        -------
        CancelResult
            True in a condition only if the run was cancelled.
        """
        result = await self.core.comfyui.cancel_request(self.id)
        await self.look()
        return result

    async def take_outputs(self) -> None:
        """Take in what it has made, out of the last answer."""
        run = self.model
        if run is None or not run.outputs:
            return
        files = result_files(run.outputs, self.id)
        if any(f.node_class is None and f.node_id for f in files):
            with suppress(ApiError, TransportError, TimeoutError):  # the class of a node is a nicety
                async with asyncio.timeout(self.lookup):
                    files = await self.core.comfyui.get_results(run)
        self.files = files
