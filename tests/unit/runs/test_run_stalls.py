"""Runs that stand still: their outputs are handed over, and they are never called a success."""

from __future__ import annotations

import time
import warnings
from itertools import pairwise
from types import SimpleNamespace

import pytest

import comfynb
from comfynb.rules.observing import WAITING_FACTOR
from comfynb.sandbox import Sandbox
from comfynb.services import watching
from comfynb.warnings import StalledRunWarning

SHORT = 0.05
"""Seconds of patience."""


@pytest.mark.meets("__early_save__", "__text_only__")
@pytest.mark.parametrize("word", ["__early_save__", "__text_only__"])
def test_a_stalled_run_with_outputs_is_handed_over_with_a_warning(ws: comfynb.Workspace, word: str) -> None:
    """On a classic machine a run that is done can be called running for a day."""
    with pytest.warns(StalledRunWarning, match="not known to be a success") as told:
        run = ws.run("text2img", prompt=word, stall=SHORT)
    assert (run.status, run.ended) == ("running", False)
    assert len(run.outputs) == 1
    assert run.stalled is not None
    assert "ComfyUI has most likely finished" in run.stalled
    assert "Handed over: 1 output." in str(told[0].message)
    assert told[0].filename == __file__


@pytest.mark.meets("__freeze__", "__preview_only__", "__never_start__")
@pytest.mark.parametrize("word", ["__freeze__", "__preview_only__", "__never_start__"])
def test_a_stalled_run_without_outputs_raises(ws: comfynb.Workspace, word: str) -> None:
    """Since when, the likely cause, and that it may cost; it is no failure of the run that is known."""
    with pytest.raises(comfynb.RunStalled, match="nothing has changed for") as caught:
        ws.run("text2img", prompt=word, stall=SHORT)
    assert "may be billing" in str(caught.value)
    run = caught.value.run
    assert run is not None
    assert run.stalled is not None
    assert run.stalled in str(caught.value)
    assert "(stalled)" in repr(run)
    assert run.status in ("running", "not-started")


def test_a_stalled_run_is_returned_when_it_is_not_checked(ws: comfynb.Workspace) -> None:
    """Without a warning, since there is nothing to hand over."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = ws.run("text2img", prompt="__freeze__", stall=SHORT, check=False)
    assert run.stalled is not None
    assert run.stalled.replace("'", "") in " ".join(repr(run.explain()).replace("'", "").split())


def test_a_run_that_waits_for_its_machine_is_given_longer(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Queues and cold starts take minutes in which nothing changes."""
    sandbox.knobs.speed = 0
    begun = time.monotonic()
    with pytest.raises(comfynb.RunStalled, match="The machine has not begun it"):
        ws.run("text2img", stall=SHORT)
    assert time.monotonic() - begun >= SHORT * WAITING_FACTOR


def test_a_machine_that_died_ends_no_wait_too_early(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Waiting on gives new patience, and a run that goes on after all is no longer called stalled."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", prompt="x")
    sandbox.advance(1)
    with pytest.raises(comfynb.RunStalled):
        run.wait(stall=SHORT)
    assert run.stalled is not None
    sandbox.advance(2)
    run.refresh()
    assert run.stalled is None
    with pytest.raises(comfynb.RunStalled):
        run.wait(stall=SHORT)
    sandbox.advance(100)
    assert run.wait(stall=SHORT).status == "success"
    assert run.stalled is None


def test_a_run_at_which_nobody_looked_is_not_called_stalled(
    ws: comfynb.Workspace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That nothing was seen to change says nothing as long as nobody looked."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", prompt="x")
    sandbox.advance(1)
    run.refresh()
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 3600.0))
    assert run.stalled is None
    assert "stalled" not in repr(run).lower()
    run.refresh()
    assert "nothing has changed for 3600 s" in (run.stalled or "")


def test_a_server_that_is_away_does_not_make_a_run_stalled(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Looks that fail are not looks at which nothing had changed."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", prompt="x")
    sandbox.advance(1)
    run.refresh()
    sandbox.knobs.change(fail_next=4, fail_status=500, faults_on="GET /api/run/")
    sandbox.knobs.speed = 1000
    assert run.wait(stall=0.03).status == "success"
    assert sandbox.counters.faults["fail_next"] == 4


@pytest.mark.meets("step_back", "__step_back__")
@pytest.mark.parametrize("prompt", ["a red fox", "a red fox __step_back__"])
def test_step_backs_of_the_server_are_not_shown(ws: comfynb.Workspace, sandbox: Sandbox, prompt: str) -> None:
    """Callbacks of a machine overtake each other; status and progress of the timeline only rise."""
    sandbox.knobs.change(speed=0, step_back="__step_back__" not in prompt)
    run = ws.submit("text2img", prompt=prompt)
    raw = []
    for _ in range(200):
        sandbox.advance(0.05)
        run.refresh()
        assert run.model is not None
        raw.append(run.model.progress or 0.0)
        if run.ended:
            break
    assert any(later < earlier for earlier, later in pairwise(raw))
    timeline = run.timeline
    order = ["not-started", "running", "success"]
    ranks = [order.index(status) for status in timeline["status"]]
    assert ranks == sorted(ranks)
    assert timeline["progress"].is_monotonic_increasing
    assert run.status == "success"
