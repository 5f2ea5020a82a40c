"""What the knobs of a sandbox can be set to, told by their types."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from datetime import datetime
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

__all__ = ["wanted"]

FAILURES: Final = (500, 502, 503, 504)
"""Statuses with which a request can fail."""

Rule = tuple[Callable[[Any], bool], str]
"""Whether a value is good, and what is wanted, in words."""


def wanted(name: str, kind: Any, value: Any) -> str:
    """Return what a knob takes, in words, if it cannot have this value; else an empty text.

    Parameters
    ----------
    name : str
        The knob.
    kind : type
        Its type, as the class declares it.
    value : object
        What it is to be set to.

    Examples
    --------
    >>> wanted("speed", float, "fast"), wanted("speed", float, 100)
    ('a number, 0 or more', '')
    """
    allowed = get_args(kind)
    if get_origin(kind) is Literal:
        return "" if value in allowed else _or(allowed)
    if value is None and NoneType in allowed:
        return ""
    known = kind if kind in _BY_KIND else next(each for each in allowed if each in _BY_KIND)
    good, words = _BY_NAME.get(name) or _BY_KIND[known]
    return "" if good(value) else words


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _texts(value: Any) -> bool:
    return (
        isinstance(value, Collection)
        and not isinstance(value, str | bytes)
        and all(isinstance(each, str) for each in value)
    )


def _or(choices: Collection[Any]) -> str:
    return " or ".join(map(repr, choices))


_BY_KIND: Final[dict[Any, Rule]] = {
    bool: (lambda value: isinstance(value, bool), "True or False"),
    int: (lambda value: _whole(value) and value >= 0, "a whole number, 0 or more"),
    float: (_number, "a number, 0 or more"),
    str: (lambda value: isinstance(value, str), "a text"),
    set[str]: (_texts, "a set of names or ids"),
    datetime: (lambda value: isinstance(value, datetime) and value.tzinfo is not None, "a time with a zone"),
}
_BY_NAME: Final[dict[str, Rule]] = {
    "seed": (_whole, "a whole number"),
    "prefix": (lambda value: isinstance(value, str) and value[:1] in ("", "/"), "empty, or begin with a slash"),
    "error_rate": (lambda value: _number(value) and value <= 1, "a share, from 0 to 1"),
    "fail_status": (lambda value: _whole(value) and value in FAILURES, _or(FAILURES)),
}
