"""The workflows of a workspace."""

from __future__ import annotations

from typing import Any

from comfynb.api.models import Workflow, WorkflowDetail
from comfynb.errors import ApiError, NotFoundError
from comfynb.names_files import NamesInUse
from comfynb.notices import notice
from comfynb.rules.lookup import Candidate, resolve
from comfynb.services.cache import Entry, together
from comfynb.services.catalogue.source import Source
from comfynb.services.references import reference
from comfynb.warnings import PartialResultWarning

_KEY = "workflows"
_FRESH = 2.0
"""Seconds; what a list that is younger does not have, there is not."""


class Workflows:
    """Reads workflows, and finds them by whatever stands for one.

    Parameters
    ----------
    source : Source
        Where they are read.
    names : NamesInUse
        The names that mean others.
    """

    def __init__(self, source: Source, names: NamesInUse) -> None:
        self._source = source
        self._names = names

    async def entry(self, *, refresh: bool = False) -> Entry[list[Workflow]]:
        """Return all of them, with the entry that the cache keeps of them."""
        return await self._source.get(_KEY, self._read, tags=["workflows"], refresh=refresh)

    async def all(self, *, refresh: bool = False) -> list[Workflow]:
        """Return all of them: pinned ones first, then the last changed."""
        return (await self.entry(refresh=refresh)).value

    async def find(self, workflow: Any, *, refresh: bool = False) -> Workflow:
        """See `WorkflowsService.find_workflow`."""
        wanted = reference(workflow, "workflow")
        known = {w.id: w for w in await self.all(refresh=refresh)}
        candidates = (Candidate(w.id, w.name or "") for w in known.values())
        standardize = self._names.get().standardize
        try:
            return known[resolve(wanted, candidates, what="workflow", standardize=standardize).id]
        except NotFoundError:
            if refresh or self._is_fresh():
                raise
        # It may have been made since the list was read.
        return await self.find(workflow, refresh=True)

    async def detail(self, workflow_id: str, *, refresh: bool = False) -> Entry[WorkflowDetail]:
        """Return a workflow by its id, with its newest version and the entry that the cache keeps of it."""
        return await self._source.get(
            f"workflow:{workflow_id}",
            lambda: self._source.client.workflow(workflow_id),
            tags=["workflows", workflow_id],
            refresh=refresh,
        )

    async def _read(self) -> list[Workflow]:
        client = self._source.client

        async def described() -> dict[str, Workflow]:
            try:
                return {w.id: w for w in await client.workflows_all()}
            except ApiError as error:
                notice(PartialResultWarning(f"The workflows come without descriptions: {error}"))
                return {}

        listed, more = await together(client.workflows(), described())
        for workflow in listed:
            other = more.get(workflow.id)
            if other is not None:
                workflow.description = workflow.description or other.description
        return listed  # type: ignore[no-any-return]  # together() has no types for its parts

    def _is_fresh(self) -> bool:
        cache = self._source.cache
        entry = cache.peek(_KEY)
        return entry is None or cache.age(entry) < _FRESH
