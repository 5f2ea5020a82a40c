"""The faults of the matrix, and a proxy that meets requests with them: real sockets on loopback, byte by byte."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from faults import Served, json_answer, read_message, text_answer

HUGE: Final = 200_000_000
"""Bytes of the largest answer."""
BLANKS: Final = b" " * 1_000_000
DRIP: Final = 0.05
"""Seconds before each byte of an answer that drips."""
GATEWAY: Final = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Struck:
    """A request that meets a fault."""

    request: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    passes: Callable[[bytes, float, int], Awaitable[bytes]]

    async def forward(self, request: bytes, pause: float = 0.0, blanks: int = 0) -> bytes:
        """Hand a request on, with a pause after each byte, and with blanks behind it; return the answer."""
        return await self.passes(request, pause, blanks)

    async def send(self, data: bytes) -> None:
        """Send bytes to whoever asked."""
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until whoever asked has given up."""
        with suppress(OSError):
            await self.reader.read(1)

    def reset(self) -> None:
        """Reset the connection, as a crash or a firewall does; what was not taken yet is lost."""
        peer = self.writer.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Strike = Callable[[Struck], Awaitable[bool]]
"""Meets a request; returns whether the connection is good afterwards."""


async def lost(struck: Struck) -> bool:
    """Drop the connection when the request has come, before the server hears of it."""
    struck.reset()
    return False


async def reset_before(struck: Struck) -> bool:
    """Let the server do it, and drop its answer."""
    await struck.forward(struck.request)
    struck.reset()
    return False


