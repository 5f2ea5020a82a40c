"""How a route is called and its answer decoded: what the coroutines of all routes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from comfynb.api import models
from comfynb.api.answers import Answer
from comfynb.api.routes import Route
from comfynb.api.transport import Transport

M = TypeVar("M", bound=BaseModel)


class Calls:
    """Calls of routes of one server.

    Parameters
    ----------
    transport : Transport
        How to reach the server.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def _one(self, model: type[M], route: Route, ids: Mapping[str, str] | None = None, **arguments: Any) -> M:
        answer = await self.transport.fetch(route, ids, **arguments)
        return self._decoded(answer, route, model)

    def _decoded(self, answer: Answer, route: Route, model: type[M]) -> M:
        try:
            return models.decode(model, answer.content, str(route))
        except models.DecodeError as error:
            raise self.transport.unreadable(answer, route, str(error)) from error

    async def _raw(self, route: Route, ids: Mapping[str, str] | None = None) -> Any:
        answer = await self.transport.fetch(route, ids)
        try:
            return models.decode_any(answer.content)
        except models.DecodeError as error:
            raise self.transport.unreadable(answer, route, str(error)) from error

    async def _many(
        self, model: type[M], route: Route, ids: Mapping[str, str] | None = None, **arguments: Any
    ) -> list[M]:
        answer = await self.transport.fetch(route, ids, **arguments)
        try:
            return models.decode_list(model, answer.content, str(route))
        except models.DecodeError as error:
            raise self.transport.unreadable(answer, route, str(error)) from error

    async def _paged(
        self,
        model: type[M],
        route: Route,
        ids: Mapping[str, str] | None = None,
        *,
        page: int,
        size_name: str = "limit",
        limit: int | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> list[M]:
        """Read pages until a short one, and keep each row once.

        The server sorts by a time that changes while it is being read, so a page can begin with a row that has been
        seen, and the row that moved to the front is missed. Then the list is read again from its beginning, until a
        reading brings nothing moved, at most three times.
        """
        found: dict[str, M] = {}
        for _ in range(3):
            offset, moved = 0, False
            reading: dict[str, M] = {}
            while (size := page if limit is None else min(page, limit - offset)) > 0:
                asked = {**(query or {}), size_name: size, "offset": offset}
                rows = await self._many(model, route, ids, query=asked)
                # A row whose id cannot be read is a row all the same.
                fresh = {getattr(row, "id", "") or f"row {offset + i}": row for i, row in enumerate(rows)}
                moved = moved or not reading.keys().isdisjoint(fresh)
                offset += len(rows)
                if len(rows) < size or fresh.keys() <= reading.keys():  # the end, or a server that does not page
                    reading.update(fresh)
                    break
                reading.update(fresh)
            found = {**reading, **{key: row for key, row in found.items() if key not in reading}}
            if not moved:
                break
        return list(found.values())[:limit]
