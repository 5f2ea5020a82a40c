"""A handle on one run: what it does, what it made, why it failed."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.api.models import Deployment
from comfynb.api.models import Run as RunModel
from comfynb.display.explanation import Explanation, explanation_text
from comfynb.display.runs import RunFacts, run_html, run_text
from comfynb.display.words import count
from comfynb.errors import (
    ApiError,
    InputError,
    NotFoundError,
    RunCancelled,
    RunError,
    RunFailed,
    RunStalled,
    RunTimedOut,
    TransportError,
    WaitTimeout,
)
from comfynb.notices import collecting, notice
from comfynb.rules.diagnosis import Failure, hint_for, stall_cause
from comfynb.rules.given import given_inputs
from comfynb.rules.graph import describe_graph
from comfynb.rules.naming import display_name
from comfynb.rules.observing import STALL, Change
from comfynb.rules.waiting import DEFAULT_TIMEOUT, check_seconds
from comfynb.runs.metadata import executed_graph, used_values
from comfynb.runs.output import Output
from comfynb.runs.progress import progress_for
from comfynb.services.comfyui import CancelResult
from comfynb.services.downloads import read_file, save_files
from comfynb.services.prepared import Prepared
from comfynb.services.results import ResultFile, result_files
from comfynb.services.watching import State, Watch
from comfynb.warnings import StalledRunWarning

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from comfynb.core import Core


LOOKUP = 10.0
"""Seconds that a wait may take after its run's end to find out why it ended so; less near its timeout."""


