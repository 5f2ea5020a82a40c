"""What a database calls its workflows: names out of a list, a column, a table or a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from comfynb.display.words import count
from comfynb.errors import ConfigurationError, InputError
from comfynb.rules.text import tidy

if TYPE_CHECKING:
    import pandas as pd

_MOST_PLACES: Final = 10
_ENDINGS: Final = (".csv", ".json", ".parquet")


@dataclass(frozen=True, slots=True)
class DatabaseNames:
    """The names that a database has.

    Attributes
    ----------
    names : tuple of str
        As they are there, in their order, repeated where they are.
    label : str
        Where they are from.
    lacking : tuple of str
        Sentences about cells that hold no name, which are left out.
    repeated : tuple of str
        Sentences about names that are there more than once.
    """

    names: tuple[str, ...]
    label: str
    lacking: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()


def read_database(database: Any, column: str | None = None) -> DatabaseNames:
    """Return the names that a database has.

    Parameters
    ----------
    database : list, Series, DataFrame, or path of a CSV, JSON or Parquet file
        The names. The first line of a CSV file has the names of its columns.
    column : str, optional
        The column of a table that has the names; by default ``name``, else the first that has texts.

    Raises
    ------
    InputError
        If there is no such file or column, or it is none of these.
    ConfigurationError
        For a Parquet file without pyarrow.

    Examples
    --------
    >>> read_database(["text2img", "", None, "text2img"]).lacking
    ('1 of 4 cells is empty: cell 3', '1 of 4 cells is blank: cell 2')
    """
    import pandas as pd

    label = "a list"
    if isinstance(database, str | Path):
        path = Path(database).expanduser()
        database, label = _read_file(path), path.name
    if isinstance(database, pd.DataFrame):
        chosen = _column(database, column)
        label = f"column {str(chosen)!r} of {'a table' if label == 'a list' else label}"
        found = database[chosen]
        # Two columns of one name come as a table; the first of them is meant as well as any.
        database = found.iloc[:, 0] if isinstance(found, pd.DataFrame) else found
    elif column is not None:
        raise InputError(f"column={column!r} is for tables; {label} has no columns.")
    if isinstance(database, Mapping | bytes) or not isinstance(database, Iterable):
        raise InputError(
            f"A {type(database).__name__} is no list of names; give a list, a column, a table, or a CSV, JSON or "
            "Parquet file."
        )
    return _names(list(database), label)


def _read_file(path: Path) -> Any:
    import pandas as pd

    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise InputError(f"{str(path)!r} is no CSV, JSON or Parquet file; names by themselves are given as a list.")
    if not path.is_file():
        raise InputError(f"There is no file {str(path)!r}.")
    try:
        if ending == ".csv":
            # As it stands there: "None" and "NA" are names, too.
            return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        if ending == ".parquet":
            return pd.read_parquet(path)
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        if isinstance(content, list) and not any(isinstance(item, dict) for item in content):
            return content
        return pd.DataFrame(content)
    except ImportError:
        raise ConfigurationError(
            f"{path.name} is a Parquet file, which needs pyarrow, and that is not installed: pip install pyarrow does "
            "it, and a CSV or JSON file does without."
        ) from None
    except (ValueError, TypeError, OSError) as error:
        # pandas' and pyarrow's own errors are ValueErrors; those of JSON and of encodings, too.
        raise InputError(f"{str(path)!r} cannot be read: {tidy(error)}") from None


def _column(table: pd.DataFrame, wanted: str | None) -> Any:
    import pandas as pd

    listed = ", ".join(repr(tidy(each, 40)) for each in table.columns) or "none"
    if wanted is not None:
        if wanted not in table.columns:
            raise InputError(f"The table has no column {wanted!r}; its columns: {listed}.")
        return wanted
    if "name" in table.columns:
        return "name"
    for place, each in enumerate(table.columns):
        values = table.iloc[:, place]
        if pd.api.types.is_string_dtype(values.dtype) and any(isinstance(value, str) for value in values):
            return each
    raise InputError(f"No column of the table has texts; column= says which has the names. Its columns: {listed}.")


def _names(cells: Sequence[Any], label: str) -> DatabaseNames:
    names: list[str] = []
    empty: list[int] = []
    blank: list[int] = []
    others: list[int] = []
    for place, cell in enumerate(cells, 1):
        if isinstance(cell, str):
            if cell.strip():
                names.append(cell)
            else:
                blank.append(place)
        elif _is_missing(cell):
            empty.append(place)
        else:
            others.append(place)
    kinds = ", ".join(sorted({type(cells[place - 1]).__name__ for place in others}))
    lacking = [
        f"{len(places)} of {count(len(cells), 'cell')} {'is' if len(places) == 1 else 'are'} {what}: {_places(places)}"
        for places, what in ((empty, "empty"), (blank, "blank"), (others, f"no text but {kinds}"))
        if places
    ]
    repeated = [
        f"{tidy(name, 60)!r} is there {number} times" for name, number in sorted(Counter(names).items()) if number > 1
    ]
    return DatabaseNames(tuple(names), label, tuple(lacking), tuple(repeated))


def _is_missing(cell: object) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))  # type: ignore[call-overload]  # any scalar will do


def _places(places: Sequence[int]) -> str:
    shown = ", ".join(map(str, places[:_MOST_PLACES]))
    return f"{'cell' if len(places) == 1 else 'cells'} {shown}{', …' if len(places) > _MOST_PLACES else ''}"
