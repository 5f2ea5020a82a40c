"""Uploading files, each once: for inputs that want a URL.

The server gives a world-readable address by default, so that is said before the first file leaves this machine. A file
is known by its content: while its address is good, it is not sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePath
from typing import IO, Any, Final, cast
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from comfynb.api.client import ComfyDeployClient
from comfynb.errors import ApiError, ComfyError, InputError
from comfynb.notices import notice
from comfynb.rules.given_file import GivenFile
from comfynb.rules.text import tidy
from comfynb.services.flight import Flight
from comfynb.services.prepared import Prepared
from comfynb.warnings import UploadWarning

__all__ = ["Moved", "Uploads"]

Moved = Callable[[str, int, int], None]
"""Told how far a file has come: its name, its bytes so far, and all its bytes."""

_SIGNED_FOR: Final = 600.0
"""Seconds for which an address with a signature is used again; the server signs it for an hour."""


class Uploads:
    """The files that were uploaded through one client.

    Parameters
    ----------
    client : ComfyDeployClient
        The server.
    """

    def __init__(self, client: ComfyDeployClient) -> None:
        self._client = client
        self._announced = False
        self._known: dict[tuple[str, str], tuple[str, float]] = {}
        self._locks: WeakValueDictionary[tuple[Any, ...], asyncio.Lock] = WeakValueDictionary()

    def announce(self, files: Iterable[GivenFile]) -> None:
        """Say, once, that what is uploaded can be read by others; nothing is said if there is nothing to upload."""
        names = [tidy(file.name, 60) for file in files]
        if not names or self._announced:
            return
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        address = self._client.transport.address
        notice(
            UploadWarning(
                f"{', '.join(names[:3])}{more} will be uploaded to {address}, where by default everybody who knows "
                "the address of a file can read it. This is said once; a private file needs an account whose files "
                "are private."
            )
        )
        self._announced = True  # not before: whoever makes an error of it is told each time

    async def send(self, prepared: Prepared, flight: Flight | None = None, moved: Moved | None = None) -> Prepared:
        """Upload the files of a run that was prepared; return it with their addresses in their places.

        Parameters
        ----------
        prepared : Prepared
            Checked first, so that nothing is uploaded for a run that cannot be submitted.
        flight : Flight, optional
            When it is called off, the upload ends.
        moved : callable, optional
            Told how far a file has come.

        Raises
        ------
        InputError, RoutingError
            If it cannot be submitted.
        ApiError, TransportError
            If a file cannot be uploaded. Nothing was submitted then.
        """
        files = prepared.inputs.files
        if not files:
            return prepared
        prepared.check()

        def told(name: str, sent: int, size: int) -> None:
            if flight is not None:
                flight.check_in()
            if moved is not None:
                moved(name, sent, size)

        urls: dict[GivenFile, str] = {}
        for file in files:
            try:
                urls[file] = await self.url(file, told)
            except ComfyError as error:
                # The same error, which says now what it means for the run.
                error.args = (
                    f"{prepared.name} was not submitted, since a file did not go up: {error}",
                    *error.args[1:],
                )
                raise
        inputs = prepared.inputs
        return replace(
            prepared,
            inputs=replace(
                inputs, send=_with_addresses(inputs.send, urls), effective=_with_addresses(inputs.effective, urls)
            ),
        )

    async def url(self, file: GivenFile, moved: Moved | None = None) -> str:
        """Return the address of a file, which is uploaded if its content was not before.

        Raises
        ------
        InputError
            If it cannot be read, or changes meanwhile.
        ApiError, TransportError
            If the server does not take it.
        """
        self.announce([file])
        content = await asyncio.to_thread(_hash, file)
        key = (content, PurePath(file.name).suffix.lower())
        # One that gives up must not leave the others without: who waits here sends it then.
        lock = self._locks.setdefault((asyncio.get_running_loop(), *key), asyncio.Lock())
        async with lock:
            url, since = self._known.get(key, ("", 0.0))
            if url and not (urlsplit(url).query and time.monotonic() - since > _SIGNED_FOR):
                return url
            url = await self._upload(file, content, moved)
            self._known[key] = (url, time.monotonic())
            return url

    async def _upload(self, file: GivenFile, content: str, moved: Moved | None) -> str:
        try:
            with _Pieces(file, moved) as pieces:
                sent = await self._client.upload(file.name, cast("IO[bytes]", pieces), file.media_type)
        except OSError as error:
            raise InputError(_unreadable(file, error)) from error
        if pieces.digest != content:
            raise InputError(f"{tidy(file.name, 80)!r} changed while it was uploaded; try again when it is complete.")
        if not sent.file_url:
            raise ApiError(f"The server took the upload of {tidy(file.name, 80)} but named no URL.", method="POST")
        return sent.file_url


class _Pieces(io.RawIOBase):
    """The content of a file as it is sent, counted and hashed."""

    def __init__(self, file: GivenFile, moved: Moved | None) -> None:
        super().__init__()
        self._file, self._moved, self._sent = file, moved, 0
        self._hash = hashlib.sha256()
        self._source: Any = file.source.open("rb") if isinstance(file.source, Path) else io.BytesIO(file.source)

    @property
    def digest(self) -> str:
        """The hash of what was read so far."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        place: int = self._source.seek(offset, whence)
        if place == 0:
            self._hash, self._sent = hashlib.sha256(), 0
        return place

    def tell(self) -> int:
        place: int = self._source.tell()
        return place

    def read(self, size: int = -1, /) -> bytes:
        piece: bytes = self._source.read(size)
        self._hash.update(piece)
        self._sent += len(piece)
        if self._moved is not None:
            self._moved(self._file.name, self._sent, self._file.size)
        return piece

    def close(self) -> None:
        self._source.close()
        super().close()


def _hash(file: GivenFile) -> str:
    if not isinstance(file.source, Path):
        return hashlib.sha256(file.source).hexdigest()
    try:
        with file.source.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()
    except OSError as error:
        raise InputError(_unreadable(file, error)) from error


def _unreadable(file: GivenFile, error: OSError) -> str:
    return (
        f"{tidy(file.source if isinstance(file.source, Path) else file.name, 200)!r} cannot be read: {error.strerror}."
    )


def _with_addresses(inputs: dict[str, Any], urls: dict[GivenFile, str]) -> dict[str, Any]:
    def placed(value: Any) -> Any:
        if isinstance(value, list):
            return [placed(each) for each in value]
        return urls[value] if isinstance(value, GivenFile) else value

    return {name: placed(value) for name, value in inputs.items()}
