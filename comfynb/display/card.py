"""What a display says, before it is text or HTML. Both are made from one card, so that they say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Card", "Dot", "Link", "Media", "Medium", "Notes", "Parts", "Section", "Table", "Tone"]

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
class Medium:
    """A picture, a film, a sound, a text or another file.

    Parameters
    ----------
    kind : str
        "image", "video", "audio", "3d", "text" or "file".
    name : str
        What it is called.
    url : str or None
        Where it is.
    text : str or None
        Its content, where that is a text that is known.
    caption : str
        What else there is to say.
    """

    kind: str
    name: str
    url: str | None
    text: str | None = None
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """Pictures, films, sounds and other files side by side. Plain text leaves them out: a table has their names.

    Parameters
    ----------
    items : tuple of Medium
        What is shown. A picture shows in full size when it is clicked.
    large : bool
        Whether each is large enough to be looked at, with its name below it.
    more : int
        How many are not shown.
    """

    items: tuple[Medium, ...]
    large: bool = False
    more: int = 0


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


Section: TypeAlias = Table | Notes | Media | Parts


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
    sections : tuple of Table, Notes, Media or Parts
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
