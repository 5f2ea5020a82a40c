"""Which hosts files may be fetched from: a public server's answers must not lead into the network that this runs in."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final

from comfynb.errors import TransportError

__all__ = ["is_private", "refuse_private"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_WITH_IPV4: Final = tuple(map(ipaddress.ip_network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""Addresses with one of IPv4 at their end: compatible, mapped and translated ones, and those of NAT64."""
_INNER: Final = tuple(
    map(ipaddress.ip_network, ("64:ff9b:1::/48", "fec0::/10", "5f00::/16", "192.0.0.0/24", "168.63.129.16/32"))
)
"""What `ipaddress` does not know to be inner in each version: a network's own NAT64, site-local addresses, segments of
routes, the protocols' own block, and the inner service of a cloud that has a public address."""


async def is_private(host: str) -> bool:
    """Whether a host is in a network that is not the internet: this machine, a local network, a cloud's inner services.

    A name is private if any of its addresses is. One that cannot be looked up is not: a proxy may know it.

    Parameters
    ----------
    host : str
        A name, or an address without brackets.
    """
    try:
        return _is_inner(host.removesuffix("."))
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
    found = _meant(ipaddress.ip_address(address))
    return not found.is_global or found.is_multicast or any(found in network for network in _INNER)


def _meant(found: _Address) -> _Address:
    """Return the IPv4 address that one of IPv6 stands for, since a gateway or the system goes there; else itself."""
    if isinstance(found, ipaddress.IPv6Address):
        if found.sixtofour is not None:
            return found.sixtofour
        if any(found in network for network in _WITH_IPV4):
            return ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
    return found
