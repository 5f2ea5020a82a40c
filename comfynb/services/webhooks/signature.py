"""A signature that a hosted service may put into a header.

The server whose source is open signs nothing, and no description of the hosted one says how it would. What is
understood here is what most services do: an HMAC-SHA256 of the body in hexadecimal digits, with or without ``sha256=``
before it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

__all__ = ["HEADERS", "signed", "well_signed"]

HEADERS: Final = frozenset({b"x-webhook-signature", b"x-hub-signature-256"})
_PREFIX: Final = b"sha256="


def signed(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the signature of a request; None if it has none."""
    return next((value for name, value in headers if name in HEADERS), None)


def well_signed(secret: bytes, body: bytes, signature: bytes) -> bool:
    """Whether a body has the signature that it should have.

    Examples
    --------
    >>> well_signed(b"key", b"body", b"sha256=" + hmac.digest(b"key", b"body", "sha256").hex().encode())
    True
    >>> well_signed(b"key", b"body", b"sha256=00")
    False
    """
    given = signature.strip().removeprefix(_PREFIX).lower()
    return hmac.compare_digest(hmac.digest(secret, body, "sha256").hex().encode(), given)
