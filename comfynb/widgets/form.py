"""A form for a workflow, made of the workflow's own inputs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from comfynb.display.card import Tone
from comfynb.display.form import FormFacts, form_html, form_text
from comfynb.display.words import count
from comfynb.errors import ComfyError
from comfynb.notices import collecting
from comfynb.runs.transfers import Transfer
from comfynb.services.flight import Flight
from comfynb.services.prepared import Prepared
from comfynb.services.references import is_deployment, looks_like_id, reference
from comfynb.services.watching import State
from comfynb.warnings import ComfyWarning
from comfynb.widgets.cells import take_cell
from comfynb.widgets.code import run_code
from comfynb.widgets.form_state import FormState
from comfynb.widgets.form_view import FormView
from comfynb.widgets.values import FormValues

if TYPE_CHECKING:
    import pandas as pd

    from comfynb.core import Core
    from comfynb.runs.run import Run

__all__ = ["RunForm", "open_form"]

log = logging.getLogger("comfynb")

_QUIET: Final = 1.0
"""Seconds after a press in which Run cannot be pressed again, so that a double click submits once."""

_SELDOM: Final = 0.25
"""Seconds between two words on how far an upload has come."""


class RunForm:
    """A form for a workflow: a field for each of its inputs, where it would run and at what price, and its runs.

    Made by `ws.form`. Nothing that it does blocks the kernel: a run is submitted, and goes on, while cells run.

    Parameters
    ----------
    core : Core
        The workspace.
    prepared : Prepared
        Where a run of it would go, without any inputs.
    target : str
        The name or id of the workflow or the deployment.
    environment, machine : str, optional
        As `ws.submit` takes them.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> form = ws.form("text2img", values={"prompt": "a red fox"})
    >>> form.values["seed"] = 7
    >>> print(form.to_code())
    run = ws.run("text2img", prompt="a red fox", seed=7)
    run
    >>> form.close()
    """

    def __init__(
        self,
        core: Core,
        prepared: Prepared,
        *,
        target: str,
        environment: str | None = None,
        machine: str | None = None,
    ) -> None:
        self._core = core
        self._prepared = prepared
        self._target = target
        self._environment = environment
        self._machine = machine
        self._state = FormState(prepared.definitions)
        # Buttons are pressed on the kernel's thread, and runs come back on comfynb's own.
        self._lock = threading.RLock()
        self._made: list[tuple[Run, dict[str, Any]]] = []
        self._flight: Flight | None = None
        self._landed = False
        self._cancel_wanted = False
        self._said: tuple[str, Tone] = ("", "plain")
        self._said_at = 0.0
        self._view: FormView | None = None
        self._closed = False

    # -- values -------------------------------------------------------------------------------------------------

    @property
    def values(self) -> FormValues:
        """The values that differ from the workflow's defaults; only these are sent, as with `ws.submit`.

        Setting one (``form.values["seed"] = 7``) changes its field, deleting one takes it back to its default, and
        setting all (``form.values = {…}``) takes those that are not named back, too. A seed of -1 is drawn for each
        run.

        Raises
        ------
        InputError
            If there is no input of that name; nothing is changed then.
        """
        return FormValues(lambda: self._state.given, self._set_values)

    @values.setter
    def values(self, values: Mapping[str, Any]) -> None:
        self._set_values(values)

    def _set_values(self, values: Mapping[str, Any]) -> None:
        self._state.replace(values)
        if self._view is not None:
            self._view.show_all()

    def reset(self) -> RunForm:
        """Take all fields back to the workflow's defaults."""
        self._said = ("", "plain")
        self._set_values({})
        return self

    @property
    def problems(self) -> dict[str, str]:
        """What keeps the values from being sent, by input name, by the rules of `ws.submit`; empty if nothing does."""
        return dict(self._state.problems)

    @property
    def reason(self) -> str:
        """Why Run cannot be pressed: problems of values, or of the machine; empty if it can."""
        return self._facts().reason

    def to_code(self, *, drawn: bool = False) -> str:
        """Return a cell that runs the same, with `ws` as the workspace.

        Parameters
        ----------
        drawn : bool
            Give the seeds that were drawn for the last run, so that it is repeated.

        Raises
        ------
        InputError
            If a value cannot be written down, such as a large upload that has no address yet.
        """
        values = dict(self._state.given)
        sent: dict[str, Any] = {}
        if self._made:
            run, given = self._made[-1]
            before = run.inputs
            sent = {name: before[name] for name, value in values.items() if name in before and given.get(name) is value}
        if drawn:
            values.update(self._drawn)
        return run_code(self._target, values, environment=self._environment, machine=self._machine, sent=sent)

    def _give(self, name: str, value: Any) -> None:
        """Take what a person did to a field."""
        self._state.give(name, value)
        self._update()

    # -- runs ---------------------------------------------------------------------------------------------------

    @property
    def run(self) -> Run | None:
        """The run that was started last; None before the first."""
        return self._made[-1][0] if self._made else None

    @property
    def runs(self) -> pd.DataFrame:
        """The runs that were started here, newest first, as last seen, with the columns of `ws.runs`."""
        from comfynb.frames.runs import handles_frame

        return handles_frame([run for run, _ in reversed(self._made)])

    @property
    def _drawn(self) -> dict[str, int]:
        run = self.run
        drawn = dict(run.prepared.inputs.drawn) if run is not None and run.prepared is not None else {}
        return {name: number for name, number in drawn.items() if name in self._state.definitions}

    @property
    def _busy(self) -> bool:
        return self._flight is not None

    @property
    def _can_cancel(self) -> bool:
        if self._flight is not None and not self._landed:
            return not self._cancel_wanted
        return any(not run.ended for run, _ in self._made)

    def _press(self) -> None:
        """Submit a run, unless one is on its way: on comfynb's thread, so that the kernel is free."""
        with self._lock:
            if self._closed or self._flight is not None or self.reason:
                return
            flight = self._flight = Flight()
            self._landed = self._cancel_wanted = False
            self._said = ("It is being submitted …", "plain")
            given = dict(self._state.given)
        self._update()
        self._core.face.start(lambda: self._submit(given, flight))

    async def _submit(self, given: dict[str, Any], flight: Flight) -> None:
        pressed = time.monotonic()
        told: list[ComfyWarning] = []
        said: tuple[str, Tone] = ("", "plain")
        try:
            with collecting(told):
                self._prepared, run = await self._launched(given, flight)
            said = ("\n".join(str(warning) for warning in told), "warn")
            self._started(run, given)
        except ComfyError as error:
            said = (str(error), "bad")
        except asyncio.CancelledError:
            if not self._cancel_wanted:
                raise
            said = ("It was called off; nothing was sent.", "plain")
        except Exception as error:  # whatever it is, a person who waits has to hear of it
            log.exception("a form could not submit")
            said = (f"It could not be submitted: {type(error).__name__}: {error}", "bad")
        finally:
            with self._lock:
                self._landed = True
                self._said = said
            self._update()
            await asyncio.sleep(0 if self._closed else max(0.0, _QUIET - (time.monotonic() - pressed)))
            self._flight = None
            self._update()
        if self._cancel_wanted and self._made and said[1] != "bad":
            await self._cancel_run(self._made[-1][0])

    async def _launched(self, given: dict[str, Any], flight: Flight) -> tuple[Prepared, Run]:
        prepared = await self._core.prepare(self._target, given, environment=self._environment, machine=self._machine)
        transfer = Transfer(len(prepared.files), sum(file.size for file in prepared.files), "uploaded")
        if prepared.files:
            self._say(
                f"{count(len(prepared.files), 'file')} to be uploaded; by default everybody who knows the address of "
                "an uploaded file can read it."
            )

        def moved(name: str, come: int, size: int) -> None:
            transfer.move(name, come, size)
            self._say(f"Uploading {transfer.words} …", seldom=True)

        run = await self._core.launch(prepared, flight, moved)
        return run.prepared or prepared, run

    def _say(self, words: str, *, seldom: bool = False) -> None:
        if seldom and time.monotonic() - self._said_at < _SELDOM:
            return
        self._said, self._said_at = (words, "plain"), time.monotonic()
        self._update()

    def _started(self, run: Run, given: dict[str, Any]) -> None:
        with self._lock:
            self._made.append((run, given))
            self._landed = True
            view = self._view if not self._closed else None
        if view is None:
            return
        run._tracked.watch.listeners.append(self._looked)
        try:
            view.show_run(run)
        except Exception:  # there is a run, whether or not it can be shown
            log.exception("the run %s cannot be shown in its form", run.id)

    def _looked(self, state: State) -> None:
        if state.ended:
            self._update()

    def _cancel(self) -> None:
        """Call a submit off, or cancel the last run that goes on."""
        with self._lock:
            flight = self._flight
            if flight is not None and not self._landed:
                self._cancel_wanted = True
                if not flight.call_off():
                    self._said = ("It is on its way; it will be cancelled as soon as the server has it.", "plain")
                run = None
            else:
                run = next((run for run, _ in reversed(self._made) if not run.ended), None)
        if run is not None:
            found = run
            self._core.face.start(lambda: self._cancel_run(found))
        self._update()

    async def _cancel_run(self, run: Run) -> None:
        try:
            with collecting([]):
                result = await run._tracked.cancel()
            self._said = (str(result), "plain" if result else "warn")
        except ComfyError as error:
            self._said = (str(error), "bad")
        self._update()

    def refresh(self) -> RunForm:
        """Ask the server again where a run would go, and at what price."""
        self._core.face.call(self._look)
        return self

    def _look_again(self) -> None:
        self._core.face.start(self._look_quietly)

    async def _look(self) -> None:
        self._core.catalogue.invalidate_cache()
        self._prepared = await self._core.prepare(
            self._target, {}, environment=self._environment, machine=self._machine
        )
        self._said = ("", "plain")
        self._update()

    async def _look_quietly(self) -> None:
        try:
            with collecting([]):
                await self._look()
        except ComfyError as error:
            self._said = (str(error), "bad")
            self._update()

    # -- how it looks -------------------------------------------------------------------------------------------

    def _facts(self) -> FormFacts:
        said, tone = self._said
        return FormFacts(
            prepared=self._prepared,
            given=self._state.given,
            problems=self._state.problems,
            said=said,
            tone=tone,
            runs=[(run.id, run.status) for run, _ in self._made],
        )

    def _update(self) -> None:
        with self._lock:
            if self._view is not None and not self._closed:
                self._view.update()

    @property
    def box(self) -> Any:
        """The widget, an `ipywidgets.VBox`, for layouts of one's own; made when it is first asked for."""
        return self._widgets().box

    def _widgets(self) -> FormView:
        with self._lock:
            if self._view is None:
                self._view = FormView(self)
                for run, _ in self._made:
                    if not run.ended:
                        run._tracked.watch.listeners.append(self._looked)
                        self._view.show_run(run)
            return self._view

    def close(self) -> None:
        """Take the widgets away. Its runs go on, and the form keeps its values and its table of runs."""
        with self._lock:
            self._closed = True
            view = self._view
            for run, _ in self._made:
                listeners = run._tracked.watch.listeners
                if self._looked in listeners:
                    listeners.remove(self._looked)
        if view is not None:
            view.close()

    def __repr__(self) -> str:
        return form_text(self._facts())

    def _repr_html_(self) -> str:
        return form_html(self._facts())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        plainly = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if self._closed:
            return plainly
        take_cell(self)
        return {**(self.box._repr_mimebundle_() or {}), **plainly}


def open_form(
    core: Core,
    workflow: Any,
    *,
    environment: str | None = None,
    machine: Any = None,
    values: Mapping[str, Any] | None = None,
) -> RunForm:
    """Return a form; see `Workspace.form`."""
    deployed = is_deployment(workflow)
    target = reference(workflow, "deployment" if deployed else "workflow")
    on = None if machine is None else reference(machine, "machine")

    async def prepare() -> tuple[Prepared, str]:
        prepared = await core.prepare(target, {}, environment=environment, machine=on)
        return prepared, await _called(core, prepared, target, deployed)

    prepared, called = core.face.read(prepare)
    form = RunForm(core, prepared, target=called, environment=environment, machine=on)
    if values is not None:
        form.values = values
    return form


async def _called(core: Core, prepared: Prepared, target: str, deployed: bool) -> str:
    """Return what stands for the workflow in code: its name rather than its id, where that leads to it alone."""
    name = prepared.workflow.name
    if deployed or not looks_like_id(target) or not name or prepared.workflow.id != target:
        return target
    try:
        found = await core.catalogue.workflows.find(name)
    except ComfyError:
        return target
    return name if found.id == target else target
