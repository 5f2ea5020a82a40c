"""Building a table from columns of plain values, so that its schema always holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from comfynb.frames.schema import Dtype, Table

__all__ = ["as_cell", "frame", "guess_dtype"]

_MISFITS: Final = (TypeError, ValueError, OverflowError)
_FULL_PRECISION: Final = 2**53
_LONGEST: Final = 2**63


def frame(
    table: Table,
    columns: Mapping[str, Sequence[Any]],
    *,
    extra: Mapping[str, Sequence[Any]] | None = None,
    source: str = "",
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """Build a table of a declared kind.

    Parameters
    ----------
    table : Table
        Which kind.
    columns : mapping of str to sequence
        The values of every declared column, all of one length; None is what is not known.
    extra : mapping of str to sequence, optional
        Columns that come after the declared ones. Their types follow from their values.
    source : str
        Where the data are from, for `attrs`.
    as_of : datetime, optional
        When they were read, for `attrs`.

    Returns
    -------
    pandas.DataFrame
        The declared columns in their order and types, with a `RangeIndex`, also when there is no row. `attrs` has
        `kind`, `source`, and `as_of` as ISO text in UTC or None (texts, so that a table can be written to Parquet).

    Raises
    ------
    ValueError
        If `columns` are not those that the table declares.

    Examples
    --------
    >>> from comfynb.frames.schema import TABLES
    >>> empty = frame(TABLES["timeline"], {name: [] for name in TABLES["timeline"].names()})
    >>> str(empty.dtypes["at"]), empty.attrs["kind"]
    ('datetime64[us, UTC]', 'timeline')
    """
    if columns.keys() != set(table.names()):
        differing = ", ".join(sorted(columns.keys() ^ set(table.names())))
        raise ValueError(f"the columns of {table.kind!r} are not those that it declares: {differing}")
    data = {column.name: _array(columns[column.name], column.dtype) for column in table.columns}
    for name, values in (extra or {}).items():
        data[name] = _array(values, guess_dtype(values))
    rows = len(next(iter(columns.values())))
    built = pd.DataFrame(data, index=pd.RangeIndex(rows), copy=False)
    built.attrs = {
        "kind": table.kind,
        "source": source,
        "as_of": None if as_of is None else as_of.astimezone(UTC).isoformat(),
    }
    return built


def guess_dtype(values: Sequence[Any]) -> Dtype:
    """Return the type of a column whose values are not declared: the narrowest that keeps every one as it is.

    Examples
    --------
    >>> guess_dtype([1, None, 2]), guess_dtype([1, 2.5]), guess_dtype(["a", 1]), guess_dtype([True])
    ('Int64', 'Float64', 'object', 'boolean')
    """
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if kinds == {str}:
        return "str"
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "Int64" if all(v is None or -_LONGEST <= v < _LONGEST for v in values) else "object"
    if kinds == {float}:
        return "Float64"
    if kinds == {int, float}:
        # Larger integers would be rounded, and a rounded seed makes another picture.
        return "Float64" if all(type(v) is not int or abs(v) <= _FULL_PRECISION for v in values) else "object"
    return "object"


def as_cell(value: Any) -> Any:
    """Return a JSON value as it stands in a cell: lists become tuples.

    Examples
    --------
    >>> as_cell(["a", ["b"], {"r": 1}])
    ('a', ('b',), {'r': 1})
    """
    return tuple(as_cell(item) for item in value) if isinstance(value, list | tuple) else value


def _array(values: Sequence[Any], dtype: Dtype) -> ExtensionArray | np.ndarray[Any, Any]:
    if dtype == "object":
        return _objects(values)
    try:
        return _typed(values, dtype)
    except _MISFITS:
        # A value that does not fit the declared type is not known; the others stay.
        return _typed([value if _fits(value, dtype) else None for value in values], dtype)


def _typed(values: Sequence[Any], dtype: Any) -> ExtensionArray:
    array: ExtensionArray = pd.array(values, dtype=dtype)
    return array


def _objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    # Filled cell by cell: numpy would make a second dimension of tuples of one length.
    cells = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        cells[place] = pd.NA if value is None else value
    return cells


def _fits(value: object, dtype: Dtype) -> bool:
    try:
        _typed([value], dtype)
    except _MISFITS:
        return False
    return True
