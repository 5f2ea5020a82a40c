"""A run that was seen to end, as metrics take it in."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EndedRun"]


class EndedRun(NamedTuple):
    """A run that was seen to end.

    Attributes
    ----------
    workflow, machine : str
        Their names.
    status : str
        How it ended.
    queue, cold_start, running, total : float or None
        Seconds; None is what the server does not tell. `total` is from its creation to its end.
    """

    workflow: str
    machine: str
    status: str
    queue: float | None = None
    cold_start: float | None = None
    running: float | None = None
    total: float | None = None
