"""Where a server is: base URLs in every form that people paste, and the prefixes to look under."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from comfynb.errors import ConfigurationError

DEFAULT_URL = "https://api.comfydeploy.com"

_LOCAL = ("localhost", "127.", "0.0.0.0", "[::1]", "host.docker.internal")  # noqa: S104 - recognised, not bound


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
        For what is no http(s) address, or holds a user name or password.

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
    if "://" not in text:
        text = ("http://" if text.startswith(_LOCAL) else "https://") + text
    try:
        parts = urlsplit(text)
        host, port, scheme = parts.hostname, parts.port, parts.scheme.lower()
    except ValueError:
        host, port, scheme = None, None, ""
    if not host or scheme not in {"http", "https"} or any(c.isspace() for c in text):
        raise ConfigurationError(
            f"{url!r} is not the address of a server; give an http or https URL such as {DEFAULT_URL} "
            "(connect(url=…) or COMFY_DEPLOY_API_URL)."
        )
    if parts.username or parts.password:
        raise ConfigurationError(
            f"The address of the server at {host} holds a user name or password; give the key as api_key= or "
            "COMFY_DEPLOY_API_KEY instead."
        )
    segments = [s for s in parts.path.split("/") if s]
    while segments and segments[-1] in {"api", "v1", "v2"}:
        segments.pop()
    name = f"[{host}]" if ":" in host else host
    default_port = {"http": 80, "https": 443}[scheme]
    netloc = name if port in (None, default_port) else f"{name}:{port}"
    return Address(f"{scheme}://{netloc}", "".join(f"/{s}" for s in segments))
