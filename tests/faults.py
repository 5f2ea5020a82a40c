"""Servers that misbehave byte by byte, and a client to meet them: real sockets on loopback, each on a thread."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from comfynb.api.address import parse_address
from comfynb.api.client import ComfyDeployClient
from comfynb.api.connections import Limits
from comfynb.api.transport import Transport
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.submitting import Submitter
from comfynb.services.workflows import WorkflowsService

T = TypeVar("T")

KEY = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoicGxhbnRlZCJ9.c2lnbmF0dXJlLXBsYW50ZWQ"
QUICK = Limits(timeout=5.0, submit_timeout=5.0, first_wait=0.01, longest_wait=0.05)
"""Waits that a test can afford."""
PATIENCE = (0.0, 0.05, 0.15)
"""Seconds before each search for a run whose submit got no answer."""

DROP = object()
"""A step of an answer: the connection is reset here."""


def transport_to(url: str, key: str = KEY, limits: Limits = QUICK) -> Transport:
    """Return a transport with short waits."""
    return Transport(parse_address(url), SecretStr(key), limits)


def service_for(url: str, key: str = KEY, limits: Limits = QUICK) -> ComfyUIService:
    """Return both services on a server, with short waits: this one, and its `.workflows`."""
    client = ComfyDeployClient(transport_to(url, key, limits))
    return ComfyUIService(WorkflowsService(client), submitter=Submitter(client, PATIENCE))


def run(owner: Transport | ComfyDeployClient | WorkflowsService | ComfyUIService, awaited: Awaitable[T]) -> T:
    """Await something on an event loop of its own, and close the connections that it opened."""
    if isinstance(owner, ComfyUIService | WorkflowsService):
        owner = owner.client
    transport = owner.transport if isinstance(owner, ComfyDeployClient) else owner

    async def main() -> T:
        try:
            return await awaited
        finally:
            await transport.aclose()

    return asyncio.run(main())


# What a server sends, in bytes


def answer(status: int, body: bytes, content_type: str = "", **headers: str) -> bytes:
    """Return the bytes of a whole answer; of the names of headers, underscores stand for hyphens."""
    lines = [f"HTTP/1.1 {status} Some Words", f"content-length: {len(body)}"]
    if content_type:
        lines.append(f"content-type: {content_type}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def json_answer(value: Any, status: int = 200, **headers: str) -> bytes:
    """Return the bytes of an answer with JSON."""
    return answer(status, json.dumps(value).encode(), "application/json", **headers)


def text_answer(text: str, status: int = 500, kind: str = "text/plain; charset=utf-8", **headers: str) -> bytes:
    """Return the bytes of an answer with text, by default as the API sends it after an unhandled error."""
    return answer(status, text.encode(), kind, **headers)


NOT_FOUND = json_answer({"detail": "Not Found"}, 404)
WEB_PAGE = text_answer("<!DOCTYPE html><html><body>Welcome</body></html>", 200, "text/html; charset=utf-8")


@dataclass(frozen=True)
class Request:
    """A request as it arrived; `connection` counts the connections from 1."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def json(self) -> Any:
        """Return the body, decoded."""
        return json.loads(self.body)


Step = bytes | float | object


class Served:
    """A loopback server on a thread with an event loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._port = 0
        self.connections = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def listen(self) -> None:
        """Take connections, on the same port as before."""

        async def start() -> asyncio.Server:
            return await asyncio.start_server(self._accept, "127.0.0.1", self._port)

        self._server = asyncio.run_coroutine_threadsafe(start(), self._loop).result(5)
        self._port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse connections from now on."""
        server, self._server = self._server, None
        if server is not None:
            self._loop.call_soon_threadsafe(server.close)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), self._loop).result(5)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer, self.connections)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the last is of the end of this server
        finally:
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        raise NotImplementedError


async def read_message(reader: asyncio.StreamReader, pause: float = 0.0) -> tuple[bytes, bytes]:
    """Return head and body of one request or answer that tells its length, with a pause before each megabyte."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    body = bytearray()
    while len(body) < length:
        await asyncio.sleep(pause)
        body += await reader.readexactly(min(1_000_000, length - len(body)))
    return head, bytes(body)


class RawServer(Served):
    """Answers with the very bytes that a function gives, and remembers the requests.

    The function is given a `Request` and returns bytes, or steps: bytes to send, seconds to wait, `DROP`. The bodies of
    requests are read with a `pause` before each megabyte.
    """

    def __init__(self, respond: Callable[[Request], bytes | Iterable[Step]], pause: float = 0.0) -> None:
        super().__init__()
        self._respond = respond
        self._pause = pause
        self.requests: list[Request] = []

    def asked(self, method: str = "GET") -> list[str]:
        """Return the paths that were asked for with this method, in order."""
        return [request.path for request in self.requests if request.method == method]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            head, body = await read_message(reader, self._pause)
            first, *lines = head.decode("latin-1").rstrip().split("\r\n")
            method, target, _ = first.split(" ", 2)
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            request = Request(method, target, headers, body, number)
            self.requests.append(request)
            steps = self._respond(request)
            for step in [steps] if isinstance(steps, bytes) else steps:
                if step is DROP:
                    return
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()


@dataclass(frozen=True)
class Cut:
    """Where a proxy cuts the connection of a request.

    Attributes
    ----------
    request : int or None
        After so many bytes of the request have gone on; None lets all of it through.
    answer : int or None
        After so many bytes of the answer have gone back; None lets all of it through.
    wait : bool
        Whether the server's answer is waited for when the whole request has gone on.
    """

    request: int | None = None
    answer: int | None = None
    wait: bool = True


class Proxy(Served):
    """Passes requests on to a server, cuts connections at a byte, and makes requests wait.

    Parameters
    ----------
    url : str
        The server.
    choose : callable
        Given the bytes of a submit, returns where it is cut, or None.
    hold : bytes
        How the requests begin that have to wait until it is `opened`; none by default.

    Attributes
    ----------
    passed : list of tuple of (bytes, bytes)
        The submits that the server answered, and its answers.
    arrived, opened : threading.Event
        A request waits; it may go on.
    """

    def __init__(self, url: str, choose: Callable[[bytes], Cut | None] = lambda _: None, hold: bytes = b"") -> None:
        super().__init__()
        self._target = urlsplit(url)
        self._hold = hold
        self.choose = choose
        self.passed: list[tuple[bytes, bytes]] = []
        self.arrived = threading.Event()
        self.opened = threading.Event()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            request = b"".join(await read_message(reader))
            if self._hold and request.startswith(self._hold):
                self.arrived.set()
                while not self.opened.is_set():  # noqa: ASYNC110 - the test opens it, on another thread
                    await asyncio.sleep(0.005)
            submit = request.startswith(b"POST /api/run")
            cut = (self.choose(request) if submit else None) or Cut()
            there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
            try:
                back.write(request[: cut.request])
                await back.drain()
                if cut.request is not None and (cut.request < len(request) or not cut.wait):
                    return
                reply = b"".join(await read_message(there))
            finally:
                # What was written goes on; then this end is closed.
                back.close()
                with suppress(OSError):
                    await back.wait_closed()
            if submit:
                self.passed.append((request, reply))
            writer.write(reply[: cut.answer])
            await writer.drain()
            if cut.answer is not None:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
                return
