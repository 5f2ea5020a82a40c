"""The library meets submits that go wrong: none is sent twice, and a run that came of one is found or spoken of."""

from __future__ import annotations

from typing import Any

import pytest
from faults import PATIENCE

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.warnings import RecoveredSubmitWarning

SUBMIT = "POST /run/deployment/queue"


@pytest.fixture
def ws(ws: comfynb.Workspace) -> comfynb.Workspace:
    """Look for lost runs after short waits."""
    ws.comfyui_service.submitter.patience = PATIENCE
    return ws


@pytest.mark.meets("drop_next", "drop", "truncate_next", "faults_on")
@pytest.mark.parametrize(
    "fault", [{"drop_next": 1, "drop": "middle"}, {"drop_next": 1, "drop": "after"}, {"truncate_next": 1}], ids=str
)
def test_a_run_whose_answer_was_lost_is_found(ws: comfynb.Workspace, lively: Sandbox, fault: dict[str, Any]) -> None:
    """In the run list; it is waited for as any other, and was paid for once."""
    lively.knobs.change(**fault, faults_on="POST")
    with pytest.warns(RecoveredSubmitWarning, match="found in the run list; it was not sent again") as told:
        run = ws.run("text2img", prompt="a red fox")
    assert told[0].filename == __file__
    assert run.status == "success"
    assert [run.id] == list(lively.world.runs)
    assert lively.counters.requests[SUBMIT] == 1


@pytest.mark.meets("drop_next", "drop", "fail_next", "fail_status", "html_answers", "faults_on")
@pytest.mark.parametrize(
    "fault",
    [
        {"drop_next": 9, "drop": "before"},
        {"fail_next": 9, "fail_status": 502},
        {"fail_next": 9, "fail_status": 503, "retry_after": 0},
        {"fail_next": 9, "fail_status": 504},
        {"html_answers": True},
    ],
    ids=str,
)
def test_where_no_run_is_found_it_is_said_that_there_may_be_one(
    ws: comfynb.Workspace, lively: Sandbox, fault: dict[str, Any]
) -> None:
    """An answer of a gateway, or none, does not tell what the server behind it did; it is for a person to decide."""
    lively.knobs.change(**fault, faults_on="POST")
    with pytest.raises(comfynb.SubmitUncertainError, match="is not known, and it was not sent again"):
        ws.submit("text2img", prompt="a red fox")
    assert lively.counters.of("POST") == 1
    assert lively.counters.runs_created == 0
    assert ws.last_run is None


@pytest.mark.meets("limit_next", "fail_next", "fail_status")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"limit_next": 9, "retry_after": 0}, comfynb.RateLimitError),
        ({"fail_next": 9, "fail_status": 500}, comfynb.ApiError),
    ],
)
def test_a_refusal_of_the_server_itself_is_raised_and_not_tried_again(
    ws: comfynb.Workspace, lively: Sandbox, fault: dict[str, Any], kind: type[Exception]
) -> None:
    """The run list was looked at first: the server can leave a run behind and answer with an error."""
    lively.knobs.change(**fault, faults_on="POST")
    with pytest.raises(kind):
        ws.submit("text2img", prompt="a red fox")
    assert lively.counters.of("POST") == 1
    assert lively.counters.runs_created == 0
    assert lively.counters.of("GET /workflow/{workflow_id}/runs") > 0


@pytest.mark.meets("no_credits")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_without_credits_nothing_is_started(ws: comfynb.Workspace, lively: Sandbox, elsewhere: bool) -> None:
    """On both ways to submit; the error is a class of its own, and with credits the same call works."""
    lively.knobs.no_credits = True
    machine = "serverless-a10g" if elsewhere else None
    with pytest.raises(comfynb.CreditsError, match="not enough credits"):
        ws.submit("text2img", prompt="a red fox", machine=machine)
    assert lively.counters.of("POST") == 1
    assert lively.counters.runs_created == 0
    lively.knobs.no_credits = False
    assert ws.run("text2img", prompt="a red fox", machine=machine).status == "success"
