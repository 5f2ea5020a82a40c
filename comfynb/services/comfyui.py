"""Runs: preparing, submitting, looking at, waiting for, cancelling, and what they made."""

from __future__ import annotations

import asyncio
import mimetypes
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import SystemRandom
from typing import Any, Literal, Self

from comfynb.api.models import Deployment, ListedRun, Machine, Run, Version, Workflow
from comfynb.errors import (
    ApiError,
    AuthenticationError,
    ComfyError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    RoutingError,
    TransportError,
    WaitTimeout,
)
from comfynb.rules.diagnosis import Failure, find_failure
from comfynb.rules.graph import describe_graph
from comfynb.rules.graph_nodes import node_classes
from comfynb.rules.inputs import InputDefinition, input_definitions
from comfynb.rules.naming import display_name
from comfynb.rules.pricing import price_per_second
from comfynb.rules.status import is_terminal
from comfynb.rules.validation import merge_inputs
from comfynb.services.cache import together
from comfynb.services.downloads import save_files
from comfynb.services.prepared import UNAVAILABLE, Prepared
from comfynb.services.results import ResultFile, result_files
from comfynb.services.submitting import Submitted, Submitter
from comfynb.services.watching import Watch
from comfynb.services.workflows import WorkflowsService, definitions_of
from comfynb.settings import check_webhook

_draw = SystemRandom().randint

