"""Tables in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfynb.rules.text import is_unknown, tidy

if TYPE_CHECKING:
    import pandas as pd


def markdown_table(frame: pd.DataFrame) -> str:
    r"""Return a table as Markdown; what has a meaning in Markdown or HTML is escaped.

    Examples
    --------
    >>> import pandas as pd
    >>> print(markdown_table(pd.DataFrame({"name": ["a|b"], "count": [1]})))
    | name | count |
    | --- | --- |
    | a\|b | 1 |
    """
    lines = [_line(frame.columns), _line(["---"] * len(frame.columns))]
    lines += [_line(_cell(value) for value in row) for row in frame.itertuples(index=False)]
    return "\n".join(lines)


def _line(cells: Any) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _cell(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(_cell(part) for part in value)
    if is_unknown(value):
        return ""
    text = tidy(str(value), 400)
    for sign in "\\|*_`[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
