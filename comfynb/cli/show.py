"""Tables and lines in a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comfynb.rules.text import is_unknown, tidy

if TYPE_CHECKING:
    import pandas as pd


def heading(text: str) -> None:
    """Print a heading."""
    typer.echo(f"\n{text}")


def line(text: str, *, err: bool = False) -> None:
    """Print one line, whatever is in it, indented as it is."""
    indent = " " * (len(text) - len(text.lstrip(" ")))
    typer.echo(indent + tidy(text, None), err=err)


def as_json(value: Any) -> None:
    """Print JSON, in ASCII: a terminal shows it as it is, and nothing in it moves the cursor."""
    typer.echo(json.dumps(value, indent=2))


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Print names and values, aligned."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"  {name:<{width}}  {tidy(value, 200)}")


def table(frame: pd.DataFrame, columns: Sequence[str], most: int = 50) -> None:
    """Print some columns of a table."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2))
    for column in columns:
        shown.add_column(column, overflow="fold", max_width=48)
    for row in frame[list(columns)].head(most).itertuples(index=False):
        shown.add_row(*(Text(cell(value)) for value in row))
    console = Console(soft_wrap=False, width=None if Console().is_terminal else 160)
    console.print(shown)
    if len(frame) > most:
        typer.echo(f"  … and {len(frame) - most} more")


def cell(value: Any) -> str:
    """Return a value as it is shown in a table."""
    if isinstance(value, tuple | list):
        return ", ".join(cell(part) for part in value)
    return "-" if is_unknown(value) else tidy(value, 80)
