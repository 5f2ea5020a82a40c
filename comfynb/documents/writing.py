"""Writing documents: the same content gives the same bytes, and the same bytes are not written again."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from comfynb.display.markdown import markdown_table
from comfynb.documents.document import Document, Section
from comfynb.errors import ConfigurationError, InputError
from comfynb.rules.text import is_unknown, tidy
from comfynb.rules_files import replace_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ENDINGS", "check_ending", "write_document"]

_FORMULA: Final = re.compile(r"[=@]|[+-](?![0-9.,]*$)")
"""How a text begins that a spreadsheet would execute."""
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ text-align: left; vertical-align: top; padding: 4px 14px 4px 0; overflow-wrap: anywhere; min-width: 4rem; }}
th {{ border-bottom: 1px solid; white-space: nowrap; }}
tr + tr td {{ border-top: 1px solid color-mix(in srgb, currentColor 18%, transparent); }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def check_ending(path: str | Path) -> str:
    """Return the ending of a document's name.

    Raises
    ------
    InputError
        If nothing is written with such an ending.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"{path} ends in {ending or 'nothing'}; a document ends in {', '.join(ENDINGS)}.")
    return ending


def write_document(path: str | Path, document: Document) -> bool:
    """Write a document as its file's ending says: Markdown, CSV, JSON or HTML.

    Nothing in it is executed by whoever opens it: names in Markdown and HTML are escaped, and in CSV a text that a
    spreadsheet would take for a formula begins with an apostrophe.

    Parameters
    ----------
    path : str or pathlib.Path
        Where; folders that are missing are made. The file is replaced as a whole, and left alone if it says the same.
    document : Document
        What.

    Returns
    -------
    bool
        Whether the file changed.

    Raises
    ------
    InputError
        If the ending is unknown.
    ConfigurationError
        If it cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> from comfynb.documents import Document, Section
    >>> table = pd.DataFrame({"name": ["a|b", "=1+1"]})
    >>> document = Document("Names", (Section(table=table),))
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "docs" / "names.csv"
    >>> write_document(path, document), write_document(path, document), path.read_text().splitlines()
    (True, False, ['name', 'a|b', "'=1+1"])
    """
    path = Path(path)
    ending = check_ending(path)
    changed = _write(path, ENDINGS[ending](document, path))
    if ending in (".md", ".html"):
        for section in document.sections:
            if section.figure:
                _write(_figure(path, section), section.figure)
    return changed


def _figure(path: Path, section: Section) -> Path:
    """Return where the drawing of a section stands."""
    return path.with_name(f"{path.stem}_{section.title.lower().replace(' ', '_')}.svg")


def _write(path: Path, text: str) -> bool:
    content = text.encode("utf-8", "replace")
    try:
        with suppress(FileNotFoundError):
            if path.read_bytes() == content:
                return False
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror or error}.") from error
    return True


# -- the four kinds -------------------------------------------------------------------------------------------------


def _markdown(document: Document, path: Path) -> str:
    parts = [f"# {document.title}"]
    for section in document.sections:
        if section.title:
            parts.append(f"## {section.title}")
        parts += section.text
        if section.table is not None:
            shown = section.table.rename(columns=dict(section.heads))
            parts.append(markdown_table(shown) if len(shown) else section.empty)
        if section.figure:
            parts.append(f"![{section.title}]({_figure(path, section).name})")
    return "\n\n".join(parts) + "\n"


def _csv(document: Document, _path: Path) -> str:
    table = next((section.table for section in document.sections if section.table is not None), None)
    if table is None:
        return ""
    plain = table.astype(object).map(_flat)
    text: str = plain.to_csv(index=False, lineterminator="\n")
    return text


def _json(document: Document, _path: Path) -> str:
    content: Any = {
        section.title or document.title: _records(section.table)
        for section in document.sections
        if section.table is not None
    }
    if len(content) == 1:
        (content,) = content.values()
    return json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"


def _html(document: Document, path: Path) -> str:
    parts = [f"<h1>{html.escape(document.title)}</h1>"]
    for section in document.sections:
        if section.title:
            parts.append(f"<h2>{html.escape(section.title)}</h2>")
        parts += [f"<p>{_inline(paragraph)}</p>" for paragraph in section.text]
        if section.table is not None:
            parts.append(_html_table(section.table, section.heads, section.empty))
        if section.figure:
            name = html.escape(_figure(path, section).name)
            parts.append(f'<p><img src="{name}" alt="{html.escape(section.title)}"></p>')
    return _PAGE.format(title=html.escape(document.title), body="\n".join(parts))


def _html_table(table: pd.DataFrame, heads: Mapping[str, str], empty: str) -> str:
    if not len(table):
        return f"<p>{html.escape(empty)}</p>"
    head = "".join(f"<th>{html.escape(heads.get(name, name))}</th>" for name in table.columns)
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{html.escape(_shown(value))}</td>' for value in row)}</tr>"
        for row in table.itertuples(index=False)
    )
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'


ENDINGS: Final[Mapping[str, Callable[[Document, Path], str]]] = {
    ".md": _markdown,
    ".csv": _csv,
    ".json": _json,
    ".html": _html,
}
"""The endings of documents, and what makes them."""


# -- cells ----------------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it."""
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if is_unknown(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {name: _plain(value) for name, value in zip(table.columns, row, strict=True)}
        for row in table.itertuples(index=False, name=None)
    ]


def _shown(value: Any) -> str:
    """Return a cell on one line."""
    if isinstance(value, tuple | list):
        return ", ".join(_shown(part) for part in value)
    return "" if is_unknown(value) else tidy(value, 400)


def _flat(value: Any) -> Any:
    """Return a cell as CSV has it."""
    if isinstance(value, tuple | list):
        value = ", ".join(str(_flat(part)) for part in value)
    if is_unknown(value):
        return ""
    if isinstance(value, str):
        text = tidy(value, None)
        return f"'{text}" if _FORMULA.match(text) else text
    return value


def _inline(paragraph: str) -> str:
    """Return a paragraph of ours, whose only marks are code and links, as HTML."""
    text = html.escape(paragraph)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", r'<a href="\2">\1</a>', text)
