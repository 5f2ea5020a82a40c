"""The library meets a sandbox that somebody else turns, as another process does: over `/sandbox`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import comfynb
from comfynb.sandbox import Sandbox


def turn(sandbox: Sandbox, control: str, body: Any = None) -> httpx.Response:
    """Use a control, such as ``POST /sandbox/knobs``."""
    method, path = control.split()
    return httpx.request(method, f"{sandbox.url}{path}", json=body)


@pytest.mark.meets("POST /sandbox/knobs", "GET /sandbox/knobs")
def test_a_knob_that_another_process_turned_is_met(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """At once, and until it is turned back; the answer is all knobs as they are."""
    reply = turn(lively, "POST /sandbox/knobs", {"no_credits": True, "offline": ["studio-classic-a"]})
    assert reply.json() == turn(lively, "GET /sandbox/knobs").json()
    assert reply.json()["offline"] == ["studio-classic-a"]
    with pytest.raises(comfynb.CreditsError):
        ws.submit("text2img")
    turn(lively, "POST /sandbox/knobs", {"no_credits": False, "offline": []})
    assert ws.run("text2img").status == "success"


@pytest.mark.meets("POST /sandbox/advance")
def test_time_that_another_process_lets_go_by_ends_a_run(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """Its machines stand still until then."""
    lively.knobs.speed = 0
    run = ws.submit("text2img")
    assert run.refresh().status == "not-started"
    assert turn(lively, "POST /sandbox/advance", {"seconds": 100}).status_code == 200
    assert run.refresh().status == "success"


@pytest.mark.meets("GET /sandbox/counters")
def test_what_the_library_did_can_be_read_from_another_process(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """One run, one submit, and no request for what was read already."""
    ws.run("text2img")
    ws.workflows()
    counters = turn(lively, "GET /sandbox/counters").json()
    assert counters["runs_created"] == 1
    assert counters["requests"]["POST /run/deployment/queue"] == 1
    assert counters["requests"]["GET /workflows"] == 1


@pytest.mark.meets("POST /sandbox/reset")
def test_after_a_reset_the_library_sees_the_world_as_it_was(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """Runs, uploads and changes are gone; knobs stay."""
    before = ws.deployments()
    lively.knobs.latency = 0.001
    run = ws.run("text2img")
    ws.create_deployment("text2img", machine="serverless-a10g", replace=True)
    assert turn(lively, "POST /sandbox/reset").status_code == 200
    ws.reload()
    assert ws.deployments().equals(before)
    assert ws.runs().empty
    with pytest.raises(comfynb.NotFoundError, match="No run has the id"):
        run.refresh()
    assert lively.knobs.latency == 0.001


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"speed": "fast"}, "speed='fast' has to be a number, 0 or more"),
        ({"speed": -1}, "speed=-1 has to be a number, 0 or more"),
        ({"latency": None}, "latency=None has to be a number, 0 or more"),
        ({"fail_next": "2"}, "fail_next='2' has to be a whole number, 0 or more"),
        ({"limit_next": 1.5}, "limit_next=1.5 has to be a whole number, 0 or more"),
        ({"fail_status": 418}, "fail_status=418 has to be 500 or 502 or 503 or 504"),
        ({"error_rate": 5}, "error_rate=5 has to be a share, from 0 to 1"),
        ({"drop": "sideways"}, "drop='sideways' has to be 'before' or 'middle' or 'after'"),
        ({"offline": "studio"}, "offline='studio' has to be a set of names or ids"),
        ({"prefix": "api"}, "prefix='api' has to be empty, or begin with a slash"),
        ({"no_credits": "no", "faults_on": 3}, "no_credits='no' has to be True or False; faults_on=3 has to be a text"),
        ({"seed": 8, "start": "2030"}, "seed, start can only be given at the start"),
        ({"sped": 8}, "No such knob: sped"),
        ([1], "Send an object of knobs and values"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_and_changes_nothing(
    ws: comfynb.Workspace, lively: Sandbox, knobs: Any, words: str
) -> None:
    """All problems are told at once, and the library goes on as before."""
    asked = {**knobs, "latency": 5} if isinstance(knobs, dict) and "latency" not in knobs else knobs
    reply = turn(lively, "POST /sandbox/knobs", asked)
    assert reply.status_code == 422
    assert words in reply.json()["detail"]
    assert lively.knobs.latency == 0
    assert not ws.machines().empty


@pytest.mark.parametrize("body", [{}, {"seconds": "9"}, {"seconds": -1}, {"seconds": True}, [9]], ids=str)
def test_time_goes_by_in_seconds_only(lively: Sandbox, body: Any) -> None:
    """And never backwards."""
    reply = turn(lively, "POST /sandbox/advance", body)
    assert (reply.status_code, reply.json()) == (422, {"detail": 'Send {"seconds": a number}.'})
