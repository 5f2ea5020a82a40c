"""Columns of standard names."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pandas as pd
import pytest

import comfynb
from comfynb.frames.standard import standardize_series

MANY = 200_000
"""Cells from which on equal objects are told apart by what they are."""


def expected(cells: list[Any], table: comfynb.NamesTable) -> list[Any]:
    """Return the standard names of cells, one by one."""
    found: list[Any] = []
    for cell in cells:
        try:
            found.append(table.standardize(cell))
        except comfynb.InputError:
            found.append(None)
    return found


def listed(column: pd.Series[Any]) -> list[Any]:
    """Return cells with None for what is NA."""
    return [None if pd.isna(cell) else cell for cell in column]


CELLS = ["Text to Image", "MAKEIMAGE", None, "→", "", "Größe", "two\nlines", "Text to Image", float("nan")]
TABLE = comfynb.NamesTable({"text2img": ["makeimage"], "star": ["★"]})


@pytest.mark.parametrize("dtype", ["str", "object", "category", pd.StringDtype("python")])
def test_a_column_becomes_standard_as_each_cell_does(dtype: Any) -> None:
    """With its index and its name; what is missing, or has no standard name, is NA."""
    column = pd.Series(CELLS, index=list("abcdefghi"), name="names").astype(dtype)
    found = comfynb.standardize_workflow_name(column, TABLE)
    assert listed(found) == expected(CELLS, TABLE)
    assert (str(found.dtype), found.name, list(found.index)) == ("str", "names", list("abcdefghi"))


def test_what_is_no_text_is_not_known() -> None:
    """Whatever it is, also what cannot be hashed."""
    column = pd.Series(["A b", 7, ["A b"], {"x": 1}, pd.NA, b"A b", True, 1.5, "\ud800 c"], dtype="object")
    assert listed(comfynb.standardize_workflow_name(column)) == ["a_b", *[None] * 7, "c"]
    assert listed(comfynb.standardize_workflow_name(pd.Series([1, 2]))) == [None, None]
    assert listed(comfynb.standardize_workflow_name(pd.Series([], dtype="str"))) == []


def test_the_column_stays_as_it_was() -> None:
    """And what is returned is a column of its own."""
    column = pd.Series(["A b"] * 3)
    found = comfynb.standardize_workflow_name(column)
    found.iloc[0] = "changed"
    assert column.tolist() == ["A b"] * 3
    assert comfynb.standardize_workflow_name(column).tolist() == ["a_b"] * 3


@pytest.mark.parametrize("shared", [True, False])
def test_long_columns_are_the_same(shared: bool) -> None:
    """Whether equal names are one object or many, whether they come early or late, and whether some are missing."""
    draw = random.Random(5)
    distinct = [f"Wan {number} - v{number % 7}" for number in range(500)]
    late = [f"Late {number}" for number in range(50)]
    cells: list[Any] = [draw.choice(distinct) for _ in range(MANY)] + [
        draw.choice([*late, None, "→"]) for _ in range(500)
    ]
    if not shared:
        cells = [None if cell is None else "".join(list(cell)) for cell in cells]
    one_by_one = {name: comfynb.standardize_workflow_name(name) for name in {*distinct, *late}}
    for _ in range(2):  # the second time the names are known
        found = standardize_series(pd.Series(cells))
        assert listed(found) == [one_by_one.get(cell) for cell in cells]


def test_a_part_of_a_column_is_read_as_that_part() -> None:
    """Every second cell of another column, too."""
    column = pd.Series([f"Name {number % 9}" for number in range(2 * MANY)])[::2]
    assert standardize_series(column).tolist() == [f"name_{number % 9}" for number in range(0, 2 * MANY, 2)]


def test_each_table_has_its_own_standard_names() -> None:
    """What one remembers is nothing to another."""
    column = pd.Series(["makeimage", "x"])
    assert comfynb.standardize_workflow_name(column, TABLE).tolist() == ["text2img", "x"]
    assert comfynb.standardize_workflow_name(column).tolist() == ["makeimage", "x"]
    assert comfynb.standardize_workflow_name(column, comfynb.NamesTable({"y": ["x"]})).tolist() == ["makeimage", "y"]


def test_names_that_are_all_different_are_all_standardised() -> None:
    """More than are remembered, and an array of numpy's as the cells."""
    names = np.array([f"Name {number}" for number in range(150_000)])
    found = standardize_series(pd.Series(names))
    assert found.tolist() == [f"name_{number}" for number in range(150_000)]


def test_a_single_name_is_a_name() -> None:
    """With a table, and without; what is none is an error."""
    assert comfynb.standardize_workflow_name("Make-Image") == "make_image"
    assert comfynb.standardize_workflow_name("★", TABLE) == "star"
    for nothing in (None, 7, "", ["a"]):
        with pytest.raises(comfynb.InputError):
            comfynb.standardize_workflow_name(nothing)  # type: ignore[call-overload]
