"""Ctrl-C: the waiting ends, the run goes on, and its id is told."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import comfynb
from comfynb.sandbox import Sandbox


@contextmanager
def ctrl_c(when: Callable[[], bool]) -> Iterator[None]:
    """Press Ctrl-C as soon as something is true."""

    def press() -> None:
        deadline = time.monotonic() + 10
        while not when() and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_ctrl_c_during_a_wait_tells_the_id_and_that_the_run_goes_on(
    ws: comfynb.Workspace, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """The handle is kept, and good."""
    sandbox.knobs.speed = 0

    def waiting() -> bool:
        return ws.last_run is not None and ws.last_run.model is not None

    with pytest.raises(KeyboardInterrupt), ctrl_c(waiting):
        ws.run("text2img", prompt="x")
    run = ws.last_run
    assert run is not None
    told = capsys.readouterr()
    assert told.out == ""
    assert f"the run {run.id} goes on, and may be billing" in told.err
    assert f"ws.get_run({run.id!r})" in told.err
    sandbox.advance(100)
    assert run.wait().status == "success"
    assert sandbox.counters.runs_created == 1


def test_ctrl_c_during_a_submit_loses_no_run(
    ws: comfynb.Workspace, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """The submit goes on by itself, and its run is the last run, without another one."""
    ws.prepare("text2img")
    sandbox.knobs.latency = 0.3
    with pytest.raises(KeyboardInterrupt), ctrl_c(lambda: sandbox.counters.of("POST /run") == 1):
        ws.submit("text2img", prompt="x")
    assert "Interrupted while text2img was being submitted" in capsys.readouterr().err
    deadline = time.monotonic() + 10
    while ws.last_run is None and time.monotonic() < deadline:
        time.sleep(0.01)
    sandbox.knobs.latency = 0.0
    assert ws.last_run is not None
    assert ws.last_run.wait().status == "success"
    assert sandbox.counters.runs_created == 1


def test_ctrl_c_before_a_submit_sends_nothing(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """What is only being prepared is simply dropped."""
    sandbox.knobs.latency = 0.3
    with pytest.raises(KeyboardInterrupt), ctrl_c(lambda: sandbox.counters.total > 0):
        ws.submit("text2img", prompt="x")
    sandbox.knobs.latency = 0.0
    assert ws.run("text2img", prompt="y").status == "success"
    assert sandbox.counters.runs_created == 1
