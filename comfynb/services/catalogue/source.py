"""One server and the cache before it, shared by all who read the same workspace."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from comfynb.api.client import ComfyDeployClient
from comfynb.services.cache import Cache, Entry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds for which an answer is good.

    Attributes
    ----------
    default : float
        Workflows, deployments, prices.
    machines : float
        Machines, whose state decides where a run can go.
    """

    default: float = 300.0
    machines: float = 15.0


@dataclass(frozen=True, slots=True)
class Source:
    """A server that is asked through a cache.

    Attributes
    ----------
    client : ComfyDeployClient
        The server.
    cache : Cache
        What is known of it.
    times : Times
        How long answers are good.
    """

    client: ComfyDeployClient
    cache: Cache
    times: Times

    async def get(
        self,
        key: str,
        fetch: Callable[[], Coroutine[Any, Any, T]],
        *,
        tags: Iterable[str],
        ttl: float | None = None,
        refresh: bool = False,
    ) -> Entry[T]:
        """Return what is kept, or fetch it. See `Cache.get`.

        Without `ttl` it is kept for the default time, and given for as long again while a new answer is fetched.
        """
        seconds, stale = (self.times.default, self.times.default) if ttl is None else (ttl, 0.0)
        return await self.cache.get(key, fetch, ttl=seconds, tags=tags, refresh=refresh, stale=stale)
