r"""Plain text: texts of other people made harmless, small tables, and cards.

Names, prompts and error texts come from other people. In a terminal their control characters could move the cursor
or hide what stands there, and characters that turn the direction of writing could make one name look like another.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Final

from comfynb.display.card import Card, Link, Notes, Table

__all__ = ["card_text", "columns", "display_width", "tidy"]

UNKNOWN: Final = "–"
"""What stands in a table for what is not known."""

LONGEST: Final = 200
"""How wide a text may be where nothing else is said."""

_WIDEST_CELL: Final = 56
_WIDEST_LAST_CELL: Final = 160
_WIDEST_FACT: Final = 160
_WIDEST_NOTE: Final = 1200
_LINE: Final = 100

_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DIRECTIONS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
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


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide characters take two, combining ones none.

    Examples
    --------
    >>> display_width("fox"), display_width("狐")
    (3, 2)
    """
    return len(text) if text.isascii() else sum(map(_width, text))


def columns(rows: Sequence[Sequence[str]], *, indent: str = "", gap: str = "  ") -> str:
    """Return rows of cells as lines in which the columns stand below each other.

    Parameters
    ----------
    rows : sequence of sequence of str
        The cells, which are written as they are: `tidy` them before. Rows may have different lengths.
    indent, gap : str
        What stands before each line, and between two columns.

    Examples
    --------
    >>> print(columns([("prompt", "text"), ("狐", "seed")]))
    prompt  text
    狐      seed
    """
    widths: list[int] = []
    for row in rows:
        widths.extend([0] * (len(row) - len(widths)))
        for place, cell in enumerate(row):
            widths[place] = max(widths[place], display_width(cell))
    lines = []
    for row in rows:
        cells = [cell + " " * (widths[place] - display_width(cell)) for place, cell in enumerate(row)]
        lines.append((indent + gap.join(cells)).rstrip())
    return "\n".join(lines)


def card_text(card: Card) -> str:
    """Return a card as plain text.

    Examples
    --------
    >>> print(card_text(Card("ready", "Machine gpu-1", facts=(("GPU", "A10G"), ("version", None)))))
    ready – Machine gpu-1
      GPU  A10G
    """
    blocks = []
    facts = [(tidy(label), tidy(value, _WIDEST_FACT)) for label, value in card.facts]
    if shown := [fact for fact in facts if fact[1]]:
        blocks.append(columns(shown, indent="  "))
    for section in card.sections:
        if isinstance(section, Table):
            blocks.append(_table(section))
        elif isinstance(section, Notes):
            blocks.append("\n".join(_wrapped(tidy(line, _WIDEST_NOTE)) for line in section.lines if tidy(line)))
    if card.following:
        blocks.append("\n".join(["next:", *(f"  {tidy(call)}" for call in card.following)]))
    head = " – ".join(filter(None, (tidy(card.status), tidy(card.title))))
    first = head + ("\n" + blocks.pop(0) if shown else "")
    return "\n\n".join([first, *filter(None, blocks)])


def _table(table: Table) -> str:
    lines = [f"{tidy(table.title)}:"] if table.title else []
    if table.rows:
        cells = [
            [*(_cell(cell, _WIDEST_CELL) for cell in row[:-1]), *(_cell(cell, _WIDEST_LAST_CELL) for cell in row[-1:])]
            for row in table.rows
        ]
        lines.append(columns([[tidy(head) for head in table.columns], *cells], indent="  "))
    elif table.empty:
        lines.append(f"  {tidy(table.empty)}")
    else:
        return ""
    return "\n".join(lines)


def _cell(cell: str | Link | None, width: int) -> str:
    text = cell.text if isinstance(cell, Link) else cell
    return tidy(text, width) or ("" if text == "" else UNKNOWN)


def _wrapped(line: str) -> str:
    return textwrap.fill(line, _LINE, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


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
