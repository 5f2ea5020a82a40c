"""The one way to the network: authentication, prefix, retries, deadlines, and hooks that see every call.

Three kinds of requests (`comfynb.api.routes.Kind`) are treated differently. Reads are tried again on connection
faults and on 429, 502, 503 and 504. Writes are sent once. Submits are sent once, on a connection of their own, and
are given a long time to answer, since the server may talk to a machine for most of a minute first; only a failure
before any byte was sent counts as "not taken".
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from comfynb.api.address import Address
from comfynb.api.answers import Answer, http_date, raise_for, retry_after, unreadable
from comfynb.api.connections import Limits, keep_out_of_logs, new_client, transport_error, whole_body
from comfynb.api.keeping import Keeper, recorder
from comfynb.api.pacing import Pacer, Slots, Turn, turn
from comfynb.api.retrying import retried
from comfynb.api.routes import WORKFLOWS, Kind, Route
from comfynb.errors import NotFoundError, OfflineError

log = logging.getLogger("comfynb")

SLOWEST_UPLOAD = 50_000
"""Bytes a second; an upload is not given up before it could be done at this pace."""
_FARTHEST_CLOCK = timedelta(days=36_525)
"""A date that is farther from this machine's is none; less would rule out a machine whose clock stands at 1970."""

no_network: ContextVar[bool] = ContextVar("comfynb_no_network", default=False)
"""Set while a read is tried from the cache alone; nothing may be sent then."""


class NeedsNetwork(Exception):
    """Something has to be asked of the server, and that is not allowed here."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a hook is told of one call, after its last try.

    Attributes
    ----------
    route : str
        Method and path template, such as ``GET /run/{run_id}``.
    status : int or None
        HTTP status; None when no answer came.
    seconds : float
        From the first try to the end of the last, waits included.
    retries : int
        How often it was tried again.
    size : int
        Bytes of the answer's body.
    waited : float
        Seconds of those that were spent between the tries, or waiting for a turn.
    """

    route: str
    status: int | None
    seconds: float
    retries: int
    size: int
    waited: float = 0.0


@dataclass(slots=True)
class _OfLoop:
    reads: Slots
    submits: Slots
    discovery: asyncio.Lock
    client: httpx.AsyncClient | None = None


