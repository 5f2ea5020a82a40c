"""`Sandbox`: a local ComfyDeploy that runs in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from comfynb.sandbox.counters import Counters
from comfynb.sandbox.knobs import Knobs

if TYPE_CHECKING:
    from comfynb.sandbox.app import App
    from comfynb.sandbox.world.loading import WorldSource
    from comfynb.sandbox.world.world import World

__all__ = ["Sandbox"]

HOST = "127.0.0.1"
PATIENCE = 10.0
"""Real seconds that starting and stopping may take."""


class Sandbox:
    """A ComfyDeploy server on this machine: machines, workflows, runs and pictures, without a key or a network.

    Parameters
    ----------
    knobs : Knobs, optional
        What it does; see `Knobs`. It can be changed while the sandbox runs.
    world : str, pathlib.Path or mapping, optional
        What is in it instead of its own machines and workflows: the path of a TOML file, or the same as a mapping. See
        `comfynb.sandbox.world.loading` for what stands in it.
    port : int
        Where it listens, on 127.0.0.1; 0 takes a free one.
    **knob_overrides
        Single knobs, such as ``speed=100``.

    Raises
    ------
    ConfigurationError
        If the world cannot be read; the message names the file and every problem with it.
    TypeError, ValueError
        If a knob does not exist, or cannot have that value.

    Examples
    --------
    >>> import httpx
    >>> with Sandbox(speed=100) as sandbox:
    ...     key = {"authorization": f"Bearer {sandbox.api_key}"}
    ...     workflows = httpx.get(f"{sandbox.url}/api/workflows", headers=key).json()
    >>> workflows[0]["name"]
    'text2img'

    With a world of its own:

    >>> import comfynb
    >>> world = {
    ...     "machines": [{"name": "studio"}, {"name": "cloud", "gpu": "A100"}],
    ...     "workflows": [{"name": "product shots", "machine": "studio", "inputs": ["prompt"]}],
    ...     "deployments": [{"workflow": "product shots", "environment": "production", "machine": "cloud"}],
    ... }
    >>> with Sandbox(world=world) as sandbox:
    ...     ws = comfynb.connect(sandbox=sandbox)
    ...     run = ws.run("product shots", prompt="a red shoe on white")
    >>> run.status, run.machine_id == sandbox.world.machine_named("cloud").id
    ('success', True)
    """

    def __init__(
        self,
        knobs: Knobs | None = None,
        *,
        world: WorldSource | None = None,
        port: int = 0,
        **knob_overrides: Any,
    ) -> None:
        from comfynb.sandbox.app import App
        from comfynb.sandbox.world.build import build_world
        from comfynb.sandbox.world.spec import BUILT_IN

        self._spec = BUILT_IN
        if world is not None:
            from comfynb.sandbox.world.loading import load_world

            self._spec = load_world(world)
            if knobs is None and self._spec.history is not None:
                knob_overrides.setdefault("history", self._spec.history)
        self.knobs = (knobs or Knobs()).change(**knob_overrides)
        # Bound at once, so that the address is known and stays ours; it listens from the start on.
        self._socket: socket.socket | None = _bound(port)
        weakref.finalize(self, self._socket.close)
        self._port: int = self._socket.getsockname()[1]
        self._transports: dict[Any, asyncio.Transport] = {}
        self._thread: threading.Thread | None = None
        self._server: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._app = App(*build_world(self.knobs, f"{self.url}/files", self._spec), self._drop, self.reset)

    # What it is

    @property
    def url(self) -> str:
        """Where it listens, without ``/api``."""
        return f"http://{HOST}:{self._port}"

    @property
    def app(self) -> App:
        """The ASGI application, for tests without a socket."""
        return self._app

    @property
    def world(self) -> World:
        """What is in it."""
        return self._app.world

    @property
    def counters(self) -> Counters:
        """What reached it since the start or the last reset."""
        return self.world.counters

    @property
    def api_key(self) -> str:
        """A key that opens it, and nothing else."""
        return next(iter(self.world.tenants))

    @property
    def other_api_key(self) -> str:
        """The key of a second tenant, who has nothing and sees nothing of the first."""
        return list(self.world.tenants)[1]

    @property
    def revoked_api_key(self) -> str:
        """A key that was good once."""
        return self.world.revoked_key

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._thread is not None and self._thread.is_alive()

    def __repr__(self) -> str:
        return f"<Sandbox {self.url} {'running' if self.running else 'stopped'}>"

    # Starting and stopping

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start it, unless it runs; return when it answers."""
        if self.running:
            return self
        ready = threading.Event()
        faults: list[BaseException] = []

        def serve() -> None:
            try:
                with asyncio.Runner() as runner:
                    runner.run(self._serve(ready))
            except BaseException as error:
                faults.append(error)
            finally:
                ready.set()

        self._thread = threading.Thread(target=serve, name=f"comfynb-sandbox-{self._port}", daemon=True)
        self._thread.start()
        ready.wait(PATIENCE)
        if faults:
            self._thread.join()
            self._thread = None
            raise RuntimeError(f"The sandbox could not start on {self.url}: {faults[0]}") from faults[0]
        return self

    def stop(self) -> None:
        """Stop it, and wait until its thread has ended. Does nothing if it does not run."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._server is not None:
            self._server.should_exit = True
            self._server.force_exit = True
        if thread is not threading.current_thread():
            # The garbage collector may stop a forgotten sandbox from the sandbox's own thread.
            thread.join(PATIENCE)

    async def _serve(self, ready: threading.Event) -> None:
        import uvicorn
        from uvicorn.protocols.http.h11_impl import H11Protocol

        transports = self._transports

        class Protocol(H11Protocol):
            """Remembers its connection, so that it can be dropped."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.client, None)
                super().connection_lost(exc)

        class Server(uvicorn.Server):
            """Says when it listens."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                ready.set()

        listening, self._socket = self._socket or _bound(self._port), None
        listening.listen(1024)
        config = uvicorn.Config(
            self._app,
            http=Protocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
        )
        self._loop = asyncio.get_running_loop()
        self._server = Server(config)
        try:
            await self._server.serve(sockets=[listening])
        finally:
            listening.close()
            for transport in list(transports.values()):
                transport.abort()
            transports.clear()
            self._loop = None

    def _drop(self, client: Any, at_once: bool) -> bool:
        transport = self._transports.get(tuple(client) if client else None)
        if transport is None:
            return False
        if at_once and not transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()
        return True

    # Using it

    def reset(self) -> None:
        """Begin anew: the same world, counters at nothing. Knobs stay as they are."""
        from comfynb.sandbox.world.build import build_world

        self._app.use(*build_world(self.knobs, f"{self.url}/files", self._spec))

    def advance(self, seconds: float) -> None:
        """Let so many reported seconds go by at once, for machines and for the reported time.

        Parameters
        ----------
        seconds : float
            How many.
        """
        self.world.advance(seconds)

    def ended(self, timeout: float = PATIENCE) -> bool:
        """Wait until no run is on its way any more.

        Parameters
        ----------
        timeout : float
            Real seconds to wait at most.

        Returns
        -------
        bool
            Whether that came true.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.world.now()
            if not self.world.live:
                return True
            time.sleep(0.01)
        return False


def _bound(port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle's algorithm off only where it is; with it on, each
    # answer waits for 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except OSError as error:
        bound.close()
        raise OSError(f"The sandbox cannot listen on {HOST}:{port}: {error.strerror}.") from error
    return bound
