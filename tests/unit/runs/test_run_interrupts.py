"""Ctrl-C: the waiting ends, the run goes on, and its id is told."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from faults import Proxy

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


def test_ctrl_c_before_a_submit_sends_nothing(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """What is only being prepared is simply dropped."""
    sandbox.knobs.latency = 0.3
    with pytest.raises(KeyboardInterrupt), ctrl_c(lambda: sandbox.counters.total > 0):
        ws.submit("text2img", prompt="x")
    sandbox.knobs.latency = 0.0
    assert ws.run("text2img", prompt="y").status == "success"
    assert sandbox.counters.runs_created == 1


# Before, and after


LOOK, SUBMIT = b"GET /api/v2/workflow", b"POST /api/run"


@pytest.fixture
def proxy(request: pytest.FixtureRequest, sandbox: Sandbox, short_looks: None) -> Iterator[Proxy]:
    """Stand before the sandbox and hold the requests that begin so."""
    with Proxy(sandbox.url, hold=request.param) as proxy:
        yield proxy


@pytest.mark.parametrize("proxy", [LOOK], indirect=True)
def test_ctrl_c_during_the_look_before_a_submit_sends_nothing(
    proxy: Proxy, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """That look is for the case that the submit goes wrong; there is no run, and it is said so."""
    with comfynb.connect(proxy.url, sandbox.api_key) as ws:
        with pytest.raises(KeyboardInterrupt), ctrl_c(proxy.arrived.is_set):
            ws.submit("text2img", prompt="x")
        assert capsys.readouterr().err == (
            "Interrupted before text2img was submitted: nothing was sent, and there is no run.\n"
        )
        proxy.opened.set()
        time.sleep(0.2)
        assert sandbox.counters.of("POST /run") == 0
        assert ws.last_run is None
        assert ws.run("text2img", prompt="y").status == "success"
    assert sandbox.counters.runs_created == 1


@pytest.mark.parametrize("proxy", [SUBMIT], indirect=True)
def test_ctrl_c_when_the_submit_is_on_its_way_loses_no_run(
    proxy: Proxy, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Although the server has not seen it yet: it cannot be called back."""
    with comfynb.connect(proxy.url, sandbox.api_key) as ws:
        with pytest.raises(KeyboardInterrupt), ctrl_c(proxy.arrived.is_set):
            ws.submit("text2img", prompt="x")
        assert capsys.readouterr().err.startswith("Interrupted while text2img was being submitted: that goes on")
        assert ws.last_run is None
        proxy.opened.set()
        assert last_run_of(ws).wait().status == "success"
    assert sandbox.counters.runs_created == 1


@pytest.mark.parametrize(("proxy", "made"), [(LOOK, 0), (SUBMIT, 1)], indirect=["proxy"])
def test_ctrl_c_during_a_rerun_is_the_same(
    proxy: Proxy, sandbox: Sandbox, capsys: pytest.CaptureFixture[str], made: int
) -> None:
    """It is a submit like any other."""
    with comfynb.connect(sandbox.url, sandbox.api_key) as first:
        before = first.run("text2img", prompt="x")
    with comfynb.connect(proxy.url, sandbox.api_key) as ws:
        run = ws.get_run(before.id)
        with pytest.raises(KeyboardInterrupt), ctrl_c(proxy.arrived.is_set):
            run.rerun()
        told = capsys.readouterr().err
        assert told.startswith("Interrupted while text2img was" if made else "Interrupted before text2img was")
        proxy.opened.set()
        if made:
            assert last_run_of(ws).inputs == run.inputs
        else:
            time.sleep(0.2)
    assert sandbox.counters.runs_created == 1 + made


def last_run_of(ws: comfynb.Workspace) -> comfynb.Run:
    """Wait for the last run, which nobody is waiting for."""
    deadline = time.monotonic() + 10
    while ws.last_run is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ws.last_run is not None
    return ws.last_run
