"""The async core of a workspace: tables, objects and runs over the two services. Runs where the connections live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from comfynb.api.models import ListedRun, Version, Workflow
from comfynb.api.transport import NeedsNetwork
from comfynb.bridge import Runner
from comfynb.errors import ApiError, AuthenticationError, InputError, NotFoundError, RateLimitError
from comfynb.notices import collecting, notice, show
from comfynb.rules.text import tidy
from comfynb.services.cache import Entry, served, together
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.prepared import Prepared
from comfynb.services.references import looks_like_id, reference
from comfynb.services.workflows import WorkflowsService
from comfynb.warnings import ComfyWarning, PartialResultWarning

if TYPE_CHECKING:
    import pandas as pd

    from comfynb.objects import Deployment, Machine, WorkflowObject
    from comfynb.runs.run import Run

T = TypeVar("T")

AT_ONCE = 8
"""Reads of single workflows that are under way at the same time."""


class Face:
    """How calls reach the core: from code that is not async, or awaited from any loop.

    Parameters
    ----------
    runner : Runner
        Where coroutines run.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def read(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Serve from the cache in this thread if that is enough, else go where the connections live."""
        try:
            return served(function)
        except NeedsNetwork:
            return self.call(function)

    def call(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run it and show what it wanted to tell, here."""
        told: list[ComfyWarning] = []
        with _shown(told):
            return self.runner.run(_telling(function, told))

    async def aread(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do as `read` does, awaited."""
        try:
            return served(function)
        except NeedsNetwork:
            return await self.acall(function)

    async def acall(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do as `call` does, awaited."""
        told: list[ComfyWarning] = []
        with _shown(told):
            return await self.runner.arun(_telling(function, told))

    def start(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start it and return at once."""
        return self.runner.start(function)


@contextmanager
def _shown(told: list[ComfyWarning]) -> Iterator[None]:
    """Show what is told while this is entered, when it ends; what a result lacks is of no interest without one."""
    try:
        yield
    except BaseException:
        show([warning for warning in told if not isinstance(warning, PartialResultWarning)])
        raise
    show(told)


def _telling(
    function: Callable[[], Coroutine[Any, Any, T]], told: list[ComfyWarning]
) -> Callable[[], Coroutine[Any, Any, T]]:
    async def run() -> T:
        with collecting(told):
            return await function()

    return run


class Core:
    """Everything that a workspace does, as coroutines.

    Parameters
    ----------
    service : ComfyUIService
        Runs; it knows the workflows service.
    face : Face
        Given to the handles that this makes.
    """

    def __init__(self, service: ComfyUIService, face: Face) -> None:
        self.comfyui = service
        self.catalogue: WorkflowsService = service.workflows
        self.face = face
        self.last_run: Run | None = None
        self._frames: dict[tuple[Any, ...], tuple[tuple[int, ...], pd.DataFrame]] = {}

    # -- tables -------------------------------------------------------------------------------------------------

    def _frame(self, key: tuple[Any, ...], entries: tuple[Entry[Any], ...], build: Callable[[], pd.DataFrame]) -> Any:
        """Return a table, made once for the same answers; a copy, so that edits stay the caller's."""
        numbers = tuple(entry.number for entry in entries)
        kept = self._frames.get(key)
        if kept is None or kept[0] != numbers:
            frame = build()
            frame.attrs["source"] = str(self.catalogue.client.transport.address)
            frame.attrs["as_of"] = datetime.fromtimestamp(min(e.stored for e in entries), UTC).isoformat(
                timespec="seconds"
            )
            kept = self._frames[key] = (numbers, frame)
        # With its data: pandas' copy on write does not see what is written into the array of a column.
        return kept[1].copy()

    async def workflows(self, *, refresh: bool = False) -> pd.DataFrame:
        """See `Workspace.workflows`."""
        entry = await self.catalogue.workflows_entry(refresh=refresh)

        def build() -> pd.DataFrame:
            from comfynb.frames.workflows import workflows_frame

            return workflows_frame(entry.value)

        return self._frame(("workflows",), (entry,), build)  # type: ignore[no-any-return]

    async def deployments(
        self, *, environment: str | None = None, workflow: Any = None, refresh: bool = False
    ) -> pd.DataFrame:
        """See `Workspace.deployments`."""
        service = self.catalogue
        listed, workflows, machines = await together(
            service.deployments_entry(refresh=refresh),
            service.workflows_entry(refresh=refresh),
            service.machines_entry(),
        )
        owner = await service.find_workflow(workflow) if workflow is not None else None

        def build() -> pd.DataFrame:
            from comfynb.frames.deployments import deployments_frame

            return deployments_frame(listed.value, workflows.value, machines.value)

        frame = self._frame(("deployments",), (listed, workflows, machines), build)
        if environment is not None:
            frame = frame[frame["environment"] == environment]
        if owner is not None:
            frame = frame[frame["workflow_id"] == owner.id]
        return frame.reset_index(drop=True)  # type: ignore[no-any-return]

    async def machines(self, *, refresh: bool = False) -> pd.DataFrame:
        """See `Workspace.machines`."""
        entry = await self.catalogue.machines_entry(refresh=refresh)

        def build() -> pd.DataFrame:
            from comfynb.frames.machines import machines_frame

            return machines_frame(entry.value)

        return self._frame(("machines",), (entry,), build)  # type: ignore[no-any-return]

    async def versions(self, workflow: Any, *, refresh: bool = False) -> pd.DataFrame:
        """See `Workspace.versions`."""
        owner = await self.catalogue.find_workflow(workflow)
        versions = await self.catalogue.get_versions(owner, refresh=refresh)
        from comfynb.frames.versions import versions_frame

        return self._sourced(versions_frame(versions, [owner]))

    async def inputs(
        self, workflow: Any, *, environment: str | None = None, version: int | str | None = None
    ) -> pd.DataFrame:
        """See `Workspace.inputs`."""
        definitions = await self.catalogue.get_workflow_inputs(workflow, environment=environment, version=version)
        from comfynb.frames.inputs import inputs_frame

        return self._sourced(inputs_frame(definitions))

    async def catalog(self, *, refresh: bool = False) -> pd.DataFrame:
        """See `Workspace.catalog`."""
        service = self.catalogue
        workflows, listed, machines = await together(
            service.workflows_entry(refresh=refresh),
            service.deployments_entry(refresh=refresh),
            service.machines_entry(refresh=refresh),
        )
        deployed = {d.workflow_id for d in listed.value.deployments}
        bare = [w for w in workflows.value if w.id not in deployed]
        details = await self._newest(bare, refresh=refresh)

        def build() -> pd.DataFrame:
            from comfynb.frames.catalog import catalog_frame

            versions = {key: version for key, (version, _) in details.items() if version is not None}
            return catalog_frame(workflows.value, listed.value, machines.value, versions)

        entries = (workflows, listed, machines, *(entry for _, entry in details.values() if entry is not None))
        return self._frame(("catalog",), entries, build)  # type: ignore[no-any-return]

    async def _newest(
        self, workflows: list[Workflow], *, refresh: bool
    ) -> dict[str, tuple[Version | None, Entry[Any] | None]]:
        """Return the newest version of each of these workflows, and the entry that it came with."""
        service, found = self.catalogue, dict[str, tuple[Version | None, Entry[Any] | None]]()
        lost: list[str] = []

        async def one(workflow: Workflow) -> None:
            try:
                entry = await service.workflow_entry(workflow.id, refresh=refresh)
            except (AuthenticationError, RateLimitError):
                raise
            except ApiError:
                lost.append(workflow.name or workflow.id)
                return
            versions = [v for v in entry.value.versions or [] if v is not None]
            found[workflow.id] = (max(versions, key=lambda v: v.version or 0) if versions else None, entry)

        for start in range(0, len(workflows), AT_ONCE):
            await together(*(one(workflow) for workflow in workflows[start : start + AT_ONCE]))
        if lost:
            notice(PartialResultWarning(f"The graphs of {_few(lost)} could not be read."))
        return {workflow.id: found[workflow.id] for workflow in workflows if workflow.id in found}

    async def runs(
        self, workflow: Any = None, *, deployment: Any = None, limit: int = 100, refresh: bool = False
    ) -> pd.DataFrame:
        """See `Workspace.runs`."""
        if not isinstance(limit, int) or limit < 0:
            raise InputError(f"limit={limit!r} is no number of runs.")
        if workflow is not None and deployment is not None:
            raise InputError("Give either workflow= or deployment=; a deployment has one workflow.")
        service = self.catalogue
        rows: list[ListedRun] = []
        note = ""
        if deployment is not None:
            found = await service.find_deployment(deployment)
            rows = await service.client.workflow_runs(found.workflow_id or "", limit=limit)
            rows = [row for row in rows if row.deployment_id == found.id]
            note = f"of the newest {limit} runs of its workflow, those that were made through the deployment"
        elif workflow is not None:
            owner = await service.find_workflow(workflow)
            rows = await service.client.workflow_runs(owner.id, limit=limit)
        else:
            everything = await service.get_workflows(refresh=refresh)
            note = f"one request for each of {len(everything)} workflows: the API has no list of all runs"
            rows = await self._newest_runs(everything, limit)
        workflows, listed, machines = await together(
            service.workflows_entry(), service.deployments_entry(), service.machines_entry()
        )
        from comfynb.frames.runs import runs_frame

        frame = runs_frame(
            rows, workflows=workflows.value, machines=machines.value, deployments=listed.value.deployments
        )
        frame.attrs["note"] = note
        return self._sourced(frame)

    async def _newest_runs(self, workflows: list[Workflow], limit: int) -> list[ListedRun]:
        """Return the newest runs of all these workflows, newest first."""
        rows: list[ListedRun] = []
        lost: list[str] = []

        async def one(workflow: Workflow) -> list[ListedRun]:
            try:
                return await self.catalogue.client.workflow_runs(workflow.id, limit=limit)
            except (AuthenticationError, RateLimitError):
                raise
            except ApiError:
                lost.append(workflow.name or workflow.id)
                return []

        for start in range(0, len(workflows), AT_ONCE):
            parts = await together(*(one(workflow) for workflow in workflows[start : start + AT_ONCE]))
            rows = sorted((row for part in (rows, *parts) for row in part), key=_made, reverse=True)[:limit]
        if lost:
            notice(PartialResultWarning(f"The runs of {_few(lost)} could not be read."))
        return rows

    async def outputs(self, run: Any) -> pd.DataFrame:
        """See `Workspace.outputs`."""
        found = await self.comfyui.check_status(reference(run, "run"))
        files = await self.comfyui.get_results(found)
        from comfynb.frames.outputs import outputs_frame

        return self._sourced(outputs_frame(files))

    def _sourced(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame.attrs["source"] = str(self.catalogue.client.transport.address)
        frame.attrs["as_of"] = datetime.now(UTC).isoformat(timespec="seconds")
        return frame

    async def explore(self) -> pd.DataFrame:
        """See `Workspace.explore`."""
        from comfynb.frames.explore import explore_frame
        from comfynb.services.exploring import explore

        found = await explore(self.catalogue.client.transport)
        frame = explore_frame(found.probes)
        frame.attrs["prefix"] = found.prefix
        frame.attrs["key_accepted"] = found.key_accepted
        frame.attrs["findings"] = list(found.findings)
        frame.attrs["differences"] = list(found.differences)
        return self._sourced(frame)

    # -- objects ------------------------------------------------------------------------------------------------

    async def workflow(self, workflow: Any) -> WorkflowObject:
        """See `Workspace.workflow`."""
        from comfynb.objects import WorkflowObject

        service = self.catalogue
        owner = await service.find_workflow(workflow)
        versions, deployments, machines = await together(
            service.get_versions(owner), service.get_deployments(workflow=owner), service.get_machines()
        )
        main = next((d for d in deployments if d.environment == "production"), deployments[0] if deployments else None)
        version = await service.deployment_version(main) if main else (versions[0] if versions else None)
        return WorkflowObject.build(owner, versions, deployments, machines, version)

    async def deployment(self, deployment: Any, *, environment: str | None = None) -> Deployment:
        """See `Workspace.deployment`."""
        from comfynb.objects import Deployment

        service = self.catalogue
        found = await service.find_deployment(deployment, environment=environment)
        version = await service.deployment_version(found)
        definitions = await service.deployment_inputs(found)
        workflows, machines = await together(service.get_workflows(), service.get_machines())
        return Deployment.build(found, version, definitions, workflows, machines)

    async def machine(self, machine: Any) -> Machine:
        """See `Workspace.machine`."""
        from comfynb.objects import Machine

        service = self.catalogue
        wanted = reference(machine, "machine")
        try:
            found = await service.get_machine_by_id((await service.find_machine(machine)).id)
        except NotFoundError:
            if not looks_like_id(wanted):
                raise
            found = await service.get_machine_by_id(wanted)
        deployments, workflows = await together(service.get_deployments(), service.get_workflows())
        return Machine.build(found, deployments, workflows)

    # -- runs ---------------------------------------------------------------------------------------------------

    async def prepare(self, workflow: Any, inputs: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Prepared:
        """See `Workspace.prepare`."""
        return await self.comfyui.prepare(workflow, inputs, **options)

    async def submit(self, prepared: Prepared) -> Run:
        """Submit what was prepared, once, even when the caller is interrupted meanwhile."""
        from comfynb.runs.run import Run

        async def through() -> Run:
            taken = await self.comfyui.submit(prepared)
            run = Run(self, taken.run_id, prepared=prepared, trouble=taken.trouble)
            self.last_run = run
            return run

        task = asyncio.ensure_future(through())
        return await asyncio.shield(task)

    async def get_run(self, run: Any) -> Run:
        """See `Workspace.get_run`."""
        from comfynb.runs.run import Run

        handle = Run(self, reference(run, "run"))
        return await handle.look_round()

    async def overview(self) -> None:
        """Read what a workspace shows of itself."""
        service = self.catalogue
        await together(service.workflows_entry(), service.deployments_entry(), service.machines_entry())


def _few(names: list[str]) -> str:
    shown = ", ".join(repr(tidy(name, 60)) for name in sorted(names)[:5])
    return f"{shown} and {len(names) - 5} more workflows" if len(names) > 5 else f"the workflows {shown}"


def _made(row: ListedRun) -> datetime:
    return row.created_at or datetime.min.replace(tzinfo=UTC)
