"""The prefix under which a server has its routes is found out by itself, with reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from faults import NOT_FOUND, WEB_PAGE, RawServer, Request, json_answer, run, text_answer, transport_to

from comfynb.api import routes
from comfynb.api.connections import Limits
from comfynb.api.transport import Transport
from comfynb.errors import ApiError, AuthenticationError, ComfyError, NotFoundError, PermissionDeniedError
from comfynb.sandbox import Sandbox

ONCE = Limits(retries=0)
REFUSED = json_answer({"detail": "Invalid or expired token"}, 401)


def lives_under(prefix: str, elsewhere: bytes = NOT_FOUND) -> Callable[[Request], bytes]:
    """Return how a server answers that has two routes below a prefix."""
    known = {
        ("GET", f"{prefix}/workflows"): json_answer([]),
        ("GET", f"{prefix}/machines"): json_answer([]),
        ("POST", f"{prefix}/run/deployment/queue"): json_answer({"run_id": "r1"}),
    }
    return lambda request: known.get((request.method, request.path), elsewhere)


@pytest.mark.parametrize("elsewhere", [NOT_FOUND, WEB_PAGE, text_answer("no", 404)], ids=["json", "page", "text"])
@pytest.mark.parametrize(("pasted", "prefix"), [("", "/api"), ("", ""), ("/comfy/api", "/comfy/api"), ("/x/api", "/x")])
def test_a_read_finds_the_prefix(pasted: str, prefix: str, elsewhere: bytes) -> None:
    """With `/api` or without, at the root or below a sub-path, whatever the server says elsewhere."""
    with RawServer(lives_under(prefix, elsewhere)) as server:
        transport = transport_to(server.url + pasted)
        assert run(transport, transport.fetch(routes.MACHINES)).content == b"[]"
        assert transport.prefix == prefix


def test_the_prefix_is_looked_for_once() -> None:
    """The second request goes straight to where the first one was answered."""
    with RawServer(lives_under("")) as server:
        transport = transport_to(server.url)
        run(transport, transport.fetch(routes.MACHINES))
        before = len(server.requests)
        run(transport, transport.fetch(routes.MACHINES))
        assert server.asked()[before:] == ["/machines"]


def test_the_usual_prefix_costs_no_extra_request() -> None:
    """On a server with `/api` the first read is the only request."""
    with RawServer(lives_under("/api")) as server:
        transport = transport_to(server.url)
        run(transport, transport.fetch(routes.MACHINES))
        assert server.asked() == ["/api/machines"]


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_a_submit_is_never_a_probe(prefix: str) -> None:
    """The prefix is found with GETs; the submit is sent once, to the right place."""
    with RawServer(lives_under(prefix)) as server:
        transport = transport_to(server.url)
        reply = run(transport, transport.fetch(routes.QUEUE_DEPLOYMENT, json={"deployment_id": "d"}))
        assert b"r1" in reply.content
        assert server.asked("POST") == [f"{prefix}/run/deployment/queue"]


@pytest.mark.parametrize("route", [routes.QUEUE_DEPLOYMENT, routes.QUEUE_VERSION, routes.CREATE_DEPLOYMENT])
@pytest.mark.parametrize(
    ("elsewhere", "kind", "words"),
    [
        (
            NOT_FOUND,
            NotFoundError,
            r"No ComfyDeploy API .*/api/workflows answered 404, /workflows answered 404\. Check",
        ),
        (WEB_PAGE, NotFoundError, "No ComfyDeploy API was found at .* answered 200 with no data"),
        (REFUSED, AuthenticationError, "refused the API key"),
        (text_answer("Unauthorized", 401), AuthenticationError, "refused the API key"),
        (text_answer("Forbidden", 403, "text/html"), PermissionDeniedError, "a web page"),
        (text_answer("Bad Gateway", 502, "text/html"), ApiError, "not available at the moment"),
        (text_answer("Internal Server Error", 500), ApiError, r"failed on GET /workflows \(500\)"),
        (text_answer("", 302, "", location="https://login.example"), ApiError, "sends GET /workflows on to another"),
    ],
    ids=["404", "page", "401", "401-text", "403", "502", "500", "302"],
)
def test_nothing_is_submitted_where_no_api_is_found(
    route: routes.Route, elsewhere: bytes, kind: type[ComfyError], words: str
) -> None:
    """A server that is something else, refuses the key or is down gets GETs only, and the error says which it is."""
    with RawServer(lambda _: elsewhere) as server:
        transport = transport_to(server.url, limits=ONCE)
        with pytest.raises(kind, match=words):
            run(transport, transport.fetch(route, json={}))
        assert server.asked("POST") == []
        assert transport.prefix is None


def test_a_refused_key_does_not_settle_the_prefix() -> None:
    """The server asks for the key before it looks at the path, so a 401 proves nothing."""
    with RawServer(lambda request: REFUSED if request.path.startswith("/api") else json_answer([])) as server:
        transport = transport_to(server.url)
        with pytest.raises(AuthenticationError):
            run(transport, transport.fetch(routes.MACHINES))
        assert transport.prefix is None


def test_an_unknown_thing_is_not_taken_for_an_unknown_path() -> None:
    """404 with words of its own does not make the client try elsewhere."""
    with RawServer(lambda _: json_answer({"detail": "Workflow not found"}, 404)) as server:
        transport = transport_to(server.url)
        with pytest.raises(NotFoundError, match="Workflow not found"):
            run(transport, transport.fetch(routes.WORKFLOW, {"workflow_id": "w"}))
        assert server.asked() == ["/api/workflow/w"]


@pytest.mark.parametrize(("prefix", "html_root"), [("/api", True), ("/api", False), ("", False)])
def test_the_sandbox_is_found_with_and_without_its_prefix(sandbox: Sandbox, prefix: str, html_root: bool) -> None:
    """The same on a whole server, whose root is a web page or nothing."""
    sandbox.knobs.change(prefix=prefix, html_root=html_root)
    transport = transport_to(sandbox.url, sandbox.api_key)
    assert run(transport, transport.discover()) == prefix
    assert repr(transport) == f"<Transport {sandbox.url} (prefix {prefix!r})>"


def test_simultaneous_first_requests_find_the_prefix_together() -> None:
    """Each of them is answered, and the discovery is made once for all."""

    async def several(transport: Transport) -> list[bytes]:
        return [reply.content for reply in await asyncio.gather(*(transport.fetch(routes.MACHINES) for _ in range(5)))]

    with RawServer(lives_under("")) as server:
        transport = transport_to(server.url)
        assert run(transport, several(transport)) == [b"[]"] * 5
        assert server.asked().count("/workflows") == 1


def test_ids_in_a_path_cannot_leave_it() -> None:
    """Whatever stands in an id is escaped: it can neither change the route nor add a query."""
    with RawServer(lambda _: json_answer({"id": "x"})) as server:
        transport = transport_to(server.url)
        run(transport, transport.fetch(routes.MACHINE, {"machine_id": "../workflows?a=b#c é"}))
        assert server.requests[0].target == "/api/machine/..%2Fworkflows%3Fa%3Db%23c%20%C3%A9"
