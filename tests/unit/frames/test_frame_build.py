"""Columns of plain values become typed columns, whatever the values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest

from comfynb.frames import Column, Table
from comfynb.frames.build import as_cell, frame, guess_dtype

TIME = "datetime64[us, UTC]"
EVERYTHING = Table(
    "everything",
    (
        Column("text", "str", "a text"),
        Column("time", TIME, "a time"),
        Column("whole", "Int64", "a whole number"),
        Column("real", "Float64", "a number"),
        Column("flag", "boolean", "yes or no"),
        Column("any", "object", "anything"),
    ),
    "one row per test.",
)


def one(name: str, *values: object) -> pd.Series:
    """Return one column of a table in which the others are not known."""
    columns = {column.name: [None] * len(values) for column in EVERYTHING}
    return frame(EVERYTHING, {**columns, name: list(values)})[name]


@pytest.mark.parametrize("name", EVERYTHING.names())
def test_what_is_not_known_is_na(name: str) -> None:
    """None is NA in a column of any type."""
    column = one(name, None, None)
    assert column.isna().all()
    assert str(column.dtype) == next(c.dtype for c in EVERYTHING if c.name == name)


def test_times_are_utc() -> None:
    """A time of another zone is the same moment in UTC."""
    noon = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert one("time", noon, None)[0] == pd.Timestamp("2026-05-01 10:00:00.123456Z")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("whole", 3, 2**80),
        ("whole", 3, 1.5),
        ("whole", 3, "many"),
        ("real", 0.5, "a lot"),
        ("flag", True, "perhaps"),
        ("time", datetime(2026, 5, 1, tzinfo=UTC), "yesterday, I think"),
    ],
)
def test_a_value_that_does_not_fit_is_not_known(name: str, good: object, bad: object) -> None:
    """One odd value does not take the table or its neighbours down."""
    column = one(name, good, bad, None)
    assert column[0] == good
    assert list(column.isna()) == [False, True, True]


def test_not_a_number_is_not_known() -> None:
    """NaN and NA are not told apart."""
    assert list(one("real", float("nan"), 1.0).isna()) == [True, False]


def test_a_cell_of_any_type_that_is_not_known_shows_as_na() -> None:
    """There is one sign for it in columns of objects."""
    assert one("any", None)[0] is pd.NA


def test_tuples_of_one_length_stay_cells() -> None:
    """Pairs do not become a second dimension."""
    assert list(one("any", ("a", 1), ("b", 2))) == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "🦊🦊", "", "a\0b", "<b>bold</b>", "ünïcode"])
def test_texts_stay_as_they_are(text: str) -> None:
    """A table holds what the server sent; escaping is for those who display it."""
    assert one("text", text)[0] == text


def test_columns_have_to_be_the_declared_ones() -> None:
    """A column that is missing or not declared is a mistake of ours, and is named."""
    columns = {column.name: [] for column in EVERYTHING if column.name != "flag"}
    with pytest.raises(ValueError, match=r"'everything'.*: colour, flag"):
        frame(EVERYTHING, {**columns, "colour": []})


def test_extra_columns_come_last_with_types_of_their_own() -> None:
    """What is not declared is appended in the given order."""
    columns = {column.name: [None] for column in EVERYTHING}
    made = frame(EVERYTHING, columns, extra={"input.z": [1], "input.a": ["x"]})
    assert tuple(made.columns) == (*EVERYTHING.names(), "input.z", "input.a")
    assert [str(dtype) for dtype in made.dtypes[-2:]] == ["Int64", "str"]


def test_attrs_say_kind_source_and_time_and_survive_json() -> None:
    """The attributes are texts, so that a table with them can be saved in any format."""
    noon = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    made = frame(EVERYTHING, {name: [] for name in EVERYTHING.names()}, source="https://host/api", as_of=noon)
    wanted = {"kind": "everything", "source": "https://host/api", "as_of": "2026-05-01T10:00:00+00:00"}
    assert made.attrs == json.loads(json.dumps(made.attrs)) == wanted


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["a", None], "str"),
        ([True, None, False], "boolean"),
        ([1, None, -1], "Int64"),
        ([2**63 - 1, -(2**63)], "Int64"),
        ([2**63], "object"),
        ([1.5, None], "Float64"),
        ([1, 1.5], "Float64"),
        ([2**53 + 1, 1.5], "object"),
        ([True, 1], "object"),
        (["a", 1], "object"),
        ([("a",)], "object"),
        ([{"r": 1}], "object"),
        ([None], "object"),
        ([], "object"),
    ],
)
def test_a_guessed_type_changes_no_value(values: list[object], dtype: str) -> None:
    """The type of an undeclared column is the narrowest that keeps every value."""
    assert guess_dtype(values) == dtype


def test_lists_become_tuples_and_objects_stay() -> None:
    """A cell's lists can be compared and hashed."""
    assert as_cell([1, [2, {"r": [3]}]]) == (1, (2, {"r": [3]}))
    assert as_cell({"r": 1}) == {"r": 1}
    assert as_cell("text") == "text"
