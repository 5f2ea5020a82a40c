"""The versions of workflows. A version never changes, so what was read of one is kept."""

from __future__ import annotations

from typing import Any

from comfynb.api.models import Deployment, Version, WorkflowDetail
from comfynb.errors import ApiError, NotFoundError
from comfynb.rules.naming import display_name
from comfynb.services.catalogue.source import Source
from comfynb.services.catalogue.workflows import Workflows
from comfynb.services.references import reference

FOREVER = 7 * 24 * 3600.0
"""Seconds to keep a version."""


class Versions:
    """Reads versions, by number, by id, or the newest.

    Parameters
    ----------
    source : Source
        Where they are read.
    workflows : Workflows
        Whose they are.
    """

    def __init__(self, source: Source, workflows: Workflows) -> None:
        self._source = source
        self._workflows = workflows

    async def of(self, workflow: Any, *, refresh: bool = False) -> list[Version]:
        """Return all versions of a workflow, newest first, with their graphs."""
        found = await self._workflows.find(workflow)

        async def read() -> list[Version]:
            rows = await self._source.client.versions(found.id)
            return sorted(rows, key=lambda v: v.version or 0, reverse=True)

        entry = await self._source.get(f"versions:{found.id}", read, tags=["versions", found.id], refresh=refresh)
        return entry.value

    async def newest(self, workflow: Any) -> Version:
        """See `WorkflowsService.newest_version`."""
        found = await self._workflows.find(workflow)
        detail = (await self._workflows.detail(found.id)).value
        version = newest_of(detail)
        if version is None:
            raise NotFoundError(f"The workflow {display_name(detail.name or detail.id)!r} has no version yet.")
        return version

    async def one(self, workflow: Any, version: int | str | None = None) -> Version:
        """See `WorkflowsService.get_workflow_version`."""
        if version is None:
            return await self.newest(workflow)
        found = await self._workflows.find(workflow)
        number = _number(version)
        try:
            if number is None:
                what = await self.by_id(reference(version, "version"))
            else:
                what = await self._by_number(found.id, number)
        except ApiError as error:
            if error.status not in (404, 422, 500):
                raise
            raise NotFoundError(
                f"The workflow {display_name(found.name or found.id)!r} has no version {version!r}; "
                "ws.versions(…) lists those that it has.",
                status=error.status,
            ) from error
        if what.workflow_id not in (None, found.id):
            raise NotFoundError(f"Version {version!r} belongs to another workflow than {found.name!r}.", status=404)
        return what

    async def by_id(self, version_id: str) -> Version:
        """Return a version by its id alone."""
        entry = await self._source.get(
            f"version:{version_id}", lambda: self._source.client.version(version_id), ttl=FOREVER, tags=["version"]
        )
        return entry.value

    async def pinned(self, deployment: Deployment) -> Version:
        """Return the version that a deployment pins; it is read when the server did not embed it."""
        embedded = deployment.version
        if embedded is not None and embedded.workflow_api is not None:
            return embedded
        if deployment.workflow_version_id is None:
            return embedded or Version()
        return await self.by_id(deployment.workflow_version_id)

    async def _by_number(self, workflow_id: str, number: int) -> Version:
        entry = await self._source.get(
            f"version:{workflow_id}:{number}",
            lambda: self._source.client.version_number(workflow_id, number),
            ttl=FOREVER,
            tags=["version"],
        )
        return entry.value


def newest_of(workflow: WorkflowDetail) -> Version | None:
    """Return the newest of the versions that came with a workflow; None when it has none."""
    versions = [version for version in workflow.versions or [] if version is not None]
    return max(versions, key=lambda version: version.version or 0) if versions else None


def _number(version: int | str) -> int | None:
    if isinstance(version, int):
        return version
    text = str(version).strip().removeprefix("v")
    return int(text) if text.isdecimal() else None
