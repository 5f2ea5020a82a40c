"""What comes out of metrics."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RouteFigures", "RunFigures"]


@dataclass(frozen=True, slots=True)
class RouteFigures:
    """What was counted of one route.

    Attributes
    ----------
    route : str
        Method and path template.
    calls : int
        Calls that are over, each with all its tries.
    errors : int
        Those that ended with a status of 400 or above, or without an answer.
    unanswered : int
        Those without an answer.
    retries : int
        How often a call was tried again.
    waited : float
        Seconds between the tries.
    median, p95 : float or None
        Seconds of a call without those waits, as the histogram tells.
    received : int
        Bytes of the answers.
    statuses : tuple of (str, int)
        How many calls ended with each status; "none" is no answer.
    """

    route: str
    calls: int
    errors: int
    unanswered: int
    retries: int
    waited: float
    median: float | None
    p95: float | None
    received: int
    statuses: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What was counted of the runs of one workflow on one machine.

    Attributes
    ----------
    workflow, machine : str
        Their names.
    runs : int
        Runs that were seen to end.
    statuses : tuple of (str, int)
        How they ended.
    queue, cold_start, running, total : float or None
        Median seconds, as the histograms tell.
    total_p95 : float or None
        The 95th percentile of the seconds from creation to end.
    """

    workflow: str
    machine: str
    runs: int
    statuses: tuple[tuple[str, int], ...]
    queue: float | None
    cold_start: float | None
    running: float | None
    total: float | None
    total_p95: float | None
