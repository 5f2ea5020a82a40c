"""Warnings that are found on the I/O thread and shown where the user called.

A warning raised on another thread would point at a line of ours, and a filter set by the caller would not apply in
time. So the layers below call `notice`, and the face that the user touches collects and shows them.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from comfynb.warnings import ComfyWarning

_PACKAGE = f"{Path(__file__).parent}{os.sep}"
_BETWEEN = contextlib.__file__
"""Its frames stand between ours where a context manager shows what was collected."""
_collected: contextvars.ContextVar[list[ComfyWarning] | None] = contextvars.ContextVar("comfynb_notices", default=None)


def notice(warning: ComfyWarning) -> None:
    """Tell the user something; now, or when the call that is under way returns."""
    collected = _collected.get()
    if collected is None:
        warnings.warn(warning, stacklevel=_callers_level())
    else:
        collected.append(warning)


@contextlib.contextmanager
def collecting(into: list[ComfyWarning]) -> Iterator[None]:
    """Collect notices instead of showing them, in this context and the tasks that it starts."""
    token = _collected.set(into)
    try:
        yield
    finally:
        _collected.reset(token)


def show(collected: Sequence[ComfyWarning]) -> None:
    """Show collected notices, as warnings that point at the line outside comfynb that called."""
    for warning in collected:
        warnings.warn(warning, stacklevel=_callers_level())


def _callers_level() -> int:
    """Return the `stacklevel` for `warnings.warn` in this function's caller that points outside comfynb."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_PACKAGE, _BETWEEN)):
        level, frame = level + 1, frame.f_back
    return level
