"""One request and its answer: deadlines, connections, redirects, hooks, event loops."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import threading
import time
import warnings
from datetime import UTC, datetime

import pytest
from faults import DROP, KEY, QUICK, RawServer, Request, Step, answer, json_answer, run, text_answer, transport_to

from comfynb.api import routes
from comfynb.api.client import ComfyDeployClient
from comfynb.api.connections import Limits
from comfynb.api.transport import Call, NeedsNetwork, Transport
from comfynb.errors import AnswerError, ApiError, NotFoundError, TransportError
from comfynb.sandbox import Sandbox
from comfynb.services.cache import served

GOOD = json_answer([])
ONCE = Limits(timeout=0.3, submit_timeout=0.3, retries=0)


# What is sent


def test_a_request_carries_the_key_as_the_server_wants_it() -> None:
    """`Bearer` with a capital letter, in the header and nowhere else."""
    with RawServer(lambda _: GOOD) as server:
        transport = transport_to(server.url)
        run(transport, transport.send(routes.WORKFLOWS, query={"search": "a&b", "pinned": True, "none": None}))
        (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["user-agent"] == "comfynb"
    assert request.target == "/api/workflows?search=a%26b&pinned=true"
    assert KEY not in request.target


# Answers that do not come whole


@pytest.mark.parametrize("size", range(0, len(GOOD), 7))
def test_an_answer_that_is_cut_off_is_no_answer(size: int) -> None:
    """Wherever the connection ends before the answer does, that is what the error says."""
    with RawServer(lambda _: [GOOD[:size], DROP]) as server:
        transport = transport_to(server.url, limits=ONCE)
        with pytest.raises(TransportError, match="broke before the answer was complete") as caught:
            run(transport, transport.fetch(routes.MACHINES))
    assert caught.value.sent


@pytest.mark.parametrize("how", ["its length says so", "a piece at a time", "unpacked"])
def test_an_answer_that_is_too_large_is_not_taken(how: str) -> None:
    """Nothing of it is held, it is not asked for again, and the connection is not used again."""
    body = b"[" + b" " * 3_000_000 + b"]"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    large = {
        "its length says so": head + b"content-length: %d\r\n\r\n" % len(body) + body,
        "a piece at a time": head + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
        "unpacked": answer(200, gzip.compress(body), "application/json", content_encoding="gzip"),
    }[how]
    answers = iter([large, GOOD])
    with RawServer(lambda _: next(answers)) as server:
        client = ComfyDeployClient(transport_to(server.url, limits=Limits(largest_answer=2_000_000)))

        async def both() -> list[object]:
            with pytest.raises(
                AnswerError, match=r"GET /machines was not taken, since it has more than 2\.0 MB; ask for"
            ):
                await client.machines()
            return list(await client.machines())

        assert run(client, both()) == []
        assert [each.connection for each in server.requests] == [1, 2]


@pytest.mark.parametrize("length", [b"999", b"banana", b"-1"])
def test_a_length_that_is_wrong_is_no_answer(length: bytes) -> None:
    """A body shorter than its declared length is not taken for a whole one."""
    wrong = GOOD.replace(b"content-length: 2", b"content-length: " + length)
    with RawServer(lambda _: [wrong, DROP]) as server:
        transport = transport_to(server.url, limits=ONCE)
        with pytest.raises(TransportError):
            run(transport, transport.fetch(routes.MACHINES))


def test_a_body_that_does_not_unpack_is_no_answer() -> None:
    """A gzip header with something else behind it ends in an error of ours."""
    with RawServer(lambda _: answer(200, b"not gzip", "application/json", content_encoding="gzip")) as server:
        transport = transport_to(server.url, limits=ONCE)
        with pytest.raises(TransportError, match="gave no answer to GET /machines"):
            run(transport, transport.fetch(routes.MACHINES))


@pytest.mark.parametrize("route", [routes.MACHINES, routes.QUEUE_DEPLOYMENT])
def test_a_drip_does_not_outlast_the_deadline(route: routes.Route) -> None:
    """A byte now and then keeps no request alive for ever, although each single wait is short."""

    def drip(request: Request) -> bytes | list[Step]:
        if request.path == "/api/workflows":
            return GOOD
        steps: list[Step] = []
        for place in range(len(GOOD)):
            steps += [GOOD[place : place + 1], 0.05]
        return steps

    with RawServer(drip) as server:
        transport = transport_to(server.url, limits=ONCE)
        begun = time.monotonic()
        with pytest.raises(TransportError, match=r"No whole answer from .* within 0\.[36] s") as caught:
            run(transport, transport.fetch(route))
        assert time.monotonic() - begun < 3.0
    assert caught.value.sent


def test_silence_ends_at_the_deadline() -> None:
    """A server that takes the request and says nothing."""
    with RawServer(lambda _: [10.0]) as server:
        transport = transport_to(server.url, limits=ONCE)
        with pytest.raises(TransportError) as caught:
            run(transport, transport.fetch(routes.MACHINES))
    assert caught.value.sent


def test_a_submit_is_given_longer_than_a_read() -> None:
    """The server may talk to a machine before it answers a submit."""

    def slow(request: Request) -> bytes | list[Step]:
        return GOOD if request.method == "GET" else [0.5, json_answer({"run_id": "r1"})]

    with RawServer(slow) as server:
        transport = transport_to(server.url, limits=Limits(timeout=0.3, submit_timeout=5.0, retries=0))
        assert run(transport, transport.fetch(routes.QUEUE_DEPLOYMENT, json={})).status == 200


def test_a_large_file_is_given_the_time_that_it_takes() -> None:
    """A deadline for the whole of it would end a slow upload that goes on well."""
    content = bytes(24_000_000)
    with RawServer(lambda r: GOOD if r.method == "GET" else json_answer({"file_url": "u"}), pause=0.05) as server:
        client = ComfyDeployClient(transport_to(server.url, limits=Limits(timeout=0.8)))
        assert run(client, client.upload("a.png", content)).file_url == "u"
        assert len(server.requests[-1].body) > len(content)


# Connections


def test_a_connection_is_kept_for_the_next_request() -> None:
    """Three reads, one connection."""

    async def thrice(transport: Transport) -> None:
        for _ in range(3):
            await transport.fetch(routes.MACHINES)

    with RawServer(lambda _: GOOD) as server:
        transport = transport_to(server.url)
        run(transport, thrice(transport))
        assert [request.connection for request in server.requests] == [1, 1, 1]


def test_a_connection_is_not_used_again_after_a_plain_500() -> None:
    """The server drops it without a word then, so a write that came next would fail."""

    async def both(transport: Transport) -> None:
        with pytest.raises(ApiError, match="Internal Server Error"):
            await transport.fetch(routes.MACHINE, {"machine_id": "m"})
        await transport.fetch(routes.CREATE_DEPLOYMENT, json={})

    def respond(request: Request) -> bytes:
        return text_answer("Internal Server Error") if request.path.startswith("/api/machine/") else GOOD

    with RawServer(respond) as server:
        transport = transport_to(server.url, limits=ONCE)
        run(transport, transport.discover())
        run(transport, both(transport))
        failed, then = (request.connection for request in server.requests[1:])
        assert failed != then


def test_the_dropped_connections_of_the_sandbox_hurt_nobody(sandbox: Sandbox) -> None:
    """Ten times an unhandled error and a write after it, on a whole server."""

    async def many(client: ComfyDeployClient) -> None:
        machine = (await client.machines(is_deleted=False))[0]
        version = (await client.versions((await client.workflows())[0].id))[0]
        for _ in range(10):
            with pytest.raises(ApiError, match="Internal Server Error"):
                await client.workflow("no uuid")
            await client.create_deployment(version.workflow_id or "", version.id, machine.id, "staging")

    client = ComfyDeployClient(transport_to(sandbox.url, sandbox.api_key, Limits(retries=0)))
    run(client, many(client))


def test_each_submit_has_a_connection_of_its_own() -> None:
    """None is sent on a connection that the server may have given up."""

    async def twice(transport: Transport) -> None:
        for _ in range(2):
            await transport.fetch(routes.QUEUE_DEPLOYMENT, json={})
        await transport.fetch(routes.MACHINES)

    with RawServer(lambda _: GOOD) as server:
        transport = transport_to(server.url)
        run(transport, twice(transport))
        assert [request.connection for request in server.requests] == [1, 2, 3, 1]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("route", [routes.MACHINES, routes.QUEUE_DEPLOYMENT])
def test_a_redirect_is_not_followed(status: int, route: routes.Route) -> None:
    """No key goes to another host, no submit goes out twice, and the error names the other address."""
    with RawServer(lambda _: GOOD) as other:

        def respond(request: Request) -> bytes:
            if request.path == "/api/workflows":
                return GOOD
            return answer(status, b"", location=f"{other.url}/elsewhere")

        with RawServer(respond) as server:
            transport = transport_to(server.url)
            with pytest.raises(ApiError, match=f"sends {route} on to another address .{other.url}/elsewhere"):
                run(transport, transport.fetch(route))
        assert other.requests == []


def test_the_servers_time_is_that_of_its_last_answer() -> None:
    """It is a lower bound for all that happens there later, however its clock goes."""
    dates = ["Sun, 01 Nov 2026 09:00:00 GMT", "Sun, 01 Nov 2026 09:00:07 GMT"]
    with RawServer(lambda _: json_answer([], date=dates[len(server.requests) - 1])) as server:
        transport = transport_to(server.url)
        assert transport.server_seen is None
        for second in (0, 7):
            run(transport, transport.fetch(routes.MACHINES))
            assert transport.server_seen == datetime(2026, 11, 1, 9, 0, second, tzinfo=UTC)


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 01 Jan 0100 00:00:00 GMT"])
def test_a_date_that_can_be_nobodys_is_not_believed(date: str) -> None:
    """One such answer does not spoil those that come after it."""
    answers = iter([json_answer([], date=date), GOOD])
    with RawServer(lambda _: next(answers)) as server:
        transport = transport_to(server.url)
        run(transport, transport.fetch(routes.MACHINES))
        assert (transport.server_seen, transport.clock_offset) == (None, None)
        assert run(transport, transport.fetch(routes.MACHINES)).status == 200
        assert abs(transport.server_now() - datetime.now(UTC)).total_seconds() < 60.0


# Hooks


def test_a_hook_sees_every_call() -> None:
    """Route template, status, seconds, retries and size; None for a status that never came."""
    calls: list[Call] = []

    async def several(transport: Transport) -> None:
        await transport.send(routes.MACHINE, {"machine_id": "m1"})
        await transport.send(routes.RUN, {"run_id": "r1"})
        with pytest.raises(TransportError):
            await transport.send(routes.CANCEL_RUN, {"run_id": "r1"})

    def respond(request: Request) -> bytes | list[Step]:
        if request.method == "POST":
            return [DROP]
        return json_answer({"detail": "Run not found"}, 404) if "/run/" in request.path else json_answer({})

    with RawServer(respond) as server:
        transport = transport_to(server.url)
        transport.hooks.append(calls.append)
        run(transport, several(transport))
    assert [(call.route, call.status, call.retries, call.size) for call in calls] == [
        ("GET /machine/{machine_id}", 200, 0, 2),
        ("GET /run/{run_id}", 404, 0, 27),
        ("POST /run/{run_id}/cancel", None, 0, 0),
    ]


def test_a_hook_that_fails_costs_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """The answer to a submit is the id of a paid run; whoever counts calls must not lose it."""

    def broken(_: Call) -> None:
        raise RuntimeError("no more counters")

    with RawServer(lambda _: json_answer({"run_id": "r1"})) as server:
        transport = transport_to(server.url)
        transport.hooks.append(broken)
        assert b"r1" in run(transport, transport.fetch(routes.QUEUE_DEPLOYMENT, json={})).content
    assert "a hook failed on POST /run/deployment/queue" in caplog.text


# Many at once


def test_no_more_requests_are_under_way_than_allowed() -> None:
    """Twenty reads at once with a limit of three need no more than three connections, and all are answered."""

    async def many(transport: Transport) -> None:
        await transport.fetch(routes.MACHINES)
        await asyncio.gather(*(transport.fetch(routes.MACHINES) for _ in range(20)))

    with RawServer(lambda _: [0.02, GOOD]) as server:
        transport = transport_to(server.url, limits=Limits(max_concurrent=3))
        run(transport, many(transport))
        assert len(server.requests) == 21
        assert server.connections == 3


# Event loops, threads and processes


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_works_on_one_event_loop_after_the_other() -> None:
    """What a loop opened and did not close is of no use to the next one, which starts anew."""
    with RawServer(lambda _: GOOD) as server:
        transport = transport_to(server.url)
        for _ in range(2):
            assert asyncio.run(transport.fetch(routes.MACHINES)).status == 200
        assert run(transport, transport.fetch(routes.MACHINES)).status == 200
        gc.collect()  # what the loops left open is reported here, where it is expected


def test_it_works_on_event_loops_of_several_threads() -> None:
    """Each thread asks with a loop of its own, one after the other."""
    with RawServer(lambda _: GOOD) as server:
        transport = transport_to(server.url)
        found: list[int] = []
        for _ in range(3):
            thread = threading.Thread(
                target=lambda: found.append(run(transport, transport.fetch(routes.MACHINES)).status)
            )
            thread.start()
            thread.join()
        assert found == [200, 200, 200]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_it_works_after_a_fork() -> None:
    """A child does not write into the connections of its parent."""

    async def in_between(transport: Transport) -> int:
        await transport.fetch(routes.MACHINES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is the point
            child = os.fork()
        if child == 0:
            os._exit(_asked_in_a_child(transport))
        await transport.fetch(routes.MACHINES)
        return os.waitstatus_to_exitcode((await asyncio.to_thread(os.waitpid, child, 0))[1])

    with RawServer(lambda _: GOOD) as server:
        transport = transport_to(server.url)
        assert run(transport, in_between(transport)) == 0
        parent, *rest = (request.connection for request in server.requests)
        assert sorted(rest) == [parent, parent + 1]


def _asked_in_a_child(transport: Transport) -> int:
    """Ask from a thread without a running loop; return 0 if that was answered."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(transport.fetch(routes.MACHINES)).status))
    thread.start()
    thread.join(10)
    return 0 if found == [200] else 1


def test_a_closed_transport_opens_again() -> None:
    """Closing gives up the connections, not the transport."""

    async def again(transport: Transport) -> None:
        await transport.fetch(routes.MACHINES)
        await transport.aclose()
        await transport.aclose()
        await transport.fetch(routes.MACHINES)

    with RawServer(lambda _: GOOD) as server:
        transport = transport_to(server.url, limits=QUICK)
        run(transport, again(transport))
        assert server.connections == 2


def test_nothing_is_sent_where_only_the_cache_may_be_asked() -> None:
    """A read that is tried without the network is told to go elsewhere."""
    with RawServer(lambda _: GOOD) as server:
        transport = transport_to(server.url)
        with pytest.raises(NeedsNetwork):
            served(lambda: transport.fetch(routes.MACHINES))
        assert server.connections == 0


def test_what_is_not_there_is_not_asked_for_twice(sandbox: Sandbox) -> None:
    """404 for a thing is final: one request."""
    transport = transport_to(sandbox.url, sandbox.api_key)
    unknown = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(NotFoundError):
        run(transport, transport.fetch(routes.RUN, {"run_id": unknown}))
    assert sandbox.counters.of("GET /run") == 1
