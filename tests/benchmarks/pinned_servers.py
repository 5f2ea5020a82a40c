"""Servers to compare, each a process of its own on one core.

A sandbox with one run and a bare server of the same bytes; the receiver of webhooks and a bare route.

As a program it prints its port and the request to send, and serves on loopback until it is stopped.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONNECTIONS = 8
"""Requests that are on their way at the same time, so that the server never waits for the client."""


class Asking:
    """Sends one request again and again, over a few connections.

    Parameters
    ----------
    port : int
        Where the server listens, on 127.0.0.1.
    request : bytes
        What is sent.

    Attributes
    ----------
    answer : bytes
        The first answer.
    """

    def __init__(self, port: int, request: bytes) -> None:
        self.request = request
        self.connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        for each in self.connections:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections[0].sendall(request)
        self.answer = self._first()

    def _first(self) -> bytes:
        found = b""
        while b"\r\n\r\n" not in found:
            found += self.connections[0].recv(65536)
        head = found.partition(b"\r\n\r\n")[0]
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        while len(found) < len(head) + 4 + length:
            found += self.connections[0].recv(65536)
        return found

    @property
    def body(self) -> bytes:
        """The body of the first answer."""
        return self.answer.partition(b"\r\n\r\n")[2]

    def ask(self, times: int) -> None:
        """Send the request so often, and read as many answers, which have to be as long as the first."""
        for _ in range(times // len(self.connections)):
            for each in self.connections:
                each.sendall(self.request)
            for each in self.connections:
                missing = len(self.answer)
                while missing > 0:
                    part = each.recv(missing)
                    assert part, "the server closed a connection"
                    missing -= len(part)

    def close(self) -> None:
        """Close the connections."""
        for each in self.connections:
            each.close()


@contextmanager
def server(kind: str, body: bytes = b"") -> Iterator[Asking]:
    """Serve in another process, on one core; give what asks it."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__)), kind, body.decode()], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port, request = json.loads(process.stdout.readline())
        asking = Asking(port, request.encode())
        try:
            yield asking
        finally:
            asking.close()
    finally:
        process.terminate()
        process.wait(10)


def cores() -> tuple[set[int], set[int]]:
    """Return the core of the servers, and those of whoever asks them; of a machine with one core, that one."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    *others, last = sorted(os.sched_getaffinity(0))
    return {last}, set(others) or {last}


def keep_to(cpus: set[int]) -> None:
    """Keep this process to some cores, where the system can."""
    if cpus:
        os.sched_setaffinity(0, cpus)


def _request(path: str, key: str) -> str:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\naccept: */*\r\n\r\n"


def serve_sandbox() -> None:
    """Serve a sandbox with its past and a run that has ended."""
    import threading

    import comfynb

    with comfynb.Sandbox(speed=1000) as sandbox:
        with comfynb.connect(sandbox=sandbox) as ws:
            run = ws.run("text2img", prompt="a red fox", seed=7, progress=False)
        port = int(sandbox.url.rpartition(":")[2])
        print(json.dumps([port, _request(f"/api/run/{run.id}", sandbox.api_key)]), flush=True)
        threading.Event().wait()


def serve_bare(body: bytes) -> None:
    """Serve these bytes, whatever is asked, as an application of three lines does."""
    import uvicorn

    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    # The protocol is named because asyncio switches Nagle's algorithm off only where it is; an answer would wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(json.dumps([listener.getsockname()[1], _request("/", "none")]), flush=True)
    config = uvicorn.Config(app, http="h11", lifespan="off", log_level="warning", access_log=False)
    uvicorn.Server(config).run([listener])


def _post(path: str) -> str:
    body = json.dumps(
        {
            "event_type": "run.updated",
            "status": "running",
            "live_status": "Executing KSampler",
            "progress": 0.44,
            "run_id": "d33786a8-1f8d-4712-97f9-09d34381c62b",
            "outputs": [],
        }
    )
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: */*\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}"


def serve_hooks() -> None:
    """Serve the receiver of webhooks, on comfynb's own thread, to a run that is known there."""
    import threading

    import comfynb

    ws = comfynb.connect("http://127.0.0.1:9", "key-of-a-benchmark", journal=False)
    listener = ws.listen()
    ws.comfyui_service.events.expect("d33786a8-1f8d-4712-97f9-09d34381c62b")
    port = int(listener.url.rpartition(":")[2])
    print(json.dumps([port, _post(f"/hooks/{listener.address.rpartition('/')[2]}")]), flush=True)
    threading.Event().wait()


def serve_route() -> None:
    """Serve a route that reads what is posted, with the settings of the receiver."""
    import asyncio
    import threading

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from comfynb.services.webhooks.server import Server

    async def hook(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

    async def main() -> None:
        bare = Server()
        await bare.start(Starlette(routes=[Route("/hooks/{token}", hook, methods=["POST"])]), "127.0.0.1", 0)
        print(json.dumps([bare.port, _post("/hooks/x")]), flush=True)
        await asyncio.Event().wait()

    # On a thread that is not the main one, as the other.
    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    thread.join()


def main() -> None:
    """Serve until stopped."""
    keep_to(cores()[0])
    kinds = {"sandbox": serve_sandbox, "hooks": serve_hooks, "route": serve_route}
    if sys.argv[1] in kinds:
        kinds[sys.argv[1]]()
    else:
        serve_bare(sys.argv[2].encode())


if __name__ == "__main__":
    main()
