"""What a sandbox has counted since its start or its last reset."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Counters"]


@dataclass(slots=True)
class Counters:
    """Counts of what reached a sandbox and what it did.

    Examples
    --------
    >>> counters = Counters()
    >>> counters.requests["GET /run/{run_id}"] += 1
    >>> counters.total, counters.of("GET /run")
    (1, 1)
    """

    requests: Counter[str] = field(default_factory=Counter)
    """Requests by method and route template, such as ``"GET /run/{run_id}"``; unknown paths as ``"GET ?"``."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Answers by HTTP status; 0 is a dropped connection."""
    prompts: Counter[str] = field(default_factory=Counter)
    """Prompts that reached a machine, by the machine's name."""
    faults: Counter[str] = field(default_factory=Counter)
    """Faults that were shown because a knob asked for them, by the knob's name."""
    runs_created: int = 0
    """Runs that have a row, whether or not the submit was answered."""
    webhooks_sent: int = 0
    """Webhook deliveries that were tried, repeats and retries included."""
    webhooks_lost: int = 0
    """Webhook deliveries that a knob or three failed tries lost."""

    @property
    def total(self) -> int:
        """All requests."""
        return self.requests.total()

    def of(self, start: str) -> int:
        """Return how many requests have a ``METHOD /template`` that begins with this text."""
        return sum(count for key, count in self.requests.items() if key.startswith(start))
