"""Columns of standard names, each distinct name standardised once."""

from __future__ import annotations

import threading
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from comfynb.rules.names_table import NO_NAMES, NamesTable

__all__ = ["standardize_series"]

_SAMPLE: Final = 1024
_BEGINNING: Final = 65_536
"""Cells that are looked through for distinct names before all are: in most columns they have nearly all of them."""
_PLAIN: Final = pd.StringDtype("python", na_value=np.nan)
"""Texts as Python has them, also with pyarrow, which refuses half characters."""
_MOST_KEPT: Final = 100_000
"""Distinct names that are remembered for the next column."""


def standardize_series(names: pd.Series[Any], table: NamesTable = NO_NAMES) -> pd.Series[Any]:
    """Return the standard names of a column, each distinct name standardised once.

    Parameters
    ----------
    names : pandas.Series
        Names. What is missing, is no text, or has neither a letter nor a digit becomes NA.
    table : NamesTable
        The names that mean others.

    Returns
    -------
    pandas.Series
        Of dtype `str`, with the same index and name.

    Examples
    --------
    >>> standardize_series(pd.Series(["Text to Image", None, "TEXT-TO-IMAGE"])).tolist()
    ['text_to_image', nan, 'text_to_image']
    """
    dtype = names.dtype
    values: Any
    if isinstance(dtype, pd.CategoricalDtype):
        categories = standardize_series(pd.Series(dtype.categories), table)
        values = categories.array.take(names.cat.codes.to_numpy(), allow_fill=True)
    elif isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow":
        codes, distinct = names.factorize()
        standards = pd.array(table.standardize_all([str(name) for name in distinct]), dtype=dtype)
        values = standards.take(codes, allow_fill=True)
    elif isinstance(dtype, pd.StringDtype):
        values = _look_up(names.array, table)
    elif pd.api.types.is_object_dtype(dtype):
        texts: Any = names
        if pd.api.types.infer_dtype(names, skipna=True) != "string":
            texts = [name if isinstance(name, str) else None for name in names]
        values = _look_up(pd.array(texts, dtype=_PLAIN), table)
    else:
        values = pd.array([None] * len(names), dtype="str")
    return pd.Series(values, index=names.index, name=names.name, dtype="str", copy=False)


def _texts(values: Any) -> pd.Index[Any]:
    texts: pd.Index[Any] = pd.Index(values, dtype=_PLAIN)
    return texts


class _Known(NamedTuple):
    """Names that were seen, and their standard names, so that a column of these costs one look-up a cell."""

    names: pd.Index[Any]
    standards: pd.Index[Any]

    def with_those_of(self, cells: Any, table: NamesTable) -> _Known:
        """Return these and the names among some cells."""
        new = _texts([name for name in dict.fromkeys(cells.tolist()) if isinstance(name, str)])
        if len(self.names):
            new = new[self.names.get_indexer(new) < 0]
        if not len(new):
            return self
        standards = _texts(table.standardize_all([str(name) for name in new]))
        if not len(self.names):
            return _Known(new, standards)
        return _Known(self.names.append(new), self.standards.append(standards))


_NOTHING: Final = _Known(_texts([]), _texts([]))
_known: Final[WeakKeyDictionary[NamesTable, _Known]] = WeakKeyDictionary()
_lock: Final = threading.Lock()


def _look_up(cells: Any, table: NamesTable) -> ExtensionArray:
    with _lock:
        known = _known.get(table, _NOTHING)
    sample = known.names.get_indexer(cells[:_SAMPLE])
    if (sample < 0).any():
        known = known.with_those_of(cells[:_BEGINNING], table)
        sample = known.names.get_indexer(cells[:_SAMPLE])
    codes, standards = _by_object(cells, sample, known) or (known.names.get_indexer(cells), known.standards)
    if len(codes) and codes.min() < 0:
        unknown = np.flatnonzero(codes < 0)
        known = known.with_those_of(cells[unknown], table)
        more = known.names.get_indexer(cells[unknown])
        codes[unknown] = np.where(more < 0, -1, more + len(standards))
        standards = standards.append(known.standards)
    with _lock:
        if len(known.names) <= _MOST_KEPT:
            _known[table] = known
    taken: ExtensionArray = standards.array.take(codes, allow_fill=True)
    return taken


class _Addresses:
    """The objects of an array of objects, as the numbers by which numpy holds them."""

    def __init__(self, objects: np.ndarray[Any, Any]) -> None:
        self._objects = objects
        self.__array_interface__ = {
            "version": 3,
            "shape": objects.shape,
            "strides": objects.strides,
            "typestr": np.dtype(np.intp).str,
            "data": (objects.__array_interface__["data"][0], True),
        }


def _by_object(cells: Any, sample: Any, known: _Known) -> tuple[Any, pd.Index[Any]] | None:
    """Return codes and what they stand for, where equal names are one object: these are told apart faster than texts.

    Files and lists give such columns; databases give an object to each cell, and then this has no answer.
    """
    objects = np.asarray(cells)
    addresses = np.asarray(_Addresses(objects))
    if len(cells) < 2 * _BEGINNING or len(pd.unique(addresses[:_SAMPLE])) > len(pd.unique(sample)):
        return None
    beginning = addresses[:_BEGINNING]
    distinct = pd.Index(pd.unique(beginning))
    places = np.empty(len(distinct), dtype=np.intp)
    places[distinct.get_indexer(beginning)] = np.arange(len(beginning))
    standards = known.standards.array.take(known.names.get_indexer(cells[places]), allow_fill=True)
    return distinct.get_indexer(addresses), _texts(standards)
