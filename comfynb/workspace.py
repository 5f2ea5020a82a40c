"""What an analyst holds: one object over a whole ComfyDeploy workspace."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.core import Core
from comfynb.errors import ComfyError
from comfynb.rules.given import given_inputs
from comfynb.rules.observing import STALL
from comfynb.rules.waiting import DEFAULT_TIMEOUT, check_seconds
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.prepared import Prepared
from comfynb.services.workflows import WorkflowsService

if TYPE_CHECKING:
    import pandas as pd

    from comfynb.api.models import CreatedWorkflow, Version
    from comfynb.api.models import Deployment as DeploymentModel
    from comfynb.display.workspace import WorkspaceFacts
    from comfynb.objects import Deployment, Machine, WorkflowObject
    from comfynb.runs.run import Run
    from comfynb.sandbox import Sandbox


class Workspace:
    """A ComfyDeploy workspace, made by `comfynb.connect`.

    Plural methods give tables, singular ones objects that explain themselves, verbs do something. An argument that
    stands for a workflow, a deployment, a machine or a run may be a name, an id, the object, or a row of a table.
    Nothing is asked of the network until it is needed; what was read is kept for some minutes (machines for seconds).

    `ws.aio` has the same methods as coroutines, for any event loop.
    """

    def __init__(self, core: Core, *, sandbox: Sandbox | None = None, owned: bool = False) -> None:
        self._core = core
        self._sandbox = sandbox
        self._owns_sandbox = owned
        self.aio = AsyncWorkspace(core)

    # -- tables -------------------------------------------------------------------------------------------------

    def workflows(self, *, refresh: bool = False) -> pd.DataFrame:
        """Return all workflows: pinned ones first, then the last changed.

        Parameters
        ----------
        refresh : bool
            Ask the server even if the answer is known.

        Returns
        -------
        pandas.DataFrame
            One row a workflow; ``comfynb.TABLES["workflows"].describe()`` tells the columns.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> "text2img" in set(ws.workflows()["name"])
        True
        """
        return self._core.face.read(lambda: self._core.workflows(refresh=refresh))

    def deployments(
        self, *, environment: str | None = None, workflow: Any = None, refresh: bool = False
    ) -> pd.DataFrame:
        """Return all deployments, fluid ones among them; one that the server cannot list is a row with the problem.

        Parameters
        ----------
        environment : str, optional
            Only those of "production", "staging", "preview", "public-share", "private-share" or "community-share".
        workflow : str, object or row, optional
            Only those of one workflow.
        refresh : bool
            Ask the server even if the answer is known.

        Returns
        -------
        pandas.DataFrame
            One row a deployment; ``comfynb.TABLES["deployments"].describe()`` tells the columns.
        """
        return self._core.face.read(
            lambda: self._core.deployments(environment=environment, workflow=workflow, refresh=refresh)
        )

    def machines(self, *, refresh: bool = False) -> pd.DataFrame:
        """Return all machines that are not deleted; their status is at most 15 seconds old by default.

        Returns
        -------
        pandas.DataFrame
            One row a machine; ``comfynb.TABLES["machines"].describe()`` tells the columns.
        """
        return self._core.face.read(lambda: self._core.machines(refresh=refresh))

    def versions(self, workflow: Any, *, refresh: bool = False) -> pd.DataFrame:
        """Return the versions of a workflow, newest first.

        Returns
        -------
        pandas.DataFrame
            One row a version; ``comfynb.TABLES["versions"].describe()`` tells the columns.
        """
        return self._core.face.read(lambda: self._core.versions(workflow, refresh=refresh))

    def inputs(
        self, workflow: Any, *, environment: str | None = None, version: int | str | None = None
    ) -> pd.DataFrame:
        """Return the inputs that a workflow asks for: of its deployment, or of a version.

        Parameters
        ----------
        workflow : str, object or row
            A workflow or a deployment.
        environment : str, optional
            Which deployment; production by default, else the only one there is.
        version : int or str, optional
            A version instead, by number or id.

        Returns
        -------
        pandas.DataFrame
            One row an input, in the order of the workflow; ``comfynb.TABLES["inputs"].describe()`` tells the columns.
        """
        return self._core.face.read(lambda: self._core.inputs(workflow, environment=environment, version=version))

    def catalog(self, *, refresh: bool = False) -> pd.DataFrame:
        """Return one row a workflow, with its deployments, inputs, outputs, machine and problems, from its graph.

        A workflow without a deployment costs one request the first time, for its newest version.

        Returns
        -------
        pandas.DataFrame
            ``comfynb.TABLES["catalog"].describe()`` tells the columns.
        """
        return self._core.face.read(lambda: self._core.catalog(refresh=refresh))

    def runs(self, workflow: Any = None, *, deployment: Any = None, limit: int = 100) -> pd.DataFrame:
        """Return runs, newest first, with their inputs as ``input.NAME`` columns and the error text of failed ones.

        Asked of the server each time. Without a workflow it costs one request for each workflow, since the API has no
        list of all runs; ``df.attrs["note"]`` says so.

        Parameters
        ----------
        workflow : str, object or row, optional
            Only runs of one workflow.
        deployment : str, object or row, optional
            Only runs that were made through one deployment, among the newest `limit` of its workflow.
        limit : int
            How many at most.

        Returns
        -------
        pandas.DataFrame
            ``comfynb.TABLES["runs"].describe()`` tells the columns.
        """
        return self._core.face.call(lambda: self._core.runs(workflow=workflow, deployment=deployment, limit=limit))

    def outputs(self, run: Any) -> pd.DataFrame:
        """Return what a run made, one row a file or text.

        Returns
        -------
        pandas.DataFrame
            ``comfynb.TABLES["outputs"].describe()`` tells the columns.
        """
        return self._core.face.call(lambda: self._core.outputs(run))

    def explore(self) -> pd.DataFrame:
        """Ask for every path pattern with GETs only, and say which ones answer, and what that means.

        Returns
        -------
        pandas.DataFrame
            One row a path; ``comfynb.TABLES["explore"].describe()`` tells the columns. `df.attrs` has `prefix` (the one
            that is used, or None), `key_accepted` (None if nothing told), `findings` and `differences` (sentences:
            what follows, and what of the server is not as comfynb knows it).
        """
        return self._core.face.call(self._core.explore)

    # -- objects ------------------------------------------------------------------------------------------------

    def workflow(self, workflow: Any) -> WorkflowObject:
        """Return a workflow with its versions, deployments and inputs.

        Raises
        ------
        NotFoundError, AmbiguousNameError
            With the nearest names, or with all that the name fits.
        """
        return self._core.face.read(lambda: self._core.workflow(workflow))

    def deployment(self, deployment: Any, *, environment: str | None = None) -> Deployment:
        """Return a deployment with its inputs: by id, or a workflow's in an environment.

        Production is meant without an environment, else the only deployment there is.
        """
        return self._core.face.read(lambda: self._core.deployment(deployment, environment=environment))

    def machine(self, machine: Any) -> Machine:
        """Return a machine with what is deployed on it."""
        return self._core.face.read(lambda: self._core.machine(machine))

    def get_run(self, run: Any) -> Run:
        """Return the handle of a run, by its id or a row of `ws.runs()`; a kernel restart loses nothing."""
        return self._core.face.call(lambda: self._core.get_run(run))

    # -- running ------------------------------------------------------------------------------------------------

    def prepare(
        self,
        workflow: Any,
        /,
        inputs: Mapping[str, Any] | None = None,
        *,
        environment: str | None = None,
        version: int | str | None = None,
        machine: Any = None,
        webhook: str | bool | None = None,
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
        given = given_inputs(inputs, more)
        options = {"environment": environment, "version": version, "machine": machine, "webhook": webhook}
        return self._core.face.call(lambda: self._core.prepare(workflow, given, options))

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
            Values by input name; needed for names that are no identifiers, or the name of an option below.
        environment : str, optional
            Which deployment; production by default, else the only one there is.
        version : int or str, optional
            Another version, by number or id.
        machine : str, object or row, optional
            Another machine. The server ignores a machine on a deployment's run, so the version is sent there instead.
        webhook : str or bool, optional
            URL for the server to call; by default `WEBHOOK_URL` if that is set, False for none.
        **more
            Values by input name.

        Raises
        ------
        InputError
            With every problem at once.
        RoutingError
            If the machine is missing, paused, broken or being built.
        SubmitUncertainError
            If no answer came and it is not known whether a run exists.
        """
        given = given_inputs(inputs, more)
        options = {"environment": environment, "version": version, "machine": machine, "webhook": webhook}
        prepared = self._core.face.call(lambda: self._core.prepare(workflow, given, options))
        return self._submit(prepared)

    def _submit(self, prepared: Prepared) -> Run:
        try:
            return self._core.face.call(lambda: self._core.submit(prepared))
        except KeyboardInterrupt:
            print(
                f"Interrupted while {prepared.name} was being submitted: that goes on, and a run may come of it. It "
                f"will be ws.last_run; ws.runs(workflow={prepared.name!r}) shows it, too.",
                file=sys.stderr,
            )
            raise

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
            **more,
        )
        return submitted.wait(timeout, check=check, stall=stall, progress=progress)

    @property
    def last_run(self) -> Run | None:
        """The handle of the run that was submitted last here; None before the first."""
        return self._core.last_run

    # -- changes ------------------------------------------------------------------------------------------------

    def upload(self, file: str | Path | bytes, name: str | None = None) -> str:
        """Upload a file, and return its URL, which is **world-readable** by default.

        Parameters
        ----------
        file : str, pathlib.Path or bytes
            A path, or the content.
        name : str, optional
            Needed for bytes; the server goes by its ending.
        """
        return self._core.face.call(lambda: self._core.comfyui.upload_file(file, name))

    def create_deployment(
        self,
        workflow: Any,
        *,
        machine: Any,
        environment: str = "production",
        version: int | str | None = None,
        replace: bool = False,
    ) -> DeploymentModel:
        """Deploy a version of a workflow on a machine; what stands in that environment is kept without `replace`.

        See `comfynb.WorkflowsService.create_deployment`.
        """
        return self._core.face.call(
            lambda: self._core.catalogue.create_deployment(
                workflow, machine=machine, environment=environment, version=version, replace=replace
            )
        )

    def update_deployment(
        self,
        deployment: Any,
        *,
        environment: str | None = None,
        version: int | str | None = None,
        machine: Any = None,
        replace: bool = False,
        **changes: Any,
    ) -> DeploymentModel:
        """Change a deployment for everybody; moving it to another version or machine needs `replace=True`.

        See `comfynb.WorkflowsService.update_deployment`.
        """
        return self._core.face.call(
            lambda: self._core.catalogue.update_deployment(
                deployment, environment=environment, version=version, machine=machine, replace=replace, **changes
            )
        )

    def upload_workflow(
        self,
        name: str,
        workflow: Mapping[str, Any] | str,
        workflow_api: Mapping[str, Any] | str,
        *,
        machine: Any = None,
        comment: str | None = None,
        replace: bool = False,
    ) -> CreatedWorkflow | Version:
        """Make a new workflow from ComfyUI's two exports, or with `replace=True` a new version of one.

        See `comfynb.WorkflowsService.upload_workflow`.
        """
        return self._core.face.call(
            lambda: self._core.catalogue.upload_workflow(
                name, workflow, workflow_api, machine=machine, comment=comment, replace=replace
            )
        )

    def reload(self) -> Workspace:
        """Forget everything that was read, so that the next reads ask the server."""
        self._core.catalogue.invalidate_cache()
        return self

    # -- below and around ---------------------------------------------------------------------------------------

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

    def close(self) -> None:
        """Close the connections, and the sandbox if `connect` started one. The workspace is of no use afterwards."""
        self._core.face.call(self._core.catalogue.aclose)
        if self._owns_sandbox and self._sandbox is not None:
            self._sandbox.stop()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def facts(self, trouble: str | None = None) -> WorkspaceFacts:
        """Return what is known of it, without asking the server, for a display."""
        from comfynb.display.workspace import WorkspaceFacts

        core, cache = self._core, self._core.catalogue.cache
        listed, workflows, machines = cache.peek("deployments"), cache.peek("workflows"), cache.peek("machines")
        counts: dict[str, int] = {}
        for machine in machines.value if machines is not None else ():
            counts[machine.status or "unknown"] = counts.get(machine.status or "unknown", 0) + 1
        times = [entry.stored for entry in (listed, workflows, machines) if entry is not None]
        return WorkspaceFacts(
            address=self.url,
            sandbox=self._sandbox is not None,
            prefix=core.catalogue.client.transport.prefix,
            users=tuple(sorted({w.user_name or w.user_id or "" for w in workflows.value} - {""})) if workflows else (),
            workflows=len(workflows.value) if workflows is not None else None,
            deployments=len(listed.value.deployments) if listed is not None else None,
            broken=len(listed.value.broken) if listed is not None else 0,
            machines=counts if machines is not None else None,
            as_of=datetime.fromtimestamp(min(times), UTC) if times else None,
            webhook=core.comfyui.webhook,
            trouble=trouble,
            last_run=core.last_run.id if core.last_run else None,
        )

    def __repr__(self) -> str:
        from comfynb.display.workspace import workspace_text

        return workspace_text(self.facts())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from comfynb.display.workspace import workspace_html, workspace_text

        # Displaying it may ask the server, unlike its repr, but must not fail.
        trouble = None
        try:
            self._core.face.read(self._core.overview)
        except ComfyError as error:
            trouble = str(error)
        facts = self.facts(trouble)
        return {"text/plain": workspace_text(facts), "text/html": workspace_html(facts)}


