"""Closing widgets with all that belongs to them."""

from __future__ import annotations

from typing import Any

__all__ = ["close_tree"]


def close_tree(widget: Any) -> None:
    """Close a widget, what is in it, and the layouts and styles of all of them, which ipywidgets leaves open.

    Parameters
    ----------
    widget : ipywidgets.Widget
        Which one; closing one twice does nothing.
    """
    for child in getattr(widget, "children", ()):
        close_tree(child)
    for part in ("layout", "style"):
        belonging: Any = getattr(widget, part, None)
        if belonging is not None:
            belonging.close()
    widget.close()
