"""From settings to a client of a server, without a request."""

from __future__ import annotations

from comfynb.api.address import parse_address
from comfynb.api.client import ComfyDeployClient
from comfynb.api.connections import Limits
from comfynb.api.transport import Transport
from comfynb.settings import Settings, check_key, no_key, read_settings


def open_client(
    url: str | None = None,
    api_key: str | None = None,
    *,
    limits: Limits | None = None,
    settings: Settings | None = None,
) -> ComfyDeployClient:
    """Return a client for a server.

    Parameters
    ----------
    url, api_key : str, optional
        The server and the key; from the environment or `.env` without them.
    limits : Limits, optional
        Deadlines, retries and concurrency.
    settings : Settings, optional
        What was read of the environment already.

    Raises
    ------
    ConfigurationError
        If there is no key, or what is given cannot work.
    """
    settings = settings or read_settings()
    if api_key is None:
        if settings.api_key is None or not settings.api_key.get_secret_value().strip():
            raise no_key()
        api_key = settings.api_key.get_secret_value()
    address = parse_address(url if url is not None else settings.api_url)
    return ComfyDeployClient(Transport(address, check_key(api_key), limits))
