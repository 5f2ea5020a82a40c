"""What the journal costs: submits that are written down before they are sent against such that are not.

Run it: `python tests/benchmarks/bench_journal.py`. Each submit is two requests on loopback: the look at the run list,
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
    """Submit with and without a journal, in turns, on one sandbox."""
    with TemporaryDirectory() as folder, Sandbox(history=0, speed=1000.0) as sandbox:

        def submits(journal: Path | bool) -> None:
            sandbox.reset()  # else whoever comes later finds longer lists of runs

            async def main() -> None:
                async with comfynb.connect(sandbox.url, sandbox.api_key, journal=journal).aio as ws:
                    for _ in range(SUBMITS):
                        await ws.submit("text2img", prompt="a fox", seed=7)

            asyncio.run(main())

        ours, bare = medians(
            timed(lambda: submits(Path(folder) / "journal.sqlite")), timed(lambda: submits(False)), rounds=9
        )
    return [Figure(f"{SUBMITS} submits that are written down / such that are not", ours, bare, LIMIT)]


if __name__ == "__main__":
    show(measure())
