"""Where a server is: base URLs in every form that people paste, and the prefixes to look under."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from comfynb.errors import ConfigurationError

DEFAULT_URL = "https://api.comfydeploy.com"

# Only of these hosts is it likely that they have no certificate; a key must not go to another one without.
_LOCAL = re.compile(r"(localhost|127(\.\d+){3}|0\.0\.0\.0|\[::1\]|host\.docker\.internal)(?=[:/]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address, without any prefix of the API.

    Attributes
    ----------
    origin : str
        Scheme, host and port, such as ``https://api.comfydeploy.com``.
    root : str
        Path below which the server lives, without ``/api``; empty, or starting with a slash.
    """

    origin: str
    root: str = ""

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Paths below which the routes may be, the likely one first."""
        return (f"{self.root}/api", self.root)

    @property
    def exposed(self) -> bool:
        """Whether what is sent there can be read on its way: it goes to another machine, without TLS."""
        scheme, _, host = self.origin.partition("://")
        return scheme == "http" and not _LOCAL.match(host)

    def __str__(self) -> str:
        return f"{self.origin}{self.root}"


def parse_address(url: str) -> Address:
    """Read a base URL as people paste it.

    Parameters
    ----------
    url : str
        With or without scheme, ``/api``, ``/api/v2``, trailing slashes, a port, a sub-path.

    Raises
    ------
    ConfigurationError
        For what is no http(s) address, holds a user name or password, or looks like a key.

    Examples
    --------
    >>> str(parse_address("https://api.comfydeploy.com/api/"))
    'https://api.comfydeploy.com'
    >>> parse_address("localhost:3011").prefixes
    ('/api', '')
    >>> parse_address("https://host:8443/comfy/api").prefixes
    ('/comfy/api', '/comfy')
    """
    text = url.strip()
    if text.startswith("eyJ") and text.count(".") == 2 and "/" not in text:
        # The first argument of connect() is the address; a key there would stand in every message.
        raise ConfigurationError("The address of the server looks like an API key; give a key as api_key=.")
    if "://" not in text:
        text = ("http://" if _LOCAL.match(text) else "https://") + text
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise ConfigurationError(
            "The address of the server holds a user name or password; give the key as api_key= or "
            "COMFY_DEPLOY_API_KEY instead."
        )
    try:
        parts = urlsplit(text)
        host, port, scheme = parts.hostname or "", parts.port, parts.scheme.lower()
        name = f"[{host}]" if ":" in host else host
        netloc = name if port in (None, {"http": 80, "https": 443}.get(scheme)) else f"{name}:{port}"
        labels = host.removesuffix(".").split(".")
        good = bool(httpx.URL(f"{scheme}://{netloc}").host) and all(0 < len(label) < 64 for label in labels)
    except (ValueError, httpx.InvalidURL):
        good = False
    if not good or scheme not in {"http", "https"} or any(c.isspace() or c == "\\" for c in text):
        raise ConfigurationError(
            f"{url!r} is not the address of a server; give an http or https URL such as {DEFAULT_URL} "
            "(connect(url=…) or COMFY_DEPLOY_API_URL)."
        )
    segments = [s for s in parts.path.split("/") if s]
    while segments and segments[-1].lower() in {"api", "v1", "v2"}:
        segments.pop()
    return Address(f"{scheme}://{netloc}", "".join(f"/{s}" for s in segments))
