"""The kernel ends in the middle of a run: the next one takes the run up where it is."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from kernels import Kernel

SUBMIT = "run = ws.submit('text2img', environment='staging', prompt='a red fox', seed=7)\nprint(run.id)"
UNDER_WAY = "run.refresh()\nf'{run.status} {0 < run.progress < 1}'"
LOOK_UP = "run = ws.get_run(ws.runs('text2img', limit=1).loc[0])\nf'{run.id} {run.status} {0 < run.progress < 1}'"
TAKE_UP = "f'{run.wait().status} {run.machine} {run.name}'"
WHAT = "[each['prompt'] + str(each['seed']) for each in (run.inputs, run.used_inputs())]"
MADE = "[(each.kind, each.node_class) for each in run.outputs], run.images()[0].size"
TIMES = """
times = run.timeline
times['at'].is_monotonic_increasing, times['status'].iloc[-1], len(times) > 1, run.seconds > 0
"""


@dataclass
class Lasting:
    """A sandbox in a process of its own.

    Attributes
    ----------
    url : str
        Where it serves.
    connect : str
        The cell that connects to it.
    """

    url: str
    connect: str

    def turn(self, control: str, **values: float) -> None:
        """Change its knobs, or advance its time."""
        httpx.post(f"{self.url}/sandbox/{control}", json=values, trust_env=False).raise_for_status()


@pytest.fixture
def lasting() -> Iterator[Lasting]:
    """Run `comfynb sandbox`."""
    code = "from comfynb.cli import main; main()"
    command = [sys.executable, "-c", code, "sandbox", "--port=0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            told = "".join(itertools.islice(process.stdout, 4))
            found = re.search(r'comfynb\.connect\("(.+)", ".+"\)', told)
            assert found is not None, told
            yield Lasting(found[1], f"import comfynb\nws = {found[0]}")
        finally:
            process.terminate()
            process.wait(20)


def test_a_run_outlives_the_kernel_that_submitted_it(kernel: Kernel, lasting: Lasting) -> None:
    """Killed halfway, a new kernel finds it and has all of it: inputs, outputs, times, status, machine."""
    lasting.turn("knobs", speed=0)
    _, submitted = kernel.run(lasting.connect, SUBMIT)
    lasting.turn("advance", seconds=10)
    (before,) = kernel.run(UNDER_WAY)
    assert before.value == "'running True'", (submitted, before)
    run_id = submitted.text.strip()
    kernel.restart()
    gone, _, found = kernel.run("'run' in dir()", lasting.connect, LOOK_UP)
    assert (gone.value, found.value) == ("False", f"'{run_id} running True'"), found
    lasting.turn("knobs", speed=50)
    taken_up, what, made, times, shown = kernel.run(TAKE_UP, WHAT, MADE, TIMES, "run")
    assert taken_up.value == "'success serverless-a10g text2img'", taken_up
    assert what.value == "['a red fox7', 'a red fox7']", what
    assert made.value == "([('image', 'SaveImage')], (512, 512))", made
    assert times.value == "(True, 'success', True, True)", times
    assert shown.value.startswith("finished – run of text2img")
    for word in ("version", "serverless-a10g", "A10G", "took", "cold start", "running", "about $", "'a red fox'"):
        assert word in shown.value, shown.value
    assert "<img" in shown.shown[-1]["text/html"]
