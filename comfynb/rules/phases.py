"""The phases of a run: how long it waited, started cold, and ran, as far as its times tell."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple, Protocol

from comfynb.rules.status import ACTIVE, WAITING, is_terminal

__all__ = ["Phase", "phases", "running_seconds"]

_LONGEST: Final = 7 * 24 * 3600.0


class Timed(Protocol):
    """What of a run tells its times."""

    @property
    def status(self) -> str | None:
        """Its status."""

    @property
    def created_at(self) -> datetime | None:
        """When it was written down."""

    @property
    def queued_at(self) -> datetime | None:
        """When it began to wait for a machine."""

    @property
    def started_at(self) -> datetime | None:
        """When a machine took it."""

    @property
    def cold_start_duration(self) -> float | None:
        """Seconds that its machine took to start."""

    @property
    def run_duration(self) -> float | None:
        """Seconds that it executed."""


class Phase(NamedTuple):
    """A part of the life of a run.

    Parameters
    ----------
    name : str
        "queued", "cold start" or "running".
    seconds : float
        How long it took, or takes so far.
    goes_on : bool
        Whether the run is in it.
    """

    name: str
    seconds: float
    goes_on: bool


def phases(run: Timed, now: datetime, status: str | None = None) -> tuple[Phase, ...]:
    """Return the phases of a run that are known, in their order.

    Parameters
    ----------
    run : Timed
        The run.
    now : datetime
        The server's time.
    status : str, optional
        Its status, where more is known than the run itself says.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> from types import SimpleNamespace
    >>> noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    >>> queued, started = noon + timedelta(seconds=3), noon + timedelta(seconds=5)
    >>> times = {"created_at": noon, "queued_at": queued, "started_at": started}
    >>> run = SimpleNamespace(status="running", cold_start_duration=2.0, run_duration=None, **times)
    >>> [(phase.name, phase.seconds) for phase in phases(run, noon + timedelta(seconds=10))]
    [('queued', 3.0), ('cold start', 2.0), ('running', 5.0)]
    """
    status = status or run.status or ""
    if status in WAITING and run.started_at is None:
        waited = _between(run.created_at, now)
        return () if waited is None else (Phase("queued", waited, True),)
    found: list[Phase] = []
    cold = _sensible(run.cold_start_duration)
    if (waited := _between(run.created_at, run.queued_at)) is not None:
        found.append(Phase("queued", waited, False))
    if cold:
        found.append(Phase("cold start", cold, False))
    ran = _sensible(run.run_duration)
    if ran is None and status in ACTIVE:
        ran = _between(run.started_at or run.created_at, now)
    if ran is not None:
        found.append(Phase("running", ran, not is_terminal(status)))
    return tuple(found)


def running_seconds(found: tuple[Phase, ...]) -> float | None:
    """Return the seconds for which a machine was busy with it: starting, and running; None if it is not known."""
    busy = [phase.seconds for phase in found if phase.name != "queued"]
    return sum(busy) if busy else None


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else _sensible((end - begin).total_seconds())


def _sensible(seconds: float | None) -> float | None:
    """Return seconds that can be; clocks of several machines may say what cannot."""
    return None if seconds is None or not -5 <= seconds <= _LONGEST else max(0.0, seconds)
