"""Connections: how clients are made, how files are fetched, and what their faults are called."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache

import httpx

from comfynb.api.address import Address
from comfynb.api.answers import shorten
from comfynb.api.reachable import refuse_private
from comfynb.api.routes import Kind, Route
from comfynb.errors import ApiError, TransportError
from comfynb.rules.sizes import size_words

SLOWEST_DOWNLOAD = 20_000
"""Bytes a second; a file that comes more slowly, after the time that any answer may take, is given up."""

_RIGHT = "whether url= or COMFY_DEPLOY_API_URL is right"
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_FINAL = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects, UnicodeError)
"""Of an address, not of a connection: the same ones come again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how often and how much at once.

    Attributes
    ----------
    timeout : float
        Seconds for one try of a read or a write, from the first byte sent to the last one read.
    submit_timeout : float
        Seconds without a byte of the answer to a submit.
    retries : int
        How often a read is tried again.
    budget : float
        Seconds for all tries of a read and the waits between them.
    max_concurrent : int
        Requests under way at once.
    largest_answer : int
        Bytes of an answer of the API, unpacked; more of one are not taken.
    largest_file : int
        Bytes of a file that is saved; more of one are not taken.
    largest_read : int
        Bytes of a file that is read into memory.
    max_rate : float or None
        Requests a second; None for no limit of ours.
    """

    timeout: float = 60.0
    submit_timeout: float = 90.0
    retries: int = 4
    budget: float = 120.0
    max_concurrent: int = 8
    largest_answer: int = 100_000_000
    largest_file: int = 8 << 30
    largest_read: int = 512 << 20
    first_wait: float = 0.5
    longest_wait: float = 20.0
    max_rate: float | None = None

    @property
    def connect(self) -> float:
        """Seconds for a connection to be taken."""
        return min(10.0, self.timeout)


@cache
def _certificates() -> ssl.SSLContext:
    # Loading them takes 20 ms, and a submit has a client of its own.
    return httpx.create_ssl_context()


class _KeysBlanked(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self.keys: frozenset[str] = frozenset()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for key in self.keys:
            if key in text:
                text = text.replace(key, "***")
                record.msg, record.args = text, ()
        return True


_blanked = _KeysBlanked()


def keep_out_of_logs(key: str) -> None:
    """See to it that no log of the HTTP client shows a key.

    It logs no header of a request, but at DEBUG those of an answer, and a server or a proxy may echo a key there.
    """
    if len(key) >= 8:
        _blanked.keys |= {key}
        for name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.connection"):
            logging.getLogger(name).addFilter(_blanked)


def new_client(address: Address, limits: Limits, read_timeout: float) -> httpx.AsyncClient:
    """Return a client for a server. Redirects are not followed unless a request says so."""
    host = httpx.URL(address.origin).host
    local = host in ("localhost", "::1") or host.startswith("127.")
    return httpx.AsyncClient(
        verify=_certificates(),
        trust_env=not local,  # a proxy for the world must not be asked for this machine
        # Large files are sent in many writes, which the deadline of the whole request ends.
        timeout=httpx.Timeout(read_timeout, connect=limits.connect, write=None, pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=limits.max_concurrent),
        headers={"User-Agent": "comfynb", "Accept": "application/json"},
    )


def file_client(address: Address, limits: Limits) -> httpx.AsyncClient:
    """Return a client for files that runs made, which may be stored anywhere on the internet; it has no key."""
    server = httpx.URL(address.origin).host

    async def check(request: httpx.Request) -> None:
        # Of every request, and so of every redirect.
        if not _can_be_reached(request.url):
            raise httpx.UnsupportedProtocol("It leads to no web address.")
        await refuse_private(request.url.host, server, "An output")

    client = new_client(address, limits, limits.timeout)
    client.headers["Accept"] = "*/*"
    client.event_hooks = {"request": [check]}
    return client


async def stream_file(
    http: httpx.AsyncClient, address: Address, limits: Limits, url: str, what: str, most: int
) -> AsyncGenerator[tuple[bytes, int, int], None]:
    """Yield the bytes of a file that a run made, from wherever it is stored. The key is not sent along.

    Parameters
    ----------
    http : httpx.AsyncClient
        What `file_client` returned.
    address : Address
        The server, for a URL without a host.
    limits : Limits
        Deadlines.
    url : str
        As the server gave it.
    what : str
        What it is, for messages.
    most : int
        Bytes; a file that has more is not taken.

    Yields
    ------
    tuple of (bytes, int, int)
        A piece; how many bytes have come with it; and how many there are, 0 if that is not known.

    Raises
    ------
    ApiError
        If it is refused; links of private outputs expire, and the run has to be read again for new ones.
    TransportError
        If it breaks off, trickles, is too large, or is said to be in a private network by a public server.
    """
    target = _target(address, url)
    if target is None:
        raise TransportError(f"{what} has no web address ({shorten(url, 80)!r}).", sent=False, again=False)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(limits.timeout):
            response = await http.send(http.build_request("GET", target), stream=True, follow_redirects=True)
        async with aclosing(response):
            if response.status_code != 200:
                raise _refused(response.status_code, target, what)
            size = int(length) if (length := response.headers.get("content-length", "")).isdecimal() else 0
            if size > most:
                raise _too_large(what, target.host, most)
            chunks, taken = response.aiter_bytes(), 0
            while True:
                come = response.num_bytes_downloaded
                # However evenly it trickles, it has to come at a pace; a deadline of its own for each piece, since
                # one around them all would strike whoever they are yielded to.
                left = begun + limits.timeout + come / SLOWEST_DOWNLOAD - time.monotonic()
                async with asyncio.timeout(max(0.0, left)):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    if _is_cut_inside(response):
                        raise httpx.DecodingError("It ends before what is packed in it does.")
                    return
                taken += len(chunk)  # unpacked, which can be a thousand times what comes
                if taken > most:
                    raise _too_large(what, target.host, most)
                yield chunk, response.num_bytes_downloaded, size
    except TimeoutError:
        raise TransportError(f"{what} came too slowly from {target.host}, and was given up.", again=False) from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise TransportError(
            f"{what} broke off while it was fetched from {target.host} ({type(error).__name__}).",
            again=not isinstance(error, _FINAL),
        ) from error


def _target(address: Address, url: str) -> httpx.URL | None:
    """Return where a file is; None if that is no web address."""
    try:
        target = httpx.URL(address.origin).join(url)
        return target if target.scheme in ("http", "https") and _can_be_reached(target) else None
    except (httpx.InvalidURL, ValueError):
        return None


def _can_be_reached(url: httpx.URL) -> bool:
    """Whether there can be such a host and port; a socket breaks down over others in ways of its own."""
    try:
        return bool(url.host) and (url.port is None or 0 < url.port < 65536)
    except UnicodeError:  # of an international name that is none
        return False


def _refused(status: int, target: httpx.URL, what: str) -> ApiError:
    if status < 300:
        hint = "that is no whole file. Try again later."
    elif status == 429 or status >= 500:
        hint = "try again later."
    else:
        hint = "its link may have expired: read the run again with run.refresh()."
    return ApiError(
        f"{what} could not be fetched from {target.host} ({status}); {hint}",
        status=status,
        method="GET",
        path=target.path,
    )


def _is_cut_inside(response: httpx.Response) -> bool:
    """Whether a body that was packed with gzip or deflate ended before what is packed in it, or goes on after it.

    httpx does not tell. What it unpacks with does, in an attribute that may be gone in another version of it.
    """
    decoder = getattr(response, "_decoder", None)
    inner = getattr(decoder, "decompressor", None)
    whole = getattr(inner, "eof", True) and not getattr(inner, "unused_data", b"").strip(b"\0")
    return response.num_bytes_downloaded > 0 and not whole


def _too_large(what: str, host: str, most: int) -> TransportError:
    return TransportError(f"{what} from {host} has more than {size_words(most)}, so it was not taken.", again=False)


async def whole_body(response: httpx.Response, most: int) -> bytes | None:
    """Return the body of an answer, unpacked; None if it has more than that, which is not waited for."""
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        return None
    parts, taken = [], 0
    async for part in response.aiter_bytes():
        taken += len(part)
        if taken > most:
            return None
        parts.append(part)
    return b"".join(parts)


def transport_error(error: Exception, address: Address, route: Route, within: float = 0.0) -> TransportError:
    """Return our error for a fault of a connection, in words; `within` are the seconds that it had in all."""
    sent = not isinstance(error, _NOT_SENT)
    said = f"{address} gave no answer to {route}"
    # The words of httpx may quote an address, never a header; the key travels in a header only.
    if isinstance(error, TimeoutError):
        said = f"No whole answer from {address} to {route} within {within:g} s"
    elif isinstance(error, httpx.ConnectTimeout):
        said += ": it did not take the connection in time"
    elif isinstance(error, httpx.TimeoutException):
        said += ": it did not answer in time"
    elif isinstance(error, httpx.ConnectError):
        said += f": {_connect_problem(error)}"
    elif isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        said += ": the connection broke before the answer was complete"
    else:
        said += f": {str(error) or type(error).__name__}"
    perhaps = " The server may have done it all the same." if sent and route.kind is Kind.WRITE else ""
    return TransportError(f"{said}.{perhaps}", sent=sent)


def _connect_problem(error: httpx.ConnectError) -> str:
    text = str(error).lower()
    if "refused" in text or "all connection attempts failed" in text:
        return f"nothing answers there (connection refused); see whether it is up, and {_RIGHT}"
    if "name or service not known" in text or "nodename" in text or "temporary failure in name" in text:
        return f"there is no host of that name; see whether this machine is online, and {_RIGHT}"
    if "certificate" in text:
        return f"its certificate is not trusted ({error})"
    return str(error) or "the connection failed"
