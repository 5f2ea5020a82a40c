"""A snapshot: what was read of a workspace, as one file that somebody without a key can explore."""

from __future__ import annotations

import errno
import gzip
import json
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final

from comfynb.api.address import parse_address
from comfynb.errors import ComfyError, ConfigurationError, InputError
from comfynb.notices import notice
from comfynb.rules.scrubbing import Scrubber
from comfynb.rules.sizes import size_words
from comfynb.services.cache.kept import Kept
from comfynb.warnings import PartialResultWarning

__all__ = ["LARGEST", "Snapshot", "read_snapshot", "snapshot_file", "write_snapshot"]

_KIND: Final = "comfynb snapshot"
_FORMAT: Final = 1
LARGEST: Final = 1 << 30
"""Bytes of a snapshot when it is unpacked, with `_APIECE` more for each answer."""
_APIECE: Final = 1024
"""About what an answer takes in memory, however little it says."""
_LONGEST: Final = 64 << 20
"""Bytes of one line."""
_MOST_PARTS: Final = 8_000_000
"""Values in one line. Each takes dozens of bytes while it is read, however short it is written."""
_LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC).timestamp()
"""No answer is from then on; later times are none that every calendar can show."""
_LONGEST_ADDRESS: Final = 2000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A workspace as it was.

    Attributes
    ----------
    server : str
        The address of its server.
    taken : datetime
        When it was taken.
    answers : dict of str to Kept
        What the server said, by path and query.
    """

    server: str
    taken: datetime
    answers: dict[str, Kept]


# -- writing ------------------------------------------------------------------------------------------------------


def snapshot_file(path: str | Path) -> Path:
    """Return the file that a snapshot can be written to; its folder is made if needed.

    Raises
    ------
    InputError
        If it cannot be one.
    """
    if not isinstance(path, str | Path) or not str(path) or not Path(path).name:
        raise InputError(f"{path!r} names no file; ws.snapshot(path) needs one, such as 'workspace.snapshot'.")
    try:
        target = Path(path).expanduser()
        if b"\0" in os.fsencode(target):
            raise ValueError("it has a null character")
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder; name a file in it, such as workspace.snapshot")
        if target.exists() and not target.is_file():
            raise FileExistsError(errno.EEXIST, "what is there is no plain file, and is not replaced")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(target.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "its folder cannot be written to")
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{str(path)!r} cannot be the file of a snapshot: {why}.") from error
    return target


def write_snapshot(path: Path, server: str, answers: Mapping[str, Kept]) -> None:
    """Write a snapshot, packed, for its owner's eyes until they give it away.

    What looks like a secret is taken out: keys, tokens and passwords, wherever they stand, and the addresses that
    machines and webhooks have. It has prompts and names.

    Parameters
    ----------
    path : pathlib.Path
        The file; one that is there is replaced when the new one is whole.
    server : str
        The address of the server.
    answers : mapping of str to Kept
        What it said, by path and query.

    Raises
    ------
    InputError
        If it would be larger than what `read_snapshot` reads.
    ComfyError
        If it cannot be written.
    """
    # Two may write to the same file at once.
    beside = path.with_name(f".comfynb-{secrets.token_hex(8)}.part")
    head = {"kind": _KIND, "format": _FORMAT, "server": server, "taken": datetime.now(UTC).isoformat()}
    try:
        with (
            os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as raw,
            gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed,
        ):
            for line in _within(chain((_line(head),), _lines(answers))):
                packed.write(line)
        beside.replace(path)
    except OSError as error:
        raise ComfyError(f"The snapshot could not be written to {str(path)!r}: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            beside.unlink()


def _within(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of a snapshot, as long as they can be read again."""
    size = left_out = 0
    for line in lines:
        if _is_too_much(line):
            left_out += 1
            continue
        size += len(line) + _APIECE
        if size > LARGEST:
            raise InputError(
                f"The snapshot would have more than {size_words(LARGEST)} unpacked, which is not read again; "
                "ws.snapshot(path, runs=…) with fewer runs makes a smaller one."
            )
        yield line
    if left_out:
        notice(PartialResultWarning(f"Too large for a snapshot, and not in it: {left_out} of the server's answers."))


def _lines(answers: Mapping[str, Kept]) -> Iterator[bytes]:
    scrubber = Scrubber()
    for key, kept in sorted(answers.items()):
        row: dict[str, Any] = {
            "key": key,
            "stored": kept.stored,
            "status": kept.status,
            "type": kept.content_type,
        }
        try:
            row["json"] = scrubber.value(json.loads(kept.content))
        except (ValueError, RecursionError):
            row["text"] = scrubber.text(kept.content.decode("utf-8", "replace"))
        yield _line(row)


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


# -- reading ------------------------------------------------------------------------------------------------------


def read_snapshot(path: Path) -> Snapshot:
    """Read what `write_snapshot` wrote. Nothing in it is believed: others may have made it.

    Raises
    ------
    ConfigurationError
        If there is no such file, or it is none.
    """
    answers: dict[str, Kept] = {}
    head: tuple[str, datetime] | None = None
    try:
        with gzip.open(path, "rb") as file:
            for line in _lines_of(file, path):
                row = json.loads(line.decode())
                if head is None:
                    head = _head(row)
                else:
                    key, kept = _answer(row)
                    answers[key] = kept
        if head is None:
            raise ValueError("it is empty")
    except OSError as error:
        raise ConfigurationError(f"The snapshot {str(path)!r} cannot be read: {error}.") from None
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, EOFError, zlib.error):
        raise ConfigurationError(
            f"{str(path)!r} is no snapshot that this comfynb can read; ws.snapshot(path) writes one."
        ) from None
    return Snapshot(*head, answers)


def _lines_of(file: gzip.GzipFile, path: Path) -> Iterator[bytes]:
    """Yield the lines of a file that may unpack to anything, and hold one of them at a time."""
    size = 0
    while line := file.readline(_LONGEST + 1):
        size += len(line) + _APIECE
        if size > LARGEST or _is_too_much(line):
            raise ConfigurationError(
                f"The snapshot {str(path)!r} is not read, since it has more than {size_words(LARGEST)} when it is "
                f"unpacked, or more than {size_words(_LONGEST)} in one answer; ws.snapshot(path) writes no such file."
            )
        yield line


def _is_too_much(line: bytes) -> bool:
    parts = line.count(b",") + line.count(b"[") + 3 * line.count(b"{")
    return len(line) > _LONGEST or parts > _MOST_PARTS


def _head(row: Any) -> tuple[str, datetime]:
    server, taken = row["server"], datetime.fromisoformat(row["taken"])
    if row["kind"] != _KIND or row["format"] != _FORMAT:
        raise ValueError("it is of another kind")
    if len(server) > _LONGEST_ADDRESS or not server.isprintable():
        raise ValueError("it has no server")
    try:
        parse_address(server)
    except ConfigurationError:
        raise ValueError("it has no server") from None
    return server, taken


def _answer(row: Any) -> tuple[str, Kept]:
    key, stored, status, content_type = row["key"], row["stored"], row["status"], row["type"]
    if not (isinstance(status, int) and 100 <= status <= 599 and 0 <= stored < _LATEST):
        raise ValueError("it is no answer")
    key.encode()
    content_type.encode()
    text = row["text"] if "text" in row else json.dumps(row["json"], ensure_ascii=False, separators=(",", ":"))
    return key, Kept(text.encode(), float(stored), {}, status, content_type)
