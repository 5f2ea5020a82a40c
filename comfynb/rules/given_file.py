"""A file that was given for an input: it has to be uploaded before it has an address that can be sent."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from comfynb.rules.input_classes import Kind
from comfynb.rules.sizes import size_words
from comfynb.rules.text import tidy

__all__ = ["MAX_UPLOAD", "GivenFile", "files_in", "upload_problem"]

MAX_UPLOAD: Final = 250 * 1024 * 1024
"""Bytes; the server refuses larger files."""

_REFUSED: Final = ("text", "message")
"""Families of media types that the server refuses; it tells them by the name alone."""

_NOT_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "image": ("video", "audio"),
    "images": ("video", "audio"),
    "audio": ("image",),
    "video": ("audio",),
    "exr": ("video", "audio"),
}
"""Families whose files an input of a kind cannot be."""

_TYPES: Final = mimetypes.MimeTypes(filenames=())
# The tables of older Pythons lack these.
for _type, _ending in (("text/markdown", ".md"), ("image/webp", ".webp"), ("image/avif", ".avif")):
    _TYPES.add_type(_type, _ending)


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file that was given for an input, and has no address yet.

    Attributes
    ----------
    name : str
        What it is called, without a folder; the server goes by its ending.
    size : int
        Bytes.
    source : pathlib.Path or bytes
        Where its content is.

    Examples
    --------
    >>> GivenFile("fox.png", 12_400, b"...")
    <fox.png, 12 kB, to be uploaded>
    """

    name: str
    size: int
    source: Any = field(repr=False)

    @property
    def media_type(self) -> str:
        """What it is by its name, as far as Python's own table tells: "image/png"."""
        return _TYPES.guess_type(self.name)[0] or "application/octet-stream"

    def __repr__(self) -> str:
        return f"<{tidy(self.name, 60)}, {size_words(self.size)}, to be uploaded>"


def upload_problem(file: GivenFile, kind: Kind | None = None) -> str:
    """Return why the server or an input would not take a file, as a phrase; empty if nothing speaks against it.

    Parameters
    ----------
    file : GivenFile
        The file.
    kind : Kind, optional
        The kind of the input that it is for.

    Examples
    --------
    >>> upload_problem(GivenFile("fox.png", 5, b"")), upload_problem(GivenFile("fox.mp3", 5, b""), "image")
    ('', "is sound ('fox.mp3'), and the input takes an image")
    """
    shown = repr(tidy(file.name, 80))
    if file.size == 0:
        return f"is an empty file ({shown})"
    if file.size > MAX_UPLOAD:
        return f"is too large: {shown} has {size_words(file.size)}, and the server takes 250 MiB"
    family = file.media_type.partition("/")[0]
    if family in _REFUSED:
        ending = file.name.rpartition(".")[2]
        return f"is a file that the server refuses: {shown} is text by its ending .{ending}; put it into a .zip"
    if kind is not None and family in _NOT_FOR.get(kind, ()):
        wanted = {"images": "images", "audio": "sound", "exr": "an EXR file"}.get(kind, f"{_an(kind)} {kind}")
        given = {"audio": "sound"}.get(family, f"{_an(family)} {family}")
        return f"is {given} ({shown}), and the input takes {wanted}"
    return ""


def files_in(inputs: Mapping[str, Any]) -> dict[str, tuple[GivenFile, ...]]:
    """Return the files that have to be uploaded, by input name.

    Examples
    --------
    >>> files_in({"seed": 7, "image": GivenFile("fox.png", 5, b"")})
    {'image': (<fox.png, 5 bytes, to be uploaded>,)}
    """
    found = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
    return {
        name: files
        for name, values in found.items()
        if (files := tuple(value for value in values if isinstance(value, GivenFile)))
    }


def _an(word: str) -> str:
    return "an" if word[:1] in "aeiou" else "a"
