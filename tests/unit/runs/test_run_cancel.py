"""Cancelling: what happened is told truthfully, whatever the server says."""

from __future__ import annotations

import pytest

import comfynb
from comfynb.sandbox import Sandbox


def test_a_run_of_a_serverless_machine_is_cancelled(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The result is true in a condition, and the handle knows."""
    sandbox.knobs.speed = 0
    run = ws.submit("MAKEIMAGE")
    result = run.cancel()
    assert result
    assert result.outcome == "cancelled"
    assert str(result) == f"The run {run.id} was cancelled."
    assert (run.status, run.ended) == ("cancelled", True)


def test_a_classic_machine_cannot_cancel_and_the_run_goes_on(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The server answers 500 to it; that is no error of ours, and no success."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", prompt="x")
    result = run.cancel()
    assert not result
    assert result.outcome == "cannot cancel"
    assert "goes on: a classic machine cannot cancel a run" in result.message
    assert not run.ended
    sandbox.advance(100)
    assert run.wait().status == "success"


def test_a_run_that_has_ended_was_not_cancelled(ws: comfynb.Workspace) -> None:
    """Although the server says success to that."""
    run = ws.run("MAKEIMAGE")
    result = run.cancel()
    assert (bool(result), result.outcome) == (False, "already ended")
    assert "had ended already: success" in result.message
    assert run.status == "success"


def test_a_second_cancel_says_that_it_was_cancelled_already(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """It is not asked for twice."""
    sandbox.knobs.speed = 0
    run = ws.submit("MAKEIMAGE")
    assert run.cancel()
    assert run.cancel().message == f"The run {run.id} had ended already: cancelled."
    assert sandbox.counters.of("POST /run/{run_id}/cancel") == 1


def test_a_cancel_that_the_server_forgets_is_not_confirmed(
    ws: comfynb.Workspace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its 200 proves nothing: the run is read again."""
    sandbox.knobs.speed = 0
    run = ws.submit("MAKEIMAGE")
    monkeypatch.setattr(type(sandbox.app.engine), "cancel", lambda engine, run: None)
    result = run.cancel()
    assert (bool(result), result.outcome) == (False, "unconfirmed")
    assert "look again" in result.message


def test_other_failures_of_a_cancel_are_told(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """A run that does not exist is an error; a server that breaks down leaves the run as it is, and that is said."""
    ghost = comfynb.Run(ws._core, "00000000-0000-4000-8000-000000000000")
    with pytest.raises(comfynb.NotFoundError):
        ghost.cancel()
    sandbox.knobs.speed = 0
    run = ws.submit("MAKEIMAGE")
    sandbox.knobs.change(fail_next=1, fail_status=500, faults_on="/cancel")
    result = run.cancel()
    assert not result
    assert "500" in result.message
    assert "may be billing" in result.message
