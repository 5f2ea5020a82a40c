"""A cancel says truthfully what it did."""

from __future__ import annotations

import pytest
from faults import RawServer, Request, json_answer, run, service_for, text_answer

from comfynb.errors import NotFoundError, PermissionDeniedError
from comfynb.sandbox import Sandbox
from comfynb.services.comfyui import CancelResult, ComfyUIService

SLOW = {"prompt": "a red fox __slow__", "seed": 7}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def started(service: ComfyUIService, sandbox: Sandbox, machine: str) -> str:
    """Start a run that goes on for as long as a test needs."""
    sandbox.knobs.change(speed=0)
    return run(service, service.submit_request(workflow="text2img", machine_id=machine, inputs=SLOW))


def test_a_run_on_a_serverless_machine_is_cancelled(service: ComfyUIService, sandbox: Sandbox) -> None:
    """And only that is true in a condition."""
    run_id = started(service, sandbox, "serverless-a10g")
    result = run(service, service.cancel_request(run_id))
    assert result.outcome == "cancelled"
    assert result
    assert str(result) == f"The run {run_id} was cancelled."
    assert run(service, service.check_status(run_id)).status == "cancelled"


def test_a_run_on_a_classic_machine_goes_on_and_that_is_said(service: ComfyUIService, sandbox: Sandbox) -> None:
    """The server answers 500 for it; that is no failure of ours."""
    run_id = started(service, sandbox, "studio-classic-a")
    result = run(service, service.cancel_request(run_id))
    assert result.outcome == "cannot cancel"
    assert not result
    assert "goes on: a classic machine cannot cancel a run, only serverless ones can" in str(result)
    sandbox.knobs.change(speed=1000)
    assert run(service, service.wait_for_completion(run_id, timeout=10)).status == "success"


@pytest.mark.parametrize("machine", ["serverless-a10g", "studio-classic-a"])
def test_a_run_that_has_ended_was_not_cancelled(service: ComfyUIService, sandbox: Sandbox, machine: str) -> None:
    """Although the server answers "success" for it."""
    run_id = run(service, service.submit_request(workflow="text2img", machine_id=machine, inputs={"seed": 7}))
    run(service, service.wait_for_completion(run_id, timeout=10))
    result = run(service, service.cancel_request(run_id))
    assert (result.outcome, bool(result)) == ("already ended", False)
    assert str(result) == f"The run {run_id} had ended already: success."
    assert sandbox.counters.of("POST /run/{run_id}/cancel") == 0


def test_a_second_cancel_says_that_it_was_cancelled_before(service: ComfyUIService, sandbox: Sandbox) -> None:
    """Nothing is left to cancel."""
    run_id = started(service, sandbox, "serverless-a10g")
    run(service, service.cancel_request(run_id))
    again = run(service, service.cancel_request(run_id))
    assert (again.outcome, str(again)) == ("already ended", f"The run {run_id} had ended already: cancelled.")


def test_an_unknown_run_is_not_found(service: ComfyUIService) -> None:
    """The server would answer 500; the run is read first."""
    for given in (UNKNOWN, "malformed"):
        with pytest.raises(NotFoundError, match=f"No run has the id '{given}'"):
            run(service, service.cancel_request(given))


def test_somebody_elses_run_is_refused(sandbox: Sandbox) -> None:
    """And nothing is asked of it."""
    other = service_for(sandbox.url, sandbox.other_api_key)
    with pytest.raises(PermissionDeniedError):
        run(other, other.cancel_request(next(iter(sandbox.world.runs))))
    assert sandbox.counters.of("POST") == 0


NO_MODAL = {"detail": "Error cancel function 404: Run not found or has no modal function call ID"}
DONE = {"status": "success", "message": "Function cancelled"}


def cancelled(before: str, reply: bytes, after: str) -> CancelResult:
    """Cancel a run whose status is read before and after an answer."""
    statuses = [before, after]

    def respond(request: Request) -> bytes:
        if request.path == "/api/workflows":
            return json_answer([])
        if request.method == "POST":
            return reply
        return json_answer({"id": "r1", "status": statuses.pop(0), "machine_type": "classic"})

    with RawServer(respond) as server:
        service = service_for(server.url)
        return run(service, service.cancel_request("r1"))


@pytest.mark.parametrize(
    ("before", "reply", "after", "outcome"),
    [
        ("running", json_answer(DONE), "cancelled", "cancelled"),
        ("queued", json_answer(DONE), "cancelled", "cancelled"),
        ("running", json_answer(DONE), "success", "already ended"),
        ("running", json_answer(DONE), "failed", "already ended"),
        ("running", json_answer(DONE), "running", "unconfirmed"),
        ("running", json_answer(DONE), "brand-new", "unconfirmed"),
        ("running", json_answer(NO_MODAL, 500), "running", "cannot cancel"),
        ("not-started", json_answer(NO_MODAL, 500), "not-started", "cannot cancel"),
        ("running", json_answer(NO_MODAL, 500), "success", "already ended"),
        ("running", json_answer(NO_MODAL, 500), "cancelled", "cancelled"),
    ],
)
def test_the_run_is_read_before_and_after(before: str, reply: bytes, after: str, outcome: str) -> None:
    """What it is afterwards decides, not what the cancel was answered."""
    result = cancelled(before, reply, after)
    assert result.outcome == outcome
    assert bool(result) == (outcome == "cancelled")


def test_an_error_of_another_kind_proves_nothing_so_the_run_is_looked_at() -> None:
    """A 500 without the words of a machine that cannot cancel: the run tells what became of it."""
    goes_on = cancelled("running", text_answer("Internal Server Error"), "running")
    assert goes_on.outcome == "unconfirmed"
    assert "Internal Server Error" in goes_on.message
    assert "may be billing" in goes_on.message
    assert cancelled("running", text_answer("Internal Server Error"), "cancelled").outcome == "cancelled"
