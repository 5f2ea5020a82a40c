"""Bad answers become errors: of the right class, in one sentence, with the server's words."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from faults import RawServer, answer, json_answer, run, text_answer, transport_to

from comfynb.api import routes
from comfynb.api.answers import Answer, http_date, retry_after, shorten
from comfynb.api.client import ComfyDeployClient
from comfynb.api.connections import Limits
from comfynb.errors import (
    AnswerError,
    ApiError,
    AuthenticationError,
    ComfyError,
    CreditsError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)

ONCE = Limits(retries=0)
MISSING = [{"type": "missing", "loc": ["body", "deployment_id"], "msg": "Field required", "input": {}}]
DEEP = b"[" * 100_000 + b"]" * 100_000
TWO = [*MISSING, {"type": "uuid_parsing", "loc": ["path", "run_id"], "msg": "Input should be a valid UUID", "input": 7}]


def failure(reply: bytes, route: routes.Route = routes.MACHINES) -> ComfyError:
    """Return what comes of asking a server that answers so."""
    with RawServer(lambda _: reply) as server:
        transport = transport_to(server.url, limits=ONCE)
        with pytest.raises(ComfyError) as caught:
            run(transport, transport.fetch(route))
    return caught.value


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (json_answer({"detail": "Invalid or missing token"}, 401), AuthenticationError, "refused the API key"),
        (
            json_answer({"detail": "Revoked token"}, 401),
            AuthenticationError,
            r"\(Revoked token\).*COMFY_DEPLOY_API_KEY",
        ),
        (
            json_answer({"detail": "Not authenticated"}, 403),
            PermissionDeniedError,
            "may not do GET /machines: Not auth",
        ),
        (
            json_answer({"detail": "You are not authorized to access this resource"}, 403),
            PermissionDeniedError,
            "not authorized to access",
        ),
        (
            json_answer({"detail": "Insufficient A100 GPU credits to create run"}, 403),
            CreditsError,
            "not enough credits",
        ),
        (json_answer({"detail": "Run not found"}, 404), NotFoundError, "GET /machines: Run not found"),
        (json_answer({"detail": "Too Many Requests"}, 429), RateLimitError, "limits the rate"),
        (json_answer({"detail": MISSING}, 422), ApiError, "deployment_id: Field required"),
        (json_answer({"detail": TWO}, 422), ApiError, "deployment_id: Field required; path.run_id: Input should be"),
        (json_answer({"detail": [{"loc": 5, "msg": "no place"}]}, 422), ApiError, "5: no place"),
        (json_answer({"detail": [{"loc": "body", "msg": "all of it"}]}, 422), ApiError, r"\(422\): all of it"),
        (json_answer({"detail": [{"loc": None, "msg": ["x"]}, 7]}, 422), ApiError, r'\(422\): \["x"\]; 7'),
        (answer(400, DEEP, "application/json"), ApiError, r"\(400\): \[\[\["),
        (answer(500, b'{"detail":' + DEEP + b"}", "application/json"), ApiError, r'\(500\): \{"detail":\[\['),
        (json_answer({"error": "Invalid JSON format"}, 400), ApiError, "rejected .* Invalid JSON format"),
        (json_answer({"detail": "Error creating run: 400 Bad Request"}, 400), ApiError, "400 Bad Request"),
        (
            json_answer({"detail": "Machine is in use"}, 402),
            ApiError,
            r"failed on GET /machines \(402\): Machine is in",
        ),
        (json_answer({"error": "Internal server error"}, 500), ApiError, "Internal server error"),
        (text_answer("Internal Server Error"), ApiError, r"failed on GET /machines \(500\): Internal Server Error"),
        (text_answer("<html>down</html>", 502, "text/html"), ApiError, "not available at the moment .*a web page"),
        (text_answer("", 503, ""), ApiError, "not available at the moment"),
        (json_answer({"detail": "slow"}, 504), ApiError, "Try again later"),
        (json_answer(["a list", {"of": "things"}], 400), ApiError, 'a list; {"of": "things"}'),
        (json_answer({"some": "thing"}, 500), ApiError, '{"some": "thing"}'),
        (json_answer(None, 500), ApiError, "null"),
        (answer(500, b"{cut off", "application/json"), ApiError, "cut off"),
        (answer(500, b"\xff\xfe\x00", "text/plain"), ApiError, "failed on"),
    ],
)
def test_a_bad_answer_becomes_the_error_for_its_status(reply: bytes, kind: type[ApiError], words: str) -> None:
    """The class follows from the status; the message holds the server's words in whichever shape they came."""
    error = failure(reply)
    assert type(error) is kind
    with pytest.raises(kind, match=words):
        raise error
    assert isinstance(error, ApiError)
    assert (error.method, error.path) == ("GET", "/machines")
    assert error.status == int(reply.split(b" ")[1])
    assert "\n" not in str(error)


def test_an_unknown_route_is_told_from_an_unknown_thing() -> None:
    """`Not Found` as such means that the server does not know the path."""
    with RawServer(
        lambda r: json_answer([]) if r.path == "/api/workflows" else json_answer({"detail": "Not Found"}, 404)
    ) as server:
        transport = transport_to(server.url, limits=ONCE)
        with pytest.raises(NotFoundError, match=r"GET /machine/\{machine_id\}: the server has no such route"):
            run(transport, transport.fetch(routes.MACHINE, {"machine_id": "m"}))


