"""Files that are not on the server yet: what a person types or uploads, and how it is checked before it is sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from comfynb.display.form import size_words
from comfynb.rules.coercion import RefusedValueError
from comfynb.rules.input_classes import FILE_KINDS
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.scalars import plain
from comfynb.rules.text import tidy

__all__ = ["TAKES_FILES", "UPLOAD_LIMIT", "NamedBytes", "read_typed", "stand_in", "too_large"]

TAKES_FILES: Final = FILE_KINDS | {"images"}
"""Kinds of inputs that a file can be given for."""

UPLOAD_LIMIT: Final = 10_000_000
"""Bytes that reach the kernel through the browser: Jupyter closes the connection over a longer message."""

WAY_ROUND: Final = (
    "upload it with the file browser of JupyterLab, which sends it in pieces, and type its path here, or give a URL"
)

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")
_STAND_IN: Final = "https://uploaded.invalid/file"


class NamedBytes(bytes):
    """The content of a file that was uploaded to the kernel, with its name.

    Parameters
    ----------
    content : bytes
        What is in it.
    name : str
        What it is called where it comes from.

    Examples
    --------
    >>> upload = NamedBytes(b"pixels", "fox.png")
    >>> upload, len(upload)
    (<fox.png, 6 bytes>, 6)
    """

    name: str

    def __new__(cls, content: bytes, name: str) -> NamedBytes:
        """Take the content as it is."""
        made = super().__new__(cls, content)
        made.name = name
        return made

    def __repr__(self) -> str:
        return f"<{tidy(self.name, 60)}, {size_words(len(self))}>"


def read_typed(text: str) -> str | Path:
    """Return what a person means by a text in a field for files: an address, else a path where the kernel runs.

    Examples
    --------
    >>> read_typed(" https://host/a.png "), read_typed("pictures/a.png").name
    ('https://host/a.png', 'a.png')
    """
    text = text.strip()
    if _SCHEME.match(text) or "\x00" in text or not text:
        return text
    try:
        return Path(text).expanduser()
    except RuntimeError:  # "~somebody" who is not there
        return Path(text)


def too_large(name: str, size: int) -> str:
    """Return why an upload through the browser is not taken, and what to do; empty if it is.

    Examples
    --------
    >>> too_large("fox.png", 5_000)
    ''
    """
    if size <= UPLOAD_LIMIT:
        return ""
    return (
        f"{tidy(name, 60)} has {size_words(size)}, and Jupyter's connection takes {size_words(UPLOAD_LIMIT)}: "
        f"{WAY_ROUND}."
    )


def stand_in(definition: InputDefinition, value: Any) -> Any:
    """Return a value for the rules to check: an address in the place of each file that is still to be uploaded.

    Parameters
    ----------
    definition : InputDefinition
        The input that it is for.
    value : object
        What was given.

    Raises
    ------
    RefusedValueError
        If a file is not there, or is empty.
    """
    if definition.kind not in TAKES_FILES:
        return value
    if definition.kind == "images" and isinstance(value, list | tuple):
        return [_one(each) for each in value]
    return _one(value)


def _one(value: Any) -> Any:
    value = plain(value)
    if value is None or isinstance(value, str | int | float | list | tuple | dict):
        return value
    if isinstance(value, Path):
        _check(value)
    elif isinstance(value, bytes | bytearray) and not value:
        raise RefusedValueError("is an empty file")
    return _STAND_IN


def _check(path: Path) -> None:
    shown = tidy(path, 200)
    try:
        if path.is_dir():
            raise RefusedValueError(f"{shown!r} is a folder, where the kernel runs")
        if not path.is_file():
            raise RefusedValueError(f"there is no file {shown!r} where the kernel runs")
        if path.stat().st_size == 0:
            raise RefusedValueError(f"{shown!r} is an empty file")
    except (OSError, ValueError) as error:
        if isinstance(error, RefusedValueError):
            raise
        raise RefusedValueError(f"{shown!r} cannot be read where the kernel runs") from None
