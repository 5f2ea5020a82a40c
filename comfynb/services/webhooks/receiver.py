"""The application that takes posts: it looks at the address, the size, the signature and the shape, in this order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from comfynb.services.webhooks.event import Event, read_event
from comfynb.services.webhooks.signature import signed, well_signed
from comfynb.services.webhooks.token import PATH, Tokens

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

__all__ = ["LARGEST", "OUTCOMES", "Receiver", "make_app"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST: Final = 1024 * 1024
"""Bytes of a body."""
PATIENCE: Final = 10.0
"""Seconds in which the whole body has to come."""
_DISCARDED: Final = 4 * LARGEST
"""Bytes of a refused body that are read and thrown away: who is cut off while it sends may never see why."""

OUTCOMES: Final = {
    "event": 204,
    "other": 204,
    "no event": 400,
    "wrong signature": 401,
    "wrong address": 404,
    "wrong method": 405,
    "too slow": 408,
    "too large": 413,
    "broken off": 400,
}
"""What can become of a post, and what is answered; every body of an answer is empty."""

_UNREAD: Final = frozenset({"too large", "too slow", "broken off"})
"""After these there may be more of a body on its way, which nobody reads."""


class Receiver:
    """Takes posts at an address of ours.

    Parameters
    ----------
    tokens : Tokens
        Knows which addresses are ours.
    heard : callable
        Told each event; says whether its run is known here.
    secret : bytes, optional
        With it, a signature that comes along has to be right.

    Attributes
    ----------
    counts : collections.Counter
        How many requests had each of `OUTCOMES`.
    """

    def __init__(self, tokens: Tokens, heard: Callable[[Event], bool], secret: bytes | None = None) -> None:
        self._tokens = tokens
        self._heard = heard
        self._secret = secret
        self.counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Take one request."""
        outcome = await self._take(scope, receive)
        self.counts[outcome] += 1
        status = OUTCOMES[outcome]
        headers = [] if status == 204 else [(b"content-length", b"0")]
        if outcome in _UNREAD:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if outcome == "too large":
            await _discard(receive)  # the answer is whole by now; only the connection stays open
        await send({"type": "http.response.body", "body": b""})

    async def _take(self, scope: Message, receive: Receive) -> str:
        if not self._tokens.valid(scope["path_params"]["token"]):
            return "wrong address"
        body = await _body(scope, receive)
        if isinstance(body, str):
            return body
        if self._secret is not None:
            signature = signed(scope["headers"])
            if signature is not None and not well_signed(self._secret, body, signature):
                return "wrong signature"
        event = read_event(body)
        if event is None:
            return "no event"
        return "event" if self._heard(event) else "other"


async def _body(scope: Message, receive: Receive) -> bytes | str:
    """Return a body, or what is wrong with it. No more than the largest is ever held."""
    if _said_length(scope) > LARGEST:
        return "too large"
    try:
        async with asyncio.timeout(PATIENCE):
            return await _parts(receive)
    except TimeoutError:
        return "too slow"


def _said_length(scope: Message) -> int:
    """Return the length that a request says of its body; 0 where it says none."""
    said = dict(scope["headers"]).get(b"content-length", b"")
    return int(said[:20]) if said.isdigit() else 0


async def _parts(receive: Receive) -> bytes | str:
    parts: list[bytes] = []
    size = 0
    while (message := await receive())["type"] == "http.request":
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > LARGEST:
            return "too large"
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
    return "broken off"


async def _discard(receive: Receive) -> None:
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while size < _DISCARDED and (message := await receive())["type"] == "http.request":
                size += len(message.get("body", b""))
                if not message.get("more_body"):
                    return


def make_app(receiver: Receiver, prefix: str = "", routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the application.

    Parameters
    ----------
    receiver : Receiver
        Takes the posts.
    prefix : str
        A path before ours that a proxy may leave in place.
    routes : sequence of starlette.routing.BaseRoute
        What is served besides, such as ``/metrics``.
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.responses import Response
    from starlette.routing import Route

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - of the statuses below
        receiver.counts["wrong method" if error.status_code == 405 else "wrong address"] += 1
        return Response(status_code=error.status_code, headers=error.headers)

    paths = dict.fromkeys(f"{before}{PATH}{{token}}" for before in ("", prefix))
    app = Starlette(
        routes=[*(Route(path, receiver, methods=["POST"]) for path in paths), *routes],
        exception_handlers={404: refused, 405: refused},
    )
    app.router.redirect_slashes = False
    return app
