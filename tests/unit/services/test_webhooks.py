"""What the receiver answers, and what an address of it is worth."""

from __future__ import annotations

import asyncio
import gc
import hmac
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import comfynb
from comfynb.core.listener import Listener
from comfynb.sandbox import Sandbox
from comfynb.services.webhooks import receiver, server
from comfynb.services.webhooks.event import read_event
from comfynb.services.webhooks.receiver import LARGEST
from comfynb.services.webhooks.signature import well_signed
from comfynb.services.webhooks.token import Tokens

SECRET = b"a secret of thirty-two bytes, or"
EVENT = {"event_type": "run.updated", "status": "running", "run_id": "r1", "outputs": []}


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """Listen, for a server that is not there."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws, ws.listen() as listening:
        yield listening


def post(address: str, content: bytes | None = None, **more: str) -> httpx.Response:
    """Post an event, or something else."""
    return httpx.post(address, content=json.dumps(EVENT).encode() if content is None else content, headers=more)


# What is answered


def test_an_event_is_taken_with_204(listener: Listener) -> None:
    """Also of a run that is not known here, which is ignored."""
    before = listener.counts["other"]
    answer = post(listener.address)
    assert (answer.status_code, answer.content) == (204, b"")
    assert listener.counts["other"] == before + 1


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hooks",
        "/hooks/",
        "/hooks/x",
        "/hooks/1.x",
        "/hooks/9999999999." + "A" * 43,
        "/HOOKS/{}",
        "/hooks/{}/",
        "/{}",
    ],
)
def test_another_address_is_not_found(listener: Listener, path: str) -> None:
    """With an empty body, and no hint of what would be right."""
    answer = post(listener.url + path.format(listener.address.rpartition("/")[2]))
    assert (answer.status_code, answer.content) == (404, b"")
    assert "server" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_another_method_is_not_allowed(listener: Listener, method: str) -> None:
    """With the right address, too."""
    answer = httpx.request(method, listener.address)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b"[]",
        b'"r1"',
        b"{}",
        b'{"run_id": null}',
        b'{"run_id": 7}',
        b'{"run_id": ""}',
        b'{"run_id": "' + b"x" * 65 + b'"}',
        b'{"run_id": "r1", "status": 7}',
        b'{"run_id": "r1", "status": ["success"]}',
        b'{"run_id": "\xff"}',
        b'{"run_id": "r1", "outputs": ' + b"[" * 100_000,
        b'{"run_id": "r1", "progress": ' + b"9" * 100_000,
        b"\x00" * 1000,
    ],
)
def test_what_is_no_event_is_a_bad_request(listener: Listener, body: bytes) -> None:
    """With an empty body, whatever is wrong with it."""
    answer = post(listener.address, body)
    assert (answer.status_code, answer.content) == (400, b"")


def test_a_body_of_a_megabyte_is_taken_and_one_byte_more_is_not(listener: Listener) -> None:
    """Whether its length is said first or not."""
    body = json.dumps(EVENT).encode()
    fits = body + b" " * (LARGEST - len(body))
    assert post(listener.address, fits).status_code == 204
    assert post(listener.address, fits + b" ").status_code == 413
    parts = (fits[start : start + 65536] for start in range(0, len(fits), 65536))
    assert httpx.post(listener.address, content=parts).status_code == 204
    parts = ((fits + b" ")[start : start + 65536] for start in range(0, len(fits) + 1, 65536))
    assert httpx.post(listener.address, content=parts).status_code == 413


def test_a_body_without_an_end_is_cut_off(listener: Listener) -> None:
    """It is refused while it comes, and no more of it is read."""
    parts = urlsplit(listener.address)
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)) as raw:
        raw.sendall(f"POST {parts.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n".encode())
        sent = 0
        with pytest.raises(OSError, match=r"."):  # noqa: PT012 - it is cut off at some moment
            while sent < 64 * LARGEST:
                raw.sendall(b" " * LARGEST)
                sent += LARGEST
    assert sent < 32 * LARGEST
    assert listener.counts["too large"] >= 1


def test_a_length_that_is_too_large_is_refused_before_the_body_comes(listener: Listener) -> None:
    """At once; who sends it all the same can do so, and sees why it is not taken."""
    parts = urlsplit(listener.address)
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5)) as raw:
        raw.sendall(f"POST {parts.path} HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGEST + 1}\r\n\r\n".encode())
        assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")
        raw.sendall(b" " * (LARGEST + 1))
        assert raw.recv(4096) == b""


def test_a_body_that_does_not_come_is_given_up(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some seconds, also if not a byte of it comes; who sends no request at all is cut off, too."""
    monkeypatch.setattr(receiver, "PATIENCE", 0.1)
    monkeypatch.setattr(server, "QUIET", 0.1)
    parts = urlsplit(listener.address)
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)) as slow:
        slow.sendall(f"POST {parts.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{{".encode())
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)) as none:
        none.sendall(f"POST {parts.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n".encode())
        assert none.recv(4096).startswith(b"HTTP/1.1 408 ")
    for words in (b"", b"POST /hooks/"):
        with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)) as silent:
            silent.sendall(words)
            assert silent.recv(4096) == b""


