"""A cell that does what a form does."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comfynb.display.words import OPTIONS

__all__ = ["code_for"]


def code_for(workflow: str, values: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Return a call of `ws.run` with these inputs.

    Parameters
    ----------
    workflow : str
        Its name or its id.
    values : mapping
        What is given, by input name. A path becomes an upload.
    options : mapping
        Options of `ws.run`; those that are None are left out.

    Examples
    --------
    >>> print(code_for("text2img", {"prompt": "a fox", "class": "x"}, {"environment": "staging"}))
    run = ws.run(
        "text2img",
        inputs={
            "class": "x",
        },
        environment="staging",
        prompt="a fox",
    )
    """
    plain = {name: value for name, value in values.items() if _is_keyword(name) and name not in OPTIONS}
    rest = {name: value for name, value in values.items() if name not in plain}
    lines = [f"    {_literal(workflow)},"]
    if rest:
        inner = [f"        {_literal(name)}: {_literal(value)}," for name, value in rest.items()]
        lines += ["    inputs={", *inner, "    },"]
    lines += [f"    {name}={_literal(value)}," for name, value in options.items() if value is not None]
    lines += [f"    {name}={_literal(value)}," for name, value in plain.items()]
    return "\n".join(["run = ws.run(", *lines, ")"])


def _is_keyword(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def _literal(value: Any) -> str:
    if isinstance(value, Path):
        return f"ws.upload({_literal(str(value))})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    text = repr(value)
    # Double quotes, as a formatter would write it, where that is the same text.
    if isinstance(value, str) and text[0] == "'" and '"' not in text and "\\'" not in text:
        return f'"{text[1:-1]}"'
    return text
