"""The stop button ends the cell, not the run: nothing is lost, and nothing is submitted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from gate import Gate
from kernels import Kernel

from comfynb.sandbox import Sandbox

ARRIVED = """
import asyncio
while ws.last_run is None:
    await asyncio.sleep(0.02)
"""


@pytest.fixture(params=["thread", "kernel"])
def connected(request: pytest.FixtureRequest) -> Callable[[str, str], Kernel]:
    """Connect a kernel, as `ws`, with I/O on a thread of its own or on the loop of the kernel."""

    def connect(url: str, api_key: str) -> Kernel:
        kernel: Kernel = request.getfixturevalue("kernel" if request.param == "thread" else "kernel6")
        options = f"loop={request.param!r}"
        (cell,) = kernel.run(f"import comfynb\nws = comfynb.connect({url!r}, {api_key!r}, {options})")
        assert cell.status == "ok", cell
        return kernel

    return connect


@pytest.fixture
def gate(sandbox: Sandbox) -> Iterator[Gate]:
    """Stand before the sandbox; it closes after the kernel, which is asked for later."""
    with Gate(sandbox.url) as gate:
        yield gate


@pytest.fixture
def look(sandbox: Sandbox) -> Iterator[Gate]:
    """Hold the look at the run list that comes before a submit."""
    with Gate(sandbox.url, hold=b"GET /api/v2/workflow") as gate:
        yield gate


def test_an_interrupted_wait_leaves_the_run_alone(connected: Callable[[str, str], Kernel], sandbox: Sandbox) -> None:
    """It says which run goes on, `ws.last_run` has it, and it is waited for again."""
    sandbox.knobs.change(speed=0)
    kernel = connected(sandbox.url, sandbox.api_key)
    (waiting,) = kernel.send("run = ws.submit('text2img', prompt='x')\nprint(run.id)\nrun.wait()")
    assert kernel.until(lambda: bool(waiting.text and waiting.shown))
    kernel.interrupt()
    assert kernel.until(lambda: waiting.answered)
    assert (waiting.status, waiting.error) == ("error", "KeyboardInterrupt: ")
    assert waiting.warnings.startswith(f"Interrupted: the run {waiting.text.strip()} goes on, and may be billing.")
    sandbox.knobs.change(speed=1000)
    same, ended = kernel.run("ws.last_run is run, ws.last_run.status", "ws.last_run.wait().status")
    assert (same.value, ended.value) == ("(True, 'not-started')", "'success'")
    assert sandbox.counters.runs_created == 1


def test_an_interrupted_submit_is_finished(
    gate: Gate, connected: Callable[[str, str], Kernel], sandbox: Sandbox
) -> None:
    """While the server takes its time to answer, a submit that is interrupted goes on, and its run is known."""
    kernel = connected(gate.url, sandbox.api_key)
    (submitting,) = kernel.send("ws.submit('text2img', prompt='x')")
    assert kernel.until(gate.arrived.is_set)
    kernel.interrupt()
    assert kernel.until(lambda: submitting.answered)
    assert (submitting.status, submitting.error) == ("error", "KeyboardInterrupt: ")
    assert submitting.warnings.startswith("Interrupted while text2img was being submitted: that goes on")
    assert sandbox.counters.runs_created == 0
    gate.opened.set()
    arrived, status, listed = kernel.run(
        ARRIVED,
        "ws.last_run.wait().status",
        "list(ws.runs(workflow='text2img', limit=1)['id']) == [ws.last_run.id]",
    )
    assert (arrived.status, status.value, listed.value) == ("ok", "'success'", "True")
    assert sandbox.counters.runs_created == 1


def test_an_interrupted_look_before_a_submit_submits_nothing(
    connected: Callable[[str, str], Kernel], sandbox: Sandbox, look: Gate
) -> None:
    """While the run list is looked at, nothing was sent: it is said so, and the next cell works."""
    kernel = connected(look.url, sandbox.api_key)
    (submitting,) = kernel.send("ws.submit('text2img', prompt='x')")
    assert kernel.until(look.arrived.is_set)
    kernel.interrupt()
    assert kernel.until(lambda: submitting.answered)
    assert (submitting.status, submitting.error) == ("error", "KeyboardInterrupt: ")
    assert submitting.warnings == "Interrupted before text2img was submitted: nothing was sent, and there is no run.\n"
    look.opened.set()
    last, status = kernel.run("ws.last_run is None", "ws.run('text2img', prompt='y').status")
    assert (last.value, status.value) == ("True", "'success'")
    assert sandbox.counters.runs_created == 1
