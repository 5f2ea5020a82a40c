"""Standard names: one spelling for all the ways in which people write a workflow's name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from comfynb.errors import InputError

__all__ = ["display_name", "standardize_all", "standardize_workflow_name"]

_NOT_ASCII_WORD: Final = re.compile(r"[^a-z0-9]+")
_PIECES: Final = re.compile(r"[A-Za-z0-9]+|[\x00-/:-@\[-`{-\x7f]+|.", re.DOTALL)
"""What counts as a whole: words in ASCII and what is between them; else each character."""
_ASCII_LINES: Final = {code: "_" for code in range(128) if not chr(code).isalnum() and chr(code) != "\n"}
"""What each character of ASCII becomes where names are the lines of a text."""

# Marks that NFKC makes of letters: the Greek iota subscript, Arabic vowel signs, kana voicing marks. They count as
# letters, so that every name with a letter has a standard name.
_LETTERS_MADE_MARKS: Final = frozenset("\u0345\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u3099\u309a")

# Invisible, and inside words: the zero-width (non-)joiner of Persian and the Indic scripts, and variation selectors.
_JOINERS: Final = frozenset("\u200c\u200d\u180b\u180c\u180d\u180f")
_VARIATION_SELECTORS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def standardize_workflow_name(name: str | None) -> str:
    """Return the standard spelling of a workflow's name.

    NFKC, lower case, and one underscore for every run of characters that are neither letters nor digits; none at the
    ends. Letters of every script are kept, and a combining mark (an accent, a Devanagari or Thai vowel sign) stays
    with its letter. The result is its own standard name.

    Parameters
    ----------
    name : str or None
        A name as people write it.

    Returns
    -------
    str
        The standard name, never empty.

    Raises
    ------
    InputError
        The name is None or empty, or has neither a letter nor a digit.

    Examples
    --------
    >>> standardize_workflow_name("img2vid - wan 2.1")
    'img2vid_wan_2_1'
    >>> standardize_workflow_name("  Größe (ändern)  ")
    'größe_ändern'
    """
    if not isinstance(name, str):
        what = "missing" if name is None else f"no text but a {type(name).__name__}"
        raise InputError(f"A workflow's name is needed, and it is {what}.")
    standard = _NOT_ASCII_WORD.sub("_", name.lower()).strip("_") if name.isascii() else _standardize_unicode(name)
    if not standard:
        shown = name if len(name) <= 40 else name[:40] + "…"
        raise InputError(f"The name {shown!r} has no standard form: it has neither a letter nor a digit.")
    return standard


def standardize_all(names: Iterable[str]) -> list[str | None]:
    """Return the standard names of many names, and None for those that have none; much faster than one by one.

    Examples
    --------
    >>> standardize_all(["Text to Image", "→ ★", "Größe"])
    ['text_to_image', None, 'größe']
    """
    given = list(names)
    # Names in ASCII, which nearly all are, become standard as the lines of one text.
    plain = [name for name in given if name.isascii() and "\n" not in name]
    text = "\n".join(plain).lower().translate(_ASCII_LINES)
    while "__" in text:
        text = text.replace("__", "_")
    lines = iter(text.replace("_\n", "\n").replace("\n_", "\n").strip("_").split("\n"))
    found: list[str | None] = []
    for name in given:
        if name.isascii() and "\n" not in name:
            found.append(next(lines) or None)
        else:
            found.append(_standardize_one(name))
    return found


def _standardize_one(name: str) -> str | None:
    try:
        return standardize_workflow_name(name)
    except InputError:
        return None


def display_name(name: str | None) -> str:
    r"""Return a name as it is shown: the same, with its white space tidied.

    Examples
    --------
    >>> display_name("  Text   to\nImage ")
    'Text to Image'
    """
    return " ".join(name.split()) if isinstance(name, str) else ""


def _standardize_unicode(name: str) -> str:
    # Lower-casing can undo NFKC and the other way round, so both are repeated until nothing changes. Words are told
    # apart before lower-casing, since a Greek sigma is lowered by what follows it, and "." would count as nothing.
    while True:
        previous = name
        name = _join_words(unicodedata.normalize("NFKC", name)).lower()
        if name == previous:
            return name


def _join_words(text: str) -> str:
    kept: list[str] = []
    in_word = False
    for piece in _PIECES.findall(text):
        category = unicodedata.category(piece[0])
        if category[0] in "LN" or piece in _LETTERS_MADE_MARKS:
            if not in_word and kept:
                kept.append("_")
            kept.append(piece)
            in_word = True
        elif piece.isascii():
            in_word = False
        elif in_word and _is_invisible(piece):
            continue
        elif in_word and category in ("Mn", "Mc"):
            kept.append(piece)
        else:
            in_word = False
    return "".join(kept)


def _is_invisible(character: str) -> bool:
    return character in _JOINERS or any(ord(character) in selectors for selectors in _VARIATION_SELECTORS)
