r"""Texts of other people made harmless, and as wide as they may be.

Names, prompts and error texts come from other people. In a terminal their control characters could move the cursor
or hide what stands there, and characters that turn the direction of writing could make one name look like another.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["LONGEST", "display_width", "tidy"]

LONGEST: Final = 200
"""How wide a text may be where nothing else is said."""

_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DIRECTIONS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_HALVES: Final = re.compile("[\ud800-\udfff]")


def tidy(value: object, width: int | None = LONGEST) -> str:
    r"""Return a text on one line, harmless and not too long.

    Terminal escape sequences, control characters and characters that turn the direction of writing are taken out,
    white space becomes single spaces, half surrogates (which cannot be written anywhere) become "�".

    Parameters
    ----------
    value : object
        A text, or anything with one; None has none.
    width : int or None
        How wide it may be, in columns of a terminal; what is beyond becomes "…". None sets no limit.

    Examples
    --------
    >>> tidy("two\n  lines \x1b[31mred\u202e")
    'two lines red'
    >>> tidy("a long name", 7)
    'a long…'
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    cut = False
    if width is not None and len(text) > 16 * width:
        # Long enough to fill the width, whatever is taken out of it; megabytes would take long to look through.
        text, cut = text[: 16 * width], True
    if not text.isascii() or not text.isprintable():
        text = _ESCAPES.sub("", text)
        text = _DIRECTIONS.sub("", _CONTROLS.sub(" ", text))
        text = _HALVES.sub("�", text)
    text = " ".join(text.split())
    if width is None:
        return text
    return _shorten(text, width, cut)


def is_unknown(value: object) -> bool:
    """Whether a cell of a table is not known: None, NaN, NaT or NA, but no text that says so.

    Examples
    --------
    >>> is_unknown(None), is_unknown(float("nan")), is_unknown("nan"), is_unknown(("a",))
    (True, True, False, False)
    """
    # pandas' NA is not to be compared, and rules do without pandas.
    return value is None or (not isinstance(value, str | tuple | list) and str(value) in ("nan", "NaT", "<NA>"))


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide characters take two, combining ones none.

    Examples
    --------
    >>> display_width("fox"), display_width("狐")
    (3, 2)
    """
    return len(text) if text.isascii() else sum(map(_width, text))


def _shorten(text: str, width: int, cut: bool) -> str:
    # Characters without a width of their own count too: a thousand accents on one letter fill no column.
    if len(text) <= width and display_width(text) <= width:
        return text + "…" if cut and len(text) < width else text
    taken, kept = 0, 0
    for character in text[: 2 * width]:
        taken += _width(character)
        if taken > width - 1:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def _width(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
