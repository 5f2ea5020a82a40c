"""The tables of a workspace. pandas is imported with the first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from comfynb.api.keeping import Allowed, last_known
from comfynb.api.models import Deployment, ListedRun, Workflow, WorkflowDetail
from comfynb.core.each import of_each
from comfynb.errors import InputError
from comfynb.rules.names_table import NO_NAMES, NamesTable
from comfynb.services.cache import Entry, together
from comfynb.services.catalogue.versions import newest_of
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.exploring import explore
from comfynb.services.references import reference

if TYPE_CHECKING:
    import pandas as pd

_NEWEST = 100
"""Runs of each workflow that its success is told by."""


class Tables:
    """Reads, and makes tables of it; of the same answers a table is made once.

    Parameters
    ----------
    service : ComfyUIService
        Runs; it knows the workflows service.
    """

    def __init__(self, service: ComfyUIService) -> None:
        self._comfyui = service
        self._catalogue = service.workflows
        self._frames: dict[str, tuple[tuple[object, ...], pd.DataFrame]] = {}

    async def workflows(self, *, refresh: bool = False) -> pd.DataFrame:
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
        entry = await self._catalogue.workflows.entry(refresh=refresh)
        names = self._catalogue.names.get()

        def build() -> pd.DataFrame:
            from comfynb.frames.workflows import workflows_frame

            return workflows_frame(entry.value, names=names)

        return self._made_once("workflows", (entry,), build, names)

    async def deployments(
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
        catalogue = self._catalogue
        listed, workflows, machines = await together(
            catalogue.deployments.entry(refresh=refresh),
            catalogue.workflows.entry(refresh=refresh),
            catalogue.machines.entry(),
        )
        owner = await catalogue.workflows.find(workflow) if workflow is not None else None

        def build() -> pd.DataFrame:
            from comfynb.frames.deployments import deployments_frame

            return deployments_frame(listed.value, workflows.value, machines.value)

        frame = self._made_once("deployments", (listed, workflows, machines), build)
        if environment is not None:
            frame = frame[frame["environment"] == environment]
        if owner is not None:
            frame = frame[frame["workflow_id"] == owner.id]
        return frame.reset_index(drop=True)

    async def machines(self, *, refresh: bool = False) -> pd.DataFrame:
        """Return all machines that are not deleted; their status is at most 15 seconds old by default.

        Returns
        -------
        pandas.DataFrame
            One row a machine; ``comfynb.TABLES["machines"].describe()`` tells the columns.
        """
        entry = await self._catalogue.machines.entry(refresh=refresh)

        def build() -> pd.DataFrame:
            from comfynb.frames.machines import machines_frame

            return machines_frame(entry.value)

        return self._made_once("machines", (entry,), build)

    async def versions(self, workflow: Any, *, refresh: bool = False) -> pd.DataFrame:
        """Return the versions of a workflow, newest first.

        Returns
        -------
        pandas.DataFrame
            One row a version; ``comfynb.TABLES["versions"].describe()`` tells the columns.
        """
        with last_known() as read:
            owner = await self._catalogue.workflows.find(workflow)
            versions = await self._catalogue.versions.of(owner, refresh=refresh)
        from comfynb.frames.versions import versions_frame

        return self._sourced(versions_frame(versions, [owner]), read)

    async def inputs(
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
        with last_known() as read:
            definitions = await self._catalogue.inputs.of(workflow, environment=environment, version=version)
        from comfynb.frames.inputs import inputs_frame

        return self._sourced(inputs_frame(definitions), read)

    async def catalog(self, *, runs: bool = False, refresh: bool = False) -> pd.DataFrame:
        """Return one row a workflow, with its deployments, inputs, outputs, machine and problems, from its graph.

        A workflow without a deployment costs one request the first time, for its newest version.

        Parameters
        ----------
        runs : bool
            Also tell its last run, and how many of its newest 100 runs ended well. That is asked of the server each
            time, with one light request for each workflow, since the API has no list of all runs.
        refresh : bool
            Ask the server even if the answer is known.

        Returns
        -------
        pandas.DataFrame
            ``comfynb.TABLES["catalog"].describe()`` tells the columns, `TABLES["catalog_runs"]` those with runs.
        """
        frame = await self._catalog(refresh)
        if not runs:
            return frame
        newest: dict[str, list[ListedRun]] = {}

        async def read(workflow: Workflow) -> tuple[str, list[ListedRun]]:
            return workflow.id, await self._catalogue.client.workflow_runs_v2(workflow.id, limit=_NEWEST)

        with last_known() as answered:
            async for part in of_each(await self._catalogue.workflows.all(), read, what="runs"):
                newest.update(part)
        from comfynb.frames.catalog import catalog_runs_frame

        # The catalog's own time is kept: the runs are as old or younger.
        made = catalog_runs_frame(frame, newest)
        made.attrs["stale"] = bool(frame.attrs.get("stale")) or answered.away
        return made

    async def _catalog(self, refresh: bool) -> pd.DataFrame:
        catalogue = self._catalogue
        workflows, listed, machines = await together(
            catalogue.workflows.entry(refresh=refresh),
            catalogue.deployments.entry(refresh=refresh),
            catalogue.machines.entry(refresh=refresh),
        )
        deployed = {d.workflow_id for d in listed.value.deployments}
        details: dict[str, Entry[WorkflowDetail]] = {}

        async def detail(workflow: Workflow) -> tuple[str, Entry[WorkflowDetail]]:
            return workflow.id, await catalogue.workflows.detail(workflow.id, refresh=refresh)

        async for part in of_each([w for w in workflows.value if w.id not in deployed], detail, what="graphs"):
            details.update(part)

        def build() -> pd.DataFrame:
            from comfynb.frames.catalog import catalog_frame

            newest = {workflow_id: newest_of(entry.value) for workflow_id, entry in details.items()}
            return catalog_frame(workflows.value, listed.value, machines.value, newest, names=names)

        names = catalogue.names.get()
        return self._made_once("catalog", (workflows, listed, machines, *details.values()), build, names)

    async def runs(self, workflow: Any = None, *, deployment: Any = None, limit: int = 100) -> pd.DataFrame:
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
        if not isinstance(limit, int) or limit < 0:
            raise InputError(f"limit={limit!r} is no number of runs.")
        if workflow is not None and deployment is not None:
            raise InputError("Give either workflow= or deployment=; a deployment has one workflow.")
        catalogue = self._catalogue
        through: Sequence[Deployment] = ()
        note = ""
        with last_known() as read:
            if deployment is not None:
                found = await catalogue.deployments.find(deployment)
                through = (found,)
                rows = await catalogue.client.workflow_runs(found.workflow_id or "", limit=limit)
                rows = [row for row in rows if row.deployment_id == found.id]
                note = f"of the newest {limit} runs of its workflow, those that were made through the deployment"
            elif workflow is not None:
                owner = await catalogue.workflows.find(workflow)
                rows = await catalogue.client.workflow_runs(owner.id, limit=limit)
            else:
                everything = await catalogue.workflows.all()
                note = f"one request for each of {len(everything)} workflows: the API has no list of all runs"
                rows = await self._newest_runs(everything, limit)
            workflows, listed, machines = await together(
                catalogue.workflows.entry(), catalogue.deployments.listed(), catalogue.machines.entry()
            )
        from comfynb.frames.runs import runs_frame

        deployments = listed.deployments if listed is not None else through
        frame = runs_frame(rows, workflows=workflows.value, machines=machines.value, deployments=deployments)
        frame.attrs["note"] = note
        return self._sourced(frame, read)

    async def _newest_runs(self, workflows: list[Workflow], limit: int) -> list[ListedRun]:
        """Return the newest runs of all these workflows, newest first."""
        newest: list[ListedRun] = []

        async def read(workflow: Workflow) -> list[ListedRun]:
            return await self._catalogue.client.workflow_runs(workflow.id, limit=limit)

        async for part in of_each(workflows, read, what="runs"):
            # Cut at once, since a row has kilobytes.
            newest = sorted((row for rows in (newest, *part) for row in rows), key=_made, reverse=True)[:limit]
        return newest

    async def outputs(self, run: Any) -> pd.DataFrame:
        """Return what a run made, one row a file or text.

        Returns
        -------
        pandas.DataFrame
            ``comfynb.TABLES["outputs"].describe()`` tells the columns.
        """
        with last_known() as read:
            files = await self._comfyui.get_results(reference(run, "run"))
        from comfynb.frames.outputs import outputs_frame

        return self._sourced(outputs_frame(files), read)

    async def explore(self) -> pd.DataFrame:
        """Ask for every path pattern with GETs only, and say which ones answer, and what that means.

        Returns
        -------
        pandas.DataFrame
            One row a path; ``comfynb.TABLES["explore"].describe()`` tells the columns. `df.attrs` has `prefix` (the one
            that is used, or None), `key_accepted` (None if nothing told), `findings` and `differences` (sentences:
            what follows, and what of the server is not as comfynb knows it).
        """
        found = await explore(self._catalogue.client.transport)
        from comfynb.frames.explore import explore_frame

        frame = explore_frame(found.probes)
        frame.attrs["prefix"] = found.prefix
        frame.attrs["key_accepted"] = found.key_accepted
        frame.attrs["findings"] = list(found.findings)
        frame.attrs["differences"] = list(found.differences)
        return self._sourced(frame, Allowed())

    def _made_once(
        self,
        kind: str,
        entries: tuple[Entry[Any], ...],
        build: Callable[[], pd.DataFrame],
        names: NamesTable = NO_NAMES,
    ) -> pd.DataFrame:
        """Return a table, made once for the same answers and names; a copy, so that edits stay the caller's."""
        made_of: tuple[object, ...] = (*(entry.number for entry in entries), names)
        kept = self._frames.get(kind)
        if kept is None or kept[0] != made_of:
            away = any(entry.away for entry in entries)
            frame = self._sourced(build(), Allowed(stored=[entry.stored for entry in entries], away=away))
            kept = self._frames[kind] = (made_of, frame)
        # With its data: pandas' copy on write does not see what is written into the array of a column.
        return kept[1].copy()

    def _sourced(self, frame: pd.DataFrame, read: Allowed) -> pd.DataFrame:
        """Note in a table where it is from, when the oldest of it was read, and whether the server was away."""
        as_of = datetime.fromtimestamp(min(read.stored), UTC) if read.stored else datetime.now(UTC)
        frame.attrs["source"] = str(self._catalogue.client.transport.address)
        frame.attrs["as_of"] = as_of.isoformat(timespec="seconds")
        frame.attrs["stale"] = read.away
        return frame


def _made(row: ListedRun) -> datetime:
    return row.created_at or datetime.min.replace(tzinfo=UTC)
