"""Which hosts are in a private network."""

from __future__ import annotations

import asyncio

import pytest

from comfynb.api.reachable import is_private, refuse_private
from comfynb.errors import TransportError

INNER = """127.0.0.1 10.1.2.3 192.168.0.1 172.16.0.1 169.254.169.254 100.64.0.1 0.0.0.0 ::1 fe80::1 fd00::1
::ffff:10.0.0.1 224.0.0.1 localhost db.localhost metadata.google.internal nas.local 127.0.0.1. fec0::1 192.0.0.192
168.63.129.16 ::ffff:168.63.129.16 64:ff9b::a00:1 64:ff9b:1::a00:1 64:ff9b:1::808:808 2002:a00:1::1 ::127.0.0.1
::ffff:0:10.0.0.1"""
OUTER = "8.8.8.8 2606:4700:4700::1111 93.184.216.34 64:ff9b::808:808 2002:808:808::1 nobody.example"


@pytest.mark.parametrize("host", INNER.split())
def test_what_is_not_the_internet_is_private(host: str) -> None:
    """By its address, by one of IPv4 within one of IPv6, or by its name where that cannot be looked up."""
    assert asyncio.run(is_private(host))


@pytest.mark.parametrize("host", OUTER.split())
def test_the_rest_is_not(host: str) -> None:
    """Also a name that cannot be looked up: a proxy may know it."""
    assert not asyncio.run(is_private(host))


def test_a_server_in_the_own_network_may_have_its_files_there() -> None:
    """As self-hosted ones do; and any server serves its own files."""
    asyncio.run(refuse_private("10.0.0.2", "127.0.0.1", "It"))
    asyncio.run(refuse_private("10.0.0.2", "10.0.0.2", "It"))
    asyncio.run(refuse_private("8.8.8.8", "93.184.216.34", "It"))
    with pytest.raises(TransportError, match=r"It was not fetched: its address leads to 10\.0\.0\.2"):
        asyncio.run(refuse_private("10.0.0.2", "93.184.216.34", "It"))
