"""A handle on one run: what it does, what it made, why it failed."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.api.models import Run as RunModel
from comfynb.display.runs import RunFacts, run_html, run_text
from comfynb.face import Twin, calls
from comfynb.rules.diagnosis import Failure
from comfynb.rules.observing import STALL, Change
from comfynb.rules.waiting import DEFAULT_TIMEOUT, check_seconds
from comfynb.runs import explaining, fetching
from comfynb.runs.aio import run_twin
from comfynb.runs.interrupts import telling_of_run, telling_of_submit
from comfynb.runs.output import Output
from comfynb.runs.progress import in_kernel
from comfynb.runs.repeating import prepare_again
from comfynb.runs.tracked import Tracked
from comfynb.runs.transfers import downloading, uploading
from comfynb.runs.waiting import shown, until_end
from comfynb.services.flight import Flight
from comfynb.services.prepared import Prepared

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from comfynb.core import Core
    from comfynb.widgets.gallery import Gallery
    from comfynb.widgets.run_view import RunView


def _tracked(run: Run) -> Tracked:
    return run._tracked


class Run:
    """A handle on one run.

    Made by `ws.submit`, `ws.run` and `ws.get_run`; the id alone is enough to make it again. Properties show what is
    known without asking the server; methods ask it. A handle can be awaited: ``await run`` is `wait`, from any event
    loop, and `run.aio` has the methods as coroutine functions.

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
        self.id = run_id
        self.prepared = prepared
        self.trouble = trouble
        self._tracked = Tracked(core, run_id, prepared, trouble)
        self._outputs: dict[tuple[str | None, str, str | None], Output] = {}
        self._face = core.face

    # -- what is known ------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """The last known status; it never steps back, and "success" is never assumed."""
        return self._tracked.state.seen.status

    @property
    def stage(self) -> str:
        """In words, what it was doing when last looked at."""
        return self._tracked.state.seen.stage

    @property
    def progress(self) -> float:
        """Share of its nodes that have begun, 0 to 1, as last seen."""
        return self._tracked.state.seen.progress

    @property
    def queue_position(self) -> int | None:
        """Runs before it when last looked at; None when it is not waiting."""
        return self._tracked.state.seen.queue_position

    @property
    def ended(self) -> bool:
        """Whether it has ended, well or not, as far as known."""
        return self._tracked.state.ended

    @property
    def stalled(self) -> str | None:
        """How long nothing had changed when last looked at, and the likely cause; None if it goes on or has ended."""
        return self._tracked.stalled

    @property
    def model(self) -> RunModel | None:
        """The server's last answer; None before the first look."""
        return self._tracked.model

    @property
    def name(self) -> str:
        """The workflow's name, where it is known; else its id."""
        return self._tracked.name

    @property
    def inputs(self) -> dict[str, Any]:
        """What was sent: the given inputs and the seeds that were drawn."""
        return self._tracked.inputs

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What it has made, as last seen. Outputs can be there before a run has ended."""
        for file in self._tracked.files:
            known = self._outputs.setdefault(file.key, Output(file, self._tracked.core, saved=self._tracked.saved))
            known.file = file  # with the newest link
        return tuple(self._outputs[file.key] for file in self._tracked.files)

    @property
    def machine_id(self) -> str | None:
        """The machine on which it runs, as the server says."""
        return self._tracked.machine_id

    @property
    def machine(self) -> str | None:
        """The name of its machine where it is known, else its id."""
        return self._tracked.machine

    @property
    def seconds(self) -> float | None:
        """Seconds from its creation to its end, as the server reports them; None before the end."""
        return self.model.duration if self.model is not None else None

    @property
    def error(self) -> Failure | None:
        """The error that a node raised, if it was asked for: by `wait` or `explain`, since the run does not tell it."""
        return self._tracked.failure

    @property
    def created_at(self) -> datetime | None:
        """When the server wrote it down, in UTC."""
        return self.model.created_at if self.model is not None else None

    @property
    def timeline(self) -> pd.DataFrame:
        """The changes that were seen, oldest first, as a table; times are the server's, in UTC."""
        from comfynb.frames.timeline import timeline_frame

        return timeline_frame(self._tracked.state.seen.changes or [Change(None, self.status, None, 0.0, None, 0)])

    # -- looking and waiting ------------------------------------------------------------------------------------

    @property
    def aio(self) -> Twin:
        """The methods as coroutine functions, for any event loop: ``await run.aio.cancel()``."""
        return run_twin(self, self._tracked)

    def refresh(self) -> Run:
        """Look once, and return the handle."""
        self._face.call(self._tracked.look)
        return self

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
            Whether to show a bar; None shows one where somebody can see it, and none when this is awaited.

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
        with telling_of_run(self.id), shown(self._tracked, progress):
            return self._face.call(lambda: until_end(self._tracked, self, timeout, check=check, stall=stall))

    def __await__(self) -> Generator[Any, None, Run]:
        return self._face.acall(lambda: until_end(self._tracked, self)).__await__()

    # -- doing --------------------------------------------------------------------------------------------------

    cancel = calls(_tracked, Tracked.cancel)
    explain = calls(_tracked, explaining.explain)
    used_inputs = calls(_tracked, fetching.used_inputs)

    def download(self, folder: str | Path = fetching.FOLDER, *, progress: bool | None = None) -> list[Path]:
        """Save everything that it made into a folder; return the paths, in the order of the outputs.

        A file gets the run's first eight characters before its name, so that saving it again writes the same files
        again and never those of another run. A file appears when it is complete. `manifest.json` beside them says of
        each file which run made it, of which inputs, and its SHA-256.

        Parameters
        ----------
        folder : str or pathlib.Path
            Where to; it is made if needed. No file lands outside it, whatever the server calls it.
        progress : bool, optional
            Whether to show a bar; None shows one where somebody can see it.

        Raises
        ------
        ApiError, TransportError
            If a file cannot be fetched; those before it are there.
        """
        with downloading(self.name, len(self._tracked.files), progress) as moved:
            return self._face.call(lambda: fetching.download(self._tracked, Path(folder), moved))

    def gallery(self) -> Gallery:
        """Return what it made so far as a widget: pictures, players for films and sounds, texts, and a download."""
        from comfynb.widgets.gallery import Gallery

        self._face.call(lambda: fetching.look_for_outputs(self._tracked))
        return Gallery(self)

    def images(self) -> list[Image]:
        """Fetch its pictures, as `PIL.Image.Image`, in the order of the outputs; those so far if it has not ended."""
        return [picture.to_pil() for picture in self._face.call(lambda: fetching.fetch_pictures(self._tracked))]

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
        core, flight = self._tracked.core, Flight()
        prepared = self._face.call(lambda: prepare_again(self._tracked, inputs, machine=machine, **changes))
        core.comfyui.uploads.announce(prepared.files)
        with telling_of_submit(self.name, flight), uploading(prepared.files) as moved:
            return self._face.call(lambda: core.launch(prepared, flight, moved))

    # -- how it looks -------------------------------------------------------------------------------------------

    def facts(self) -> RunFacts:
        """Return what is known, for a display."""
        return self._tracked.facts()

    def __repr__(self) -> str:
        return run_text(self.facts())

    def view(self) -> RunView:
        """Return a widget that shows how it goes on, by itself, until it has ended or the view is closed."""
        from comfynb.widgets.run_view import RunView

        return RunView(self)

    def _repr_html_(self) -> str:
        return run_html(self.facts())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # One that has ended does not change any more; one that goes on is shown as it goes on.
        if not self.ended and in_kernel():
            return self.view()._repr_mimebundle_()
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


async def find_run(core: Core, run_id: str, *, trouble: str | None = None) -> Run:
    """Return the handle of a run that is known by its id alone, with what it shows of itself."""
    run = Run(core, run_id, trouble=trouble)
    await run._tracked.look_round()
    return run