class AsyncWorkspace:
    """The methods of a `Workspace` that do I/O, as coroutines, for any event loop.

    They take and return the same: ``await ws.aio.run("text2img", prompt="a red fox")``.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def __dir__(self) -> list[str]:
        return sorted(_ASYNC)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _ASYNC:
            raise AttributeError(f"ws.aio has no {name!r}; it has {', '.join(sorted(_ASYNC))}.")
        core = self._core
        method = getattr(Workspace, name)

        @wraps(method)
        async def twin(*arguments: Any, **options: Any) -> Any:
            return await _ASYNC[name](core, *arguments, **options)

        signature = inspect.signature(method)
        twin.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
        return twin


async def _aprepare(core: Core, workflow: Any, /, inputs: Mapping[str, Any] | None = None, **options: Any) -> Prepared:
    named: dict[str, Any] = {
        key: options.pop(key) for key in ("environment", "version", "machine", "webhook") if key in options
    }
    given = given_inputs(inputs, options)
    return await core.face.acall(lambda: core.prepare(workflow, given, named))


async def _asubmit(core: Core, workflow: Any, /, inputs: Mapping[str, Any] | None = None, **options: Any) -> Run:
    prepared = await _aprepare(core, workflow, inputs, **options)
    return await core.face.acall(lambda: core.submit(prepared))


async def _arun(core: Core, workflow: Any, /, inputs: Mapping[str, Any] | None = None, **options: Any) -> Run:
    timeout = options.pop("timeout", DEFAULT_TIMEOUT)
    check, stall = options.pop("check", True), options.pop("stall", STALL)
    options.pop("progress", None)
    check_seconds(timeout=timeout, stall=stall)
    run = await _asubmit(core, workflow, inputs, **options)
    return await core.face.acall(lambda: run.until_end(timeout, check=check, stall=stall))


def _reading(name: str) -> Callable[..., Any]:
    async def call(core: Core, *arguments: Any, **options: Any) -> Any:
        return await core.face.aread(lambda: getattr(core, name)(*arguments, **options))

    return call


def _calling(find: Callable[[Core], Callable[..., Any]]) -> Callable[..., Any]:
    async def call(core: Core, *arguments: Any, **options: Any) -> Any:
        return await core.face.acall(lambda: find(core)(*arguments, **options))

    return call


_ASYNC: dict[str, Callable[..., Any]] = {
    **{
        name: _reading(name)
        for name in (
            "workflows",
            "deployments",
            "machines",
            "versions",
            "inputs",
            "catalog",
            "workflow",
            "deployment",
            "machine",
        )
    },
    "runs": _calling(lambda core: core.runs),
    "outputs": _calling(lambda core: core.outputs),
    "explore": _calling(lambda core: core.explore),
    "get_run": _calling(lambda core: core.get_run),
    "prepare": _aprepare,
    "submit": _asubmit,
    "run": _arun,
    "upload": _calling(lambda core: core.comfyui.upload_file),
    "create_deployment": _calling(lambda core: core.catalogue.create_deployment),
    "update_deployment": _calling(lambda core: core.catalogue.update_deployment),
    "upload_workflow": _calling(lambda core: core.catalogue.upload_workflow),
}
