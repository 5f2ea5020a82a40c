"""`standardize_workflow_name`, of one name or of a column of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, overload

from comfynb.rules import naming
from comfynb.rules.names_table import NO_NAMES, NamesTable

if TYPE_CHECKING:
    import pandas as pd


@overload
def standardize_workflow_name(name: str | None, table: NamesTable | None = None) -> str: ...
@overload
def standardize_workflow_name(name: pd.Series[Any], table: NamesTable | None = None) -> pd.Series[Any]: ...


def standardize_workflow_name(name: Any, table: NamesTable | None = None) -> Any:
    """Return the standard spelling of a workflow's name, or of a whole column of names.

    NFKC, lower case, and one underscore for every run of characters that are neither letters nor digits; none at the
    ends. Letters of every script are kept, and a combining mark stays with its letter. A standard name is its own.

    Parameters
    ----------
    name : str or pandas.Series
        A name as people write it, or a column of names.
    table : NamesTable, optional
        Names that mean others, such as `comfynb.example_names()`; goes before the rule. Without it there is only the
        rule: no file is read here, unlike in `ws.names.standardize`.

    Returns
    -------
    str or pandas.Series
        The standard name, never empty. Of a column, a column of dtype `str` with the same index, in which what is
        missing, is no text, or has neither a letter nor a digit is NA.

    Raises
    ------
    InputError
        A single name is None or empty, or has neither a letter nor a digit.

    Examples
    --------
    >>> import comfynb
    >>> comfynb.standardize_workflow_name("img2vid - wan 2.1")
    'img2vid_wan_2_1'
    >>> comfynb.standardize_workflow_name("Make Image", comfynb.NamesTable({"text2img": ["make image"]}))
    'text2img'
    """
    names = NO_NAMES if table is None else table
    if isinstance(name, str) or not _is_series(name):
        return names.standardize(name) if isinstance(name, str) else naming.standardize_workflow_name(name)
    from comfynb.frames.standard import standardize_series

    return standardize_series(cast("pd.Series[Any]", name), names)


def _is_series(thing: Any) -> bool:
    # Without pandas nobody has made one, so it need not be imported to know.
    return any(f"{kind.__module__}.{kind.__qualname__}" == "pandas.Series" for kind in type(thing).__mro__)
