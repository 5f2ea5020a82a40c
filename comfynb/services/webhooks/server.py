"""The HTTP server of the receiver, on the event loop where the connections live."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from comfynb.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["Server"]

CONNECTIONS: Final = 200
"""Connections at once; each holds a body at most. More are answered with 503."""
QUIET: Final = 15.0
"""Seconds after which a connection that asks for nothing is closed, however slowly it begins to."""
_GRACE: Final = 0.5
"""Seconds that requests under way are given when it stops."""

# What strangers send is no news: with a flood of it, a log or a notebook would run over.
_quiet = logging.getLogger("comfynb.webhooks")
_quiet.setLevel(logging.ERROR)


class Server:
    """Serves an application on one port.

    Attributes
    ----------
    port : int
        Where it listens.
    """

    def __init__(self) -> None:
        self.host, self.port = "", 0
        self._server: Any = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._task is not None and not self._task.done()

    @property
    def failed(self) -> bool:
        """Whether it ended without being told to."""
        return self._task is not None and self._task.done() and not self._server.should_exit

    async def start(self, app: Starlette, host: str, port: int) -> None:
        """Serve from now on.

        Raises
        ------
        ConfigurationError
            If it cannot listen there.
        """
        listening = await _bound(host, port)
        self.host, self.port = host, listening.getsockname()[1]
        ready = asyncio.Event()
        self._server = _server(app, ready)
        self._task = asyncio.ensure_future(self._server.serve(sockets=[listening]))
        waiting = asyncio.ensure_future(ready.wait())
        try:
            await asyncio.wait((self._task, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._task.done():
            listening.close()
            self._task.result()

    async def stop(self) -> None:
        """Stop, and free the port."""
        task = self._task
        if task is None or task.done():
            return
        self._server.should_exit = True
        await asyncio.wait((task,), timeout=_GRACE)
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await asyncio.wait((task,))


def _server(app: Starlette, ready: asyncio.Event) -> Any:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        """Closes a connection that asks for nothing, and is silent about what is no HTTP."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.logger = _quiet
            self._last = self.cycle
            self._check = self.loop.call_later(QUIET, self._close_if_quiet)

        def connection_lost(self, exc: Exception | None) -> None:
            self._check.cancel()
            super().connection_lost(exc)

        def _close_if_quiet(self) -> None:
            if self.cycle is self._last and (self.cycle is None or self.cycle.response_complete):
                self.transport.close()
                return
            self._last = self.cycle
            self._check = self.loop.call_later(QUIET, self._close_if_quiet)

    class Server(uvicorn.Server):
        """Says when it listens, and leaves the signals of the process alone."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready.set()

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # anybody can send them, and nothing here needs them
            server_header=False,
            date_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=15,
        )
    )


async def _bound(host: str, port: int) -> socket.socket:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
        family, kind, proto, _, address = found[0]
        # The protocol is named because asyncio switches Nagle's algorithm off only where it is.
        bound = socket.socket(family, kind, proto)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigurationError(f"host={host!r} is no address of this machine ({error}).") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(256)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"Webhooks cannot be received on {host}:{port} ({error.strerror}); choose another port=, or 0 for a free "
            "one."
        ) from error
    return bound
