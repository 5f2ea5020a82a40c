"""The last part of the receiver's address: it says until when it is good, and proves that we made it.

A self-hosted server signs nothing that it posts, so the address is what has to be known. It is the same for all runs.
"""

from __future__ import annotations

import hmac
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final

from comfynb.errors import ConfigurationError

__all__ = ["LIFETIME", "PATH", "Tokens", "check_secret"]

LIFETIME: Final = 7 * 86400.0
"""Seconds for which an address is good. A run may last a day."""
PATH: Final = "/hooks/"
_SHORTEST: Final = 16
_EXPIRY: Final = re.compile(r"[1-9][0-9]{0,11}")
_PURPOSE: Final = b"comfynb webhook until "


class Tokens:
    """Makes tokens and knows its own again.

    Parameters
    ----------
    secret : bytes
        Whoever has it can make tokens.
    lifetime : float
        Seconds for which a token is good.
    now : callable
        Seconds since 1970; a test may give its own.

    Examples
    --------
    >>> tokens = Tokens(b"0123456789abcdef", 60.0, lambda: 1000.0)
    >>> tokens.current().partition(".")[0]
    '1060'
    >>> tokens.valid(tokens.current()), tokens.valid("1060.forged")
    (True, False)
    """

    def __init__(self, secret: bytes, lifetime: float = LIFETIME, now: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._lifetime = lifetime
        self._now = now
        self._current, self._expires = "", 0.0

    def current(self) -> str:
        """Return a token that is good for at least half of the lifetime; those before stay good until they expire."""
        now = self._now()
        if self._expires - now < self._lifetime / 2 or self._expires - now > self._lifetime + 1:
            expiry = str(max(1, int(now + self._lifetime)))
            self._current, self._expires = f"{expiry}.{self._mark(expiry)}", float(expiry)
        return self._current

    def valid(self, token: str) -> bool:
        """Whether it is one of ours, as it was made, and good now."""
        expiry, _, mark = token.partition(".")
        if not _EXPIRY.fullmatch(expiry):
            return False
        ours = hmac.compare_digest(self._mark(expiry).encode(), mark.encode("utf-8", "replace"))
        return ours and self._now() < int(expiry)

    def _mark(self, expiry: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._secret, _PURPOSE + expiry.encode(), "sha256")).decode().rstrip("=")


def check_secret(secret: str | bytes) -> bytes:
    """Return a secret that nobody guesses.

    Raises
    ------
    ConfigurationError
        If it is shorter than 16 bytes.
    """
    if not isinstance(secret, str | bytes):
        raise ConfigurationError("secret= has to be text or bytes; secrets.token_bytes(32) makes some.")
    found = secret.encode() if isinstance(secret, str) else secret
    if len(found) < _SHORTEST:
        raise ConfigurationError(
            f"secret= has to have {_SHORTEST} bytes at least; secrets.token_bytes(32) makes one that nobody guesses."
        )
    return found
