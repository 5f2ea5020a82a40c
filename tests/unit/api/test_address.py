"""Base URLs in every form in which people paste them."""

from __future__ import annotations

import pytest

from comfynb.api.address import parse_address
from comfynb.errors import ConfigurationError


@pytest.mark.parametrize(
    "url",
    [
        "https://api.comfydeploy.com",
        "https://api.comfydeploy.com/",
        "https://api.comfydeploy.com/api",
        "https://api.comfydeploy.com/api/",
        "https://api.comfydeploy.com//api//",
        "https://api.comfydeploy.com/api/v2",
        "https://api.comfydeploy.com/API",
        "https://api.comfydeploy.com:443/api",
        "https://api.comfydeploy.com/api?limit=1#top",
        "HTTPS://API.ComfyDeploy.com",
        "  https://api.comfydeploy.com\n",
        "api.comfydeploy.com",
        "api.comfydeploy.com/api",
    ],
)
def test_every_form_of_an_address_is_the_same_server(url: str) -> None:
    """With or without scheme, `/api`, slashes, the port of the scheme, and white space around."""
    address = parse_address(url)
    assert str(address) == "https://api.comfydeploy.com"
    assert address.prefixes == ("/api", "")


@pytest.mark.parametrize(
    ("url", "shown", "prefixes"),
    [
        ("http://127.0.0.1:3011", "http://127.0.0.1:3011", ("/api", "")),
        ("http://[::1]:3011/api", "http://[::1]:3011", ("/api", "")),
        ("https://host:8443/comfy/api", "https://host:8443/comfy", ("/comfy/api", "/comfy")),
        ("https://host/comfy", "https://host/comfy", ("/comfy/api", "/comfy")),
        ("https://host/a/b/api/v1/", "https://host/a/b", ("/a/b/api", "/a/b")),
        ("https://bücher.example", "https://bücher.example", ("/api", "")),
        ("https://api.comfydeploy.com.", "https://api.comfydeploy.com.", ("/api", "")),
    ],
)
def test_ports_and_sub_paths_are_kept(url: str, shown: str, prefixes: tuple[str, str]) -> None:
    """A self-hosted server may live anywhere; only `/api` and its versions are cut off the end."""
    address = parse_address(url)
    assert (str(address), address.prefixes) == (shown, prefixes)


@pytest.mark.parametrize("host", ["localhost:3011", "LOCALHOST", "127.0.0.1:80", "0.0.0.0:1", "[::1]:3011"])
def test_this_machine_needs_no_scheme_and_no_certificate(host: str) -> None:
    """Without a scheme, an address of this machine is plain http."""
    assert parse_address(host).origin.startswith("http://")


@pytest.mark.parametrize("host", ["localhost.example.com", "127.0.0.1.example.com", "127.evil.example", "my-server"])
def test_no_other_machine_is_sent_a_key_in_the_clear(host: str) -> None:
    """A host whose name only begins like this machine's is reached by https."""
    assert parse_address(host).origin.startswith("https://")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "https://",
        "https://.",
        "ftp://host",
        "file:///etc/passwd",
        "https://two words",
        "https://host:port",
        "https://host:70000",
        "https://[::1",
        "https://a..b",
        "https://host\\path",
        "https://" + "a" * 64 + ".com",
        "http://☃.example",
        "not an address",
    ],
)
def test_what_is_no_address_is_said_before_anything_is_sent(url: str) -> None:
    """The error names both ways to give an address."""
    with pytest.raises(ConfigurationError, match=r"is not the address of a server.*url=.*COMFY_DEPLOY_API_URL"):
        parse_address(url)


@pytest.mark.parametrize(
    "url", ["https://me:s3cret@host/api", "https://s3cret@host", "me:s3cret@host", "ftp://me:s3cret@host:x"]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    """Credentials belong into api_key=; what was pasted does not come back in the message."""
    with pytest.raises(ConfigurationError, match="user name or password") as caught:
        parse_address(url)
    assert "s3cret" not in str(caught.value)


def test_a_key_in_the_place_of_the_address_is_not_repeated() -> None:
    """The first argument of connect() is the address; a key given there is recognised."""
    with pytest.raises(ConfigurationError, match="looks like an API key; give a key as api_key=") as caught:
        parse_address("eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoieCJ9.c2lnbmF0dXJl")
    assert "eyJ" not in str(caught.value)
