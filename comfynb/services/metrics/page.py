"""`/metrics` on the receiver of webhooks: for who asks from this machine, or knows the token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from comfynb.services.metrics.metrics import Metrics

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

__all__ = ["PAGE", "MetricsPage"]

PAGE: Final = "/metrics"
_LOCAL: Final = frozenset({b"127.0.0.1", b"localhost", b"[::1]"})
_FORWARDED: Final = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})

Message = MutableMapping[str, Any]


class MetricsPage:
    """Answers Prometheus, as an ASGI application.

    Names of workflows and machines stand in it, and the receiver may be reached from anywhere, through a tunnel or a
    proxy, whose requests come from this machine, too.

    Parameters
    ----------
    metrics : Metrics
        What was counted.
    token : str
        Who gives it may read, as ``?token=`` or as ``Authorization: Bearer``.
    is_open : bool
        Whether a program of this machine needs none: nothing is there that passes requests on.
    """

    def __init__(self, metrics: Metrics, token: str, *, is_open: bool) -> None:
        self._metrics = metrics
        self._token = token.encode()
        self._is_open = is_open

    def route(self) -> BaseRoute:
        """Return its route, for an application of Starlette."""
        from starlette.routing import Route

        return Route(PAGE, self, methods=["GET"])

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request; who may not read it learns nothing of it."""
        if not self._may_read(scope):
            from starlette.exceptions import HTTPException

            raise HTTPException(404)
        await self._metrics.app(scope, receive, send)

    def _may_read(self, scope: Message) -> bool:
        headers = dict(scope["headers"])
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0].encode()
        bearer = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        if hmac.compare_digest(given, self._token) or hmac.compare_digest(bearer, self._token):
            return True
        # A page in a browser of this machine can reach it under another name, and a proxy says that it is one.
        host = headers.get(b"host", b"").rpartition(b":")
        return self._is_open and (host[0] or host[2]) in _LOCAL and not _FORWARDED & headers.keys()
