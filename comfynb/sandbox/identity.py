"""Ids, keys and other things that look random and follow from the seed."""

from __future__ import annotations

import base64
import hashlib
import json
import string
import uuid
from collections import Counter

__all__ = ["Identity"]

LETTERS = string.ascii_letters + string.digits


class Identity:
    """Hands out ids: the same seed and the same order of asking give the same ids.

    Parameters
    ----------
    seed : int
        The seed of the sandbox.

    Examples
    --------
    >>> Identity(7).uuid("run") == Identity(7).uuid("run")
    True
    >>> ids = Identity(7)
    >>> ids.uuid("run") == ids.uuid("run")
    False
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._given: Counter[str] = Counter()

    def digest(self, *parts: object) -> bytes:
        """32 bytes that follow from the seed and the parts."""
        text = "\x1f".join(str(part) for part in (self.seed, *parts))
        return hashlib.sha256(text.encode()).digest()

    def number(self, *parts: object) -> int:
        """Return a whole number of 64 bits that follows from the seed and the parts."""
        return int.from_bytes(self.digest(*parts)[:8], "big")

    def fraction(self, *parts: object) -> float:
        """Return a number from 0 up to 1 that follows from the seed and the parts."""
        return self.number(*parts) / 2**64

    def uuid(self, kind: str) -> str:
        """Return the next UUID of a kind of thing."""
        self._given[kind] += 1
        return self.uuid_of(kind, self._given[kind])

    def uuid_of(self, *parts: object) -> str:
        """Return the UUID that belongs to these parts, whenever it is asked for."""
        return str(uuid.UUID(bytes=self.digest(*parts)[:16], version=4))

    def file_id(self, prefix: str) -> str:
        """Return the next id of an uploaded file, such as ``img_XXXXXXXXXXXXXXXX``."""
        self._given[prefix] += 1
        digest = self.digest("file", prefix, self._given[prefix])
        return f"{prefix}_" + "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:16])

    def call_id(self, run_id: str) -> str:
        """Return the id of the function call that runs a run on a serverless machine."""
        return f"fc-{self.digest('call', run_id).hex().upper()[:24]}"

    def key(self, user_id: str) -> str:
        """Return a token that looks like the ones of the real server. It opens nothing but this sandbox."""
        parts = [{"alg": "HS256", "typ": "JWT"}, {"user_id": user_id, "iat": 1793523600}]
        encoded = [_base64(json.dumps(part, separators=(",", ":")).encode()) for part in parts]
        return ".".join([*encoded, _base64(self.digest("key", user_id))])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
