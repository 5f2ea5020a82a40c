"""The library meets refusals: reads are tried again where that can help, within a budget, and nothing else is."""

from __future__ import annotations

import time

import pytest

import comfynb
from comfynb.api.transport import Call
from comfynb.sandbox import Sandbox

MACHINES = "GET /machines"


@pytest.fixture
def calls(ws: comfynb.Workspace) -> list[Call]:
    """Write down the calls of the workspace, each with its number of retries."""
    ws.workflows()  # where the routes are is known from here on
    noted: list[Call] = []
    ws.workflows_service.client.transport.hooks.append(noted.append)
    return noted


@pytest.mark.meets("limit_next", "retry_after", "retry_after_form")
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_time_that_the_server_asks_for_is_waited(
    ws: comfynb.Workspace, lively: Sandbox, calls: list[Call], form: str
) -> None:
    """In both forms of `Retry-After`: neither earlier nor much later."""
    lively.knobs.change(limit_next=1, retry_after=1, retry_after_form=form, faults_on="/machines")
    assert not ws.machines().empty
    assert calls[0].retries == 1
    assert 1.0 <= calls[0].seconds < 3.0


@pytest.mark.meets("limit_next", "retry_after")
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_wait_beyond_the_budget_is_not_begun(ws: comfynb.Workspace, lively: Sandbox, form: str) -> None:
    """The error says how long the server asks to wait."""
    lively.knobs.change(limit_next=9, retry_after=3600, retry_after_form=form)
    begun = time.monotonic()
    with pytest.raises(comfynb.RateLimitError, match="asks to wait 3600 s") as caught:
        ws.machines()
    assert time.monotonic() - begun < 2
    assert caught.value.retry_after == 3600
    assert lively.counters.faults == {"limit_next": 1}


@pytest.mark.meets("rate_limit")
def test_a_server_that_limits_the_rate_is_read_all_the_same(lively: Sandbox) -> None:
    """A catalog is more requests at once than it takes in a second; each is waited for."""
    with comfynb.connect(sandbox=lively) as ws:
        undisturbed = ws.catalog()
    asked = lively.counters.total
    lively.reset()
    lively.knobs.change(rate_limit=asked // 2, retry_after=1)
    with comfynb.connect(sandbox=lively) as ws:
        assert ws.catalog().equals(undisturbed)
    assert lively.counters.faults["rate_limit"] > 0


@pytest.mark.meets("fail_next", "fail_status", "retry_after")
@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_that_fails_is_asked_again(
    ws: comfynb.Workspace, lively: Sandbox, calls: list[Call], status: int
) -> None:
    """Without a time to wait, after one of the library's own."""
    lively.knobs.change(fail_next=1, fail_status=status, retry_after=None, faults_on="/machines")
    assert not ws.machines().empty
    assert [(call.route, call.status, call.retries) for call in calls] == [(MACHINES, 200, 1)]


@pytest.mark.meets("fail_next", "fail_status", "faults_on")
def test_a_500_is_not_asked_again_and_its_connection_is_left(
    ws: comfynb.Workspace, lively: Sandbox, calls: list[Call]
) -> None:
    """The server drops the connection of a plain 500 without saying so; the next call does not notice."""
    lively.knobs.change(fail_next=1, fail_status=500, faults_on="GET /api/machines")
    with pytest.raises(comfynb.ApiError, match=r"failed on GET /machines \(500\): Internal Server Error"):
        ws.machines()
    assert lively.counters.of(MACHINES) == 1
    assert not ws.machines().empty
    assert [(call.status, call.retries) for call in calls] == [(500, 0), (200, 0)]
    assert lively.counters.statuses.keys() == {200, 500}


@pytest.mark.meets("error_rate", "fail_status")
def test_a_catalog_is_read_although_a_third_of_all_requests_fail(lively: Sandbox) -> None:
    """It has no gap."""
    with comfynb.connect(sandbox=lively) as ws:
        undisturbed = ws.catalog()
    lively.knobs.change(error_rate=0.3, fail_status=503, retry_after=0)
    with comfynb.connect(sandbox=lively, retries=12) as ws:
        assert ws.catalog().equals(undisturbed)
    assert lively.counters.faults["error_rate"] > 0


@pytest.mark.meets("drop_next", "drop")
@pytest.mark.parametrize("moment", ["before", "middle", "after"])
def test_a_read_whose_connection_is_dropped_is_repeated(
    ws: comfynb.Workspace, lively: Sandbox, calls: list[Call], moment: str
) -> None:
    """Wherever it broke."""
    lively.knobs.change(drop_next=1, drop=moment, faults_on="/machines")
    assert not ws.machines().empty
    assert (calls[0].route, calls[0].retries) == (MACHINES, 1)
    assert lively.counters.faults == {"drop_next": 1}


@pytest.mark.meets("truncate_next")
def test_half_an_answer_is_not_taken_for_a_whole_one(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """Its length is right, so only its content tells; what was cut is in no table and is not kept."""
    lively.knobs.truncate_next = 1
    with pytest.raises(
        comfynb.AnswerError, match=r"answer of http://127\.0\.0\.1:\d+ to GET /workflows.* cannot be read"
    ):
        ws.workflows()
    assert len(ws.workflows()) == 8


@pytest.mark.meets("html_answers")
def test_a_sign_in_page_instead_of_data_names_the_address(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """Before anything is known of the server as well as later; a page is never taken for an empty list."""
    ws.workflows()
    lively.knobs.html_answers = True
    with pytest.raises(
        comfynb.AnswerError, match="a web page instead of data; is this the address of the API"
    ) as caught:
        ws.machines()
    assert lively.url in str(caught.value)
    with comfynb.connect(sandbox=lively) as fresh:
        for call in (fresh.machines, lambda: fresh.submit("text2img")):
            with pytest.raises(comfynb.NotFoundError, match="No ComfyDeploy API was found") as caught:
                call()
            assert lively.url in str(caught.value)
    assert lively.counters.of("POST") == 0
