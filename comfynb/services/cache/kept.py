"""An answer as it is kept outside the memory of this process, and where that can be."""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

__all__ = ["EVERYTHING", "Kept", "Store", "StoreError", "new_mark", "spoilt"]

EVERYTHING: Final = "*"
"""The tag that every answer has."""
_END_OF_TIME: Final = 253_402_300_800.0
"""The year 10000, as `time.time()` counts; no date can be made of what is later."""


class StoreError(Exception):
    """A store of answers cannot be read or written; the message says which and why, without any password."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer of a server. Nothing in it is ever unpickled: it is text with a head of JSON.

    The head has a checksum of the body: what others can write, or cut off, is told from what was put there.

    Attributes
    ----------
    content : bytes
        Its body, as it came.
    stored : float
        `time.time()` when it was asked for.
    marks : dict of str to int
        The mark of each of its tags by then: it is good while they are the same.
    status : int
        Its status.
    content_type : str
        The server's word for it.

    Examples
    --------
    >>> Kept.read(Kept(b"[]", 1.0, {"machines": 3}).written())
    Kept(content=b'[]', stored=1.0, marks={'machines': 3}, status=200, content_type='application/json')
    """

    content: bytes
    stored: float
    marks: Mapping[str, int] = field(default_factory=dict)
    status: int = 200
    content_type: str = "application/json"

    @property
    def head(self) -> str:
        """Everything but its body, as JSON on one line."""
        return json.dumps([self.stored, self.status, self.content_type, dict(self.marks), zlib.crc32(self.content)])

    def written(self) -> bytes:
        """Return it as bytes: the head, a line break, and the body."""
        return self.head.encode() + b"\n" + self.content

    @classmethod
    def read(cls, written: bytes) -> Kept | None:
        """Return what `written` gave; None for anything else."""
        head, _, content = written.partition(b"\n")
        return cls.of(head, content)

    @classmethod
    def of(cls, head: str | bytes, content: bytes) -> Kept | None:
        """Return it from its two parts; None if they are none of ours, or the body is not what it was."""
        try:
            text = head.decode() if isinstance(head, bytes) else head
            stored, status, content_type, marks, checksum = json.loads(text)
            if zlib.crc32(content) != checksum or not 0 <= stored < _END_OF_TIME or not 100 <= status <= 999:
                return None
            return cls(
                content, float(stored), {str(k): int(v) for k, v in marks.items()}, int(status), str(content_type)
            )
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return None


def new_mark() -> int:
    """Return a mark that no tag had before."""
    return secrets.randbits(62) + 1


def spoilt(name: str) -> StoreError:
    """Return the error for something in a store that is not what was put there, and was taken out again."""
    return StoreError(f"{name}: something there was not what was put there, and was taken out")


class Store(Protocol):
    """Where answers are kept that outlive this process, or that several share.

    Every method raises `StoreError` where it cannot do its work.
    """

    name: str
    """What it is, for people."""

    async def look(self, key: str, tags: Iterable[str] = ()) -> tuple[Kept | None, dict[str, int]]:
        """Return what is kept, however old, and the mark of each of these tags."""
        ...

    async def marks(self, tags: Iterable[str]) -> dict[str, int]:
        """Return the mark of each of these tags; 0 of one that was never dropped."""
        ...

    async def keep(self, answers: Mapping[str, Kept]) -> None:
        """Keep these."""
        ...

    async def drop(self, tags: Iterable[str]) -> None:
        """Give each of these tags another mark, so that what has them is good no longer."""
        ...

    async def claim(self, key: str, owner: str, seconds: float) -> bool:
        """Return whether `owner` is the one who asks the server for this, for so long at most."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """Give a claim back."""
        ...

    async def clear(self) -> None:
        """Forget everything."""
        ...

    async def size(self) -> tuple[int, int]:
        """Return how many answers are kept, and their bytes."""
        ...

    async def aclose(self) -> None:
        """Close it, for the running event loop."""
        ...