def test_what_is_no_http_is_refused_without_a_word_in_the_log(
    listener: Listener, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A flood of it would fill a notebook."""
    parts = urlsplit(listener.address)
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)) as raw:
        raw.sendall(b"\x16\x03\x01 no http\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


# Signatures


def test_a_signature_is_checked_where_there_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A right one or none is taken, since a server of one's own signs nothing."""
    monkeypatch.setenv("COMFY_DEPLOY_WEBHOOK_SECRET", "whsec")
    body = json.dumps(EVENT).encode()
    mark = hmac.digest(b"whsec", body, "sha256").hex()
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws, ws.listen() as listener:
        assert "whsec" not in repr(listener)
        for header in ("x-webhook-signature", "X-Hub-Signature-256"):
            for signature, status in (
                (mark, 204),
                (f"sha256={mark}", 204),
                (mark.upper(), 204),
                (mark[:-1], 401),
                ("0" * 64, 401),
                ("", 401),
                ("sha256=", 401),
            ):
                assert post(listener.address, body, **{header: signature}).status_code == status, signature
        assert post(listener.address, body).status_code == 204


def test_a_signature_is_not_asked_for_without_a_secret(listener: Listener) -> None:
    """Nothing here could check it."""
    assert post(listener.address, **{"x-webhook-signature": "00"}).status_code == 204


@given(st.binary(max_size=40), st.binary(max_size=80))
def test_no_other_signature_is_right(body: bytes, signature: bytes) -> None:
    """Whatever bytes it is."""
    assert not well_signed(SECRET, body, signature)
    assert well_signed(SECRET, body, hmac.digest(SECRET, body, "sha256").hex().encode())


# Addresses


@given(st.floats(0, 4e9), st.floats(2, 1e6))
def test_a_token_is_good_until_it_expires_and_no_longer(now: float, lifetime: float) -> None:
    """By the clock that is given; it is renewed when half of its time is over, and the one before stays good."""
    clock = [now]
    tokens = Tokens(SECRET, lifetime, lambda: clock[0])
    first = tokens.current()
    assert tokens.valid(first)
    clock[0] = now + lifetime * 0.4 - 1
    assert tokens.current() == first or lifetime < 5
    clock[0] = now + lifetime * 0.6
    second = tokens.current()
    assert tokens.valid(second)
    assert tokens.valid(first) == (clock[0] < int(first.partition(".")[0]))
    clock[0] = now + lifetime + 1
    assert not tokens.valid(first)


@given(st.data())
def test_a_token_that_was_changed_anywhere_is_none(data: st.DataObject) -> None:
    """One character more, less or another; also in its date, and in the bits that base64 leaves over."""
    tokens = Tokens(SECRET, 3600.0, lambda: 1.7e9)
    token = tokens.current()
    place = data.draw(st.integers(0, len(token)))
    cut = data.draw(st.integers(0, 2))
    put = data.draw(st.text(max_size=2))
    forged = token[:place] + put + token[place + cut :]
    assert tokens.valid(forged) == (forged == token)


@given(st.text())
def test_no_text_is_a_token_by_chance(text: str) -> None:
    """And none breaks it."""
    assert not Tokens(SECRET, 3600.0, lambda: 1.7e9).valid(text)


def test_a_token_of_another_secret_or_with_a_later_date_is_none() -> None:
    """The date is under the mark, too."""
    tokens = Tokens(SECRET, 3600.0, lambda: 1.7e9)
    date, _, mark = tokens.current().partition(".")
    assert not tokens.valid(f"{int(date) + 1}.{mark}")
    assert not tokens.valid(f"0{date}.{mark}")
    assert not tokens.valid(f"{date}.{mark}=")
    assert not Tokens(b"another secret!!", 3600.0, lambda: 1.7e9).valid(tokens.current())
    assert Tokens(SECRET, 60.0, lambda: 1.7e9).valid(tokens.current())


def test_a_clock_that_is_set_back_makes_a_new_token() -> None:
    """Else one that a clock an hour ahead made would be given for ever."""
    clock = [2e9]
    tokens = Tokens(SECRET, 3600.0, lambda: clock[0])
    tokens.current()
    clock[0] = 1.7e9
    assert int(tokens.current().partition(".")[0]) == 1.7e9 + 3600


def test_an_address_that_has_expired_is_not_found() -> None:
    """Over HTTP, too; by then the receiver has another one."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
        first = ws.listen(secret=SECRET, lifetime=1.0)
        old = Tokens(SECRET, 60.0, lambda: 1.0).current()
        assert post(f"{first.url}/hooks/{old}").status_code == 404


def test_with_a_secret_of_ones_own_an_address_survives_a_restart() -> None:
    """Without, it does not."""
    for secret, status in ((SECRET, 204), (SECRET.decode(), 204), (None, 404)):
        with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
            path = urlsplit(ws.listen(secret=secret).address).path
        with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
            assert post(ws.listen(secret=secret).url + path).status_code == status


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_only_an_object_with_the_name_of_a_run_is_an_event(value: object) -> None:
    """Whatever else it has."""
    assert read_event(json.dumps(value).encode()) is None
    found = read_event(json.dumps({"run_id": "r1", "more": value}).encode())
    assert found is not None
    assert (found.run_id, found.status) == ("r1", None)


# Listening, and no longer


@pytest.mark.parametrize(
    "options",
    [
        {"host": ""},
        {"host": "no such host.invalid"},
        {"host": "203.0.113.7"},
        {"port": -1},
        {"port": 65536},
        {"port": "80"},
        {"port": True},
        {"public_url": "hooks.example"},
        {"public_url": "ftp://hooks.example"},
        {"public_url": "https://hooks.example/{token}"},
        {"public_url": "https://hooks.example/#a"},
        {"secret": "short"},
        {"secret": b""},
        {"secret": 7},
        {"lifetime": 0},
        {"lifetime": float("nan")},
        {"lifetime": "a week"},
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(options: dict[str, object]) -> None:
    """And nothing listens then."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
        with pytest.raises(comfynb.ConfigurationError) as caught:
            ws.listen(**options)
        assert "\n" not in str(caught.value)
        assert ws._core.listener is None


def test_a_port_that_is_taken_is_said(listener: Listener) -> None:
    """With what to do."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
        port = urlsplit(listener.url).port
        with pytest.raises(comfynb.ConfigurationError, match=r"on 127.0.0.1:\d+ \(.*in use\); choose another port="):
            ws.listen(port=port)


@pytest.mark.parametrize("end", [Listener.close, lambda listener: asyncio.run(listener.aio.close())])
def test_closing_frees_the_port(end: Callable[[Listener], None]) -> None:
    """Also while somebody is connected, and sends; closed twice, nothing happens."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
        first = ws.listen()
        parts = urlsplit(first.address)
        with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)) as slow:
            slow.sendall(f"POST {parts.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{{".encode())
            end(first)
            end(first)
            with pytest.raises(httpx.ConnectError):
                post(first.address)
        assert (first.running, ws._core.listener) == (False, None)
        again = ws.listen(port=parts.port or 0)
        assert again.url == first.url
        assert post(again.address).status_code == 204


