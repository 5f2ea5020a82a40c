"""Reads are tried again after faults that pass; nothing else is."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from faults import DROP, RawServer, Request, Step, json_answer, run, text_answer, transport_to

from comfynb.api import routes
from comfynb.api.connections import Limits
from comfynb.api.transport import Call
from comfynb.errors import ApiError, RateLimitError, TransportError

GOOD = json_answer([])


class Flaky:
    """Answers as told, one request after the other, then well; all on the known prefix."""

    def __init__(self, *faults: bytes | list[Step]) -> None:
        self.faults = list(faults)

    def __call__(self, request: Request) -> bytes | list[Step]:
        return self.faults.pop(0) if self.faults else GOOD


BUSY = json_answer({"detail": "Too Many Requests"}, 429)
CUT = GOOD[:-1]


@pytest.mark.parametrize(
    "fault",
    [
        BUSY,
        json_answer({"detail": "Too Many Requests"}, 429, retry_after="0"),
        text_answer("", 502),
        text_answer("", 503, retry_after="0"),
        text_answer("", 504),
        [DROP],
        [GOOD[:30], DROP],
        [CUT, DROP],
        [b"garbage\r\n\r\n", DROP],
    ],
    ids=["429", "429-0", "502", "503", "504", "dropped", "in-headers", "in-body", "garbage"],
)
def test_a_read_survives_two_faults_that_pass(fault: bytes | list[Step]) -> None:
    """The third try is answered, and a hook is told how many there were."""
    calls: list[Call] = []
    with RawServer(Flaky(fault, fault)) as server:
        transport = transport_to(server.url)
        transport.hooks.append(calls.append)
        assert run(transport, transport.fetch(routes.MACHINES)).content == b"[]"
        assert server.asked() == ["/api/machines"] * 3
    assert [(call.route, call.status, call.retries, call.size) for call in calls] == [("GET /machines", 200, 2, 2)]
    assert calls[0].seconds > 0


@pytest.mark.parametrize("fault", [BUSY, text_answer("", 502), [DROP]], ids=["429", "502", "dropped"])
def test_a_read_gives_up_after_its_retries(fault: bytes | list[Step]) -> None:
    """What the last try brought is what is raised."""
    with RawServer(Flaky(*[fault] * 10)) as server:
        transport = transport_to(server.url, limits=Limits(retries=2, first_wait=0.01))
        with pytest.raises((ApiError, TransportError)):
            run(transport, transport.fetch(routes.MACHINES))
        assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 500, 501])
def test_other_statuses_are_not_tried_again(status: int) -> None:
    """No 500 of this API passes by itself, and a refusal stays one."""
    with RawServer(lambda _: json_answer({"detail": "no"}, status)) as server:
        transport = transport_to(server.url)
        with pytest.raises(ApiError):
            run(transport, transport.fetch(routes.MACHINES))
        assert len(server.requests) == 1


@pytest.mark.parametrize("route", [routes.QUEUE_DEPLOYMENT, routes.CREATE_DEPLOYMENT, routes.UPLOAD_FILE])
@pytest.mark.parametrize("fault", [BUSY, text_answer("", 503), [DROP], [CUT, DROP]], ids=["429", "503", "drop", "cut"])
def test_what_changes_something_is_sent_once(route: routes.Route, fault: bytes | list[Step]) -> None:
    """Writes and submits are never repeated by the transport."""
    with RawServer(lambda request: GOOD if request.method == "GET" else fault) as server:
        transport = transport_to(server.url)
        with pytest.raises((ApiError, TransportError)) as caught:
            run(transport, transport.fetch(route, json={}))
        assert len(server.asked("POST")) == 1
    if isinstance(caught.value, TransportError):
        assert caught.value.sent


def test_the_wait_that_the_server_asks_for_is_kept() -> None:
    """`Retry-After` in seconds decides, not our own schedule."""
    with RawServer(Flaky(json_answer({}, 429, retry_after="1"))) as server:
        transport = transport_to(server.url)
        begun = time.monotonic()
        run(transport, transport.fetch(routes.MACHINES))
        assert time.monotonic() - begun >= 1.0


def test_a_wait_until_a_date_goes_by_the_servers_clock() -> None:
    """`Retry-After` as a date is compared to the date of the answer, so that a wrong clock here does not matter."""
    there = datetime(2001, 1, 1, 12, 0, 0, tzinfo=UTC)
    until = format_datetime(there + timedelta(seconds=1), usegmt=True)
    limited = json_answer({}, 503, date=format_datetime(there, usegmt=True), retry_after=until)
    with RawServer(Flaky(limited)) as server:
        transport = transport_to(server.url)
        begun = time.monotonic()
        run(transport, transport.fetch(routes.MACHINES))
        assert 1.0 <= time.monotonic() - begun < 10.0


@pytest.mark.parametrize("wait", ["3600", "9" * 400, format_datetime(datetime(2126, 1, 1, tzinfo=UTC), usegmt=True)])
def test_a_wait_beyond_the_budget_is_not_begun(wait: str) -> None:
    """Being asked to wait an hour, a read says so at once."""
    with RawServer(Flaky(*[json_answer({}, 429, retry_after=wait)] * 3)) as server:
        transport = transport_to(server.url)
        begun = time.monotonic()
        with pytest.raises(RateLimitError, match="it asks to wait") as caught:
            run(transport, transport.fetch(routes.MACHINES))
        assert time.monotonic() - begun < 5.0
        assert len(server.requests) == 1
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 3600


def test_each_wait_is_told_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """At level INFO the logger `comfynb` says how long, why and before what."""
    with RawServer(Flaky(BUSY, [DROP])) as server, caplog.at_level(logging.INFO, "comfynb"):
        transport = transport_to(server.url)
        run(transport, transport.fetch(routes.MACHINES))
    waits = [record.getMessage() for record in caplog.records if record.name == "comfynb"]
    assert len(waits) == 2
    assert "(429) before GET /machines is tried again" in waits[0]
    assert "(no answer) before GET /machines is tried again" in waits[1]


def test_a_server_that_is_not_there_is_one_clear_sentence() -> None:
    """Nothing listens: the error says so, and that nothing was sent."""
    with RawServer(lambda _: GOOD) as server:
        url = server.url
        server.refuse()
        transport = transport_to(url, limits=Limits(retries=1, first_wait=0.01))
        with pytest.raises(TransportError, match=rf"{url} gave no answer to GET /machines: nothing answers") as caught:
            run(transport, transport.fetch(routes.MACHINES))
        assert not caught.value.sent


def test_a_server_that_comes_back_is_found_again() -> None:
    """Retries bridge the moment in which a server restarts."""
    with RawServer(Flaky([DROP])) as server:
        server.refuse()
        server.listen()
        transport = transport_to(server.url)
        assert run(transport, transport.fetch(routes.MACHINES)).status == 200


def test_an_unknown_host_is_one_clear_sentence() -> None:
    """`.invalid` resolves nowhere."""
    transport = transport_to("http://no-such-host.invalid", limits=Limits(retries=0, timeout=5.0))
    with pytest.raises(TransportError, match=r"http://no-such-host\.invalid gave no answer") as caught:
        run(transport, transport.fetch(routes.MACHINES))
    assert not caught.value.sent