def test_a_long_text_of_the_server_is_cut_in_its_middle() -> None:
    """An error with kilobytes of SQL or of a traceback stays a sentence."""
    error = failure(json_answer({"detail": "begin " + "x" * 5000 + " end"}, 500))
    assert len(str(error)) < 500
    assert "begin" in str(error)
    assert "end" in str(error)


def test_half_a_character_in_an_error_does_not_break_who_writes_it_down() -> None:
    """A text of the server that was cut within a character has a question mark in its place."""
    error = failure(answer(400, b'{"detail":"a fox \\ud83e"}', "application/json"))
    assert "a fox ?" in str(error)
    assert isinstance(error, ApiError)
    assert (error.detail, str(error).encode().decode()) == ("a fox ?", str(error))


@pytest.mark.parametrize("body", [DEEP, b'{"run_id": ' + DEEP + b"}", b'{"a":' * 100_000])
def test_an_answer_that_is_nested_too_deep_cannot_be_read(body: bytes) -> None:
    """It is an error of ours, also where a submit is answered so; and its words can be looked at."""
    with RawServer(
        lambda r: answer(200, body, "application/json") if r.path != "/api/workflows" else json_answer([])
    ) as server:
        client = ComfyDeployClient(transport_to(server.url, limits=ONCE))
        with pytest.raises(AnswerError, match=r"GET /machine/\{machine_id\} cannot be read"):
            run(client, client.machine("m"))
    assert len(Answer(200, body, "application/json").detail()) <= 300


def test_an_answer_that_is_a_web_page_says_so() -> None:
    """A login page in between answers 200 with HTML; the error asks whether the address is right."""
    page = text_answer("<html>Sign in</html>", 200, "text/html")
    with RawServer(lambda r: page if r.path != "/api/workflows" else json_answer([])) as server:
        client = ComfyDeployClient(transport_to(server.url))
        assert run(client, client.workflows()) == []
        with pytest.raises(AnswerError, match=r"a web page instead of data; is this the address of the API \(url="):
            run(client, client.machine("m"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "it is no JSON"),
        (b'[{"id": "m1"}, {"id"', "it is no JSON"),
        (b'{"id": "m1"}', "a list was expected, and a dict came"),
        (b"null", "a list was expected"),
        (b"\xff\xff", "it is no JSON"),
    ],
)
def test_a_good_status_with_a_body_that_cannot_be_used_is_an_error(body: bytes, words: str) -> None:
    """Cut off, empty, of another shape: nothing is guessed."""
    with RawServer(lambda _: answer(200, body, "application/json")) as server:
        client = ComfyDeployClient(transport_to(server.url))
        with pytest.raises(AnswerError, match=f"cannot be read: .*{words}"):
            run(client, client.machines())


def test_data_under_a_wrong_content_type_is_data() -> None:
    """Once it is known that this is the API, a gateway that mislabels an answer does not spoil it."""
    with RawServer(
        lambda r: json_answer([]) if r.path == "/api/workflows" else text_answer('[{"id": "m1"}]', 200)
    ) as server:
        client = ComfyDeployClient(transport_to(server.url))
        run(client, client.workflows())
        assert [machine.id for machine in run(client, client.machines())] == ["m1"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 3 ", 3.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:59:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 13:00:30 +0100", 30.0),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("²", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("86401", 86_400.0),
        ("9" * 5000, 86_400.0),
    ],
)
def test_retry_after_is_read_in_both_of_its_forms(value: str, seconds: float | None) -> None:
    """Seconds, or a date by the server's clock, up to a day; anything else is as if it were not there."""
    headers = httpx.Headers({"retry-after": value.encode(), "date": b"Mon, 23 Nov 2026 12:00:00 GMT"})
    assert retry_after(Answer(429, b"", headers=headers)) == seconds


def test_a_retry_after_without_a_date_goes_by_the_clock_that_is_given() -> None:
    """A server need not send a date."""
    headers = httpx.Headers({"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"})
    now = datetime(2026, 11, 23, 12, 0, 10, tzinfo=UTC)
    assert retry_after(Answer(429, b"", headers=headers), now) == 20.0


def test_the_error_of_a_rate_limit_knows_how_long_to_wait() -> None:
    """`retry_after` has the seconds that the server asked for."""
    error = failure(json_answer({"detail": "slow down"}, 429, retry_after="7"))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 7.0
    assert "it asks to wait 7 s" in str(error)


def test_the_error_of_a_rate_limit_names_no_absurd_wait() -> None:
    """What is a day or longer is told as that."""
    error = failure(json_answer({"detail": "slow down"}, 429, retry_after="9" * 400))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 86_400.0
    assert "it asks to wait a day or more." in str(error)


@pytest.mark.parametrize("value", ["", "yesterday", "Mon, 99 Nov 2026 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_what_is_no_date_is_none(value: str) -> None:
    """A header that cannot be read is as if it were not there."""
    assert http_date(value) is None


def test_shortened_text_is_one_line() -> None:
    """Line breaks and tabs become blanks."""
    assert shorten(" a\r\n\tb  c ") == "a b c"
