"""Uploading a file, for an input that wants a URL."""

from __future__ import annotations

import asyncio
import mimetypes
import os
from pathlib import Path

from comfynb.api.client import ComfyDeployClient
from comfynb.errors import ApiError, InputError

MAX_UPLOAD = 250 * 1024 * 1024
"""Bytes; the server refuses larger files."""


async def upload(client: ComfyDeployClient, file: str | Path | bytes, name: str | None = None) -> str:
    """Upload a file and return its URL. See `ComfyUIService.upload_file`."""
    content, called = await _content(file, name)
    if len(content) > MAX_UPLOAD:
        raise _too_large(called)
    sent = await client.upload(called, content, mimetypes.guess_type(called)[0])
    if not sent.file_url:
        raise ApiError(f"The server took the upload of {called} but named no URL.", method="POST")
    return sent.file_url


async def _content(file: str | Path | bytes, name: str | None) -> tuple[bytes, str]:
    if isinstance(file, bytes):
        if not name:
            raise InputError("Bytes need a name= for the upload, with an ending such as .png.")
        return file, name
    if not isinstance(file, str | os.PathLike):
        raise InputError(
            f"A {type(file).__name__} cannot be uploaded as it is; save it to a file, or give bytes and a name=."
        )
    path = Path(file).expanduser()
    if not path.is_file():
        raise InputError(f"There is no file {str(path)!r} to upload.")
    if path.stat().st_size > MAX_UPLOAD:
        raise _too_large(path.name)
    return await asyncio.to_thread(path.read_bytes), name or path.name


def _too_large(name: str) -> InputError:
    return InputError(f"{name} is larger than the 250 MB that the server takes.")
