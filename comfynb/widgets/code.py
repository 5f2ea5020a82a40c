"""The code that submits what a form would."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from comfynb.display.words import is_argument
from comfynb.errors import InputError
from comfynb.rules.scalars import plain
from comfynb.rules.sizes import size_words
from comfynb.rules.text import tidy
from comfynb.services.given_files import result_of

__all__ = ["run_code"]

_LINE: Final = 100
_MOST_BYTES: Final = 64_000
"""Bytes of an upload that are written out, where no address is known for it yet."""


def run_code(
    workflow: str,
    values: Mapping[str, Any],
    *,
    environment: str | None = None,
    machine: str | None = None,
    sent: Mapping[str, Any] | None = None,
) -> str:
    r"""Return a cell that runs a workflow with some inputs. It takes `ws` to be the workspace.

    Parameters
    ----------
    workflow : str
        A name or an id.
    values : mapping
        Values by input name.
    environment, machine : str, optional
        As `ws.run` takes them.
    sent : mapping, optional
        What the server was given instead of values that code cannot hold, such as the address of an upload.

    Raises
    ------
    InputError
        If a value cannot be written down.

    Examples
    --------
    >>> print(run_code("text2img", {"prompt": "a red fox", "class": "b", "seed": 7}))
    run = ws.run("text2img", prompt="a red fox", seed=7, inputs={"class": "b"})
    run
    """
    imports: dict[str, None] = {}
    plainly: list[str] = []
    others: list[str] = []
    for name, value in values.items():
        literal = _literal(name, value, sent or {}, imports)
        if is_argument(name):
            plainly.append(f"{name}={literal}")
        else:
            others.append(f"{_text(name)}: {literal}")
    arguments = [_text(workflow), *plainly]
    if others:
        arguments.append(f"inputs={{{', '.join(others)}}}")
    if environment is not None:
        arguments.append(f"environment={_text(environment)}")
    if machine is not None:
        arguments.append(f"machine={_text(machine)}")
    call = f"run = ws.run({', '.join(arguments)})"
    if len(call) > _LINE:
        call = "run = ws.run(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
    head = "".join(f"{line}\n" for line in imports)
    return f"{head}\n{call}\nrun" if head else f"{call}\nrun"


def _literal(name: str, value: Any, sent: Mapping[str, Any], imports: dict[str, None]) -> str:
    value = plain(value)
    made = result_of(value)
    if made is not None and (made.url or made.text) is not None:
        value = made.url or made.text
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else f'float("{float.__repr__(value)}")'
    if isinstance(value, list | tuple) and not (name in sent and any(map(_is_content, value))):
        inner = ", ".join(_literal("", each, {}, imports) for each in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(k))}: {_literal('', v, {}, imports)}" for k, v in value.items()) + "}"
    if isinstance(value, PurePath):
        imports["from pathlib import Path"] = None
        return f"Path({_text(str(value))})"
    if name in sent:
        return _literal("", sent[name], {}, imports)
    if isinstance(value, bytes | bytearray) and len(value) <= _MOST_BYTES:
        imports["import base64"] = None
        return f'base64.b64decode("{base64.b64encode(value).decode()}")'
    what = f"an upload of {size_words(len(value))}" if isinstance(value, bytes | bytearray) else type(value).__name__
    raise InputError(
        f"{tidy(name, 60) or 'An input'} is {what}, which code cannot hold: save it as a file and give its path, or "
        "run the form first, after which it has an address."
    )


def _is_content(value: Any) -> bool:
    return not isinstance(plain(value), str | int | float | PurePath | None)


def _text(text: str) -> str:
    """Return a text as Python reads it, in double quotes where that needs no more escaping."""
    written = repr(str(text))
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in written else written
