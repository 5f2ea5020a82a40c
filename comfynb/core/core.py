"""Everything that a workspace does, over the two services."""

from __future__ import annotations

import asyncio
import ipaddress
import weakref
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from comfynb.api.keeping import last_known
from comfynb.bridge import IOThread, Runner
from comfynb.core.health import HealthChecks
from comfynb.core.objects import Objects, away_since
from comfynb.core.routes import Routes
from comfynb.core.submits import Submits
from comfynb.core.tables import Tables
from comfynb.errors import InputError
from comfynb.face import Face
from comfynb.notices import notice
from comfynb.rules.given import given_inputs
from comfynb.runs.live import LiveRuns
from comfynb.runs.run import Run, find_run
from comfynb.services.cache import together
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.flight import Flight, Submitted
from comfynb.services.metrics import Metrics
from comfynb.services.prepared import Prepared
from comfynb.services.references import reference
from comfynb.services.uploading import Moved
from comfynb.services.workflows import WorkflowsService
from comfynb.warnings import WebhookWarning

if TYPE_CHECKING:
    from pydantic import SecretStr

    from comfynb.core.listener import Listener
    from comfynb.sandbox import Sandbox
    from comfynb.services.webhooks.server import Server


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
    webhook_secret : pydantic.SecretStr, optional
        What a server that signs its webhooks signs them with.
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
    submits : Submits
        What `ws.pending()` and `ws.resume()` read and do.
    live : LiveRuns
        Watches the runs that somebody looks at.
    last_run : Run or None
        The handle of the run that was submitted last.
    metrics : Metrics
        What is counted.
    health : HealthChecks
        Looks at how the connection is.
    """

    def __init__(
        self,
        service: ComfyUIService,
        face: Face,
        sandbox: Sandbox | None = None,
        *,
        webhook_secret: SecretStr | None = None,
        simulated: bool = False,
    ) -> None:
        self.comfyui = service
        self.catalogue: WorkflowsService = service.workflows
        self.face = face
        self.tables = Tables(service)
        self.objects = Objects(self.catalogue)
        self.routes = Routes(self.catalogue)
        self.submits = Submits(self)
        self.live = LiveRuns(self)
        self.last_run: Run | None = None
        self._sandbox = sandbox
        # The transport holds its hooks, and is held until the core is gone.
        self.metrics = Metrics(partial(_webhooks, weakref.ref(self)), partial(getattr, self.catalogue.cache, "counts"))
        self.catalogue.client.transport.hooks.append(self.metrics.called)
        face.on_notice = self.metrics.noticed
        self.health = HealthChecks(self, simulated=simulated)
        self._webhook_secret = webhook_secret
        self._listener: Listener | None = None
        self._let_go: weakref.finalize[..., Core] | None = None
        self._opening = asyncio.Lock()

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
        prepared = await self.comfyui.prepare(
            workflow,
            given_inputs(inputs, more),
            environment=environment,
            version=version,
            machine=machine,
            webhook=webhook,
            route=route,
        )
        why = self.catalogue.client.transport.offline
        if why is None:
            return prepared
        then = "kept for later" if self.comfyui.submitter.notes.queue_offline else "refused"
        return replace(prepared, notes=(*prepared.notes, f"{why} A submit is {then}."))

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
            if (taken.prepared or prepared).listened:
                self.comfyui.events.expect(taken.run_id)

        flight.landed = landed
        await self.comfyui.submit(prepared, flight, moved)
        return handles[0]

    async def get_run(self, run: Any) -> Run:
        """Return the handle of a run, by its id or a row of `ws.runs()`; a kernel restart loses nothing."""
        with last_known() as read:
            found = await find_run(self, reference(run, "run"))
        found._tracked.known_since(away_since(read))
        return found

    # -- webhooks -----------------------------------------------------------------------------------------------

    @property
    def listener(self) -> Listener | None:
        """The receiver of webhooks; None while nothing listens."""
        found = self._listener
        return found if found is not None and found.running else None

    @property
    def receiver(self) -> Listener | None:
        """The receiver of webhooks, also one that does not run any more; None if there never was one."""
        return self._listener

    async def listen(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
        *,
        secret: str | bytes | None = None,
        lifetime: float = 7 * 86400.0,
    ) -> Listener:
        """Receive webhooks for runs that are submitted with `webhook=True`, so that their changes are seen at once.

        What comes is never believed: it only makes comfynb ask sooner, and asking goes on as always when nothing comes.
        Asked for again in the same way, the receiver that listens is returned; in another way, it is closed first.

        Parameters
        ----------
        host : str
            Address of this machine to listen at; by default only what is on it can connect, such as a tunnel.
        port : int
            Port to listen at; 0 takes a free one.
        public_url : str, optional
            How the server reaches it, with the path that a proxy may need; by default `WEBHOOK_URL` or the `webhook=`
            of `connect`, else host and port.
        secret : str or bytes, optional
            What addresses are made with, 16 bytes or more: with the same one, addresses are good across restarts.
        lifetime : float
            Seconds for which an address is good, a week by default. Runs may last a day.

        Returns
        -------
        Listener
            It listens until it is closed, or the workspace is.

        Raises
        ------
        ConfigurationError
            If it cannot listen there, or what is given cannot work.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> with ws.listen() as listener:
        ...     run = ws.run("text2img", prompt="a red fox", webhook=True)
        >>> run.status, listener.counts["event"] > 0
        ('success', True)
        """
        from comfynb.core.listener import Listener, Listening

        own = self.comfyui.webhook
        given: Any = secret
        how = Listening(host, port, public_url if public_url is not None else own, given, lifetime).check()
        async with self._opening:
            before = self.listener
            if before is not None:
                if before.how == how:
                    return before
                await before.aio.close()
            signed_with = self._webhook_secret
            listener = Listener(
                how,
                self.face,
                self.comfyui.events,
                signed_with=signed_with.get_secret_value().encode() if signed_with is not None else None,
                metrics=self.metrics,
            )
            await listener.open(own if public_url is None else None)
            self._listener = listener
            # Of no use once nobody holds the workspace any more.
            if self._let_go is not None:
                self._let_go.detach()
            self._let_go = weakref.finalize(self, _abandon, self.face.runner, listener.server)
            self._let_go.atexit = False
        if _is_loopback(listener.public_url) and not _is_loopback(str(self.catalogue.client.transport.address)):
            notice(
                WebhookWarning(
                    f"The server {self.catalogue.client.transport.address} cannot call {listener.public_url}, which is "
                    "this machine alone: give ws.listen(public_url=…) the address of a tunnel or a proxy. Until then "
                    "runs are asked for as always."
                )
            )
        return listener

    # -- itself -------------------------------------------------------------------------------------------------

    async def overview(self) -> None:
        """Read what a workspace shows of itself."""
        catalogue = self.catalogue
        if self.offline:
            await catalogue.workflows.entry()
            return
        await together(catalogue.workflows.entry(), catalogue.deployments.entry(), catalogue.machines.entry())

    @property
    def offline(self) -> bool:
        """Whether the server must not be asked."""
        return self.catalogue.client.transport.offline is not None

    async def snapshot(self, path: str | Path, *, runs: int = 50) -> Path:
        """Write the whole workspace into one file, which ``comfynb.connect(snapshot=path)`` explores without a key.

        Everything that the tables show is read and kept: workflows, their versions and newest runs, deployments,
        machines, prices. Pictures and other files stay where they are. Keys, tokens and passwords are taken out
        wherever they are seen, but prompts and names are in it: give it to those who may read them. The file is
        readable for its owner alone.

        Parameters
        ----------
        path : str or pathlib.Path
            The file, packed; one that is there is replaced. Its folder is made if needed.
        runs : int
            The newest runs of each workflow that are read one by one, so that `get_run` and `outputs` can show them.
            The tables have the newest hundred of each workflow in any case, or as many as these.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        InputError
            If there can be no such file, or it would be larger than what can be read again.
        OfflineError, TransportError
            If the server is away.
        """
        if not isinstance(runs, int) or runs < 0:
            raise InputError(f"runs={runs!r} is no number of runs.")
        from comfynb.core.recording import record
        from comfynb.services.cache.snapshot import snapshot_file, write_snapshot

        target = await asyncio.to_thread(snapshot_file, path)
        answers = await record(self, runs=runs)
        await asyncio.to_thread(write_snapshot, target, str(self.catalogue.client.transport.address), answers)
        return target

    async def close(self) -> None:
        """Close the connections, and the sandbox if `connect` started one. The workspace is of no use afterwards."""
        self.live.close()
        self.health.close()
        if self._listener is not None:
            await self._listener.aio.close()
        await self.comfyui.submitter.notes.settle()
        journal = self.comfyui.submitter.journal
        if journal is not None:
            journal.close()
        await self.catalogue.aclose()
        if self._sandbox is not None:
            await asyncio.to_thread(self._sandbox.stop)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _abandon(runner: Runner, server: Server) -> None:
    """Stop a receiver whose workspace is gone."""
    if isinstance(runner, IOThread) and server.running:
        runner.start(server.stop)


def _webhooks(of: weakref.ref[Core]) -> Mapping[str, int]:
    """Return how many webhooks came, by what became of them."""
    core = of()
    listener = core.receiver if core is not None else None
    return listener.counts if listener is not None else {}
