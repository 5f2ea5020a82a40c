"""What the benchmarks share: timing two sides in turns, and the table of figures."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: our work against its bare twin, or a number against a limit.

    Attributes
    ----------
    name : str
        What is measured, and against what.
    ours : float
        Median milliseconds of our side; or the number itself.
    bare : float or None
        Median milliseconds of the bare side; None for a number that has none.
    limit : float
        The most that the ratio, or the number, may be.
    """

    name: str
    ours: float
    bare: float | None
    limit: float

    @property
    def value(self) -> float:
        """The ratio, or the number."""
        return self.ours if self.bare is None else self.ours / self.bare

    @property
    def met(self) -> bool:
        """Whether it is within its limit."""
        return self.value <= self.limit


def medians(*sides: Callable[[], float], rounds: int = ROUNDS) -> list[float]:
    """Return the median of what each side measures; they take turns, after one round that does not count."""
    taken: list[list[float]] = [[] for _ in sides]
    for count in range(rounds + 1):
        for side, values in zip(sides, taken, strict=True):
            value = side()
            if count:
                values.append(value)
    return [statistics.median(values) for values in taken]


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Return a measurement of some work, in milliseconds, with the garbage of what came before taken out first."""

    def measure() -> float:
        gc.collect()
        begun = time.perf_counter()
        work()
        return (time.perf_counter() - begun) * 1000

    return measure


def show(figures: Sequence[Figure]) -> None:
    """Print figures as a table."""
    width = max(len(figure.name) for figure in figures)
    print(f"{'figure':<{width}}{'ours':>10}{'bare':>10}{'ratio':>8}{'limit':>8}  met")
    for figure in figures:
        if figure.bare is None:
            times = f"{figure.ours:>10.0f}{'':>10}{'':>8}{figure.limit:>8.0f}"
        else:
            times = f"{figure.ours:>7.1f} ms{figure.bare:>7.1f} ms{figure.value:>8.3f}{figure.limit:>8.2f}"
        print(f"{figure.name:<{width}}{times}  {'yes' if figure.met else 'NO'}")
