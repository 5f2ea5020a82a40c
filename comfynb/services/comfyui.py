"""Runs: preparing, submitting, looking at, waiting for, cancelling, and what they made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from comfynb.api.models import Machine, Run
from comfynb.errors import ApiError, InputError, NotFoundError, RoutingError, WaitTimeout
from comfynb.services.cancelling import CancelResult, cancel
from comfynb.services.downloads import Downloads
from comfynb.services.events import RunEvents
from comfynb.services.flight import Flight, Submitted
from comfynb.services.given_files import file_to_upload
from comfynb.services.manifest import write_manifest
from comfynb.services.prepared import Prepared
from comfynb.services.preparing import Preparer, choose_webhook
from comfynb.services.provenance import Provenance
from comfynb.services.results import ResultFile
from comfynb.services.routed import submit_routed
from comfynb.services.submitting import Submitter
from comfynb.services.uploading import Moved, Uploads
from comfynb.services.watching import Watch
from comfynb.services.workflows import WorkflowsService

__all__ = ["CancelResult", "ComfyUIService"]


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

    Attributes
    ----------
    provenance : Provenance
        What a run's own answer does not tell: its version, its graph, the error of its node.
    uploads : Uploads
        The files that were uploaded for inputs.
    downloads : Downloads
        Fetches what runs made.
    events : RunEvents
        What webhooks told, while somebody listens.

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
        self.provenance = Provenance(self.workflows)
        self.uploads = Uploads(self.client)
        self.downloads = Downloads(self.client)
        self.events = RunEvents(lambda: self.workflows.cache.drop("runs", "machines"))
        self._preparer = Preparer(self.workflows)

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
        route: bool | None = None,
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
            URL for the server to call; None takes the connection's, True that of the receiver, or else the
            connection's, False none.
        route : bool, optional
            None routes it by the rules if there are any, unless a machine is named; False does not; True insists.

        Raises
        ------
        NotFoundError, AmbiguousNameError
            If it is not clear what is meant. Problems of inputs and machines are in what is returned.
        """
        url = choose_webhook(webhook, self.webhook, self.events)
        return await self._preparer.prepare(
            workflow,
            inputs,
            environment=environment,
            version=version,
            machine=machine,
            webhook=url,
            listened=url is not None and url == self.events.url,
            route=route,
        )

    # -- a run --------------------------------------------------------------------------------------------------

    async def submit(self, prepared: Prepared, flight: Flight | None = None, moved: Moved | None = None) -> Submitted:
        """Submit what was prepared, exactly once. See `Submitter.submit` for the errors, and for being cancelled.

        Its files are uploaded before; `moved` is told how far they have come.

        A run that the rules route goes by what the machines say of themselves at that moment, so it may go to another
        one than it was prepared for; `Submitted.prepared` is what was sent.
        """
        prepared = await self.uploads.send(prepared, flight, moved)
        if prepared.routed is not None:
            return await submit_routed(self, self._preparer, prepared, flight)
        if prepared.machine_id is None:
            raise RoutingError(f"{prepared.name} has no machine; say which with machine=.")
        return await self.submitter.submit(prepared, flight)

    async def submit_request(
        self,
        *,
        deployment_id: str | None = None,
        machine_id: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        workflow: Any = None,
        webhook: str | bool | None = None,
        route: bool | None = None,
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
        webhook, route
            As in `prepare`.

        Notes
        -----
        When the task that awaits this is cancelled before anything was sent, nothing is submitted. When it is cancelled
        later, it ends at once, and the submit goes on in the background as long as the event loop runs; `last_run_id`
        has the run then. A loop that ends meanwhile cuts it off, which is logged.
        """
        if (deployment_id is None) == (workflow is None):
            raise InputError("Give either deployment_id= or workflow=.")
        what = workflow if deployment_id is None else await self.workflows.get_deployment_by_id(deployment_id)
        prepared = await self.prepare(what, inputs, machine=machine_id, webhook=webhook, route=route)
        return (await self.submit(prepared)).run_id

    @property
    def last_run_id(self) -> str | None:
        """The id of the run that was submitted last, also by a task that was cancelled; None before the first."""
        return self.submitter.last.run_id if self.submitter.last is not None else None

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
        watch = Watch(self, run_id, events=self.events)
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

        Returns
        -------
        CancelResult
            True in a condition only if the run was cancelled: the server answers "success" for runs that had ended,
            and an error for machines that cannot cancel.
        """
        return await cancel(self.client, self, run_id)

    # -- what it made -------------------------------------------------------------------------------------------

    async def get_results(self, run: str | Run) -> tuple[ResultFile, ...]:
        """Return what a run made so far; of nodes, the class where the workflow's graph tells it."""
        return await self.provenance.files(await self.check_status(run) if isinstance(run, str) else run)

    async def download_outputs(self, run: str | Run, folder: str | Path) -> list[Path]:
        """Save what a run made into a folder; return the paths, in the order of the outputs.

        A file gets the run's id before its name, never replaces another, and never lands outside the folder. What it
        is, and of which inputs it was made, is written into `manifest.json` there.
        """
        found = await self.check_status(run) if isinstance(run, str) else run
        saved = await self.downloads.save(await self.get_results(found), Path(folder))
        if saved:
            await asyncio.to_thread(write_manifest, Path(folder), [(found, None)], saved)
        return [each.path for each in saved]

    # -- files and machines -------------------------------------------------------------------------------------

    async def upload_file(self, file: Any, name: str | None = None, *, moved: Moved | None = None) -> str:
        """Upload a file and return its URL, which is **world-readable** by default; `UploadWarning` says so once.

        A file whose content was uploaded before is not sent again.

        Parameters
        ----------
        file : str, pathlib.Path, bytes, PIL image or array
            A path, or the content.
        name : str, optional
            What it is called; by its content without. The server goes by the ending, and refuses text files.
        moved : callable, optional
            Told how far it has come: its name, the bytes so far, and all bytes.

        Raises
        ------
        InputError
            If there is no such file, it is larger than 250 MB, or text.
        """
        return await self.uploads.url(await asyncio.to_thread(file_to_upload, file, name), moved)

    async def get_machines(self, *, refresh: bool = False) -> list[Machine]:
        """Return all machines that are not deleted."""
        return await self.workflows.get_machines(refresh=refresh)
