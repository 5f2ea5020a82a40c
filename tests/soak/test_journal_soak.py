"""No run is lost and none is doubled, whatever is cut off: answers, or the process at any moment."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.warnings import RecoveredSubmitWarning, UncertainSubmitWarning

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]

SUBMITS, EQUAL = 1000, 100
MOMENTS = 50
RUNS = 200


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox without a past, whose machines are quick."""
    with Sandbox(history=0, speed=1000.0) as sandbox:
        yield sandbox


def test_answers_that_are_lost_lose_no_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """Of a thousand submits every fifth answer is dropped after the run was taken; a hundred have equal inputs."""
    rng = random.Random(7)
    seeds = [7 if number < EQUAL else 1000 + number for number in range(SUBMITS)]
    rng.shuffle(seeds)

    async def main() -> list[str]:
        ids = []
        async with comfynb.connect(sandbox.url, sandbox.api_key, journal=tmp_path / "journal.sqlite").aio as ws:
            for number in range(0, SUBMITS, 5):
                sandbox.knobs.change(faults_on="POST /api/run", drop="after", drop_next=1)
                runs = await asyncio.gather(
                    *(ws.submit("text2img", prompt="a fox", seed=seed) for seed in seeds[number : number + 5])
                )
                ids += [run.id for run in runs]
        return ids

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecoveredSubmitWarning)
        ids = asyncio.run(main())
    assert len(set(ids)) == SUBMITS
    assert set(ids) == set(sandbox.world.runs)
    assert Counter(run.inputs["seed"] for run in sandbox.world.runs.values())[7] == EQUAL
    assert sandbox.counters.statuses[0] >= SUBMITS / 5


SCRIPT = f"""
import sys
import comfynb
ws = comfynb.connect(sys.argv[1], sys.argv[2], journal=sys.argv[3])
first = ws.run("text2img", prompt="a fox", seed=1, progress=False)
print("begun", flush=True)
for seed in range(2, {RUNS}):
    ws.submit("text2img", prompt="a fox", seed=seed % 5)
    if seed % 3 == 0:
        first.download(sys.argv[4], progress=False)
"""


def test_a_process_that_is_killed_at_any_moment_loses_no_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """At fifty moments of submits and a download: every run is known afterwards, once, and no file is half."""
    rng = random.Random(11)
    journal, folder = tmp_path / "journal.sqlite", tmp_path / "files"
    known: set[str] = set()
    for _ in range(MOMENTS):
        command = [sys.executable, "-c", SCRIPT, sandbox.url, sandbox.api_key, str(journal), str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.5))
            os.kill(process.pid, signal.SIGKILL)
        with comfynb.connect(sandbox.url, sandbox.api_key, journal=journal) as ws, warnings.catch_warnings():
            warnings.simplefilter("ignore", UncertainSubmitWarning)  # what was not sent yet shows no run
            found = [run.id for run in ws.resume()]
            assert len(found) == len(set(found))
            known |= set(found)
            known |= {each.run_id for each in ws._core.comfyui.submitter.journal.all("ended")}  # type: ignore[union-attr, misc]
        assert known == set(sandbox.world.runs)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith(".comfynb-"):
            continue  # of the process that was killed, and nobody's file
        if path.suffix == ".png":
            from PIL import Image

            Image.open(path).load()
        else:
            json.loads(path.read_text())
