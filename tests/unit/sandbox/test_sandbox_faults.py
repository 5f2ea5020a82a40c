"""Each fault that a knob asks for, as a client sees it."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import httpx
import pytest
from sandbox_client import Client

from comfynb.sandbox import Sandbox


def test_requests_are_refused_for_a_while(client: Client, sandbox: Sandbox) -> None:
    """`limit_next`: so many 429, with a time to wait."""
    sandbox.knobs.change(limit_next=2, retry_after=3)
    replies = [client.get("/workflows") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [429, 429, 200]
    assert replies[0].headers["retry-after"] == "3"
    assert replies[0].json() == {"detail": "Too Many Requests"}
    assert sandbox.counters.faults == {"limit_next": 2}


def test_the_time_to_wait_may_be_a_date(client: Client, sandbox: Sandbox) -> None:
    """`retry_after_form`: by the clock of the answer's own `date` header; None sends no header."""
    sandbox.knobs.change(limit_next=2, retry_after=30, retry_after_form="date")
    headers = client.get("/workflows").headers
    wait = parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
    assert wait.total_seconds() == 30
    sandbox.knobs.retry_after = None
    assert "retry-after" not in client.get("/workflows").headers


def test_more_requests_in_a_second_than_allowed_are_refused(client: Client, sandbox: Sandbox) -> None:
    """`rate_limit`: the first ones are answered."""
    sandbox.knobs.rate_limit = 2
    statuses = [client.get("/machines/all").status_code for _ in range(4)]
    assert statuses[:2] == [200, 200]
    assert 429 in statuses


@pytest.mark.parametrize(
    ("status", "kind"), [(500, "text/plain"), (502, "text/html"), (503, "text/html"), (504, "text/html")]
)
def test_requests_fail(client: Client, sandbox: Sandbox, status: int, kind: str) -> None:
    """`fail_next` and `fail_status`: the server's own 500, or the page of a gateway."""
    sandbox.knobs.change(fail_next=1, fail_status=status)
    reply = client.get("/workflows")
    assert reply.status_code == status
    assert reply.headers["content-type"].startswith(kind)
    assert ("retry-after" in reply.headers) is (status == 503)
    assert client.get("/workflows").status_code == 200


def test_a_share_of_requests_fails(client: Client, sandbox: Sandbox) -> None:
    """`error_rate`: which ones follows from the seed."""
    sandbox.knobs.change(error_rate=0.3, fail_status=502)
    first = [client.get("/machines/all").status_code for _ in range(40)]
    sandbox.reset()
    assert [client.get("/machines/all").status_code for _ in range(40)] == first
    assert 4 <= first.count(502) <= 22


def test_a_connection_is_dropped_before_the_answer(client: Client, sandbox: Sandbox) -> None:
    """`drop="before"`: nothing was done."""
    deployment = client.deployment("text2img")["id"]
    sandbox.knobs.change(drop_next=1, drop="before")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post("/run/deployment/queue", json={"deployment_id": deployment})
    assert sandbox.counters.runs_created == 0
    assert sandbox.counters.statuses[0] == 1
    assert sandbox.counters.of("POST /run/deployment/queue") == 1
    assert client.post("/run/deployment/queue", json={"deployment_id": deployment}).status_code == 200


@pytest.mark.parametrize("drop", ["middle", "after"])
def test_a_connection_is_dropped_when_the_run_is_taken(client: Client, sandbox: Sandbox, drop: str) -> None:
    """`drop="middle"` and `drop="after"`: the run is there, and the client does not know its id."""
    deployment = client.deployment("text2img")["id"]
    sandbox.knobs.change(drop_next=1, drop=drop)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post("/run/deployment/queue", json={"deployment_id": deployment})
    assert sandbox.counters.runs_created == 1
    assert client.over(client.newest("text2img")["id"])["status"] == "success"


def test_an_answer_is_cut_and_looks_whole(client: Client, sandbox: Sandbox) -> None:
    """`truncate_next`: its length is that of what came."""
    sandbox.knobs.truncate_next = 1
    reply = client.get("/workflows")
    assert reply.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        reply.json()


def test_a_portal_answers_instead(client: Client, sandbox: Sandbox) -> None:
    """`html_answers`: 200, and a web page."""
    sandbox.knobs.html_answers = True
    reply = client.get("/workflows")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")


def test_answers_take_their_time(client: Client, sandbox: Sandbox) -> None:
    """`latency`: real seconds before each answer."""
    sandbox.knobs.latency = 0.2
    begin = time.monotonic()
    client.get("/workflows")
    assert time.monotonic() - begin >= 0.2


def test_faults_can_be_kept_to_some_requests(client: Client, sandbox: Sandbox) -> None:
    """`faults_on`: only what contains this text is struck, and only that is counted down."""
    sandbox.knobs.change(fail_next=1, fail_status=503, faults_on="POST /api/run")
    assert client.get("/workflows").status_code == 200
    assert sandbox.knobs.fail_next == 1
    assert client.queue("text2img").status_code == 503
    assert sandbox.knobs.fail_next == 0


def test_answers_may_have_fields_that_nobody_knows(client: Client, sandbox: Sandbox) -> None:
    """`extra_fields`: in an object, and in each object of a list."""
    sandbox.knobs.extra_fields = True
    run_id = client.queued("text2img")
    assert "x_new_field" in client.run(run_id)
    assert all("x_new_field" in row for row in client.get("/workflows").json())
    sandbox.knobs.extra_fields = False
    assert "x_new_field" not in client.run(run_id)


def test_without_a_socket_a_dropped_connection_is_an_error(sandbox: Sandbox) -> None:
    """The application raises, since there is nothing that it could drop."""
    import asyncio

    sandbox.knobs.drop_next = 1

    async def ask() -> None:
        transport = httpx.ASGITransport(sandbox.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            await client.get("/api/workflows")

    with pytest.raises(ConnectionResetError, match="drop_next"):
        asyncio.run(ask())


def test_one_broken_workflow_breaks_the_list_of_deployments(client: Client, sandbox: Sandbox) -> None:
    """`broken_workflow`: everywhere where it is read, and nowhere else."""
    sandbox.knobs.broken_workflow = True
    workflows = {row["name"]: row["id"] for row in client.get("/workflows").json()}
    broken = workflows["style transfer (wip)"]
    reply = client.get("/deployments")
    assert (reply.status_code, reply.text) == (500, "Internal Server Error")
    assert client.get(f"/workflow/{broken}/deployments").status_code == 500
    assert client.get("/deployments", params={"environment": "staging"}).status_code == 500
    for environment in ("production", "preview", "public-share"):
        assert client.get("/deployments", params={"environment": environment}).status_code == 200
    pages = [client.get("/deployments", params={"page_size": 1, "offset": number}) for number in range(18)]
    assert [page.status_code for page in pages].count(500) == 1
    assert sum(len(page.json()) for page in pages if page.status_code == 200) == 17
    assert client.get(f"/workflow/{broken}").status_code == 200
    sandbox.knobs.broken_workflow = False
    assert len(client.get("/deployments").json()) == 17
    assert len(client.get("/workflows").json()) == 8
