"""Files that are not on the server yet: what a person types or uploads, and how it is checked before it is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from comfynb.rules.sizes import size_words
from comfynb.rules.text import tidy
from comfynb.services.given_files import is_address

__all__ = ["UPLOAD_LIMIT", "NamedBytes", "read_typed", "too_large"]

UPLOAD_LIMIT: Final = 10_000_000
"""Bytes that reach the kernel through the browser: Jupyter closes the connection over a longer message."""

WAY_ROUND: Final = (
    "upload it with the file browser of JupyterLab, which sends it in pieces, and type its path here, or give a URL"
)


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
    if is_address(text) or "\x00" in text or not text:
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
