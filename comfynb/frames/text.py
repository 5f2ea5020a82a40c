"""Texts of other people, made fit for a cell that is read and not looked up."""

from __future__ import annotations

from typing import Final

__all__ = ["tidy"]

# Control characters could move the cursor of a terminal or hide text.
_CONTROLS: Final = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")


def tidy(text: str | None, longest: int | None = None) -> str | None:
    r"""Return a text on one line, without control characters; None if nothing is left.

    Parameters
    ----------
    text : str or None
        The text.
    longest : int, optional
        In characters; what is beyond becomes "…".

    Examples
    --------
    >>> tidy("two\n  lines \x1b[31m")
    'two lines [31m'
    """
    if not text:
        return None
    line = " ".join(text.translate(_CONTROLS).split())
    if longest is not None and len(line) > longest:
        line = line[: longest - 1] + "…"
    return line or None
