"""What journal, metrics and limiter cost together: 1,000 requests with them against as many without.

Run it: `python tests/benchmarks/bench_overhead.py`. Each submit is two requests on loopback: the look at the run list,
and the submit itself; the file is on disk, as it is for a user.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from figures import Figure, medians, show, timed

import comfynb
from comfynb.sandbox import Sandbox

LIMIT = 1.10
SUBMITS = 500
"""A thousand requests."""


def measure() -> list[Figure]:
    """Submit with all and with none, in turns, on one sandbox; what was counted is looked at, too."""
    with TemporaryDirectory() as folder, Sandbox(history=0, speed=1000.0) as sandbox:

        def submits(journal: Path | bool, *, counted: bool) -> None:
            sandbox.reset()  # else whoever comes later finds longer lists of runs
            # A rate that is never met: what is measured is the work of keeping to it.
            ws = comfynb.connect(sandbox.url, sandbox.api_key, journal=journal, max_rate=1e6 if counted else None)
            if not counted:
                ws.workflows_service.client.transport.hooks.clear()

            async def main() -> None:
                async with ws.aio as aio:
                    for _ in range(SUBMITS):
                        await aio.submit("text2img", prompt="a fox", seed=7)

            asyncio.run(main())
            if counted:
                assert ws.metrics()["calls"].sum() >= 2 * SUBMITS

        ours, bare = medians(
            timed(lambda: submits(Path(folder) / "journal.sqlite", counted=True)),
            timed(lambda: submits(False, counted=False)),
            rounds=9,
        )
    return [Figure(f"{2 * SUBMITS:,} requests with journal, metrics and limiter / without", ours, bare, LIMIT)]


if __name__ == "__main__":
    show(measure())