MAX_UPLOAD = 250 * 1024 * 1024
"""Bytes; the server refuses larger files."""


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What a cancel did. True in a condition only if the run was cancelled.

    Attributes
    ----------
    outcome : {"cancelled", "already ended", "cannot cancel", "unconfirmed"}
        "cannot cancel": the run's machine has no way to, and the run goes on.
    message : str
        The same as a sentence.
    """

    outcome: Literal["cancelled", "already ended", "cannot cancel", "unconfirmed"]
    message: str

    def __bool__(self) -> bool:
        return self.outcome == "cancelled"

    def __str__(self) -> str:
        return self.message


class ComfyUIService:
    """Runs of one workspace.

    Parameters
    ----------
    workflows : WorkflowsService, optional
        Knows the workflows, deployments and machines; that of the environment or `.env` without one.
    webhook : str or None
        URL that the server is asked to call for every run, unless told otherwise.
    submitter : Submitter, optional
        Submits exactly once.

    Examples
    --------
    >>> import asyncio, comfynb
    >>> from comfynb.api.opening import open_client
    >>> async def status(sandbox):
    ...     workflows = comfynb.WorkflowsService(open_client(sandbox.url, sandbox.api_key))
    ...     async with comfynb.ComfyUIService(workflows) as service:
    ...         deployments = await workflows.get_deployment_ids_by_name("text2img")
    ...         run_id = await service.submit_request(deployment_id=deployments["production"], inputs={"seed": 7})
    ...         return (await service.wait_for_completion(run_id)).status
    >>> with comfynb.Sandbox() as sandbox:
    ...     asyncio.run(status(sandbox))
    'success'
    """

    def __init__(
        self,
        workflows: WorkflowsService | None = None,
        *,
        webhook: str | None = None,
        submitter: Submitter | None = None,
    ) -> None:
        self.workflows = workflows or WorkflowsService()
        self.client = self.workflows.client
        self.webhook = webhook
        self.submitter = submitter or Submitter(self.client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.workflows.aclose()

    # -- before a run -------------------------------------------------------------------------------------------

    async def prepare(
        self,
        workflow: Any,
        inputs: Mapping[str, Any] | None = None,
        *,
        environment: str | None = None,
        version: int | str | None = None,
        machine: Any = None,
        webhook: str | bool | None = None,
    ) -> Prepared:
        """Decide and check what a submit would send, and send nothing.

        Parameters
        ----------
        workflow : str, object or row
            A workflow or a deployment.
        inputs : mapping, optional
            Values by input name.
        environment : str, optional
            Which deployment; production by default, else the only one there is.
        version : int or str, optional
            Another version than the deployment's, by number or id.
        machine : str, object or row, optional
            Another machine than the deployment's.
        webhook : str or bool, optional
            URL for the server to call; None or True takes the connection's, False none.

        Raises
        ------
        NotFoundError, AmbiguousNameError
            If it is not clear what is meant. Problems of inputs and machines are in what is returned.
        """
        service = self.workflows
        await together(service.workflows_entry(), service.deployments_entry(), service.machines_entry())
        deployment, owner = await self._what(workflow, environment)
        notes: list[str] = []
        pinned: Version
        if deployment is not None:
            pinned = await service.deployment_version(deployment)
            home = deployment.machine_id
        else:
            pinned = await service.newest_version(owner)
            home = owner.selected_machine_id
            notes.append(
                f"{display_name(owner.name or owner.id)!r} has no deployment: its newest version {pinned.version} is "
                "sent to a machine."
            )
        chosen = pinned if version is None else await service.get_workflow_version(owner, version)
        elsewhere = await service.find_machine(machine) if machine is not None else None
        target = elsewhere.id if elsewhere is not None else home
        through = deployment if deployment is not None and chosen.id == pinned.id and target == home else None
        if deployment is not None and through is None:
            notes.append(
                "The deployment is passed by, since it would run its own version on its own machine; the run will not "
                "be listed under it."
            )
        machines = {m.id: m for m in await service.get_machines()}
        definitions = (
            definitions_of(deployment, chosen.workflow_api)
            if deployment is not None and chosen.id == pinned.id
            else input_definitions(None, chosen.workflow_api)
        )
        merged = merge_inputs(definitions, inputs or {}, draw=_draw)
        facts = describe_graph(chosen.workflow_api, chosen.workflow)
        if facts.uncontrolled_seeds:
            nodes = ", ".join(f"{class_type} (node {node_id})" for node_id, class_type in facts.uncontrolled_seeds)
            notes.append(
                f"The seed of {nodes} is no input: it is drawn anew on each run, so the inputs alone do not repeat a "
                "result. run.used_inputs() reads the seed that was used from the picture."
            )
        if not facts.unknown and not facts.saves_outputs:
            notes.append("No node of it saves a file, so the run may never be reported as ended.")
        notes.extend(merged.notes)
        spot = machines.get(target or "")
        found = Prepared(
            workflow=owner,
            deployment=through,
            version=chosen,
            machine=spot,
            machine_id=target,
            definitions=definitions,
            inputs=merged,
            blockers=tuple(_blockers(spot, target, machines)),
            notes=tuple(notes),
            webhook=self._webhook(webhook),
        )
        gpu = found.gpu
        price = price_per_second(gpu, await service.get_prices()) if gpu else None
        return replace(found, price=price)

    async def _what(self, workflow: Any, environment: str | None) -> tuple[Deployment | None, Workflow]:
        service = self.workflows
        deployment = await service.deployment_given(workflow)
        if deployment is not None:
            if deployment.workflow_id is None:
                raise NotFoundError(f"The deployment {deployment.id} names no workflow.")
            name = deployment.workflow.name if deployment.workflow is not None else None
            owners = {w.id: w for w in await service.get_workflows()}
            return deployment, owners.get(deployment.workflow_id) or Workflow(id=deployment.workflow_id, name=name)
        owner = await service.find_workflow(workflow)
        return await service.choose_deployment(owner, environment), owner

    def _webhook(self, asked: str | bool | None) -> str | None:
        if asked is False:
            return None
        if not isinstance(asked, str | bool | None):
            raise InputError(f"webhook={asked!r} is no URL; True takes the connection's, False none.")
        if asked is True and self.webhook is None:
            raise InputError("webhook=True needs a URL: set WEBHOOK_URL, or give webhook='https://…'.")
        url = asked if isinstance(asked, str) else self.webhook
        return check_webhook(url) if url is not None else None

    # -- a run --------------------------------------------------------------------------------------------------

    async def submit(self, prepared: Prepared) -> Submitted:
        """Submit what was prepared, exactly once. See `Submitter.submit` for the errors."""
        if prepared.machine_id is None:
            raise RoutingError(f"{prepared.name} has no machine; say which with machine=.")
        return await self.submitter.submit(prepared)

    async def submit_request(
        self,
        *,
        deployment_id: str | None = None,
        machine_id: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        workflow: Any = None,
        webhook: str | bool | None = None,
    ) -> str:
        """Submit a run and return its id.

        Parameters
        ----------
        deployment_id : str, optional
            The deployment whose version runs; else `workflow` says what.
        machine_id : str, optional
            Where it runs. The server ignores a machine on a deployment's run, so for another machine than the
            deployment's, its version is sent to that machine.
        inputs : mapping, optional
            Values by input name; checked before anything is sent.
        workflow : str, object or row, optional
            A workflow or a deployment, by name or otherwise.
        webhook : str or bool, optional
            As in `prepare`.
        """
        if (deployment_id is None) == (workflow is None):
            raise InputError("Give either deployment_id= or workflow=.")
        what = workflow if deployment_id is None else await self.workflows.get_deployment_by_id(deployment_id)
        prepared = await self.prepare(what, inputs, machine=machine_id, webhook=webhook)
        return (await self.submit(prepared)).run_id

    async def check_status(self, run_id: str, *, queue_position: bool = False) -> Run:
        """Return a run as the server knows it now.

        Raises
        ------
        NotFoundError
            If there is no run of that id.
        """
        try:
            return await self.client.run(run_id, queue_position=queue_position)
        except ApiError as error:
            if error.status not in (404, 422):
                raise
            raise NotFoundError(
                f"No run has the id {run_id!r}; ws.runs(workflow=…) lists the runs of a workflow.",
                status=error.status,
                method=error.method,
                path=error.path,
            ) from error

    async def wait_for_completion(self, run_id: str, *, timeout: float = 1800.0) -> Run:
        """Wait until a run has ended, well or not, and return it.

        Raises
        ------
        WaitTimeout
            After `timeout` seconds; the run goes on.
        """
        watch = Watch(self, run_id)
        try:
            async with asyncio.timeout(timeout):
                await watch.until(lambda state: state.ended)
        except TimeoutError:
            raise WaitTimeout(
                f"The run {run_id} was not done after {timeout:g} s ({watch.state.seen.stage}); it goes on and may be "
                "billing."
            ) from None
        return watch.state.run or await self.check_status(run_id)

    async def cancel_request(self, run_id: str) -> CancelResult:
        """Cancel a run, and say truthfully what happened.

        Notes
        -----
        The server answers "success" for runs that had ended, and an error for machines that cannot cancel; so the run
        is read before and after.
        """
        before = await self.check_status(run_id)
        if is_terminal(before.status):
            return CancelResult("already ended", f"The run {run_id} had ended already: {before.status}.")
        trouble: ComfyError | None = None
        try:
            await self.client.cancel(run_id)
        except (AuthenticationError, PermissionDeniedError):
            raise
        except (ApiError, TransportError) as error:
            trouble = error  # an answer that is lost, or bad, does not say what became of the run
        after = await self.check_status(run_id)
        if after.status == "cancelled":
            return CancelResult("cancelled", f"The run {run_id} was cancelled.")
        if is_terminal(after.status):
            return CancelResult(
                "already ended", f"The run {run_id} ended before it could be cancelled: {after.status}."
            )
        if isinstance(trouble, ApiError) and "modal function" in trouble.detail:
            kind = after.machine_type or "its kind of"
            return CancelResult(
                "cannot cancel",
                f"The run {run_id} goes on: a {kind} machine cannot cancel a run, only serverless ones can.",
            )
        why = f"{trouble} " if trouble is not None else "The server accepted the cancel. "
        return CancelResult(
            "unconfirmed",
            f"{why}The run {run_id} is still {after.status} and may be billing; look again with run.refresh().",
        )

    # -- what it made -------------------------------------------------------------------------------------------

    async def get_results(self, run: str | Run) -> tuple[ResultFile, ...]:
        """Return what a run made so far; of nodes, the class where the workflow's graph tells it."""
        found = await self.check_status(run) if isinstance(run, str) else run
        rows = found.outputs or []
        files = result_files(rows, found.id)
        if files and found.workflow_version_id and any(f.node_class is None and f.node_id for f in files):
            graph = await self.graph_of(found)
            files = result_files(rows, found.id, node_classes(graph))
        return files

    async def version_of(self, run: Run) -> Version | None:
        """Return the version that a run executed; None when it was sent as a bare graph, or cannot be read."""
        if run.workflow_version_id is None:
            return None
        listed = self.workflows.cache.peek("deployments")
        for deployment in listed.value.deployments if listed is not None else ():
            embedded = deployment.version
            if deployment.workflow_version_id == run.workflow_version_id and embedded is not None:
                return embedded  # type: ignore[no-any-return]  # the cache keeps anything
        try:
            return await self.workflows.version_by_id(run.workflow_version_id)
        except ApiError:
            return None

    async def graph_of(self, run: Run) -> dict[str, Any]:
        """Return the executed graph of a run's version; empty when it is not known."""
        version = await self.version_of(run)
        graph = version.workflow_api if version is not None else None
        return graph if isinstance(graph, dict) else {}

    async def definitions_of(self, run: Run) -> tuple[InputDefinition, ...]:
        """Return the inputs of a run's version."""
        return input_definitions(None, await self.graph_of(run))

    async def listed(self, run: Run, *, among: int = 100) -> ListedRun | None:
        """Return a run as the v1 list shows it, which has the error text; None when it is not among the newest."""
        if run.workflow_id is None:
            return None
        rows = await self.client.workflow_runs(run.workflow_id, limit=among)
        return next((row for row in rows if row.id == run.id), None)

    async def find_failure(self, run: Run) -> Failure | None:
        """Return the error that a node of a run raised, which only the v1 list has."""
        row = await self.listed(run)
        return find_failure(row.outputs) if row is not None else None

    async def download_outputs(self, run: str | Run, folder: str | Path) -> list[Path]:
        """Save what a run made into a folder; return the paths, in the order of the outputs.

        A file gets the run's id before its name, never replaces another, and never lands outside the folder.
        """
        return await save_files(await self.get_results(run), Path(folder), self.client.transport)

    # -- files and machines -------------------------------------------------------------------------------------

    async def upload_file(self, file: str | Path | bytes, name: str | None = None) -> str:
        """Upload a file and return its URL, which is **world-readable** by default.

        Parameters
        ----------
        file : str, pathlib.Path or bytes
            A path, or the content.
        name : str, optional
            Needed for bytes. The server goes by its ending; text files (.txt, .csv, .md) are refused.

        Raises
        ------
        InputError
            If there is no such file, or it is larger than 250 MB.
        """
        if isinstance(file, bytes):
            if not name:
                raise InputError("Bytes need a name= for the upload, with an ending such as .png.")
            content, called = file, name
        elif not isinstance(file, str | os.PathLike):
            raise InputError(
                f"A {type(file).__name__} cannot be uploaded as it is; save it to a file, or give bytes and a name=."
            )
        else:
            path = Path(file).expanduser()
            if not path.is_file():
                raise InputError(f"There is no file {str(path)!r} to upload.")
            if path.stat().st_size > MAX_UPLOAD:
                raise InputError(f"{path.name} is larger than the 250 MB that the server takes.")
            content, called = await asyncio.to_thread(path.read_bytes), name or path.name
        if len(content) > MAX_UPLOAD:
            raise InputError(f"{called} is larger than the 250 MB that the server takes.")
        sent = await self.client.upload(called, content, mimetypes.guess_type(called)[0])
        if not sent.file_url:
            raise ApiError(f"The server took the upload of {called} but named no URL.", method="POST")
        return sent.file_url

    async def get_machines(self, *, refresh: bool = False) -> list[Machine]:
        """Return all machines that are not deleted."""
        return await self.workflows.get_machines(refresh=refresh)


def _blockers(machine: Machine | None, machine_id: str | None, machines: Mapping[str, Machine]) -> list[str]:
    ready = ", ".join(repr(display_name(m.name or m.id)) for m in machines.values() if m.status == "ready")
    choose = f"Choose another with machine=: {ready}." if ready else "No machine is ready."
    if machine_id is None:
        return [f"It has no machine. {choose}"]
    if machine is None:
        return [f"Its machine {machine_id} does not exist, or is deleted. {choose}"]
    state = UNAVAILABLE.get(machine.status or "")
    if state is not None:
        return [f"The machine {display_name(machine.name or machine.id)!r} {state}. {choose}"]
    return []
