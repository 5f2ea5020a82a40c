"""Which hosts files may be fetched from: a public server's answers must not lead into the network that this runs in."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from comfynb.errors import TransportError

__all__ = ["is_private", "refuse_private"]


async def is_private(host: str) -> bool:
    """Whether a host is in a network that is not the internet: this machine, a local network, a cloud's inner services.

    A name is private if any of its addresses is. One that cannot be looked up is not: a proxy may know it.

    Parameters
    ----------
    host : str
        A name, or an address without brackets.
    """
    try:
        return _is_inner(host)
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return host.lower().rstrip(".").rpartition(".")[2] in ("localhost", "internal", "local")
    return any(_is_inner(str(address[4][0]).partition("%")[0]) for address in found)


async def refuse_private(host: str, server: str, what: str) -> None:
    """Raise an error if a file of a public server is said to be in a private network.

    Parameters
    ----------
    host : str
        Where the file is said to be.
    server : str
        The host of the server that says so. What it serves itself is fetched.
    what : str
        What it is, for the message.

    Raises
    ------
    TransportError
        If it is not fetched.
    """
    if host == server or not await is_private(host) or await is_private(server):
        return
    raise TransportError(
        f"{what} was not fetched: its address leads to {host}, which is in a private network, and the server {server} "
        "is not.",
        sent=False,
        again=False,
    )


def _is_inner(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None) or found
    return not mapped.is_global or mapped.is_multicast
