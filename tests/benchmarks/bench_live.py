"""What watching runs costs: requests, the time of other cells, and how late an end is seen."""

from __future__ import annotations

import statistics
import time

from figures import Figure, medians, show

import comfynb
from comfynb.runs.live import TICK
from comfynb.widgets.run_view import RunView

VIEWS, SECONDS, ENDS = 100, 5.0, 9


def _work() -> float:
    begun = time.perf_counter()
    total = 0
    for number in range(6_000_000):
        total += number & 7
    return (time.perf_counter() - begun) * 1000


def measure() -> list[Figure]:
    """Return the figures."""
    with comfynb.Sandbox(speed=0.0, history=0) as sandbox, comfynb.connect(sandbox=sandbox) as ws:
        late = _ends(ws, sandbox)
        (alone,) = medians(_work)
        view = RunView(ws.submit("text2img", seed=1))
        (watched,) = medians(_work)
        view.close()
        views = [RunView(ws.submit("text2img", seed=number + 1)) for number in range(VIEWS)]
        time.sleep(1.0)
        asked, begun = sandbox.counters.of("GET "), time.monotonic()
        time.sleep(SECONDS)
        rate = (sandbox.counters.of("GET ") - asked) / (time.monotonic() - begun)
        for view in views:
            view.close()
    return [
        Figure(f"requests a second of {VIEWS} views of one workflow", rate, None, 2.0),
        Figure("work in a cell while a run is watched / the same alone", watched, alone, 1.03),
        Figure("from the end of a run to its view, less the polling interval (ms)", late - TICK * 1000, None, 100.0),
    ]


def _ends(ws: comfynb.Workspace, sandbox: comfynb.Sandbox) -> float:
    """Return the typical milliseconds from the end of a run on the server to its view."""
    taken = []
    for number in range(ENDS):
        view = RunView(ws.submit("text2img", seed=number + 1))
        time.sleep(0.8 + 0.07 * number)
        begun = time.perf_counter()
        sandbox.advance(600)
        while "finished" not in view._html.value:
            time.sleep(0.002)
        taken.append((time.perf_counter() - begun) * 1000)
        view.close()
    return statistics.median(taken)


if __name__ == "__main__":
    show(measure())
