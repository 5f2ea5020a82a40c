"""What a display says, before it is text or HTML. Both are made from one card, so that they say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Card", "Dot", "Link", "Notes", "Parts", "Pictures", "Section", "Table", "Tone"]

Tone: TypeAlias = Literal["good", "busy", "warn", "bad", "plain"]
"""How a status or a note is meant; only HTML shows it, by a colour, and never by that alone."""


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads somewhere in HTML, if its address is http or https.

    Parameters
    ----------
    text : str
        What is read.
    url : str or None
        Where it leads; None for a text that leads nowhere.
    """

    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Dot:
    """A text with a dot before it whose colour says how it is meant.

    Parameters
    ----------
    text : str
        What is read.
    tone : Tone
        How it is meant; the text says the same.
    """

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """A small table.

    Parameters
    ----------
    title : str
        What its rows are; may be empty.
    columns : tuple of str
        The heads.
    rows : tuple of tuple
        The cells; None is what is not known.
    empty : str
        The sentence that stands there when there is no row; without one, nothing is shown.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Link | Dot | None, ...], ...]
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """Sentences, one a line.

    Parameters
    ----------
    lines : tuple of str
        The sentences.
    tone : Tone
        How they are meant.
    """

    lines: tuple[str, ...]
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Pictures:
    """Small pictures in a row. Plain text leaves them out: a table beside them has their names.

    Parameters
    ----------
    items : tuple of (name, URL)
        What is shown.
    """

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of a whole, side by side, as wide as they are long.

    Parameters
    ----------
    title : str
        What the whole is.
    items : tuple of (name, words, size)
        Each part: what it is, how much in words, and how much.
    """

    title: str
    items: tuple[tuple[str, str, float], ...]


Section: TypeAlias = Table | Notes | Pictures | Parts


@dataclass(frozen=True, slots=True)
class Card:
    """One thing, as it is displayed. Its texts are as they came: whoever renders a card makes them harmless.

    Parameters
    ----------
    status : str
        In words; read first.
    title : str
        What it is.
    tone : Tone
        How the status is meant.
    facts : tuple of (label, value)
        What is known; those whose value is None or empty are left out.
    sections : tuple of Table, Notes or Pictures
        What follows.
    following : tuple of str
        Calls that one can make next.
    """

    status: str
    title: str
    tone: Tone = "plain"
    facts: tuple[tuple[str, str | None], ...] = ()
    sections: tuple[Section, ...] = ()
    following: tuple[str, ...] = ()
