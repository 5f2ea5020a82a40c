"""The key is in the `Authorization` header of requests to the server, and nowhere else: not even when it comes back."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

import pytest
from faults import DROP, KEY, QUICK, RawServer, Request, Step, answer, json_answer, run, text_answer, transport_to

from comfynb.api import routes
from comfynb.api.client import ComfyDeployClient
from comfynb.api.connections import Limits
from comfynb.api.transport import Transport
from comfynb.errors import ComfyError
from comfynb.settings import Settings, check_key

ECHO = f"Bearer {KEY}"

ANSWERS: dict[str, Callable[[], bytes | list[Step]]] = {
    "in the detail": lambda: json_answer({"detail": f"bad token {ECHO}"}, 401),
    "in a list of problems": lambda: json_answer({"detail": [{"loc": ["header", KEY], "msg": KEY, "input": KEY}]}, 422),
    "in plain text": lambda: text_answer(f"Traceback … headers={{'authorization': '{ECHO}'}}", 500),
    "in a web page": lambda: text_answer(f"<html>{ECHO}</html>", 502, "text/html"),
    "in a long text": lambda: text_answer("x" * 140 + ECHO + "x" * 3000, 500),
    "in a redirect": lambda: answer(302, b"", location=f"https://login.example/?next={KEY}"),
    "in other headers": lambda: json_answer({"detail": "x"}, 403, set_cookie=f"s={KEY}", x_echo=ECHO, x_key=KEY),
    "in the content type": lambda: answer(500, b"", f"text/plain; {KEY}"),
    "in what is no JSON": lambda: answer(200, f"[{ECHO}".encode(), "application/json"),
    "in JSON of another shape": lambda: json_answer(ECHO),
    "in an answer that breaks off": lambda: [json_answer({"detail": ECHO}, 500)[:-3], DROP],
    "in an answer that is none": lambda: [f"{ECHO}\r\n\r\n".encode(), DROP],
}


@pytest.mark.parametrize("route", [routes.MACHINES, routes.QUEUE_DEPLOYMENT], ids=str)
@pytest.mark.parametrize("where", ANSWERS)
def test_no_error_and_no_log_shows_a_key_that_the_server_echoes(
    where: str, route: routes.Route, caplog: pytest.LogCaptureFixture
) -> None:
    """Message, repr, attributes, the whole traceback with its causes, and all logs at their finest."""

    def respond(request: Request) -> bytes | list[Step]:
        return json_answer([]) if request.path == "/api/workflows" else ANSWERS[where]()

    with RawServer(respond) as server, caplog.at_level(logging.DEBUG):
        client = ComfyDeployClient(transport_to(server.url, limits=Limits(retries=1, first_wait=0.01)))
        with pytest.raises(ComfyError) as caught:
            run(client, asked(client, route))
        assert server.requests[-1].headers["authorization"] == ECHO
    error = caught.value
    shown = [str(error), repr(error), repr(vars(error)), repr(client.transport)]
    shown += traceback.format_exception(error)
    shown += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    shown += [record.getMessage() for record in caplog.records]
    shown += [str(vars(record)) for record in caplog.records]
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    assert KEY not in "\n".join(shown)


async def asked(client: ComfyDeployClient, route: routes.Route) -> object:
    """Read a list, or submit."""
    if route is routes.MACHINES:
        return await client.machines()
    return client.queued(await client.queue(route, {}), route)


def test_no_table_shows_a_key_that_the_server_echoes() -> None:
    """A good answer with the key in it is read with stars in its place."""
    rows = [{"id": "m1", "name": f"box {KEY}", "endpoint": f"https://{KEY}@box"}]
    with RawServer(lambda _: json_answer(rows)) as server:
        client = ComfyDeployClient(transport_to(server.url))
        (machine,) = run(client, client.machines())
    assert machine.name == "box ***"
    assert KEY not in repr(machine)


def test_connection_faults_do_not_show_the_key(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing listens, and the logs of httpx and httpcore tell all they know."""
    with RawServer(lambda _: b"") as server:
        server.refuse()
        transport = transport_to(server.url, limits=QUICK)
        with caplog.at_level(logging.DEBUG), pytest.raises(ComfyError) as caught:
            run(transport, transport.fetch(routes.MACHINES))
    assert KEY not in caplog.text + "".join(traceback.format_exception(caught.value))


def test_nothing_that_holds_the_key_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, a checked key and a transport have a repr and a str without it."""
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", KEY)
    transport: Transport = transport_to("https://host")
    for holder in (Settings(), check_key(KEY), transport, ComfyDeployClient(transport)):
        assert KEY not in f"{holder!r} {holder}"