class Run:
    """A handle on one run.

    Made by `ws.submit`, `ws.run` and `ws.get_run`; the id alone is enough to make it again. Properties show what is
    known without asking the server; methods ask it. A handle can be awaited: ``await run`` is `wait`, from any event
    loop.

    Attributes
    ----------
    id : str
        The run's id.
    prepared : Prepared or None
        What was submitted; None for a handle that was made from an id.
    trouble : str or None
        What went wrong with the submit, when the run had to be looked for in the run list.
    """

    def __init__(
        self, core: Core, run_id: str, *, prepared: Prepared | None = None, trouble: str | None = None
    ) -> None:
        self._core = core
        self.id = run_id
        self.prepared = prepared
        self.trouble = trouble
        self._state = State()
        self._watch = Watch(core.comfyui, run_id, self._state)
        self._files: tuple[ResultFile, ...] = ()
        self._failure: Failure | None = None
        self._lookup = LOOKUP
        self._machine: str | None = None
        self._version: int | None = None
        self._patience = STALL

    # -- what is known ------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """The last known status; it never steps back, and "success" is never assumed."""
        return self._state.seen.status

    @property
    def stage(self) -> str:
        """In words, what it was doing when last looked at."""
        return self._state.seen.stage

    @property
    def progress(self) -> float:
        """Share of its nodes that have begun, 0 to 1, as last seen."""
        return self._state.seen.progress

    @property
    def queue_position(self) -> int | None:
        """Runs before it when last looked at; None when it is not waiting."""
        return self._state.seen.queue_position

    @property
    def ended(self) -> bool:
        """Whether it has ended, well or not, as far as known."""
        return self._state.ended

    @property
    def stalled(self) -> str | None:
        """How long nothing had changed when last looked at, and the likely cause; None if it goes on or has ended."""
        return self._stall_text() if self._state.is_stalled(self._patience) else None

    @property
    def model(self) -> RunModel | None:
        """The server's last answer; None before the first look."""
        return self._state.run

    @property
    def name(self) -> str:
        """The workflow's name, where it is known; else its id."""
        if self.prepared is not None:
            return self.prepared.name
        workflow_id = self.model.workflow_id if self.model is not None else None
        listed = self._core.catalogue.cache.peek("workflows")
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
    def outputs(self) -> tuple[Output, ...]:
        """What it has made, as last seen. Outputs can be there before a run has ended."""
        return tuple(Output(file, self._core) for file in self._files)

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
    def seconds(self) -> float | None:
        """Seconds from its creation to its end, as the server reports them; None before the end."""
        return self.model.duration if self.model is not None else None

    @property
    def error(self) -> Failure | None:
        """The error that a node raised, if it was asked for: by `wait` or `explain`, since the run does not tell it."""
        return self._failure

    @property
    def created_at(self) -> datetime | None:
        """When the server wrote it down, in UTC."""
        return self.model.created_at if self.model is not None else None

    @property
    def timeline(self) -> pd.DataFrame:
        """The changes that were seen, oldest first, as a table; times are the server's, in UTC."""
        from comfynb.frames.timeline import timeline_frame

        return timeline_frame(self._state.seen.changes or [Change(None, self.status, None, 0.0, None, 0)])

    # -- looking and waiting ------------------------------------------------------------------------------------

    def refresh(self) -> Run:
        """Look once, and return the handle."""
        self._core.face.call(self.look)
        return self

    async def look(self) -> Run:
        """Do as `refresh` does, where the connections live."""
        await self._watch.look()
        await self._take_outputs()
        return self

    async def look_round(self) -> Run:
        """Look once, and find out the names of its workflow, version and machine, for a handle made from an id."""
        await self.look()
        with suppress(ApiError, TransportError), collecting([]):
            await self._core.catalogue.get_workflows()
            names = {m.id: m.name for m in await self._core.catalogue.get_machines()}
            self._machine = display_name(names.get(self.machine_id or "") or "") or None
            version = await self._core.comfyui.version_of(self.model) if self.model is not None else None
            self._version = version.version if version is not None else None
        return self

    async def _take_outputs(self) -> None:
        run = self.model
        if run is None or not run.outputs:
            return
        files = result_files(run.outputs, self.id)
        if any(f.node_class is None and f.node_id for f in files):
            with suppress(ApiError, TransportError, TimeoutError):  # the class of a node is a nicety
                async with asyncio.timeout(self._lookup):
                    files = await self._core.comfyui.get_results(run)
        self._files = files

    def wait(
        self,
        timeout: float | None = DEFAULT_TIMEOUT,
        *,
        check: bool = True,
        stall: float = STALL,
        progress: bool | None = None,
    ) -> Run:
        """Wait until the run has ended, and show how it goes on.

        Parameters
        ----------
        timeout : float or None
            Seconds; None waits for as long as the server lets a run be (24 hours).
        check : bool
            Raise if it did not end well.
        stall : float
            Seconds without any change after which a run that executes counts as stalled; one that waits for a machine
            is given five times as long.
        progress : bool, optional
            Whether to show a bar; None shows one where somebody can see it.

        Returns
        -------
        Run
            This handle. A run that stalled with outputs is returned with a `StalledRunWarning`, and is no success.

        Raises
        ------
        RunFailed, RunTimedOut, RunCancelled
            If it ended badly and `check` is True; the error carries `.run`.
        RunStalled
            If nothing changes any more, there are no outputs, and `check` is True.
        WaitTimeout
            If it had not ended in time. It goes on, and may be billing.
        """
        check_seconds(timeout=timeout, stall=stall)
        bar = progress_for(self.name, progress)
        self._watch.listeners.append(listener := lambda state: bar.show(state.seen))
        try:
            with bar:
                self._core.face.call(lambda: self.until_end(timeout, check=check, stall=stall))
        except KeyboardInterrupt:
            print(
                f"Interrupted: the run {self.id} goes on, and may be billing. ws.get_run({self.id!r}) finds it again, "
                "and its cancel() stops it where its machine can.",
                file=sys.stderr,
            )
            raise
        finally:
            self._watch.listeners.remove(listener)
        return self

    async def until_end(
        self, timeout: float | None = DEFAULT_TIMEOUT, *, check: bool = True, stall: float = STALL
    ) -> Run:
        """Do as `wait` does without a display, where the connections live."""
        check_seconds(timeout=timeout, stall=stall)
        self._patience = stall
        self._state.seen.changed = time.monotonic()  # a new wait is new patience
        deadline = time.monotonic() + timeout if timeout is not None else math.inf
        try:
            async with asyncio.timeout(timeout):
                await self._watch.until(lambda state: state.is_stalled(stall))
        except TimeoutError:
            raise WaitTimeout(
                f"{self.name} was not done after {timeout:g} s ({self.stage}); the run {self.id} goes on and may be "
                "billing. run.wait() waits on, run.cancel() stops it where its machine can.",
                run=self,
            ) from None
        except (ApiError, TransportError) as error:
            # The same error, which says now what it means for the run.
            error.args = (
                f"{error} The run {self.id} was waited for; it goes on and may be billing. run.wait() waits on, and "
                f"ws.get_run({self.id!r}) finds it again.",
                *error.args[1:],
            )
            raise
        self._lookup = min(LOOKUP, max(1.0, deadline - time.monotonic()))
        await self._take_outputs()
        if not self.ended:
            if self._files:
                notice(
                    StalledRunWarning(
                        f"{self.name} ({self.id}) is still called {self.status!r}, but {self._stall_text()} Handed "
                        f"over: {count(len(self._files), 'output')}. This is not known to be a success."
                    )
                )
            elif check:
                raise RunStalled(
                    f"{self.name} ({self.id}) is stuck: {self._stall_text()} It may be billing: run.cancel() stops it "
                    "where its machine can, run.wait() waits on.",
                    run=self,
                )
            return self
        if check:
            await self._raise_bad_end()
        return self

    async def _raise_bad_end(self) -> None:
        if self.status == "success":
            return
        kinds: dict[str, type[RunError]] = {"failed": RunFailed, "timeout": RunTimedOut, "cancelled": RunCancelled}
        try:
            async with asyncio.timeout(self._lookup):
                why = await self.why()
        except (ApiError, TransportError, TimeoutError):
            why = self._explained("What the machine said could not be asked in time; run.explain() asks again.")
        raise kinds.get(self.status, RunError)(explanation_text(why), run=self)

    def _stall_text(self) -> str:
        run, seen = self.model, self._state.seen
        silent = seen.silent(self._state.looked)
        cause = stall_cause(
            seen.status,
            run.machine_type if run is not None else None,
            seen.live_status,
            seen.progress,
            bool(self._files),
        )
        return f"nothing has changed for {silent:.0f} s ({seen.stage}). {cause}"

    def __await__(self) -> Generator[Any, None, Run]:
        return self._core.face.acall(self.until_end).__await__()

    # -- doing --------------------------------------------------------------------------------------------------

    def cancel(self) -> CancelResult:
        """Cancel it, and say what happened: cancelled, ended already, or on a machine that cannot cancel.

        Returns
        -------
        CancelResult
            True in a condition only if the run was cancelled.
        """
        return self._core.face.call(self.do_cancel)

    async def do_cancel(self) -> CancelResult:
        """Do as `cancel` does, where the connections live."""
        result = await self._core.comfyui.cancel_request(self.id)
        await self.look()
        return result

    def explain(self) -> Explanation:
        """Return why it ended, or stands, as it does, and what to do about it.

        The error of a failed run is asked for, since the run itself does not tell it.
        """
        return self._core.face.call(self.why)

    async def why(self) -> Explanation:
        """Do as `explain` does, where the connections live."""
        if not self.ended:
            await self.look()
        elif self.status != "success":
            with suppress(ApiError, TransportError):  # also after another end outputs can still come
                await self.look()
        run, untold = self.model, None
        if run is not None and self.status == "failed" and self._failure is None:
            try:
                self._failure = await self._core.comfyui.find_failure(run)
            except (ApiError, TransportError) as error:
                untold = str(error)
        definitions = await self._core.comfyui.definitions_of(run) if run is not None else ()
        if untold is not None:
            return self._explained(f"What the machine said could not be asked: {untold} run.explain() asks again.")
        machine_type = run.machine_type if run is not None else None
        hint = hint_for(
            self._failure,
            status=self.status,
            machine_type=machine_type,
            has_outputs=bool(self._files),
            definitions=definitions,
            ended=None if run is None else run.ended_at is not None,
        )
        return self._explained(hint if self.ended else self.stalled or "")

    def _explained(self, hint: str) -> Explanation:
        return Explanation.of(
            run_id=self.id,
            name=self.name,
            status=self.status,
            stage=self.stage,
            failure=self._failure,
            hint=hint,
            outputs=len(self._files),
            trouble=self.trouble,
        )

    def images(self) -> list[Image]:
        """Fetch its pictures, as `PIL.Image.Image`, in the order of the outputs; those so far if it has not ended."""
        if self.status != "success":  # also after another end outputs can still come
            self.refresh()
        return [output.to_pil() for output in self.outputs if output.kind == "image" and output.url]

    def download(self, folder: str | Path = "comfynb-outputs") -> list[Path]:
        """Save everything that it made into a folder; return the paths, in the order of the outputs.

        Links of private outputs expire, so the run is read again first. Saving it again writes the same files again.
        """
        return self._core.face.call(lambda: self.do_download(Path(folder)))

    async def do_download(self, folder: Path) -> list[Path]:
        """Do as `download` does, where the connections live."""
        await self.look()
        return await save_files(self._files, folder, self._core.comfyui.client.transport)

    def used_inputs(self) -> dict[str, Any]:
        """Return what was really executed, seeds included, from the metadata of its pictures.

        Returns
        -------
        dict
            Values by input name; seeds that no input controls as ``KSampler.seed (node 3)``.

        Raises
        ------
        NotFoundError
            If none of its pictures has metadata: a machine can be set up not to write any.
        """
        return self._core.face.call(self.find_used_inputs)

    async def find_used_inputs(self) -> dict[str, Any]:
        """Do as `used_inputs` does, where the connections live."""
        await self.look()
        transport = self._core.comfyui.client.transport
        version = await self._core.comfyui.version_of(self.model) if self.model is not None else None
        facts = describe_graph(version.workflow_api if version else None, version.workflow if version else None)
        definitions = await self._core.comfyui.definitions_of(self.model) if self.model is not None else ()
        for file in self._files:
            if file.kind != "image" or file.url is None:
                continue
            graph = executed_graph(await read_file(file, transport))
            if graph is not None:
                return used_values(graph, definitions, facts.uncontrolled_seeds, self.inputs)
        raise NotFoundError(
            f"None of the {len(self._files)} outputs of the run {self.id} tells how it was made: only PNGs of machines "
            "that write metadata do."
        )

    def rerun(self, inputs: Mapping[str, Any] | None = None, *, machine: Any = None, **changes: Any) -> Run:
        """Submit the same version with the same inputs again, with changes; like `ws.submit`, it does not wait.

        The seeds that were drawn are sent again, so that without changes the result is the same as far as the inputs
        decide it; a seed of -1 draws a new one.

        Parameters
        ----------
        inputs : mapping, optional
            Changed inputs whose names are no identifiers.
        machine : str, object or row, optional
            Another machine than that of this run.
        **changes
            Changed inputs.

        Returns
        -------
        Run
            The new run; it was submitted and goes on.
        """
        return self._core.face.call(lambda: self.do_rerun(inputs, machine=machine, **changes))

    async def do_rerun(self, inputs: Mapping[str, Any] | None = None, *, machine: Any = None, **changes: Any) -> Run:
        """Do as `rerun` does, where the connections live."""
        if self.model is None:
            await self.look()
        run = self.model
        if run is None or run.workflow_id is None or run.workflow_version_id is None:
            raise InputError(
                f"The run {self.id} was made from a bare graph, so it cannot be submitted again from here."
            )
        values = {**self.inputs, **given_inputs(inputs, changes)}
        prepared = await self._core.comfyui.prepare(
            await self._deployment_for(run) or run.workflow_id,
            values,
            version=run.workflow_version_id,
            machine=run.machine_id if machine is None else machine,
            webhook=(self.prepared.webhook or False) if self.prepared is not None else None,
        )
        return await self._core.submit(prepared)

    async def _deployment_for(self, run: RunModel) -> Deployment | None:
        """Return the deployment that the run was made through; the server does not tell, so one that would do it."""
        if self.prepared is not None and self.prepared.deployment is not None:
            return self.prepared.deployment
        standing = [d for d in await self._core.catalogue.get_deployments() if d.workflow_id == run.workflow_id]
        standing.sort(key=lambda d: d.environment != "production")
        alike = (run.workflow_version_id, run.machine_id)
        return next((d for d in standing if (d.workflow_version_id, d.machine_id) == alike), None) or next(
            iter(standing), None
        )

    # -- how it looks -------------------------------------------------------------------------------------------

    def facts(self) -> RunFacts:
        """Return what is known, for a display."""
        run, prepared = self.model, self.prepared
        return RunFacts(
            id=self.id,
            name=self.name,
            status=self.status,
            stage=self.stage,
            progress=self.progress,
            live_status=self._state.seen.live_status,
            queue_position=self.queue_position,
            machine=self.machine,
            gpu=(run.gpu if run is not None else None) or (prepared.gpu if prepared is not None else None),
            version=prepared.version.version if prepared is not None else self._version,
            environment=prepared.environment if prepared is not None else None,
            created=self.created_at,
            duration_seconds=self.seconds,
            outputs=tuple((file.kind, file.filename, file.url) for file in self._files),
            failure=self._failure,
            trouble=self.trouble,
            stalled=self.stalled,
            inputs=self.inputs,
        )

    def __repr__(self) -> str:
        return run_text(self.facts())

    def _repr_html_(self) -> str:
        return run_html(self.facts())
