"""Everything that a workspace does, over the two services."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from comfynb.core.objects import Objects
from comfynb.core.routes import Routes
from comfynb.core.tables import Tables
from comfynb.errors import NotFoundError
from comfynb.face import Face
from comfynb.rules.given import given_inputs
from comfynb.runs.live import LiveRuns
from comfynb.runs.run import Run, find_run
from comfynb.services.cache import together
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.flight import Flight, Submitted
from comfynb.services.metrics import Metrics
from comfynb.services.prepared import Prepared
from comfynb.services.references import reference
from comfynb.services.resuming import resolve
from comfynb.services.uploading import Moved
from comfynb.services.workflows import WorkflowsService

if TYPE_CHECKING:
    import pandas as pd

    from comfynb.core.health_watch import AlertCallback, HealthWatch
    from comfynb.frames.health import HealthTable
    from comfynb.rules.health import Finding, HealthLimits
    from comfynb.sandbox import Sandbox
    from comfynb.services.health_limits import LimitsGiven


class Core:
    """Everything that a workspace does, as coroutines.

    Parameters
    ----------
    service : ComfyUIService
        Runs; it knows the workflows service.
    face : Face
        How calls reach this; the handles that this makes use it, too.
    sandbox : Sandbox, optional
        A server that was started for this, and stops when this is closed.
    simulated : bool
        Whether the server is a sandbox, which has a time of its own.

    Attributes
    ----------
    tables : Tables
        What plural nouns read.
    objects : Objects
        What singular nouns read.
    routes : Routes
        What `ws.routing` reads.
    live : LiveRuns
        Watches the runs that somebody looks at.
    last_run : Run or None
        The handle of the run that was submitted last.
    listener : object or None
        The receiver of webhooks, if there is one: it has `running`, `url` and `counts`.
    metrics : Metrics
        What is counted.
    watches : list of HealthWatch
        The watches over health that go on.
    """

    def __init__(
        self, service: ComfyUIService, face: Face, sandbox: Sandbox | None = None, *, simulated: bool = False
    ) -> None:
        self.comfyui = service
        self.catalogue: WorkflowsService = service.workflows
        self.face = face
        self.tables = Tables(service)
        self.objects = Objects(self.catalogue)
        self.routes = Routes(self.catalogue)
        self.live = LiveRuns(self)
        self.last_run: Run | None = None
        self.listener: Any = None
        # The transport holds its hooks, and is held until the core is gone.
        self.metrics = Metrics(partial(_webhooks, weakref.ref(self)), partial(getattr, self.catalogue.cache, "counts"))
        self.catalogue.client.transport.hooks.append(self.metrics.called)
        face.on_notice = self.metrics.noticed
        self.watches: list[HealthWatch] = []
        self.simulated = simulated
        self._sandbox = sandbox

    # -- runs ---------------------------------------------------------------------------------------------------

    async def prepare(
        self,
        workflow: Any,
        /,
        inputs: Mapping[str, Any] | None = None,
        *,
        environment: str | None = None,
        version: int | str | None = None,
        machine: Any = None,
        webhook: str | bool | None = None,
        route: bool | None = None,
        **more: Any,
    ) -> Prepared:
        """Show what a submit would send: inputs, problems, deployment, version, machine, price. Submits nothing.

        Takes what `submit` takes.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> ws.prepare("text2img", prompt="a red fox", seed=7).ok
        True
        """
        return await self.comfyui.prepare(
            workflow,
            given_inputs(inputs, more),
            environment=environment,
            version=version,
            machine=machine,
            webhook=webhook,
            route=route,
        )

    async def submit(self, workflow: Any, /, inputs: Mapping[str, Any] | None = None, **options: Any) -> Run:
        """See `Workspace.submit`; takes the options of `prepare`."""
        return await self.launch(await self.prepare(workflow, inputs, **options))

    async def launch(self, prepared: Prepared, flight: Flight | None = None, moved: Moved | None = None) -> Run:
        """Submit what was prepared. Its run is the last one, also when nobody waits for it any more.

        `moved` is told how far the files have come that are uploaded first.
        """
        flight = flight or Flight()
        handles: list[Run] = []

        def landed(taken: Submitted) -> None:
            self.last_run = Run(self, taken.run_id, prepared=taken.prepared or prepared, trouble=taken.trouble)
            handles.append(self.last_run)

        flight.landed = landed
        await self.comfyui.submit(prepared, flight, moved)
        return handles[0]

    async def get_run(self, run: Any) -> Run:
        """Return the handle of a run, by its id or a row of `ws.runs()`; a kernel restart loses nothing."""
        return await find_run(self, reference(run, "run"))

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

        journal = self.comfyui.submitter.journal
        if journal is None:
            return pending_frame([])
        return pending_frame(await asyncio.to_thread(journal.all, "open", "uncertain", "taken"))

    async def resume(self) -> list[Run]:
        """Find the runs of submits that were cut off, and return handles of all that are not known to have ended.

        A crash, a restart of the kernel or a lost answer loses no run: those whose id is not known are looked for in
        the server's run lists, by version, machine, inputs and time. What others started with the same inputs is
        reported, never claimed. Nothing is submitted.

        Returns
        -------
        list of Run
            Each was looked at once. ``[run.wait(check=False) for run in ws.resume()]`` waits for them.
        """
        journal = self.comfyui.submitter.journal
        if journal is None:
            return []
        await resolve(self.comfyui.client, journal)
        known = [noted.run_id for noted in await asyncio.to_thread(journal.all, "taken") if noted.run_id]
        room = asyncio.Semaphore(8)

        async def found(run_id: str) -> Run | None:
            async with room:
                try:
                    return await find_run(self, run_id)
                except NotFoundError:
                    await asyncio.to_thread(journal.ended, run_id)  # it was deleted
                    return None

        return [run for run in await asyncio.gather(*map(found, known)) if run is not None]

    # -- how it goes --------------------------------------------------------------------------------------------

    async def health(self, *, config: LimitsGiven = None) -> HealthTable:
        """Look at how the connection is: server, key, latency, machines, runs, cache, webhooks, clocks, journal.

        A server that is down is a row that says so, and no error. It costs two requests, and up to three more where
        runs of yours are not known to have ended.

        Parameters
        ----------
        config : str, pathlib.Path, mapping or False, optional
            From where on something is not well: a TOML file, or what one would say; False for the defaults. None looks
            for ``comfynb-health.toml``, of which ``comfynb health --init`` writes a first one.

        Returns
        -------
        HealthTable
            A DataFrame with one row a check: what was looked at, "ok", "warn" or "bad", what was seen, and what to do;
            ``comfynb.TABLES["health"].describe()`` tells the columns. It displays itself as a card.

        Raises
        ------
        ConfigurationError
            If the file cannot be used.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> ws.health().set_index("check").loc["key", "state"]
        'ok'
        """
        from comfynb.frames.health import health_frame
        from comfynb.services.health_limits import LimitsInUse

        findings, _ = await self.findings(LimitsInUse(config).get())
        return health_frame(findings, source=str(self.catalogue.client.transport.address), as_of=datetime.now(UTC))

    async def findings(self, limits: HealthLimits) -> tuple[tuple[Finding, ...], bool]:
        """Return what each check finds, and whether the server answered, so that all could be looked at."""
        from comfynb.rules.health import judge
        from comfynb.services.health import examine

        facts = await examine(self.comfyui, self.metrics, limits, listener=self.listener, simulated=self.simulated)
        return judge(facts, limits), facts.reachable

    async def watch_health(
        self, *, every: float = 30.0, config: LimitsGiven = None, on_alert: AlertCallback | None = None
    ) -> HealthWatch:
        """Look at the health again and again, in the background, and tell what changes for the worse or the better.

        The first look is taken before this returns. An alert goes to the logger ``comfynb`` and to `on_alert`, once
        for each incident, and once when it is over; ``[alerts]`` of the file says after how many looks.

        Parameters
        ----------
        every : float
            Seconds between two looks.
        config : str, pathlib.Path, mapping or False, optional
            As `health` takes it; the file is read again when it changes.
        on_alert : callable, optional
            Called with each `comfynb.rules.alerting.Alert`, on a thread of its own; what it raises is logged.

        Returns
        -------
        HealthWatch
            It goes on until `stop`, the end of a ``with``, or the end of the workspace.

        Raises
        ------
        ConfigurationError
            If the file cannot be used.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> with ws.watch_health(every=60) as watch:
        ...     watch.last.set_index("check").loc["server", "state"]
        'ok'
        """
        from comfynb.core.health_watch import HealthWatch
        from comfynb.services.health_limits import LimitsInUse

        watch = HealthWatch(self, LimitsInUse(config), every, on_alert)
        await watch.begin()
        return watch

    # -- itself -------------------------------------------------------------------------------------------------

    async def overview(self) -> None:
        """Read what a workspace shows of itself."""
        catalogue = self.catalogue
        await together(catalogue.workflows.entry(), catalogue.deployments.entry(), catalogue.machines.entry())

    async def close(self) -> None:
        """Close the connections, and the sandbox if `connect` started one. The workspace is of no use afterwards."""
        self.live.close()
        for watch in list(self.watches):
            watch.stop()
        journal = self.comfyui.submitter.journal
        if journal is not None:
            journal.close()
        await self.catalogue.aclose()
        if self._sandbox is not None:
            await asyncio.to_thread(self._sandbox.stop)


def _webhooks(of: weakref.ref[Core]) -> Mapping[str, int]:
    """Return how many webhooks came, by what became of them."""
    core = of()
    counts: Mapping[str, int] = core.listener.counts if core is not None and core.listener is not None else {}
    return counts
