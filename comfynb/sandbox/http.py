"""Requests, answers, errors and routes of the sandbox's server; small, since it has to be fast."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs

from pydantic import BaseModel, TypeAdapter, ValidationError

if TYPE_CHECKING:
    from comfynb.sandbox.engine import Engine
    from comfynb.sandbox.world.records import Tenant
    from comfynb.sandbox.world.world import World

__all__ = ["Answer", "Call", "HttpError", "PlainServerError", "Routes", "answer", "encode", "validation_error"]

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


@dataclass(slots=True)
class Answer:
    """What the server sends back."""

    body: bytes
    status: int = 200
    content_type: bytes | None = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    hang_up: bool = False
    """Whether the connection is dropped afterwards, without saying so."""


class HttpError(Exception):
    """A request that is answered with an error: a text, or the body of the answer."""

    def __init__(self, status: int, detail: Any = None, *, body: Any = None) -> None:
        super().__init__(f"{status} {detail}")
        self.status = status
        self.body = {"detail": detail} if body is None else body


class PlainServerError(Exception):
    """Something that the real server does not handle: 500 as plain text, and the connection is dropped."""


def encode(body: Any) -> bytes:
    """Return JSON as the real server writes it: compact, and in UTF-8, which has no halves of characters."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def answer(body: Any, status: int = 200) -> Answer:
    """Return a JSON answer."""
    return Answer(encode(body), status)


def validation_error(errors: list[dict[str, Any]]) -> HttpError:
    """Return the 422 of one or several faults."""
    return HttpError(422, errors)


@dataclass(slots=True)
class Call:
    """A request on its way through a route."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    world: World
    engine: Engine
    reset: Callable[[], None]
    params: dict[str, str] = field(default_factory=dict)
    who: Tenant | None = None
    base_url: str = ""

    @property
    def tenant(self) -> Tenant:
        """Whose key came with the request."""
        if self.who is None:
            raise HttpError(401, "Invalid or missing token")
        return self.who

    def text(self, name: str) -> str | None:
        """Return a parameter of the query, the last if there are several."""
        values = self.query.get(name)
        return values[-1] if values else None

    def value(self, name: str, kind: TypeAdapter[T], default: T) -> T:
        """Return a parameter of the query, read as a type; a wrong one is a 422."""
        text = self.text(name)
        return default if text is None else parse(kind, text, ("query", name))

    def param(self, name: str, kind: TypeAdapter[T]) -> T:
        """Return a parameter of the path, read as a type; a wrong one is a 422."""
        return parse(kind, self.params[name], ("path", name))

    def model(self, kind: type[Model]) -> Model:
        """Return the body, checked against a model; a wrong one is a 422."""
        content = self.json()
        try:
            return kind.model_validate(content)
        except ValidationError as error:
            raise validation_error(_faults(error, ("body",))) from None

    def json(self) -> Any:
        """Return the body, decoded."""
        if not self.body:
            raise validation_error([{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}])
        try:
            return json.loads(self.body)
        except UnicodeDecodeError:
            raise HttpError(400, "There was an error parsing the body") from None
        except ValueError as error:
            at = getattr(error, "pos", 0)
            message = getattr(error, "msg", str(error))
            fault = {"type": "json_invalid", "loc": ["body", at], "msg": "JSON decode error", "input": {}}
            raise validation_error([{**fault, "ctx": {"error": message}}]) from None


def parse(kind: TypeAdapter[T], value: Any, where: tuple[str, ...]) -> T:
    """Read a value as a type; a wrong one is a 422."""
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise validation_error(_faults(error, where)) from None


def _faults(error: ValidationError, where: tuple[str, ...]) -> list[dict[str, Any]]:
    faults = []
    for fault in error.errors(include_url=False):
        row: dict[str, Any] = {
            "type": fault["type"],
            "loc": [*where, *fault["loc"]],
            "msg": _as_on_the_server(fault["msg"]),
            "input": fault["input"],
        }
        if "ctx" in fault:
            row["ctx"] = {name: _as_on_the_server(str(value)) for name, value in fault["ctx"].items()}
        faults.append(row)
    return faults


BAD_LETTER = re.compile(r"invalid character: .*found `(.)` at (\d+)")


def _as_on_the_server(message: str) -> str:
    """Return a message about a malformed UUID in the words of the server's version of pydantic."""
    found = BAD_LETTER.search(message)
    if found is None or "optional prefix" in message:
        return message
    words = "invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], "
    return BAD_LETTER.sub(f"{words}found `{found[1]}` at {int(found[2]) + 1}", message)


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class _Route:
    parts: tuple[str, ...]
    template: str
    handler: Handler


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for a method and a path."""

    template: str
    handler: Handler | None
    params: dict[str, str]
    allow: str = ""


class Routes:
    """Routes by method and path; parts such as ``{run_id}`` match anything.

    Examples
    --------
    >>> routes = Routes()
    >>> @routes.on("GET", "/run/{run_id}")
    ... def get_run(call):
    ...     return answer(None)
    >>> routes.find("GET", "/run/7").params
    {'run_id': '7'}
    >>> routes.find("POST", "/run/7").allow, routes.find("GET", "/nope")
    ('GET', None)
    >>> routes.listed
    ('GET /run/{run_id}',)
    """

    def __init__(self) -> None:
        self._routes: dict[tuple[str, int], list[_Route]] = {}
        self._methods: list[str] = []

    @property
    def listed(self) -> tuple[str, ...]:
        """All routes, each as its method and its template."""
        return tuple(f"{method} {each.template}" for (method, _), routes in self._routes.items() for each in routes)

    def on(self, method: str, template: str) -> Callable[[Handler], Handler]:
        """Register a handler. A route without parameters goes before one with."""

        def register(handler: Handler) -> Handler:
            parts = tuple(template.strip("/").split("/"))
            routes = self._routes.setdefault((method, len(parts)), [])
            routes.append(_Route(parts, template, handler))
            routes.sort(key=lambda route: [part.startswith("{") for part in route.parts])
            if method not in self._methods:
                self._methods.append(method)
            return handler

        return register

    def find(self, method: str, path: str) -> Match | None:
        """Return the route of a path; without a handler if only other methods are allowed; None if there is none."""
        parts = path.strip("/").split("/")
        found = self._match(method, parts)
        if found:
            return found
        for other in self._methods:
            match = self._match(other, parts)
            if match:
                return Match(match.template, None, {}, other)
        return None

    def _match(self, method: str, parts: list[str]) -> Match | None:
        for route in self._routes.get((method, len(parts)), ()):
            params = {}
            for have, want in zip(parts, route.parts, strict=True):
                if want.startswith("{"):
                    if not have:
                        break
                    params[want[1:-1]] = have
                elif have != want:
                    break
            else:
                return Match(route.template, route.handler, params)
        return None


def query_of(raw: bytes) -> dict[str, list[str]]:
    """Return the parameters of a query."""
    return parse_qs(raw.decode("latin-1"), keep_blank_values=True) if raw else {}
