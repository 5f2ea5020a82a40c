"""How what a run made looks: pictures that grow when they are clicked, players, texts, links."""

from __future__ import annotations

from typing import Final

from comfynb.display.card import Card, Media, Medium, Notes, Table
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.words import count
from comfynb.rules.text import tidy
from comfynb.services.results import ResultFile

__all__ = ["gallery_html", "gallery_text", "medium_of", "output_html"]

_MOST: Final = 60


def medium_of(file: ResultFile, of_run: str = "") -> Medium:
    """Return how an output is shown.

    Parameters
    ----------
    file : ResultFile
        The output.
    of_run : str
        The run that made it, in words; empty where that is clear.
    """
    return Medium(file.kind, file.filename, file.url, file.text, " · ".join(filter(None, (_maker(file), of_run))))


def output_html(file: ResultFile) -> str:
    """Return one output as HTML."""
    return card_html(Card(status="", title="", sections=(Media((medium_of(file),), large=True),)))


def gallery_html(title: str, files: list[tuple[ResultFile, str]]) -> str:
    """Return outputs as HTML.

    Parameters
    ----------
    title : str
        What made them.
    files : list of (ResultFile, str)
        The outputs, each with its run in words.
    """
    media = Media(tuple(medium_of(file, run) for file, run in files[:_MOST]), large=True, more=len(files[_MOST:]))
    return card_html(Card(status=count(len(files), "output"), title=title, sections=(media,)))


def gallery_text(title: str, files: list[tuple[ResultFile, str]]) -> str:
    """Return the same as plain text.

    Examples
    --------
    >>> picture = ResultFile("image", "a.png", None, None, "9", "SaveImage", None, "r1")
    >>> print(gallery_text("of text2img", [(picture, "")]))
    1 output – of text2img
    <BLANKLINE>
    outputs:
      kind   file   made by
      image  a.png  SaveImage (node 9)
    """
    several = any(run for _, run in files)
    rows = tuple(
        (file.kind, file.filename, _maker(file) or None, *((run,) if several else ())) for file, run in files[:_MOST]
    )
    columns = ("kind", "file", "made by", *(("run",) if several else ()))
    more = f"and {len(files) - _MOST} more" if len(files) > _MOST else ""
    sections = [Table("outputs", columns, rows, "none so far")]
    return card_text(Card(status=count(len(files), "output"), title=title, sections=(*sections, Notes((more,)))))


def _maker(file: ResultFile) -> str:
    named = tidy(file.output_id, 60)
    node = f"node {tidy(file.node_id, 40)}" if file.node_id else ""
    if file.node_class:
        node = f"{tidy(file.node_class, 60)} ({node})" if node else tidy(file.node_class, 60)
    return f"{named}, {node}" if named and node else named or node
