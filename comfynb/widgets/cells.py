"""Which cell of a notebook runs, so that what it shows can be told from what it showed before."""

from __future__ import annotations

import sys
import weakref
from typing import Any, NamedTuple, Protocol

__all__ = ["Cell", "take_cell", "this_cell"]


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


class Closable(Protocol):
    """What can be shown in a cell, and taken away."""

    def close(self) -> None:
        """Take it away."""
        ...


_shown: dict[str, tuple[str, list[weakref.ref[Closable]]]] = {}
"""What each cell of a notebook shows, and in which of its executions."""


def take_cell(thing: Closable) -> None:
    """Close what an earlier execution of the cell that runs showed, unless it is this; later ones close this."""
    cell = this_cell()
    if cell is None:
        return
    execution, things = _shown.get(cell.id, (cell.execution, []))
    if execution != cell.execution:
        for reference in things:
            shown = reference()
            if shown is not None and shown is not thing:
                shown.close()
        things = []
    alive = [reference for reference in things if reference() is not None]
    _shown[cell.id] = (cell.execution, [*alive, weakref.ref(thing)])
