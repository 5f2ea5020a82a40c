"""Starting, stopping and using a sandbox as an object."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest
from sandbox_client import Client

from comfynb.sandbox import Knobs, Sandbox


def sandbox_threads() -> list[str]:
    """Return the names of the threads that sandboxes run in."""
    return [each.name for each in threading.enumerate() if each.name.startswith("comfynb-sandbox")]


def test_it_answers_as_soon_as_it_has_started() -> None:
    """No request after `start` is refused."""
    with Sandbox() as sandbox:
        reply = httpx.get(f"{sandbox.url}/api/machines", headers={"x-api-key": sandbox.api_key})
        assert reply.status_code == 200
        assert sandbox.running


def test_stopping_leaves_no_thread_and_can_be_done_twice() -> None:
    """After `stop` nothing of it runs, and nothing answers."""
    before = sandbox_threads()
    sandbox = Sandbox().start()
    assert len(sandbox_threads()) == len(before) + 1
    sandbox.stop()
    sandbox.stop()
    assert sandbox_threads() == before
    assert not sandbox.running
    with pytest.raises(httpx.ConnectError):
        httpx.get(sandbox.url)


def test_stopping_does_not_wait_for_open_connections_or_slow_answers() -> None:
    """A client that keeps its connection, and one that still waits, do not hold it up."""
    sandbox = Sandbox(latency=30).start()
    waiting = threading.Thread(target=lambda: _ignore(lambda: httpx.get(sandbox.url, timeout=20)))
    waiting.start()
    while not sandbox._transports:
        time.sleep(0.01)
    begin = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - begin < 5
    waiting.join()


def _ignore(action: object) -> None:
    try:
        action()  # type: ignore[operator]
    except httpx.HTTPError:
        return


def test_it_can_be_started_again_on_the_same_address() -> None:
    """An address that was told to somebody stays good."""
    sandbox = Sandbox()
    url = sandbox.url
    for _ in range(2):
        with sandbox:
            assert httpx.get(url).status_code == 200
    assert sandbox.url == url


def test_starting_twice_is_starting_once() -> None:
    """The second `start` changes nothing."""
    with Sandbox() as sandbox:
        threads = sandbox_threads()
        assert sandbox.start() is sandbox
        assert sandbox_threads() == threads


def test_a_port_in_use_is_said() -> None:
    """The error names the address."""
    with Sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
            Sandbox(port=port)


def test_sandboxes_live_side_by_side() -> None:
    """Two of the same seed have the same world, and know nothing of each other."""
    with Sandbox() as first, Sandbox() as second:
        assert first.url != second.url
        assert first.api_key == second.api_key
        httpx.get(f"{first.url}/api/workflows")
        assert first.counters.total == 1
        assert second.counters.total == 0


def test_it_never_holds_up_the_end_of_a_process() -> None:
    """A script that forgets to stop it ends all the same."""
    script = "from comfynb.sandbox import Sandbox; Sandbox().start(); print('done')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_it_is_imported_lazily() -> None:
    """Importing the package brings neither the server nor the pictures."""
    script = (
        "import sys, comfynb.sandbox; "
        "print([name for name in ('uvicorn', 'PIL', 'starlette', 'httpx', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"


def test_the_application_answers_without_a_socket() -> None:
    """`app` is an ASGI application."""
    sandbox = Sandbox()

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(sandbox.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            return await client.get("/api/workflows", headers={"x-api-key": sandbox.api_key})

    assert len(asyncio.run(ask()).json()) == 8


def test_the_date_of_an_answer_is_the_reported_time(sandbox: Sandbox) -> None:
    """A client can measure by the header how far its clock is from the sandbox's, and it never steps back."""
    first = httpx.get(sandbox.url)
    assert parsedate_to_datetime(first.headers["date"]) == sandbox.knobs.start
    sandbox.advance(90)
    later = httpx.get(sandbox.url)
    assert (parsedate_to_datetime(later.headers["date"]) - sandbox.knobs.start).total_seconds() == 90


def test_a_reset_begins_anew(sandbox: Sandbox) -> None:
    """The same world stands there again, with counters at nothing."""
    key = {"x-api-key": sandbox.api_key}
    before = httpx.get(f"{sandbox.url}/api/workflows", headers=key).json()
    httpx.delete(f"{sandbox.url}/api/workflow/{before[0]['id']}", headers=key)
    assert len(httpx.get(f"{sandbox.url}/api/workflows", headers=key).json()) == len(before) - 1
    sandbox.reset()
    assert sandbox.counters.total == 0
    assert httpx.get(f"{sandbox.url}/api/workflows", headers=key).json() == before


def test_ended_waits_for_the_runs_that_are_on_their_way(sandbox: Sandbox, client: Client) -> None:
    """`ended` is true at once without runs, and after the last of them with runs."""
    assert sandbox.ended(0.5)
    client.queued("text2img")
    assert not sandbox.ended(0.05)
    sandbox.knobs.speed = 200
    assert sandbox.ended()


def test_an_unknown_knob_is_an_error() -> None:
    """The message names the knob, and those that there are."""
    with pytest.raises(TypeError, match=r"No such knob: sped.*speed"):
        Sandbox(sped=3)


def test_a_knob_that_cannot_be_so_is_an_error() -> None:
    """Wherever it is said; then none of them is changed."""
    wrong = "start='2030' has to be a time with a zone; speed=-1 has to be a number, 0 or more"
    for make in (Sandbox, Knobs, Knobs().change):
        with pytest.raises(ValueError, match=wrong):
            make(start="2030", speed=-1, history=3)
    knobs = Knobs()
    with pytest.raises(ValueError, match="latency=nan has to be"):
        knobs.change(history=3, latency=float("nan"))
    assert knobs.history == 200


def test_knobs_are_shared_with_whoever_gave_them() -> None:
    """Knobs that were given are the sandbox's own."""
    knobs = Knobs(speed=3)
    sandbox = Sandbox(knobs, fail_next=2)
    assert sandbox.knobs is knobs
    assert knobs.fail_next == 2


def test_its_repr_tells_where_it_is_and_no_key(sandbox: Sandbox) -> None:
    """The key is in no repr."""
    assert repr(sandbox) == f"<Sandbox {sandbox.url} running>"
    assert sandbox.api_key not in repr(sandbox.app)


def test_it_may_be_stopped_from_its_own_thread() -> None:
    """As the garbage collector does with one that was forgotten; it ends a moment later."""
    sandbox = Sandbox().start()
    thread = next(each for each in threading.enumerate() if each.name.endswith(sandbox.url.rpartition(":")[2]))
    assert sandbox._loop is not None
    sandbox._loop.call_soon_threadsafe(sandbox.stop)
    thread.join(5)
    assert not thread.is_alive()
