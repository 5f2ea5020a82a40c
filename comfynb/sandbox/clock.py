"""The two clocks of the sandbox: the time that it reports, and the pace at which its machines work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

__all__ = ["Pace", "ReportedClock", "http_date", "iso", "iso_broken", "iso_millis", "iso_padded", "spaced"]


class Pace:
    """Seconds of machine work that have gone by: real seconds times the speed, and what was advanced by hand.

    Parameters
    ----------
    speed : callable
        Returns the present speed; asked at each look, so that it can change at any time.

    Notes
    -----
    A look at the clock settles the time since the last look at the present speed. So a new speed counts from the
    last look on.
    """

    def __init__(self, speed: Callable[[], float]) -> None:
        self._speed = speed
        self._seen = time.monotonic()
        self._seconds = 0.0
        # The server's thread looks at it, and whoever advances it or waits does so too.
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds of machine work since the start."""
        with self._lock:
            seen = time.monotonic()
            self._seconds += (seen - self._seen) * self._speed()
            self._seen = seen
            return self._seconds

    def advance(self, seconds: float) -> None:
        """Let so many seconds of machine work go by at once."""
        with self._lock:
            self._seconds += seconds


class ReportedClock:
    """The time of the sandbox as its answers report it.

    It does not follow real time. Each write moves it by a fixed step, and the end of a run moves it to that end. So
    the times that a script sees depend on what it does, never on how fast it does it.

    Parameters
    ----------
    start : datetime
        Where it begins, in UTC.
    """

    STEP = timedelta(seconds=0.731204)
    """What a write takes. An odd number, so that times look like times."""

    def __init__(self, start: datetime) -> None:
        self.now = start.astimezone(UTC)

    def write(self) -> datetime:
        """Return the moment of a write, later than all moments before."""
        self.now += self.STEP
        return self.now

    def reach(self, moment: datetime) -> None:
        """Move to this moment, unless it is past already."""
        if moment > self.now:
            self.now = moment


# The five shapes in which the real server writes a moment. All are UTC.


def spaced(moment: datetime) -> str:
    """As in the list of workflows.

    Examples
    --------
    >>> spaced(datetime(2026, 11, 1, 9, 0, 1, 195138, tzinfo=UTC))
    '2026-11-01 09:00:01.195138'
    """
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def iso(moment: datetime) -> str:
    """As in machines: without a zone.

    Examples
    --------
    >>> iso(datetime(2026, 11, 1, 9, 0, 1, 307523, tzinfo=UTC))
    '2026-11-01T09:00:01.307523'
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


def iso_padded(moment: datetime) -> str:
    """As in runs and deployments: cut to milliseconds, then padded.

    Examples
    --------
    >>> iso_padded(datetime(2026, 11, 1, 9, 0, 1, 788912, tzinfo=UTC))
    '2026-11-01T09:00:01.788000Z'
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}000Z"


def iso_millis(moment: datetime) -> str:
    """As in versions and lists of runs.

    Examples
    --------
    >>> iso_millis(datetime(2026, 11, 1, 9, 0, 1, 356604, tzinfo=UTC))
    '2026-11-01T09:00:01.356Z'
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def iso_broken(moment: datetime) -> str:
    """As in the answer to a new version: an offset and a Z, which is no valid time.

    Examples
    --------
    >>> iso_broken(datetime(2026, 11, 1, 9, 0, 1, 356604, tzinfo=UTC))
    '2026-11-01T09:00:01.356604+00Z'
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "+00Z"


def http_date(moment: datetime) -> str:
    """Return the moment as the ``date`` header has it.

    Examples
    --------
    >>> http_date(datetime(2026, 11, 1, 9, 0, 1, tzinfo=UTC))
    'Sun, 01 Nov 2026 09:00:01 GMT'
    """
    return format_datetime(moment.replace(microsecond=0), usegmt=True)
