"""The spend guard: so many runs, or so many dollars, and no more for one connection."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from comfynb.errors import SpendLimitError

__all__ = ["SpendGuard", "Spent"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a connection has started so far.

    Attributes
    ----------
    runs : int
        Its runs, those included that may have been started.
    dollars : float
        What they cost: of those that ended, by the seconds that their machines were busy; of the others, by the seconds
        since they were submitted. A run whose price is not known counts nothing.
    """

    runs: int = 0
    dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class SpendGuard:
    """What one connection may start.

    Attributes
    ----------
    max_runs : int or None
        Runs; None for any number.
    max_cost : float or None
        US dollars; None for any amount.
    connection : str
        By which its submits are told from others in the journal.
    """

    max_runs: int | None = None
    max_cost: float | None = None
    connection: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def limits(self) -> bool:
        """Whether there is any limit."""
        return self.max_runs is not None or self.max_cost is not None

    def check(self, spent: Spent, name: str) -> None:
        """Refuse another run if that would be too much.

        Raises
        ------
        SpendLimitError
            Nothing was submitted then.

        Examples
        --------
        >>> SpendGuard(max_runs=2).check(Spent(1), "text2img")
        >>> SpendGuard(max_runs=2).check(Spent(2), "text2img")
        Traceback (most recent call last):
        comfynb.errors.SpendLimitError: text2img was not submitted: this connection may start 2 runs, and has started 2.
        """
        if self.max_runs is not None and spent.runs >= self.max_runs:
            raise SpendLimitError(
                f"{name} was not submitted: this connection may start {self.max_runs} runs, and has started "
                f"{spent.runs}."
            )
        if self.max_cost is not None and spent.dollars >= self.max_cost:
            raise SpendLimitError(
                f"{name} was not submitted: this connection may spend ${self.max_cost:.2f}, and its {spent.runs} runs "
                f"cost about ${spent.dollars:.2f}."
            )
