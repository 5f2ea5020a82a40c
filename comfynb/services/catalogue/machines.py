"""The machines of a workspace, and what their GPUs cost."""

from __future__ import annotations

from typing import Any

from comfynb.api.models import Machine
from comfynb.errors import ApiError, ComfyError, NotFoundError
from comfynb.rules.lookup import Candidate, resolve
from comfynb.rules.pricing import price_table
from comfynb.services.cache import Entry
from comfynb.services.catalogue.source import Source
from comfynb.services.references import reference


class Machines:
    """Reads machines that are not deleted, and finds them by whatever stands for one.

    Parameters
    ----------
    source : Source
        Where they are read.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    async def entry(self, *, refresh: bool = False) -> Entry[list[Machine]]:
        """Return all of them, with the entry that the cache keeps of them."""
        return await self._source.get(
            "machines",
            lambda: self._source.client.machines(is_deleted=False),
            ttl=self._source.times.machines,
            tags=["machines"],
            refresh=refresh,
        )

    async def all(self, *, refresh: bool = False) -> list[Machine]:
        """Return all of them."""
        return [m for m in (await self.entry(refresh=refresh)).value if not m.deleted]

    async def find(self, machine: Any) -> Machine:
        """See `WorkflowsService.find_machine`."""
        wanted = reference(machine, "machine")
        known = {m.id: m for m in await self.all()}
        return known[resolve(wanted, (Candidate(m.id, m.name or "") for m in known.values()), what="machine").id]

    async def by_id(self, machine_id: str) -> Machine:
        """See `WorkflowsService.get_machine_by_id`."""
        try:
            return await self._source.client.machine(machine_id)
        except ApiError as error:
            if error.status not in (404, 422):
                raise
            raise NotFoundError(
                f"No machine has the id {machine_id!r}, or it is deleted; ws.machines() lists all.", status=404
            ) from error

    async def prices(self) -> dict[str, float]:
        """Return the price of each GPU in US dollars a second; empty where the server does not tell."""

        async def read() -> dict[str, float]:
            try:
                return price_table(await self._source.client.gpu_pricing())
            except ComfyError:
                return {}  # a self-hosted server has no prices, and a run can go without them

        return (await self._source.get("prices", read, tags=["prices"])).value
