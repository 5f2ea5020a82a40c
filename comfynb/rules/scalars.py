"""Single values as they go over the wire: plain Python numbers, texts and colors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

__all__ = ["JSON", "parse_color", "parse_number", "plain"]

JSON: TypeAlias = str | int | float | bool | list[Any] | dict[str, Any] | None
"""A value as it goes over the wire."""

_WHOLE: Final = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST_NUMBER: Final = 100
_HEX_COLOR: Final = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def plain(value: object) -> object:
    """Return a NumPy scalar, or an instance of a subclass of str, as the plain Python value that it stands for.

    NumPy is recognised by what its scalars can do, not imported. Anything else comes back as it is.

    Examples
    --------
    >>> plain(3), plain([1, 2])
    (3, [1, 2])
    """
    if value is None or type(value) in (str, int, float, bool, list, dict, tuple):
        return value
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    if isinstance(value, str):
        return str.__str__(value)
    return value


def parse_number(value: object) -> int | float | None:
    """Return a number, or a text that is one, as int or float; None for anything else.

    True, False, NaN and the infinities are no numbers here.

    Examples
    --------
    >>> parse_number("0.5"), parse_number(7), parse_number("640"), parse_number(True), parse_number("1_000")
    (0.5, 7, 640, None, None)
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _LONGEST_NUMBER:
            return None
        if _WHOLE.fullmatch(text):
            return int(text)
        if not _NUMBER.fullmatch(text):
            return None
        value = float(text)
    return value if isinstance(value, float) and math.isfinite(value) else None


def parse_color(value: object) -> list[JSON] | None:
    """Return a color in the shape that a color input takes: a list with one `{"r": …, "g": …, "b": …}` of 0 to 255.

    Takes `"#rrggbb"`, `"#rgb"`, three numbers, a mapping with r, g and b, or that shape itself; None for anything else.

    Examples
    --------
    >>> parse_color("#ff8000")
    [{'r': 255, 'g': 128, 'b': 0}]
    >>> parse_color((0, 0, 256)) is None
    True
    """
    if isinstance(value, str):
        match = _HEX_COLOR.fullmatch(value.strip())
        if match is None:
            return None
        digits = match[1] if len(match[1]) == 6 else "".join(digit * 2 for digit in match[1])
        parts: list[object] = [int(digits[place : place + 2], 16) for place in (0, 2, 4)]
    elif isinstance(value, Mapping):
        parts = [value.get(name) for name in "rgb"]
    elif isinstance(value, list | tuple):
        if len(value) == 1 and isinstance(value[0], Mapping):
            return parse_color(value[0])
        parts = list(value)
    else:
        return None
    numbers = [parse_number(plain(part)) for part in parts]
    if len(numbers) != 3 or any(part is None or part != int(part) or not 0 <= part <= 255 for part in numbers):
        return None
    return [{name: int(part) for name, part in zip("rgb", numbers, strict=True) if part is not None}]
