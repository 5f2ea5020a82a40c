"""Plain text: small tables, and cards."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from comfynb.display.card import Card, Dot, Link, Notes, Parts, Table
from comfynb.rules.text import display_width, tidy

__all__ = ["UNKNOWN", "card_text", "columns"]

UNKNOWN: Final = "–"
"""What stands in a table for what is not known."""

_WIDEST_CELL: Final = 56
_WIDEST_LAST_CELL: Final = 160
_WIDEST_FACT: Final = 160
_WIDEST_NOTE: Final = 1200
_LINE: Final = 100


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
        elif isinstance(section, Parts) and section.items:
            told = ", ".join(f"{tidy(name)} {tidy(words)}" for name, words, _ in section.items)
            blocks.append(f"{tidy(section.title)}: {told}" if section.title else told)
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


def _cell(cell: str | Link | Dot | None, width: int) -> str:
    text = cell.text if isinstance(cell, Link | Dot) else cell
    return tidy(text, width) or ("" if text == "" else UNKNOWN)


def _wrapped(line: str) -> str:
    return textwrap.fill(line, _LINE, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
