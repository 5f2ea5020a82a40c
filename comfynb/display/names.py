"""Tables of names and suggestions, as they are displayed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from comfynb.display.card import Card, Notes, Section, Table
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.words import count
from comfynb.rules.names_suggest import NamesSuggestion
from comfynb.rules.names_table import NamesTable

__all__ = ["names_html", "names_text", "suggestion_html", "suggestion_text"]

_MOST_ROWS: Final = 50


def names_text(names: NamesTable, path: Path | None) -> str:
    """Return the table of names in use as plain text."""
    return card_text(_names_card(names, path))


def names_html(names: NamesTable, path: Path | None) -> str:
    """Return the table of names in use as HTML."""
    return card_html(_names_card(names, path))


def suggestion_text(suggestion: NamesSuggestion) -> str:
    """Return a suggestion as plain text."""
    return card_text(_suggestion_card(suggestion))


def suggestion_html(suggestion: NamesSuggestion) -> str:
    """Return a suggestion as HTML."""
    return card_html(_suggestion_card(suggestion))


def _names_card(names: NamesTable, path: Path | None) -> Card:
    rows = [(standard, ", ".join(row.aliases) or None, row.api, row.database) for standard, row in names.rows.items()]
    sections: list[Section] = [
        Table(
            "",
            ("standard name", "aliases", "API", "database"),
            tuple(rows[:_MOST_ROWS]),
            "Names become standard by the rule alone.",
        )
    ]
    if len(rows) > _MOST_ROWS:
        sections.append(Notes((f"… and {len(rows) - _MOST_ROWS} more.",)))
    return Card(
        status=count(len(names), "standard name"),
        title="table of names",
        facts=(("file", path.name if path is not None else None),),
        sections=tuple(sections),
        following=("ws.names.table()", "ws.names.compare(database)", "ws.names.suggest(database)"),
    )


def _suggestion_card(suggestion: NamesSuggestion) -> Card:
    unsure = sum(not row.sure for row in suggestion.rows)
    rows = [
        (
            row.standard,
            row.api.name if row.api is not None else None,
            row.database,
            "sure" if row.sure else "to be decided",
            row.reason(),
        )
        for row in sorted(suggestion.rows, key=lambda row: row.sure)
    ]
    sections: list[Section] = [
        Table("", ("standard name", "API", "database", "", "why"), tuple(rows[:_MOST_ROWS]), "There are no names.")
    ]
    if len(rows) > _MOST_ROWS:
        sections.append(Notes((f"… and {len(rows) - _MOST_ROWS} more.",)))
    return Card(
        status=f"{unsure} of {count(len(rows), 'row')} to be decided" if unsure else "sure",
        tone="warn" if unsure else "good",
        title="suggested table of names",
        sections=tuple(sections),
        following=("print(suggestion.toml())", "ws.names.review(database)", "comfynb.connect(names=suggestion.table)"),
    )
