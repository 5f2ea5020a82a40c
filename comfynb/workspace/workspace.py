"""What an analyst holds: one object over a whole ComfyDeploy workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comfynb.core import Core
from comfynb.core.health import HealthChecks
from comfynb.core.objects import Objects
from comfynb.core.submits import Submits
from comfynb.core.tables import Tables
from comfynb.display.workspace import WorkspaceFacts, workspace_html, workspace_text
from comfynb.errors import ComfyError
from comfynb.face import calls, reads
from comfynb.rules.observing import STALL
from comfynb.rules.waiting import DEFAULT_TIMEOUT, check_seconds
from comfynb.runs.interrupts import telling_of_submit
from comfynb.runs.run import Run
from comfynb.runs.transfers import uploading
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.flight import Flight
from comfynb.services.given_files import file_to_upload
from comfynb.services.workflows import WorkflowsService
from comfynb.workspace.aio import AsyncWorkspace
from comfynb.workspace.cache import WorkspaceCache
from comfynb.workspace.facts import workspace_facts
from comfynb.workspace.metrics import WorkspaceMetrics
from comfynb.workspace.names import WorkspaceNames
from comfynb.workspace.routing import WorkspaceRouting
from comfynb.workspace.telling import show_route

if TYPE_CHECKING:
    from comfynb.sandbox import Sandbox
    from comfynb.widgets.browser import WorkspaceBrowser
    from comfynb.widgets.form import RunForm


def _core(ws: Workspace) -> Core:
    return ws._core


def _submits(ws: Workspace) -> Submits:
    return ws._core.submits


def _tables(ws: Workspace) -> Tables:
    return ws._core.tables


def _objects(ws: Workspace) -> Objects:
    return ws._core.objects


def _health(ws: Workspace) -> HealthChecks:
    return ws._core.health


def _catalogue(ws: Workspace) -> WorkflowsService:
    return ws._core.catalogue


class Workspace:
    """A ComfyDeploy workspace, made by `comfynb.connect`.

    Plural methods give tables, singular ones objects that explain themselves, verbs do something. An argument that
    stands for a workflow, a deployment, a machine or a run may be a name, an id, the object, or a row of a table.
    Nothing is asked of the network until it is needed; what was read is kept for some minutes (machines for seconds).

    `ws.aio` has the methods that ask the server as coroutine functions, for any event loop.
    """

    def __init__(self, core: Core, *, sandbox: Sandbox | None = None) -> None:
        self._core = core
        self._face = core.face
        self._sandbox = sandbox

    @property
    def names(self) -> WorkspaceNames:
        """What workflows are called: standard names, comparison with a database, the table of names."""
        return WorkspaceNames(self._core)

    @property
    def metrics(self) -> WorkspaceMetrics:
        """What this connection has counted: ``ws.metrics()``, ``ws.metrics(by="runs")``, ``ws.metrics.plot()``."""
        return WorkspaceMetrics(self._core)

    @property
    def aio(self) -> AsyncWorkspace:
        """The methods that ask the server as coroutine functions, for any event loop: ``await ws.aio.catalog()``."""
        return AsyncWorkspace(self, self._core)

    @property
    def routing(self) -> WorkspaceRouting:
        """Where workflows run by the rules: ``ws.routing.table()``, ``ws.routing.route("text2img")``."""
        return WorkspaceRouting(self._core)

    @property
    def cache(self) -> WorkspaceCache:
        """What was read and is kept: how much, how old, how often it was used; ``ws.cache.clear()`` forgets it."""
        return WorkspaceCache(self._core)

    def browse(self) -> WorkspaceBrowser:
        """Return a widget over everything: workflows with their versions and runs, deployments, machines.

        `comfynb app` serves it as a web page.
        """
        from comfynb.widgets.browser import WorkspaceBrowser

        return WorkspaceBrowser(self)

    def form(
        self,
        workflow: Any,
        *,
        environment: str | None = None,
        machine: Any = None,
        values: Mapping[str, Any] | None = None,
    ) -> RunForm:
        """Return a form for a workflow, made of its own inputs: fill it in, press Run, and see how the run goes on.

        What differs from the workflow's defaults is sent, and checked by the rules of `submit` while one types.

        Parameters
        ----------
        workflow : str, object or row
            A workflow or a deployment.
        environment : str, optional
            Which deployment; production by default, else the only one there is.
        machine : str, object or row, optional
            Another machine.
        values : mapping, optional
            Values to begin with, by input name.

        Raises
        ------
        NotFoundError, AmbiguousNameError
            If it is not clear what is meant.
        InputError
            If there is no input of a name in `values`.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> form = ws.form("text2img", values={"prompt": "a red fox"})
        >>> form.values
        {'prompt': 'a red fox'}
        """
        from comfynb.widgets.form import open_form

        return open_form(self._core, workflow, environment=environment, machine=machine, values=values)

    # -- how it goes --------------------------------------------------------------------------------------------

    health = calls(_health, HealthChecks.health)
    watch_health = calls(_health, HealthChecks.watch_health)

    # -- tables -------------------------------------------------------------------------------------------------

    workflows = reads(_tables, Tables.workflows)
    deployments = reads(_tables, Tables.deployments)
    machines = reads(_tables, Tables.machines)
    versions = reads(_tables, Tables.versions)
    inputs = reads(_tables, Tables.inputs)
    catalog = reads(_tables, Tables.catalog)
    runs = calls(_tables, Tables.runs)
    outputs = calls(_tables, Tables.outputs)
    explore = calls(_tables, Tables.explore)

    # -- objects ------------------------------------------------------------------------------------------------

    workflow = reads(_objects, Objects.workflow)
    deployment = reads(_objects, Objects.deployment)
    machine = reads(_objects, Objects.machine)
    get_run = calls(_core, Core.get_run)

    # -- changes ------------------------------------------------------------------------------------------------

    def upload(self, file: Any, name: str | None = None) -> str:
        """Upload a file and return its URL, which is **world-readable** by default; `UploadWarning` says so once.

        An input that takes a file can be given the same things, and uploads them itself. A file whose content was
        uploaded before is not sent again.

        Parameters
        ----------
        file : str, pathlib.Path, bytes, PIL image or array
            A path, or the content. An array is height × width, or that × 3 or 4 channels, of 0 to 255 or 0.0 to 1.0.
        name : str, optional
            What it is called; by its content without. The server goes by the ending, and refuses text files.

        Raises
        ------
        InputError
            If there is no such file, it is larger than 250 MB, or text.
        ApiError, TransportError
            If the server does not take it.
        """
        given = file_to_upload(file, name)
        self._core.comfyui.uploads.announce([given])
        with uploading([given]) as moved:
            return self._face.call(lambda: self._core.comfyui.uploads.url(given, moved))

    upload_workflow = calls(_catalogue, WorkflowsService.upload_workflow)
    create_deployment = calls(_catalogue, WorkflowsService.create_deployment)
    update_deployment = calls(_catalogue, WorkflowsService.update_deployment)

    # -- running ------------------------------------------------------------------------------------------------

    prepare = calls(_core, Core.prepare)

    def submit(
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
    ) -> Run:
        """Submit a run, exactly once, and return its handle at once.

        Inputs and machine are checked first; with a problem nothing is submitted. Only the given inputs and drawn
        seeds are sent. Without a deployment, the newest version is sent to `machine` or the workflow's own machine.

        Parameters
        ----------
        workflow : str, object or row
            A workflow or a deployment.
        inputs : mapping, optional
            Values by input name; needed for names that are no identifiers, or the name of an option below. For an
            input that takes a file: a URL, a path, bytes, a PIL image, an array, or an `Output` of another run. What
            has no URL is uploaded first, once, to where by default everybody who knows its address can read it.
        environment : str, optional
            Which deployment; production by default, else the only one there is.
        version : int or str, optional
            Another version, by number or id.
        machine : str, object or row, optional
            Another machine. The server ignores a machine on a deployment's run, so the version is sent there instead.
        webhook : str or bool, optional
            URL for the server to call; by default `WEBHOOK_URL` if that is set, False for none. True is the receiver
            of `ws.listen()`, which makes changes seen at once.
        route : bool, optional
            Whether the routing rules choose the machine. None does so if there are rules and no machine is named, and
            shows the route first; False leaves the run where its deployment is; True insists on rules.
        **more
            Values by input name.

        Raises
        ------
        InputError
            With every problem at once.
        RoutingError
            If the machine is missing, paused, broken or being built, or no machine of the rules can take it.
        SubmitUncertainError
            If no answer came and it is not known whether a run exists.
        """
        prepared = self.prepare(
            workflow,
            inputs,
            environment=environment,
            version=version,
            machine=machine,
            webhook=webhook,
            route=route,
            **more,
        )
        show_route(prepared)
        self._core.comfyui.uploads.announce(prepared.files)
        flight = Flight()
        with telling_of_submit(prepared.name, flight), uploading(prepared.files) as moved:
            return self._face.call(lambda: self._core.launch(prepared, flight, moved))

    def run(
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
        timeout: float | None = DEFAULT_TIMEOUT,
        check: bool = True,
        stall: float = STALL,
        progress: bool | None = None,
        **more: Any,
    ) -> Run:
        """Submit a run and wait for it: `submit`, then `Run.wait`.

        Returns
        -------
        Run
            Ended well, unless `check` is False or it stalled with outputs.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> run = ws.run("text2img", prompt="a red fox", seed=7)
        >>> run.status, len(run.images())
        ('success', 1)
        """
        check_seconds(timeout=timeout, stall=stall)
        submitted = self.submit(
            workflow,
            inputs,
            environment=environment,
            version=version,
            machine=machine,
            webhook=webhook,
            route=route,
            **more,
        )
        return submitted.wait(timeout, check=check, stall=stall, progress=progress)

    listen = calls(_core, Core.listen)
    pending = calls(_submits, Submits.pending)
    resume = calls(_submits, Submits.resume)
    snapshot = calls(_core, Core.snapshot)

    @property
    def last_run(self) -> Run | None:
        """The handle of the run that was submitted last here; None before the first."""
        return self._core.last_run

    # -- below and around ---------------------------------------------------------------------------------------

    def reload(self) -> Workspace:
        """Forget everything that was read, so that the next reads ask the server."""
        self._core.catalogue.invalidate_cache()
        return self

    @property
    def workflows_service(self) -> WorkflowsService:
        """The async service below the tables. Its coroutines run on comfynb's I/O thread: see `ws.aio` for any loop."""
        return self._core.catalogue

    @property
    def comfyui_service(self) -> ComfyUIService:
        """The async service below the runs."""
        return self._core.comfyui

    @property
    def sandbox(self) -> Sandbox | None:
        """The sandbox that this is connected to, if it was started in this process."""
        return self._sandbox

    @property
    def url(self) -> str:
        """The server's address, without the API's prefix."""
        return str(self._core.catalogue.client.transport.address)

    close = calls(_core, Core.close)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def facts(self, trouble: str | None = None) -> WorkspaceFacts:
        """Return what is known of it, without asking the server, for a display."""
        return workspace_facts(self._core, sandbox=self._sandbox is not None, trouble=trouble)

    def __repr__(self) -> str:
        return workspace_text(self.facts())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # Displaying it may ask the server, unlike its repr, but must not fail.
        trouble = None
        try:
            self._face.read(self._core.overview)
        except ComfyError as error:
            trouble = str(error)
        facts = self.facts(trouble)
        return {"text/plain": workspace_text(facts), "text/html": workspace_html(facts)}