async def reset_middle(struck: Struck) -> bool:
    """Let the server do it, and cut its answer."""
    reply = await struck.forward(struck.request)
    await struck.send(reply[: len(reply) - 1 - (len(reply) - reply.find(b"\r\n\r\n")) // 2])
    await asyncio.sleep(0.02)
    struck.reset()
    return False


async def reset_after(struck: Struck) -> bool:
    """Let the answer through, and drop the connection that was to be kept."""
    await struck.send(await struck.forward(struck.request))
    await asyncio.sleep(0.02)
    struck.reset()
    return False


async def silent(struck: Struck) -> bool:
    """Let the server do it, and never answer."""
    await struck.forward(struck.request)
    await struck.gone()
    return False


async def drip(struck: Struck) -> bool:
    """Let the server do it, and answer a byte at a time."""
    for byte in await struck.forward(struck.request):
        await struck.send(bytes((byte,)))
        await asyncio.sleep(DRIP)
    return False


def answering(reply: bytes, *, done: bool = False, drops: bool = False) -> Strike:
    """Return what answers so, with or without the server having done it."""

    async def strike(struck: Struck) -> bool:
        if done:
            await struck.forward(struck.request)
        await struck.send(reply)
        return not drops

    return strike


def changing(change: Callable[[bytes, bytes], bytes]) -> Strike:
    """Return what changes the answer, given its head and its body."""

    async def strike(struck: Struck) -> bool:
        head, _, body = (await struck.forward(struck.request)).partition(b"\r\n\r\n")
        await struck.send(change(head, body))
        return True

    return strike


def truncated(head: bytes, body: bytes) -> bytes:
    """Return half of a message, whose length says that it is all."""
    half = body[: len(body) // 2]
    return re.sub(rb"(?i)content-length: *\d+", b"content-length: %d" % len(half), head) + b"\r\n\r\n" + half


def as_web_page(head: bytes, body: bytes) -> bytes:
    """Return the same content, called HTML."""
    return re.sub(rb"(?i)content-type: *[^\r\n]+", b"content-type: text/html", head) + b"\r\n\r\n" + body


def an_hour_ahead(head: bytes, body: bytes) -> bytes:
    """Return an answer of a server whose clock is wrong."""
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True).encode()
    return re.sub(rb"(?i)date: *[^\r\n]+", b"date: " + date, head) + b"\r\n\r\n" + body


async def huge(struck: Struck) -> bool:
    """Let the server do it, and answer with 200 MB, whose length is not said before."""
    await struck.forward(struck.request)
    await struck.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(HUGE // len(BLANKS)):
        await struck.send(b"%x\r\n%b\r\n" % (len(BLANKS), BLANKS))
    await struck.send(b"0\r\n\r\n")
    return True


LIMITED = {"detail": "Too Many Requests"}
STRIKES: Final[dict[str, Strike]] = {
    "lost on the way": lost,
    "reset before the answer": reset_before,
    "reset in the middle of the answer": reset_middle,
    "reset after the answer": reset_after,
    "read timeout": silent,
    "slow drip": drip,
    "429 with Retry-After": answering(json_answer(LIMITED, 429, retry_after="1")),
    "429 without Retry-After": answering(json_answer(LIMITED, 429)),
    "500 as text": answering(text_answer("Internal Server Error"), done=True, drops=True),
    "500 as JSON": answering(json_answer({"detail": "Internal server error"}, 500)),
    "502 as HTML": answering(text_answer(GATEWAY, 502, "text/html"), done=True),
    "truncated JSON": changing(truncated),
    "wrong content type": changing(as_web_page),
    "an answer of 200 MB": huge,
    "expired key": answering(json_answer({"detail": "Invalid or expired token"}, 401)),
    "clock an hour off": changing(an_hour_ahead),
}
"""What meets a request on its way."""


# What meets a post to the receiver instead: there it is what is posted that is cut, mislabelled or too large.


def posting(change: Callable[[bytes, bytes], bytes]) -> Strike:
    """Return what changes a request, given its head and its body."""

    async def strike(struck: Struck) -> bool:
        head, _, body = struck.request.partition(b"\r\n\r\n")
        await struck.send(await struck.forward(change(head, body)))
        return False

    return strike


def as_text(head: bytes, body: bytes) -> bytes:
    """Return the same content, called a text."""
    return re.sub(rb"(?i)content-type: *[^\r\n]+", b"content-type: text/plain", head) + b"\r\n\r\n" + body


async def enlarged_post(struck: Struck) -> bool:
    """Hand on an event with so much white space behind it that it has 200 MB."""
    request = re.sub(rb"(?i)content-length: *\d+", b"content-length: %d" % HUGE, struck.request)
    await struck.send(await struck.forward(request, blanks=HUGE - len(request.partition(b"\r\n\r\n")[2])))
    return False


async def dripped_post(struck: Struck) -> bool:
    """Hand the request on a byte at a time."""
    await struck.forward(struck.request, DRIP)
    return False


POSTED: Final[dict[str, Strike]] = {
    **STRIKES,
    "slow drip": dripped_post,
    "truncated JSON": posting(truncated),
    "wrong content type": posting(as_text),
    "an answer of 200 MB": enlarged_post,
}


class FaultyProxy(Served):
    """Passes requests on to a server, but for those that meet a fault.

    Parameters
    ----------
    url : str
        The server.

    Attributes
    ----------
    strike : callable or None
        What meets requests; None lets them through.
    on : bytes
        The requests that it meets are those that begin so.
    left : int
        How many it still meets.
    struck : int
        How many it met.
    shown : bytes
        Host and port that stand in answers instead of the server's own.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._target = urlsplit(url)
        self.strike: Strike | None = None
        self.on = b""
        self.left = 0
        self.struck = 0
        self.shown = b""
        self._open: set[asyncio.StreamWriter] = set()

    def begin(self, strike: Strike, on: bytes, times: int) -> None:
        """Let a fault meet requests from now on."""
        self.on, self.left, self.struck, self.strike = on, times, 0, strike

    def end(self) -> None:
        """Let all requests through."""
        self.strike = None

    def hang_up(self) -> None:
        """Close the connections that are open, and give their other ends the time to see it."""
        for writer in list(self._open):
            self._loop.call_soon_threadsafe(writer.transport.abort)
        time.sleep(0.05)

    def refuse(self) -> None:
        """Refuse connections from now on, and close those that are open."""
        super().refuse()
        self.hang_up()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self._open.add(writer)
        try:
            await self._serve(reader, writer)
        finally:
            self._open.discard(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = b"".join(await read_message(reader))
            if self.strike is not None and self.left > 0 and request.startswith(self.on):
                self.left -= 1
                self.struck += 1
                if not await self.strike(Struck(request, reader, writer, self._pass)):
                    return
            else:
                writer.write(await self._pass(request))
                await writer.drain()

    async def _pass(self, request: bytes, pause: float = 0.0, blanks: int = 0) -> bytes:
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        try:
            with suppress(OSError):  # it may answer before it has all
                for byte in request if pause else ():
                    back.write(bytes((byte,)))
                    await back.drain()
                    await asyncio.sleep(pause)
                back.write(b"" if pause else request)
                await back.drain()
                for _ in range(0, blanks, len(BLANKS)):
                    back.write(BLANKS)
                    await back.drain()
            head, body = await read_message(there)
            if not self.shown:
                return head + body
            ours = body.replace(self._target.netloc.encode(), self.shown)
            return head.replace(b"content-length: %d" % len(body), b"content-length: %d" % len(ours)) + ours
        finally:
            back.transport.abort()
