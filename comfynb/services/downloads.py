"""Saving what runs made, safely: no path of the server's, no half file under a final name, no key to another host."""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from comfynb.api.connections import stream_file
from comfynb.api.transport import Transport
from comfynb.errors import InputError, NotFoundError
from comfynb.services.results import ResultFile

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_LONGEST_NAME = 200
"""Bytes; file systems take 255, and a run's id and a number come on top."""


def safe_name(name: str, fallback: str = "output") -> str:
    r"""Return a file name that stays in its folder on every system.

    Examples
    --------
    >>> safe_name("../../etc/passwd"), safe_name("a/b\\c:d.png"), safe_name("...")
    ('passwd', 'c_d.png', 'output')
    """
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join("_" if c in '<>:"|?*' or not c.isprintable() else c for c in base)
    kept = kept.strip(" .")
    if not kept or kept.partition(".")[0].strip().lower() in _RESERVED:
        kept = f"{fallback}{Path(kept).suffix}" if kept else fallback
    ending = Path(kept).suffix
    if len(ending) > 12:
        ending = ""
    stem = kept[: len(kept) - len(ending)].encode()[: _LONGEST_NAME - len(ending.encode())]
    return f"{stem.decode(errors='ignore').rstrip(' .')}{ending}"


async def save_files(files: Sequence[ResultFile], folder: Path, transport: Transport) -> list[Path]:
    """Save files into a folder, which is made if needed; return their paths in order.

    A file is called by the run's first eight characters and its own name, so that saving a run again writes the same
    files again and never those of another run.
    """
    folder = folder.expanduser()
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{str(folder)!r} cannot be the folder for the outputs: {error.strerror}.") from error
    taken: set[str] = set()
    saved: list[Path] = []
    for file in files:
        if not file.url and file.text is None:
            continue  # a preview, say, that only the machine has
        name = f"{safe_name(file.run_id[:8], 'run')}_{safe_name(file.filename)}"
        stem, ending = Path(name).stem, Path(name).suffix
        number = 2
        while name.casefold() in taken:
            name, number = f"{stem}_{number}{ending}", number + 1
        taken.add(name.casefold())
        target = folder / name
        await _save(target, file, transport)
        saved.append(target)
    return saved


async def read_file(file: ResultFile, transport: Transport) -> bytes:
    """Return the content of one file."""
    return b"".join([chunk async for chunk in _chunks(file, transport)])


async def _chunks(file: ResultFile, transport: Transport) -> AsyncIterator[bytes]:
    if file.text is not None:
        yield file.text.encode()
    else:
        what = f"The output {safe_name(file.filename)!r}"
        if not file.url:
            raise NotFoundError(f"{what} was not uploaded, so only its machine has it.")
        async for chunk in stream_file(transport.address, transport.limits, file.url, what):
            yield chunk


async def _save(target: Path, file: ResultFile, transport: Transport) -> None:
    # Not by tempfile: its files are for their owner alone, and these are not.
    temporary = target.with_name(f".comfynb-{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as sink:
            async for chunk in _chunks(file, transport):
                sink.write(chunk)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
