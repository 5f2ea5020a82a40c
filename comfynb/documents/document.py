"""What a document says, before it is Markdown, CSV, JSON or HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Document", "Section"]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document.

    Parameters
    ----------
    title : str
        Its heading; none for the first part.
    text : tuple of str
        Paragraphs of ours, in Markdown.
    table : pandas.DataFrame, optional
        A table below them. Its texts may come from anybody; they are made harmless.
    heads : mapping of str to str
        How columns are called for people; in CSV and JSON they keep their names.
    figure : str
        A drawing below it, as SVG of ours. It is written beside the document, and named after it.
    empty : str
        What stands in place of a table without rows.
    """

    title: str = ""
    text: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    heads: Mapping[str, str] = field(default_factory=dict)
    figure: str = ""
    empty: str = "None."


@dataclass(frozen=True, slots=True)
class Document:
    """A document.

    Parameters
    ----------
    title : str
        What it is about.
    sections : tuple of Section
        Its parts. CSV and JSON have the tables alone; CSV the first one alone.
    """

    title: str
    sections: tuple[Section, ...]
