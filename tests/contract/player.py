"""A server that plays recordings: a run's answers one after the other, before the workspace in which it was made."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Self

import uvicorn

from comfynb.sandbox import Sandbox

from .posted import Json
from .recorded import Recording
from .replaying import workspace
from .replica import PNG, rebuild
from .run_facts import Known
from .sequences import Life

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HOST = re.compile(r"https?://[^/\"\s]+/")


class Player:
    """Plays recorded runs on a port of this machine, and answers all else out of a rebuilt workspace.

    Parameters
    ----------
    known : mapping
        What the recordings tell of runs.
    graphs : mapping
        The graphs of versions.
    """

    def __init__(self, known: dict[str, Known], graphs: dict[str, Json]) -> None:
        self._sandbox = Sandbox(speed=0, history=0)
        rebuild(self._sandbox, workspace(known, graphs))
        self.api_key = self._sandbox.api_key
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.picture = PNG
        """What every file is."""
        self._lives: dict[str, tuple[Json, ...]] = {}
        self._at: dict[str, int] = {}
        self._rows: list[Json] = []
        self._submit: tuple[Recording, float] | None = None
        self._left: list[Json] = []

    def play(self, life: Life, rows: list[Json] | None = None) -> None:
        """Answer with a life from its beginning; in the lists of runs stand these rows."""
        self._lives, self._at, self._left = {life.run_id: life.answers}, {life.run_id: 0}, []
        self._rows = rows or []
        self.asked.clear()

    def take(self, submit: Recording, left: list[Json], seconds: float = 0.0) -> None:
        """Answer the next submit as it was answered, after so long; then these rows are in the lists, as sent."""
        self._submit, self._left = (submit, seconds), left

    def over(self, run_id: str) -> bool:
        """Whether the last answer about a run was given."""
        return self._at[run_id] >= len(self._lives[run_id])

    # The server

    def __enter__(self) -> Self:
        ready = threading.Event()
        player = self

        class Server(uvicorn.Server):
            """Says where it listens."""

            async def startup(self, sockets: Any = None) -> None:
                await super().startup(sockets)
                player.url = f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"
                ready.set()

        config = uvicorn.Config(self, "127.0.0.1", 0, lifespan="off", ws="none", loop="asyncio", log_config=None)
        self._server = Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method, path = scope["method"], scope["path"]
        self.asked[f"{method} {path}"] += 1
        if method == "POST" and self._submit is not None and path.startswith("/api/run"):
            (submit, seconds), self._submit = self._submit, None
            sent = json.loads(await _body(receive))["inputs"]
            await asyncio.sleep(seconds)
            self._rows = [*({**row, "workflow_inputs": sent} for row in self._left), *self._rows]
            await self._send(send, submit.answer, submit.status)
        elif path.startswith("/played/"):
            await self._bytes(send, self.picture, 200, b"image/png")
        elif method == "GET" and path.removeprefix("/api/run/") in self._lives:
            await self._send(send, self._next(path.removeprefix("/api/run/")))
        elif (listed := re.fullmatch(r"/api(?:/v2)?/workflow/([^/]+)/runs", path)) is not None:
            await self._send(send, [row for row in self._rows if row["workflow_id"] == listed[1]])
        else:
            await self._sandbox.app(scope, receive, send)

    def _next(self, run_id: str) -> Json:
        answers, at = self._lives[run_id], self._at[run_id]
        self._at[run_id] = at + 1
        return answers[min(at, len(answers) - 1)]

    async def _send(self, send: Send, body: Any, status: int = 200) -> None:
        if isinstance(body, dict) and "__text__" in body:
            await self._bytes(send, body["__text__"].encode(), status, b"text/plain; charset=utf-8")
            return
        # Files are where this server is.
        text = re.sub(r'(?<="url": ")' + HOST.pattern, f"{self.url}/played/", json.dumps(body))
        await self._bytes(send, text.encode(), status, b"application/json")

    async def _bytes(self, send: Send, content: bytes, status: int, kind: bytes) -> None:
        headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


async def _body(receive: Receive) -> bytes:
    content = bytearray()
    while True:
        message = await receive()
        content += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(content)