class Transport:
    """Sends requests to one server with one key, from any event loop; each loop has connections of its own.

    Parameters
    ----------
    address : Address
        The server.
    api_key : pydantic.SecretStr
        The key; it is only ever put into the `Authorization` header.
    limits : Limits
        Deadlines, retries and concurrency.

    Attributes
    ----------
    hooks : list of callable
        Each is called with a `Call` after every request.
    pacer : Pacer
        Who gives turns to requests.
    keeper : Keeper or None
        Who keeps answers to reads, and may give them instead of the server.
    offline : str or None
        Why the server must not be asked at all.
    """

    def __init__(self, address: Address, api_key: SecretStr, limits: Limits | None = None) -> None:
        self.address = address
        self.limits = limits or Limits()
        self.hooks: list[Callable[[Call], None]] = []
        self.pacer = Pacer(self.limits.max_rate)
        self.keeper: Keeper | None = None
        self.offline: str | None = None
        self._key = api_key
        keep_out_of_logs(api_key.get_secret_value())
        self._prefix = address.prefixes[0]
        self._confirmed = False
        self._clock_offset: timedelta | None = None
        self._server_seen: datetime | None = None
        self._of_loops: dict[asyncio.AbstractEventLoop, _OfLoop] = {}

    def __repr__(self) -> str:
        return f"<Transport {self.address}{' (prefix ' + repr(self._prefix) + ')' if self._confirmed else ''}>"

    # -- what others may ask ------------------------------------------------------------------------------------

    @property
    def prefix(self) -> str | None:
        """The path prefix that is known to work; None before the first good answer."""
        return self._prefix if self._confirmed else None

    @property
    def tenant(self) -> str:
        """What tells server and key from others, and neither of them to anybody."""
        return hashlib.sha256(f"{self.address} {self._key.get_secret_value()}".encode()).hexdigest()[:16]

    def server_now(self) -> datetime:
        """Return the server's time as far as its answers told it, else this machine's."""
        return datetime.now(UTC) + (self._clock_offset or timedelta())

    @property
    def clock_offset(self) -> float | None:
        """Seconds by which the server's clock is ahead of this machine's; None before the first answer with a date."""
        return self._clock_offset.total_seconds() if self._clock_offset is not None else None

    @property
    def server_seen(self) -> datetime | None:
        """The server's time at its last answer; None before the first answer with a date."""
        return self._server_seen

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        here = self._here
        client, here.client = here.client, None
        if client is not None:
            await client.aclose()

    async def send(
        self,
        route: Route,
        ids: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Mapping[str, Any] | None = None,
        begins: Callable[[], None] | None = None,
    ) -> Answer:
        """Send one request and return the answer to it, whatever its status.

        Parameters
        ----------
        route : Route
            What to call.
        ids : mapping of str to str
            Values for the placeholders of the path.
        query, json, files
            As in httpx. None values of `query` are left out.
        begins : callable, optional
            Called when its turn has come, just before anything of it is sent; what it raises ends it.

        Raises
        ------
        TransportError
            When no whole answer came; `sent` tells whether the server may have seen the request.
        """
        if no_network.get():
            raise NeedsNetwork(str(route))
        path = route.path.format_map({k: quote(str(v), safe="") for k, v in (ids or {}).items()})
        arguments: dict[str, Any] = {
            "params": {k: _query_value(v) for k, v in (query or {}).items() if v is not None},
            "json": json,
            "files": files,
        }
        if route.kind is not Kind.READ:
            if not self._confirmed:
                await self.discover()
            return await self._counted(route, self._prefix + path, arguments, begins)
        keeper = recorder.get() or self.keeper
        if keeper is None:
            return await self._read(route, path, arguments)
        key = f"{path}?{httpx.QueryParams(sorted(arguments['params'].items()))}".rstrip("?")
        return await keeper.answer(key, lambda: self._read(route, path, arguments))

    async def _read(self, route: Route, path: str, arguments: dict[str, Any]) -> Answer:
        """Read from the server, under whatever prefix it has."""
        tried = self._prefix
        answer = await self._counted(route, tried + path, arguments)
        if not self._confirmed:
            if answer.no_such_route:
                await self.discover()
            elif answer.is_json and answer.status not in (401, 403) and answer.status < 500:
                self._confirm(tried)
        if self._prefix != tried and answer.no_such_route:
            answer = await self._counted(route, self._prefix + path, arguments)
        return answer

    async def fetch(self, route: Route, ids: Mapping[str, str] | None = None, **arguments: Any) -> Answer:
        """Send one request and return its answer if it is a good one.

        Raises
        ------
        ApiError, TransportError
            Otherwise.
        """
        answer = await self.send(route, ids, **arguments)
        self.check(answer, route)
        return answer

    def check(self, answer: Answer, route: Route) -> None:
        """Raise the error that an answer stands for, if it is one."""
        raise_for(
            answer,
            method=route.method,
            path=route.path,
            server=str(self.address),
            again=route.kind is not Kind.SUBMIT,
        )

    def unreadable(self, answer: Answer, route: Route, why: str) -> Exception:
        """Return the error for an answer that cannot be decoded."""
        return unreadable(answer, why, method=route.method, path=route.path, server=str(self.address))

    async def probe(self, path: str) -> tuple[Answer, float]:
        """GET a path below the server's root once, whatever prefix is in use; return the answer and its seconds."""
        begun = time.perf_counter()
        answer = await self._once(Route("GET", path, Kind.READ), self.address.root + path, {})
        return answer, time.perf_counter() - begun

    async def discover(self) -> str:
        """Find the prefix under which the server has its routes, with reads only; once per server.

        Raises
        ------
        NotFoundError
            When none of the prefixes leads to the API.
        AuthenticationError
            When every one of them refuses the key: that proves no route, since the server asks for the key first.
        """
        async with self._here.discovery:
            if self._confirmed:
                return self._prefix
            seen: list[tuple[str, Answer]] = []
            for prefix in self.address.prefixes:
                answer = await self._counted(WORKFLOWS, prefix + WORKFLOWS.path, {"params": {"limit": "1"}})
                if answer.status == 200 and answer.is_json:
                    self._confirm(prefix)
                    return prefix
                seen.append((prefix, answer))
            for prefix, answer in seen:
                if answer.is_json and not answer.no_such_route:
                    self._prefix = prefix
                    if answer.status == 401:
                        self.check(answer, WORKFLOWS)
                    return prefix
            for _, answer in seen:
                if answer.status != 404:
                    # Redirected, refused, or broken down: that is what to tell, not that there is no API.
                    self.check(answer, WORKFLOWS)
            tried = ", ".join(f"{p + WORKFLOWS.path} answered {_verdict(a)}" for p, a in seen)
            raise NotFoundError(
                f"No ComfyDeploy API was found at {self.address}: {tried}. Check url= or COMFY_DEPLOY_API_URL.",
                status=seen[0][1].status,
                method="GET",
                path=WORKFLOWS.path,
            )

    # -- how it is done -----------------------------------------------------------------------------------------

    @property
    def _here(self) -> _OfLoop:
        """What belongs to the running loop: what another one (or another process) opened is of no use here."""
        loop = asyncio.get_running_loop()
        found = self._of_loops.get(loop)
        if found is None:
            many = self.limits.max_concurrent
            found = _OfLoop(Slots(many), Slots(many), asyncio.Lock())
            self._of_loops = {known: its for known, its in self._of_loops.items() if not known.is_closed()}
            self._of_loops[loop] = found
        return found

    def _confirm(self, prefix: str) -> None:
        self._prefix, self._confirmed = prefix, True

    async def _counted(
        self, route: Route, path: str, arguments: dict[str, Any], begins: Callable[[], None] | None = None
    ) -> Answer:
        begun, tries, answer = time.perf_counter(), [0], None
        waits: list[float] = []
        try:

            async def once() -> Answer:
                tries[0] += 1
                return await self._once(route, path, arguments, waiting=waits.append, begins=begins)

            if route.kind is Kind.READ:
                answer = await retried(once, what=route, limits=self.limits, now=self.server_now, waiting=waits.append)
            else:
                answer = await once()
            return answer
        finally:
            call = Call(
                route=str(route),
                status=answer.status if answer else None,
                seconds=time.perf_counter() - begun,
                retries=max(0, tries[0] - 1),
                size=len(answer.content) if answer else 0,
                waited=sum(waits),
            )
            log.debug("%s %s in %.3f s, %d retries", call.route, call.status, call.seconds, call.retries)
            for hook in self.hooks:
                try:
                    hook(call)
                except Exception:
                    # Whoever counts calls must not cost the answer: that of a submit is the id of a paid run.
                    log.exception("a hook failed on %s", call.route)

    async def _once(
        self,
        route: Route,
        path: str,
        arguments: dict[str, Any],
        *,
        waiting: Callable[[float], None] = lambda _: None,
        begins: Callable[[], None] | None = None,
    ) -> Answer:
        if self.offline is not None:
            raise OfflineError(f"{self.offline} {route} was not sent.", sent=False)
        submit = route.kind is Kind.SUBMIT
        # A submit's connection may be silent for `submit_timeout`, and a large file takes long to send; the rest gets
        # what a read gets.
        seconds = self.limits.timeout + (self.limits.submit_timeout if submit else 0.0)
        files = arguments.get("files")
        if files:
            # What the connection has taken need not have arrived, so a silence of that length is no fault.
            seconds += _size(files) / SLOWEST_UPLOAD
            arguments = {**arguments, "timeout": httpx.Timeout(seconds, connect=self.limits.connect)}
        slots = self._here.submits if submit else self._here.reads
        waiting(await self.pacer.take(Turn.SUBMIT if submit else turn.get(), slots))
        try:
            if begins is not None:
                begins()
            holder: Any = (
                new_client(self.address, self.limits, self.limits.submit_timeout)
                if submit
                else nullcontext(self._shared_client())
            )
            async with holder as client:
                request = client.build_request(
                    route.method,
                    self.address.origin + path,
                    headers={"Authorization": f"Bearer {self._key.get_secret_value()}"},
                    **arguments,
                )
                try:
                    async with asyncio.timeout(seconds):
                        return await self._exchange(client, request)
                except TimeoutError as error:
                    raise transport_error(error, self.address, route, seconds) from error
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    cause = self._fault_without_key(error)
                    raise transport_error(cause, self.address, route) from cause
        finally:
            self.pacer.give_back(slots)

    async def _exchange(self, client: httpx.AsyncClient, request: httpx.Request) -> Answer:
        # Redirects are not followed: no key goes to another host, and no submit is sent twice.
        response = await client.send(request, stream=True)
        async with aclosing(response):
            content = await whole_body(response, self.limits.largest_answer)
            headers = httpx.Headers([(name, self._without_key(value)) for name, value in response.headers.raw])
            answer = Answer(
                response.status_code,
                self._without_key(content or b""),
                headers.get("content-type", "").lower(),
                headers,
                self.limits.largest_answer if content is None else None,
            )
            if answer.drops_connection and (stream := response.extensions.get("network_stream")) is not None:
                await stream.aclose()
        self.pacer.answered(answer.status, retry_after(answer, self.server_now()))
        when, here = http_date(response.headers.get("date", "")), datetime.now(UTC)
        if when is not None and abs(when - here) <= _FARTHEST_CLOCK:
            self._server_seen, self._clock_offset = when, when - here
        return answer

    def _without_key(self, content: bytes) -> bytes:
        """Blank the key where a server or a proxy echoes it, so that no error and no table can show it."""
        key = self._key.get_secret_value().encode()
        return content.replace(key, b"***") if len(key) >= 8 and key in content else content

    def _fault_without_key(self, error: Exception) -> Exception:
        """Do the same for a fault, since one of the protocol quotes what came."""
        key, said = self._key.get_secret_value(), str(error)
        return type(error)(said.replace(key, "***")) if len(key) >= 8 and key in said else error

    def _shared_client(self) -> httpx.AsyncClient:
        here = self._here
        if here.client is None:
            here.client = new_client(self.address, self.limits, self.limits.timeout)
        return here.client


def _size(files: Mapping[str, Any] | None) -> int:
    total = 0
    for _, content, *_ in (files or {}).values():
        if isinstance(content, bytes):
            total += len(content)
        else:
            total += content.seek(0, io.SEEK_END)
            content.seek(0)
    return total


def _query_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _verdict(answer: Answer) -> str:
    if answer.status < 300:
        return f"{answer.status} with {'data of another shape' if answer.is_json else 'no data'}"
    return str(answer.status)
