"""Single values."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
import pytest

from comfynb.rules.scalars import parse_color, parse_number, plain


class Method(str, enum.Enum):  # noqa: UP042 - its str() is not its value, unlike that of a StrEnum
    """An option as a program may hold it."""

    FAST = "fast"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.25), 0.25),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array(7), 7),
        (Method.FAST, "fast"),
        (None, None),
    ],
)
def test_scalars_become_plain_values(value: Any, expected: Any) -> None:
    """What NumPy and enumerations hold comes out with Python's own type."""
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_an_array_stays_an_array() -> None:
    """Only single values are unpacked."""
    assert isinstance(plain(np.array([1])), np.ndarray)


@pytest.mark.parametrize(
    ("value", "number"),
    [("640", 640), (" -5 ", -5), ("1e3", 1000.0), (".5", 0.5), (3, 3), (2.5, 2.5)]
    + [(text, None) for text in ("", "abc", "1_000", "0x10", "nan", "inf", "1e999", "٣", "9" * 5000)]
    + [(value, None) for value in (True, float("inf"), float("nan"), None, [], {})],
)
def test_numbers_are_read_strictly(value: Any, number: Any) -> None:
    """Only what everybody reads as a number is one."""
    assert parse_number(value) == number
    assert type(parse_number(value)) is type(number)


@pytest.mark.parametrize(
    "value", ["#ff8000", "FF8000", "#f80", (255, 128, 0), [255, 136, 0.0], {"r": 255, "g": 128, "b": 0}]
)
def test_colors_have_many_forms(value: Any) -> None:
    """Every form leads to a list with one mapping of whole numbers."""
    color = parse_color(value)
    assert color is not None
    assert color[0]["r"] == 255
    assert parse_color(color) == color


@pytest.mark.parametrize(
    "value", ["", "red", "#12345", "#12345678", (1, 2), (1, 2, 256), (1, 2, 0.5), (1, 2, True), {"r": 1}, [{}], 5, None]
)
def test_what_is_no_color(value: Any) -> None:
    """Anything else is None."""
    assert parse_color(value) is None
