"""The sandbox's server as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from comfynb.sandbox import pictures, signing
from comfynb.sandbox.clock import http_date
from comfynb.sandbox.engine import Engine
from comfynb.sandbox.faults import Fault, Faults
from comfynb.sandbox.http import (
    JSON,
    TEXT,
    Answer,
    Call,
    HttpError,
    PlainServerError,
    Routes,
    answer,
    encode,
    query_of,
)
from comfynb.sandbox.page import world_page
from comfynb.sandbox.routes import controls, deployments, files, machines, run_lists, runs, workflows
from comfynb.sandbox.webhooks import Webhooks
from comfynb.sandbox.world.records import Tenant
from comfynb.sandbox.world.world import World

__all__ = ["App"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LOG = logging.getLogger("comfynb.sandbox")
HTML = b"text/html; charset=utf-8"
MISSING_TOKEN = {"detail": "Invalid or missing token"}
NOT_FOUND = {"detail": "Not Found"}


class App:
    """Answers requests out of a world.

    Parameters
    ----------
    world : World
        What is there.
    engine : Engine
        Its machines.
    drop : callable
        Drops the connection of a client, given its address and whether at once; False if there is no connection.
    reset : callable
        Begins anew, for ``POST /sandbox/reset``.
    """

    def __init__(
        self,
        world: World,
        engine: Engine,
        drop: Callable[[Any, bool], bool],
        reset: Callable[[], None],
    ) -> None:
        self.routes = Routes()
        for module in (runs, run_lists, workflows, machines, deployments, files):
            module.register(self.routes)
        self.controls = Routes()
        controls.register(self.controls)
        self._drop = drop
        self.reset = reset
        self.use(world, engine)

    def use(self, world: World, engine: Engine) -> None:
        """Answer out of another world from now on."""
        self.world = world
        self.engine = engine
        self.faults = Faults(world)
        self.webhooks = Webhooks(world)
        self.engine.announce = self.webhooks.follow
        self._drawn: dict[str, Answer] = {}
        self._date: tuple[datetime, bytes] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = await _read(receive)
        knobs = self.world.knobs
        method, path = scope["method"], scope["path"]
        fault = self.faults.strike(method, path) if not path.startswith("/sandbox/") else None
        if knobs.latency > 0:
            await asyncio.sleep(knobs.latency)
        if fault and (fault.drop == "before" or fault.instead):
            match = self.routes.find(method, path.removeprefix(knobs.prefix))
            self.world.counters.requests[f"{method} {match.template if match else '?'}"] += 1
        if fault and fault.drop == "before":
            self.world.counters.statuses[0] += 1
            await self._hang_up(scope, receive)
            return
        given = fault.instead if fault and fault.instead else self._answer(method, path, scope, body)
        if await self._send(given, fault, scope, send):
            await self._hang_up(scope, receive)

    # Finding the answer

    def _answer(self, method: str, path: str, scope: Scope, body: bytes) -> Answer:
        world = self.world
        world.follow_knobs()
        prefix = world.knobs.prefix.rstrip("/")
        if path == "/" and method == "GET":
            world.counters.requests["GET /"] += 1
            return self._root()
        if path.startswith("/files/"):
            world.counters.requests[f"{method} /files"] += 1
            return self._file(method, path[len("/files/") :], body, scope)
        if path.startswith("/sandbox/"):
            return self._dispatch(self.controls, method, path[len("/sandbox") :], scope, body, secure=False)
        if prefix and not path.startswith(prefix + "/"):
            world.counters.requests[f"{method} ?"] += 1
            return answer(NOT_FOUND, 404)
        return self._dispatch(self.routes, method, path[len(prefix) :], scope, body, secure=True)

    def _dispatch(self, routes: Routes, method: str, path: str, scope: Scope, body: bytes, *, secure: bool) -> Answer:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = query_of(scope["query_string"])
        match = routes.find(method, path)
        counters = self.world.counters
        counters.requests[f"{method} {match.template}" if match else f"{method} ?"] += 1
        tenant = self._tenant(headers, query) if secure else None
        if isinstance(tenant, Answer):
            return tenant
        if len(path) > 1 and path.endswith("/"):
            return self._without_slash(routes, method, path, scope, headers)
        if match is None:
            return answer(NOT_FOUND, 404)
        if match.handler is None:
            refused = answer({"detail": "Method Not Allowed"}, 405)
            refused.headers.append((b"allow", match.allow.encode()))
            return refused
        base = f"{scope.get('scheme', 'http')}://{headers.get('host', '')}"
        call = Call(method, path, query, headers, body, self.world, self.engine, self.reset, match.params, tenant, base)
        try:
            return match.handler(call)
        except HttpError as error:
            return answer(error.body, error.status)
        except PlainServerError:
            return Answer(b"Internal Server Error", 500, TEXT, hang_up=True)
        except Exception:
            # As the real server does with what it does not expect; but here it is a fault of the sandbox's own.
            LOG.exception("The sandbox failed on %s %s", method, path)
            return Answer(b"Internal Server Error", 500, TEXT, hang_up=True)

    def _tenant(self, headers: dict[str, str], query: dict[str, list[str]]) -> Tenant | Answer:
        """Return whose key came; it is looked for in query and cookie before the headers."""
        token = (query.get("cd_token") or [""])[-1] or _cookie(headers.get("cookie", ""), "__session")
        if not token:
            scheme, _, rest = headers.get("authorization", "").partition(" ")
            # The real server compares the word with its case.
            token = rest.strip() if scheme == "Bearer" else headers.get("x-api-key", "")
        if not token:
            return answer(MISSING_TOKEN, 401)
        if token == self.world.revoked_key:
            return answer({"detail": "Revoked token"}, 401)
        return self.world.tenant_of(token) or answer({"detail": "Invalid or expired token"}, 401)

    def _without_slash(self, routes: Routes, method: str, path: str, scope: Scope, headers: dict[str, str]) -> Answer:
        if routes.find(method, path.rstrip("/")) is None:
            return answer(NOT_FOUND, 404)
        query = scope["query_string"].decode("latin-1")
        location = f"{scope.get('scheme', 'http')}://{headers.get('host', '')}{scope['path'].rstrip('/')}"
        location += f"?{query}" if query else ""
        return Answer(b"", 307, None, [(b"location", location.encode("latin-1"))])

    def _root(self) -> Answer:
        if not self.world.knobs.html_root:
            return answer(NOT_FOUND, 404)
        return Answer(world_page(self.world).encode("utf-8", "replace"), content_type=HTML)

    # Files

    def _file(self, method: str, path: str, body: bytes, scope: Scope) -> Answer:
        """Serve files as an object store does: to everybody, and with PUT to an address that was signed."""
        if method == "PUT" and b"signature=" in scope["query_string"]:
            headers = dict(scope["headers"])
            kind = headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
            self.world.files[path] = _stored(body, kind)
            return Answer(b"", content_type=None)
        if method not in {"GET", "HEAD"}:
            return answer({"detail": "Method Not Allowed"}, 405)
        if not signing.may_read(self.world, unquote(path), scope["query_string"].decode("latin-1")):
            return Answer(b"<Error><Code>AccessDenied</Code></Error>", 403, b"application/xml")
        stored = self.world.files.get(path)
        if stored:
            return Answer(stored.content, content_type=stored.mime_type.encode())
        drawn = self._drawn.get(path) or self._draw(path)
        return drawn or answer(NOT_FOUND, 404)

    def _draw(self, path: str) -> Answer | None:
        kind, _, rest = path.partition("/")
        filename = unquote(path.rpartition("/")[2])
        if kind == "samples" and filename.endswith(".png"):
            content = pictures.draw_sample(filename)
        else:
            run = self.world.runs.get(rest.split("/")[1]) if rest.startswith("runs/") and rest.count("/") == 2 else None
            if run is None or run.prompt is None or not _made(run.plan.outputs, filename):
                return None
            content = pictures.draw_file(run.prompt, run.workflow, filename, self.world.files_url)
        drawn = Answer(content, content_type=pictures.content_type(filename).encode())
        if len(self._drawn) > 256:
            self._drawn.clear()
        self._drawn[path] = drawn
        return drawn

    # Sending it

    async def _hang_up(self, scope: Scope, receive: Receive) -> None:
        """Drop the connection in the middle of an exchange."""
        if not self._drop(scope.get("client"), True):
            raise ConnectionResetError("The sandbox dropped the connection, because the knob drop_next says so.")
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _send(self, given: Answer, fault: Fault | None, scope: Scope, send: Send) -> bool:
        """Send an answer; return whether the connection has to be dropped, since it was not sent in full."""
        body = given.body
        if self.world.knobs.extra_fields and given.content_type == JSON:
            body = _with_extra_fields(body)
        if fault and fault.truncate:
            body = body[: len(body) // 2]
        headers = [(b"date", self._date_header()), (b"server", b"uvicorn")]
        if given.content_type is not None or given.status == 307:
            headers.append((b"content-length", str(len(body)).encode()))
        if given.content_type is not None:
            headers.append((b"content-type", given.content_type))
        dropped = fault.drop if fault else ""
        self.world.counters.statuses[0 if dropped else given.status] += 1
        if dropped == "after":
            return True
        await send({"type": "http.response.start", "status": given.status, "headers": headers + given.headers})
        if dropped == "middle":
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            return True
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        if given.hang_up:
            self._drop(scope.get("client"), False)
        return False

    def _date_header(self) -> bytes:
        now = self.world.now()
        if self._date is None or self._date[0] != now:
            self._date = (now, http_date(now).encode())
        return self._date[1]


async def _read(receive: Receive) -> bytes:
    chunks = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


def _cookie(header: str, name: str) -> str:
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _stored(content: bytes, mime_type: str) -> Any:
    from comfynb.sandbox.world.records import File

    return File(content, mime_type)


def _made(outputs: list[Any], filename: str) -> bool:
    for output in outputs:
        if not isinstance(output.data, dict):
            continue
        for items in output.data.values():
            if isinstance(items, list) and any(
                isinstance(item, dict) and item.get("filename") == filename for item in items
            ):
                return True
    return False


def _with_extra_fields(body: bytes) -> bytes:
    """Add a field to the object, or to each object of the list, that is answered."""
    content = json.loads(body) if body else None
    extra = {"x_new_field": {"since": "2027", "values": [1, None, "two"]}}
    if isinstance(content, dict):
        return encode({**content, **extra})
    if isinstance(content, list):
        return encode([{**row, **extra} if isinstance(row, dict) else row for row in content])
    return body
