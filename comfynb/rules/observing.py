"""What has been seen of a run, and what of it is shown: never a step backwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from comfynb.rules.status import ACTIVE, ORDER, WAITING, further, is_terminal

STALL: Final = 120.0
"""Seconds without any change after which a run that executes counts as stalled."""

WAITING_FACTOR: Final = 5.0
"""A run that waits for a machine may be silent this many times longer: queues and cold starts take minutes."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change that was seen.

    Attributes
    ----------
    at : datetime or None
        When, by the server's own time, in UTC.
    status : str
        The status that was shown then.
    live_status : str or None
        What the machine said that it was doing.
    progress : float
        Share of the nodes, 0 to 1.
    queue_position : int or None
        Runs before it, while it waits.
    outputs : int
        Outputs that were there.
    """

    at: datetime | None
    status: str
    live_status: str | None
    progress: float
    queue_position: int | None
    outputs: int


@dataclass(slots=True)
class Observed:
    """What has been seen of one run.

    Attributes
    ----------
    status, live_status, progress, queue_position, outputs
        What is shown, as in `Change`. Status and progress never step back, although the server's may.
    changes : list of Change
        All changes that were seen, oldest first.
    changed : float
        Monotonic seconds of the last change of anything.
    """

    status: str = "not-started"
    live_status: str | None = None
    progress: float = 0.0
    queue_position: int | None = None
    outputs: int = 0
    changes: list[Change] = field(default_factory=list)
    changed: float = 0.0
    _raw: tuple[Any, ...] = ()
    _furthest: str = "not-started"

    @property
    def ended(self) -> bool:
        """Whether the run has ended, well or not."""
        return is_terminal(self.status)

    def observe(
        self,
        *,
        status: str | None,
        live_status: str | None,
        progress: float | None,
        queue_position: int | None,
        outputs: int,
        at: datetime | None,
        now: float,
    ) -> bool:
        """Take in one look at the run; return whether anything changed.

        Parameters
        ----------
        status, live_status, progress, queue_position, outputs
            As the server gave them.
        at : datetime or None
            The server's time of its last change.
        now : float
            Monotonic seconds.
        """
        raw = (status, live_status, progress, queue_position, outputs)
        if raw == self._raw:
            return False
        self._raw, self.changed = raw, now
        before = (self.status, self.live_status, self.progress, self.queue_position, self.outputs)
        was = self.status
        self.status = self._further(status or self.status)
        if progress is not None and progress >= self.progress:
            # A live status that belongs to an overtaken progress is old news.
            self.progress, self.live_status = min(1.0, progress), live_status or self.live_status
        elif self.live_status is None or self.status != was:
            self.live_status = live_status or self.live_status
        if self.status == "success":
            self.progress = 1.0
        self.queue_position = queue_position if self.status in WAITING else None
        self.outputs = max(self.outputs, outputs)
        after = (self.status, self.live_status, self.progress, self.queue_position, self.outputs)
        if after != before or not self.changes:
            self.changes.append(Change(at, *after))
        return True

    def _further(self, status: str) -> str:
        # After a status that is not known, a known one may still be a step back from the one before it.
        if status in ORDER:
            status = self._furthest = further(self._furthest, status)
        return further(self.status, status)

    def silent(self, now: float) -> float:
        """Return the seconds since the last change."""
        return max(0.0, now - self.changed)

    def is_stalled(self, now: float, stall: float = STALL) -> bool:
        """Whether nothing has changed for too long.

        Parameters
        ----------
        now : float
            Monotonic seconds.
        stall : float
            Seconds for a run that executes; one that waits is given `WAITING_FACTOR` times as long.
        """
        patience = stall * (WAITING_FACTOR if self.status in WAITING else 1.0)
        return not self.ended and self.silent(now) >= patience

    @property
    def stage(self) -> str:
        """In words: what it is doing."""
        if self.ended:
            return {"success": "finished", "timeout": "timed out"}.get(self.status, self.status)
        if self.status in ACTIVE:
            return self.live_status or self.status
        place = f", {self.queue_position} before it" if self.queue_position else ""
        words = {"not-started": "waiting", "queued": "queued", "started": "starting"}
        return words.get(self.status, self.status) + place
