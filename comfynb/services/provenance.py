"""What a run's own answer does not tell: the version and graph that it executed, and the error that a node raised."""

from __future__ import annotations

from typing import Any

from comfynb.api.models import ListedRun, Run, Version
from comfynb.errors import ApiError
from comfynb.rules.diagnosis import Failure, find_failure
from comfynb.rules.graph_nodes import node_classes
from comfynb.rules.inputs import InputDefinition, input_definitions
from comfynb.services.results import ResultFile, result_files
from comfynb.services.workflows import WorkflowsService


class Provenance:
    """Knows where runs come from.

    Parameters
    ----------
    catalogue : WorkflowsService
        Knows the versions, and reads the run lists.
    """

    def __init__(self, catalogue: WorkflowsService) -> None:
        self._catalogue = catalogue

    async def version(self, run: Run) -> Version | None:
        """Return the version that a run executed; None when it was sent as a bare graph, or cannot be read."""
        if run.workflow_version_id is None:
            return None
        kept = self._catalogue.cache.peek("deployments")
        for deployment in kept.value.deployments if kept is not None else ():
            embedded = deployment.version
            if deployment.workflow_version_id == run.workflow_version_id and embedded is not None:
                return embedded  # type: ignore[no-any-return]  # the cache keeps anything
        try:
            return await self._catalogue.versions.by_id(run.workflow_version_id)
        except ApiError:
            return None

    async def graph(self, run: Run) -> dict[str, Any]:
        """Return the executed graph of a run's version; empty when it is not known."""
        version = await self.version(run)
        graph = version.workflow_api if version is not None else None
        return graph if isinstance(graph, dict) else {}

    async def definitions(self, run: Run) -> tuple[InputDefinition, ...]:
        """Return the inputs of a run's version."""
        return input_definitions(None, await self.graph(run))

    async def files(self, run: Run) -> tuple[ResultFile, ...]:
        """Return what a run made so far; of nodes, the class where the workflow's graph tells it."""
        rows = run.outputs or []
        files = result_files(rows, run.id)
        if files and run.workflow_version_id and any(f.node_class is None and f.node_id for f in files):
            files = result_files(rows, run.id, node_classes(await self.graph(run)))
        return files

    async def listed(self, run: Run, *, among: int = 100) -> ListedRun | None:
        """Return a run as the v1 list shows it, which has the error text; None when it is not among the newest."""
        if run.workflow_id is None:
            return None
        rows = await self._catalogue.client.workflow_runs(run.workflow_id, limit=among)
        return next((row for row in rows if row.id == run.id), None)

    async def failure(self, run: Run) -> Failure | None:
        """Return the error that a node of a run raised, which only the v1 list has."""
        row = await self.listed(run)
        return find_failure(row.outputs) if row is not None else None
