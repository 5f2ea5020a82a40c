"""Run all benchmarks, and print one table of their figures: `python tests/benchmarks/run.py`.

Each runs in a process of its own. Nothing else should be running: the figures are ratios of medians, and still noisy.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path

from figures import Figure, show


def measure(name: str) -> list[Figure]:
    """Return the figures of one benchmark."""
    figures: list[Figure] = import_module(name).measure()
    return figures


def main() -> None:
    """Run every `bench_*.py` beside this file, one after the other."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        show([figure for figures in processes.map(measure, names) for figure in figures])


if __name__ == "__main__":
    main()
