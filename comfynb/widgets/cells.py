"""Which cell of a notebook runs, so that what it shows can be told from what it showed before."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

__all__ = ["Cell", "this_cell"]


class Cell(NamedTuple):
    """A cell that runs.

    Parameters
    ----------
    id : str
        The cell's id in its notebook.
    execution : str
        The id of the request that runs it.
    """

    id: str
    execution: str


def this_cell() -> Cell | None:
    """Return the cell that runs; None outside a notebook, or where the notebook does not tell."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return None
    try:
        parent = kernel.get_parent("shell")
        cell_id, execution = parent["metadata"].get("cellId"), parent["header"]["msg_id"]
    except (AttributeError, KeyError, TypeError):
        return None
    return Cell(cell_id, execution) if cell_id else None
