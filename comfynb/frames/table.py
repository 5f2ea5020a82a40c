"""What a table is declared by: its columns, their types and what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pandas as pd

__all__ = ["Column", "Dtype", "Table"]

Dtype: TypeAlias = Literal["str", "datetime64[us, UTC]", "Int64", "Float64", "boolean", "object"]
"""The types that columns have. "object" is for cells with several things (tuples) and for values of any type."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        Its name.
    dtype : str
        Its pandas type, the same in an empty table.
    meaning : str
        What its cells say. What is not known is NA.
    unit : str
        Of numbers: "seconds", "rows"; empty where there is none.
    """

    name: str
    dtype: Dtype
    meaning: str
    unit: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """One kind of table.

    Parameters
    ----------
    kind : str
        The name of the kind, which also stands in the `attrs` of each such table.
    columns : tuple of Column
        In their order.
    meaning : str
        What one row is.

    Examples
    --------
    >>> from comfynb.frames.schema import TABLES
    >>> TABLES["machines"].names()[:3]
    ('name', 'id', 'type')
    """

    kind: str
    columns: tuple[Column, ...]
    meaning: str

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns, in their order."""
        return tuple(column.name for column in self.columns)

    def describe(self) -> pd.DataFrame:
        """Return a table of the columns.

        Returns
        -------
        pandas.DataFrame
            One row per column: `name`, `dtype`, `unit`, `meaning`, all texts.

        Examples
        --------
        >>> from comfynb.frames.schema import TABLES
        >>> list(TABLES["timeline"].describe()["name"])
        ['at', 'status', 'live_status', 'progress', 'queue_position', 'outputs']
        """
        rows = [(column.name, column.dtype, column.unit, column.meaning) for column in self.columns]
        return pd.DataFrame(rows, columns=["name", "dtype", "unit", "meaning"], dtype="str")

    def __repr__(self) -> str:
        return self.help_text()

    def help_text(self) -> str:
        """Return the same as `describe`, as plain text.

        Examples
        --------
        >>> from comfynb.frames.schema import TABLES
        >>> print(TABLES["timeline"].help_text().splitlines()[0])
        timeline: one row per change of a run that was seen, oldest first.
        """
        widest = max(len(column.name) for column in self.columns)
        kinds = max(len(column.dtype) for column in self.columns)
        lines = [f"{self.kind}: {self.meaning}"]
        for column in self.columns:
            unit = f" [{column.unit}]" if column.unit else ""
            lines.append(f"  {column.name:<{widest}}  {column.dtype:<{kinds}}  {column.meaning}{unit}")
        return "\n".join(lines)
