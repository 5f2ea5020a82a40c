"""How long a warm `ws.workflows()` of 500 rows takes, against the cold one.

Run it: `python tests/benchmarks/bench_warm.py`. Cold is the first call on a new connection, warm the second.
"""

from __future__ import annotations

import statistics

from big_server import API_KEY, WORKFLOWS, big_server
from figures import ROUNDS, Figure, show, timed

import comfynb

LIMIT = 1 / 20


def measure() -> list[Figure]:
    """Measure a first and a second call on each of several new connections."""
    colds: list[float] = []
    warms: list[float] = []
    with big_server() as url:
        for count in range(ROUNDS + 1):
            with comfynb.connect(url=url, api_key=API_KEY) as workspace:
                read = timed(workspace.workflows)
                cold, warm = read(), read()
                assert len(workspace.workflows()) == WORKFLOWS
            if count:
                colds.append(cold)
                warms.append(warm)
    mine, plain = statistics.median(warms), statistics.median(colds)
    return [Figure(f"warm ws.workflows(), {WORKFLOWS} rows / the cold one", mine, plain, LIMIT)]


if __name__ == "__main__":
    show(measure())