def test_a_workspace_that_is_closed_or_forgotten_listens_no_more() -> None:
    """Nobody could use what it hears."""
    ws = comfynb.connect("http://127.0.0.1:9", "some-key", journal=False)
    first = ws.listen()
    ws.close()
    assert not first.running
    ws = comfynb.connect("http://127.0.0.1:9", "some-key", journal=False)
    second = ws.listen()
    del ws
    deadline = time.monotonic() + 5
    while second.running:
        gc.collect()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_listening_again_is_the_same_unless_it_is_asked_for_in_another_way() -> None:
    """Then the first one is closed."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
        first = ws.listen()
        assert ws.listen() is first
        assert asyncio.run(ws.aio.listen()) is first
        second = ws.listen(public_url="https://hooks.example")
        assert (first.running, second.running) == (False, True)
        assert ws._core.listener is second


def test_many_who_listen_at_once_have_one_receiver() -> None:
    """From several threads."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
        found: list[Listener] = []
        threads = [threading.Thread(target=lambda: found.append(ws.listen())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(found) == 8
        assert len(set(map(id, found))) == 1


def test_two_workspaces_listen_apart() -> None:
    """An address of one is nothing to the other."""
    with (
        comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as one,
        comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as other,
        one.listen() as mine,
        other.listen() as theirs,
    ):
        assert post(theirs.url + urlsplit(mine.address).path).status_code == 404
        assert post(mine.address).status_code == post(theirs.address).status_code == 204
        mine.close()
        assert post(theirs.address).status_code == 204


KERNEL = """
import signal
import comfynb

before = signal.getsignal(signal.SIGINT)
ws = comfynb.connect(sandbox=True, loop="kernel")
with ws.listen() as listener:
    print(signal.getsignal(signal.SIGINT) is before)
    print(ws.run("text2img", seed=1, webhook=True, progress=False).status, listener.counts["event"] > 0)
print(listener.running)
ws.listen()
ws.close()
"""


def test_on_the_loop_of_the_kernel_it_listens_while_calls_run() -> None:
    """It leaves Ctrl-C to the kernel. In a process of its own, since nest-asyncio stays for good."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", KERNEL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\nsuccess True\nFalse\n", "")


# Behind a proxy


@pytest.mark.parametrize(
    ("public", "path", "query"),
    [
        ("https://hooks.example", "/hooks/", ""),
        ("https://hooks.example/", "/hooks/", ""),
        ("https://hooks.example/a/b", "/a/b/hooks/", ""),
        ("https://hooks.example/a%20b/?team=7", "/a%20b/hooks/", "team=7"),
    ],
)
def test_the_path_of_the_public_address_is_kept(public: str, path: str, query: str) -> None:
    """A proxy may take it off or leave it: both are heard, and the address is what the server is given."""
    with (
        comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws,
        ws.listen(public_url=public) as listener,
    ):
        parts = urlsplit(listener.address)
        before, _, token = parts.path.rpartition("/")
        assert (parts.netloc, f"{before}/", parts.query) == ("hooks.example", path, query)
        assert post(f"{listener.url}{parts.path}?{query}").status_code == 204
        assert post(f"{listener.url}/hooks/{token}").status_code == 204
        assert post(f"{listener.url}/elsewhere/hooks/{token}").status_code == 404


def test_the_webhook_of_the_environment_is_the_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless another one is given."""
    monkeypatch.setenv("WEBHOOK_URL", "https://hooks.example/x")
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
        assert ws.listen().address.startswith("https://hooks.example/x/hooks/")
        assert ws.listen(public_url="https://other.example").address.startswith("https://other.example/hooks/")


def test_what_a_proxy_says_of_the_sender_is_not_believed(listener: Listener) -> None:
    """Anybody can say it."""
    more = {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https", "x-forwarded-prefix": "/a", "forwarded": "x"}
    assert post(listener.address, **more).status_code == 204
    assert post(f"{listener.url}/hooks/x", **more).status_code == 404


def test_an_address_that_only_this_machine_knows_is_warned_of() -> None:
    """Where the server is elsewhere."""
    with comfynb.connect("https://comfy.example", "some-key", journal=False) as ws:
        with pytest.warns(comfynb.warnings.WebhookWarning, match="cannot call http://127.0.0.1:.*public_url=") as told:
            ws.listen()
        assert told[0].filename == __file__
        ws.listen(public_url="https://hooks.example")


# How it looks


def test_what_is_shown_has_no_token(listener: Listener) -> None:
    """A notebook may be handed on. HTML and text say the same."""
    shown = listener._repr_mimebundle_()
    token = listener.address.rpartition("/")[2]
    for text in (*shown.values(), repr(listener.how), repr(listener.aio)):
        assert token not in text
    for words in ("listening", listener.url, "/hooks/…", "listener.close()"):
        assert words in shown["text/plain"]
        assert words in shown["text/html"]


def test_what_came_is_counted_and_shown() -> None:
    """By what became of it."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
        listener = ws.listen()
        assert "Nothing was posted so far." in repr(listener)
        post(listener.address)
        post(listener.address, b"{")
        post(f"{listener.url}/hooks/x")
        httpx.get(listener.address)
        came = {what: number for what, number in listener.counts.items() if number}
        assert came == {"other": 1, "no event": 1, "wrong address": 1, "wrong method": 1}
        assert "1       wrong address  a token that is wrong or has expired" in repr(listener)
        listener.close()
        assert repr(listener).startswith("closed")


def test_a_prepared_run_and_the_workspace_show_the_address_without_its_token(sandbox: Sandbox) -> None:
    """Where the server is asked to call is of interest; how one proves it is not."""
    with comfynb.connect(sandbox=sandbox) as ws, ws.listen() as listener:
        token = listener.address.rpartition("/")[2]
        for text in (repr(ws.prepare("text2img", webhook=True)), repr(ws), ws._repr_mimebundle_()["text/html"]):
            assert f"{listener.url}/hooks/…" in text
            assert token not in text


# What is served besides


def test_prometheus_reads_it_from_this_machine(sandbox: Sandbox) -> None:
    """At ``/metrics``, up to date; the webhooks that came are among it."""
    with comfynb.connect(sandbox=sandbox) as ws, ws.listen() as listening:
        ws.workflows()
        post(listening.address)
        answer = httpx.get(f"{listening.url}/metrics")
        assert answer.status_code == 200
        assert 'comfynb_requests_total{route="GET /workflows",status="200"} 1.0' in answer.text
        assert 'comfynb_webhooks_total{outcome="other"} 1.0' in answer.text
        assert sandbox.api_key not in answer.text
        assert httpx.post(f"{listening.url}/metrics").status_code == 405
        assert listening.metrics_url.partition("=")[2] not in repr(listening)


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"x-forwarded-for": "1.2.3.4"}, {"authorization": "Bearer x"}, {"host": ""}]
)
def test_strangers_do_not_learn_what_was_counted(headers: dict[str, str]) -> None:
    """Through a tunnel or a proxy, or by a page in a browser: it is as if nothing were there."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws:
        with ws.listen(public_url="http://127.0.0.1:1/below") as listening:
            assert httpx.get(f"{listening.url}/metrics", headers=headers).status_code == 404
            assert httpx.get(f"{listening.url}/metrics?token=x").status_code == 404
            assert httpx.get(f"{listening.url}/metrics").status_code == 404
            assert httpx.get(listening.metrics_url, headers=headers).status_code == 200
            token = listening.metrics_url.partition("=")[2]
            bearer = {"authorization": f"Bearer {token}"}
            assert httpx.get(f"{listening.url}/metrics", headers=bearer).status_code == 200
        with ws.listen() as listening:
            open_to_it = headers.keys() == {"authorization"}
            status = httpx.get(f"{listening.url}/metrics", headers=headers).status_code
            assert status == (200 if open_to_it else 404)
