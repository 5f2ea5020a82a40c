"""A snapshot: what was read of a workspace, as one file that somebody without a key can explore."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from comfynb.errors import ConfigurationError
from comfynb.rules.scrubbing import Scrubber
from comfynb.rules.sizes import size_words
from comfynb.services.cache.kept import Kept

__all__ = ["Snapshot", "read_snapshot", "write_snapshot"]

_KIND: Final = "comfynb snapshot"
_FORMAT: Final = 1
_LARGEST: Final = 1 << 30
"""Bytes of a snapshot when it is unpacked."""


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
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    head = {"kind": _KIND, "format": _FORMAT, "server": server, "taken": datetime.now(UTC).isoformat()}
    try:
        with (
            os.fdopen(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as raw,
            gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed,
        ):
            for line in (head, *_lines(answers)):
                packed.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def read_snapshot(path: Path) -> Snapshot:
    """Read what `write_snapshot` wrote.

    Raises
    ------
    ConfigurationError
        If there is no such file, or it is none.
    """
    size, answers, head = 0, {}, None
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            while line := file.readline(_LARGEST):
                size += len(line)
                if size > _LARGEST:
                    raise ConfigurationError(f"The snapshot {str(path)!r} has more than {size_words(_LARGEST)}.")
                row = json.loads(line)
                if head is None:
                    head = row
                    if row["kind"] != _KIND or row["format"] != _FORMAT:
                        raise ValueError("it is of another kind")
                else:
                    answers[str(row["key"])] = Kept(
                        (row["text"] if "text" in row else json.dumps(row["json"])).encode(),
                        float(row["stored"]),
                        {},
                        int(row["status"]),
                        str(row["type"]),
                    )
        if head is None:
            raise ValueError("it is empty")
        return Snapshot(str(head["server"]), datetime.fromisoformat(head["taken"]), answers)
    except OSError as error:
        raise ConfigurationError(f"The snapshot {str(path)!r} cannot be read: {error}.") from None
    except (ValueError, TypeError, LookupError, AttributeError, EOFError, zlib.error):
        raise ConfigurationError(
            f"{str(path)!r} is no snapshot that this comfynb can read; ws.snapshot(path) writes one."
        ) from None


def _lines(answers: Mapping[str, Kept]) -> Iterator[dict[str, Any]]:
    scrubber = Scrubber()
    for key, kept in sorted(answers.items()):
        line: dict[str, Any] = {
            "key": key,
            "stored": kept.stored,
            "status": kept.status,
            "type": kept.content_type,
        }
        try:
            line["json"] = scrubber.value(json.loads(kept.content))
        except ValueError:
            line["text"] = scrubber.text(kept.content.decode("utf-8", "replace"))
        yield line
