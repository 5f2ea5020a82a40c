"""Fetching what runs made, safely: no path of the server's, no half file under a final name, no key to another host."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import secrets
import time
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from comfynb.api.client import ComfyDeployClient
from comfynb.api.connections import file_client, stream_file
from comfynb.api.retrying import retried
from comfynb.errors import ApiError, ComfyError, InputError, NotFoundError, OfflineError
from comfynb.services.results import ResultFile, result_files
from comfynb.services.uploading import Moved

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

__all__ = ["Downloads", "Saved", "fresh_file", "safe_name"]

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_LONGEST_NAME = 200
"""Bytes; file systems take 255, and a run's id and a number come on top."""
_AT_ONCE: Final = 4
_EXPIRED: Final = frozenset({400, 401, 403, 404, 410})
"""Answers to a link that is not good any more; which one depends on the store."""
_LEFT: Final = 3600.0
"""Seconds after which an unfinished file belongs to nobody: its process was ended."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file on this machine.

    Attributes
    ----------
    path : pathlib.Path
        Where it is.
    file : ResultFile
        What it is.
    size : int
        Bytes.
    sha256 : str
        Of its content.
    """

    path: Path
    file: ResultFile
    size: int
    sha256: str


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


async def fresh_file(client: ComfyDeployClient, file: ResultFile) -> ResultFile:
    """Return an output with the link that its run has for it now; as it is if the run has it no more."""
    run = await client.run(file.run_id)
    found = {each.key: each for each in result_files(run.outputs, file.run_id)}.get(file.key)
    return file if found is None or found.url is None else replace(file, url=found.url)


class Downloads:
    """Fetches the files of runs.

    Parameters
    ----------
    client : ComfyDeployClient
        The server that the runs belong to.
    """

    def __init__(self, client: ComfyDeployClient) -> None:
        self._client = client

    async def read(self, file: ResultFile) -> bytes:
        """Return the content of one file.

        Raises
        ------
        NotFoundError
            If it was not uploaded, so that only its machine has it.
        OfflineError
            If the server must not be asked.
        ApiError, TransportError
            If it cannot be fetched.
        """
        self._check_online((file,))
        most = self._client.transport.limits.largest_read
        async with self._files() as http:

            async def once() -> bytes:
                return b"".join([chunk async for chunk in self._chunks(file, http, most)])

            return await self._retried(once, file)

    async def save(self, files: Sequence[ResultFile], folder: Path, moved: Moved | None = None) -> list[Saved]:
        """Save files into a folder, which is made if needed; return what is there, in order.

        A file is called by the run's first eight characters and its own name, so that saving a run again writes the
        same files again and never those of another run. What has no content but on its machine is passed over.

        Parameters
        ----------
        files : sequence of ResultFile
            What to save.
        folder : pathlib.Path
            Where to.
        moved : callable, optional
            Told how far a file has come; its size is 0 as long as it is not known.

        Raises
        ------
        OfflineError
            If the server must not be asked and any of them has to be fetched; nothing is saved then.
        """
        self._check_online(files)
        folder = folder.expanduser()
        try:
            await asyncio.to_thread(_make_ready, folder)
        except OSError as error:
            raise InputError(f"{str(folder)!r} cannot be the folder for the outputs: {error.strerror}.") from error
        wanted = _named(files)
        room = asyncio.Semaphore(_AT_ONCE)
        async with self._files() as http:

            async def one(name: str, file: ResultFile) -> Saved:
                async with room:
                    return await self._save(folder / name, file, http, moved)

            tasks = [asyncio.ensure_future(one(name, file)) for name, file in wanted]
            try:
                return [await task for task in tasks]
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _check_online(self, files: Sequence[ResultFile]) -> None:
        """Raise an error if one of these has to be fetched and nothing must be asked for.

        Also of other hosts: the addresses may be in a snapshot that somebody else has written.
        """
        offline = self._client.transport.offline
        away = [file for file in files if file.url and file.text is None]
        if offline is not None and away:
            raise OfflineError(f"{offline} The output {safe_name(away[0].filename)!r} was not fetched.", sent=False)

    def _files(self) -> httpx.AsyncClient:
        transport = self._client.transport
        return file_client(transport.address, transport.limits)

    async def _chunks(
        self, file: ResultFile, http: httpx.AsyncClient, most: int, moved: Moved | None = None
    ) -> AsyncIterator[bytes]:
        name = safe_name(file.filename)
        if file.text is not None:
            content = file.text.encode()
            if moved is not None:
                moved(name, len(content), len(content))
            yield content
            return
        what = f"The output {name!r}"
        if not file.url:
            raise NotFoundError(f"{what} was not uploaded, so only its machine has it.")
        transport = self._client.transport
        for last in (False, True):
            begun = False
            try:
                chunks = stream_file(http, transport.address, transport.limits, file.url or "", what, most)
                async with aclosing(chunks):
                    async for chunk, come, size in chunks:
                        begun = True
                        if moved is not None:
                            moved(name, come, size)
                        yield chunk
                return
            except ApiError as error:
                if last or begun or error.status not in _EXPIRED:
                    raise
                with suppress(ComfyError):
                    newer = await fresh_file(self._client, file)
                    if newer.url != file.url:
                        file = newer
                        continue
                raise

    async def _save(self, target: Path, file: ResultFile, http: httpx.AsyncClient, moved: Moved | None) -> Saved:
        # Not by tempfile: its files are for their owner alone, and these are not.
        temporary = target.with_name(f".comfynb-{secrets.token_hex(8)}.part")
        most = self._client.transport.limits.largest_file

        async def once() -> Saved:
            digest, size = hashlib.sha256(), 0
            with temporary.open("wb") as sink:
                async with aclosing(self._chunks(file, http, most, moved)) as chunks:  # type: ignore[type-var]
                    async for chunk in chunks:
                        sink.write(chunk)
                        digest.update(chunk)
                        size += len(chunk)
            return Saved(target, file, size, digest.hexdigest())

        try:
            saved = await self._retried(once, file)
            temporary.replace(target)
        except OSError as error:
            raise ComfyError(
                f"{target.name!r} could not be saved in {str(target.parent)!r}: {error.strerror}."
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        return saved

    async def _retried(self, once: Callable[[], Awaitable[T]], file: ResultFile) -> T:
        """Fetch from the beginning again where that may help, however long a try took."""
        limits = replace(self._client.transport.limits, budget=math.inf)
        return await retried(once, what=f"the output {safe_name(file.filename)!r}", limits=limits)


def _named(files: Sequence[ResultFile]) -> list[tuple[str, ResultFile]]:
    taken: set[str] = set()
    found = []
    for file in files:
        if not file.url and file.text is None:
            continue  # a preview, say, that only the machine has
        name = f"{safe_name(file.run_id[:8], 'run')}_{safe_name(file.filename)}"
        stem, ending = Path(name).stem, Path(name).suffix
        number = 2
        while name.casefold() in taken:
            name, number = f"{stem}_{number}{ending}", number + 1
        taken.add(name.casefold())
        found.append((name, file))
    return found


def _make_ready(folder: Path) -> None:
    """Make a folder, and take out of it what a process that was ended left half done."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".comfynb-*.part"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT:
                left.unlink()
