"""`ws.health()` and `ws.watch_health()`, on servers that are well and on such that are not."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from faults import KEY, RawServer, Request, json_answer, text_answer

import comfynb
from comfynb.rules.alerting import Alert
from comfynb.sandbox import Sandbox
from comfynb.services.journal import Noted
from comfynb.warnings import SchemaDriftWarning, UnknownStatusWarning

AT_ONCE = {"alerts": {"after": 1, "over": 1, "ignore": ["machine office-box"]}}
"""The sandbox has a machine that is in an error state."""


def state(table: pd.DataFrame, check: str) -> str:
    """Return the state of one check."""
    return str(table.set_index("check").loc[check, "state"])


def seen(table: pd.DataFrame, check: str) -> str:
    """Return what one check saw."""
    return str(table.set_index("check").loc[check, "seen"])


@pytest.fixture
def lonely() -> Iterator[comfynb.Workspace]:
    """Connect to a server that is not there."""
    with comfynb.connect("http://127.0.0.1:9", KEY, journal=False) as ws:
        yield ws


# What is seen


def test_every_machine_is_a_row_and_says_what_to_do(ws: comfynb.Workspace) -> None:
    """The sandbox has one that is paused, one that is being built, and one that is broken."""
    ws.deployments()
    table = ws.health()
    assert [state(table, check) for check in ("server", "key", "machine serverless-h100")] == ["ok", "ok", "ok"]
    assert [state(table, f"machine {name}") for name in ("render-farm-2", "office-box")] == ["warn", "bad"]
    assert seen(table, "machine render-farm-2") == "paused; 1 deployment on it"
    assert (table.loc[table["state"] != "ok", "advice"] != "").all()
    assert table.attrs["source"] == ws.url


def test_it_shows_itself_and_stays_a_table(ws: comfynb.Workspace) -> None:
    """What to do is read in full, and pandas makes plain tables of it."""
    table = ws.health()
    assert "the server queues runs on it all the same" in " ".join(repr(table).split())
    assert table.findings[0].check == "server"
    assert "comfynb" in (table._repr_html_() or "")
    bad = table[table["state"] == "bad"]
    assert type(bad) is pd.DataFrame
    assert bad["check"].tolist() == ["machine office-box"]


def test_a_server_that_is_not_there_is_a_row(lonely: comfynb.Workspace) -> None:
    """Asked once, without retries, and no error."""
    table = lonely.health()
    assert state(table, "server") == "bad"
    assert "connection refused" in seen(table, "server")
    assert seen(table, "machines") == "not known: they could not be read"
    assert lonely.metrics()[["calls", "unanswered"]].values.tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("reply", "check", "words"),
    [
        (json_answer({"detail": "Invalid"}, 401), "key", "refused (401)"),
        (text_answer("Internal Server Error"), "server", "answers 500"),
        (text_answer("<html>login", 200, "text/html"), "server", "but not as the API does"),
        (json_answer({"detail": "Not Found"}, 404), "server", "answers 404"),
        (json_answer({}, 503, retry_after="60"), "server", "answers 503"),
    ],
)
def test_an_answer_that_is_not_good_is_a_row(reply: bytes, check: str, words: str) -> None:
    """Whatever comes instead of machines."""
    with RawServer(lambda _: reply) as server, comfynb.connect(server.url, KEY, journal=False) as ws:
        table = ws.health()
    assert state(table, check) == "bad"
    assert words in seen(table, check)


def test_an_answer_that_breaks_later_is_a_row() -> None:
    """The first one is good, and the list of machines is none."""

    def serve(request: Request) -> bytes:
        return json_answer([]) if "limit=1&" in f"{request.target}&" else text_answer("<html>", 200, "text/html")

    with RawServer(serve) as server, comfynb.connect(server.url, KEY, journal=False, retries=0) as ws:
        table = ws.health()
    assert state(table, "server") == "ok"
    assert state(table, "machines") == "warn"
    assert "not all could be looked at" in seen(table, "runs")


def test_a_clock_that_is_off_and_fields_that_are_news_are_rows() -> None:
    """By the date of the answers, and by what they have in them."""
    late = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    rows = [{"id": "m1", "name": "gpu", "status": "hatching", "brand_new": 1}]
    with RawServer(lambda _: json_answer(rows, date=late)) as server, comfynb.connect(server.url, KEY) as ws:
        table = ws.health()
    assert state(table, "clock") == "bad"
    assert "60 min ahead of" in seen(table, "clock")
    assert state(table, "version drift") == "warn"
    assert "'brand_new' of machines" in seen(table, "version drift")
    assert "'hatching'" in seen(table, "version drift")


def test_values_of_another_type_are_drift() -> None:
    """Those that a table shows as missing, with a warning, and those that only the look at the health met."""
    rows = [{"id": "m1", "name": "gpu", "status": "ready", "gpu": {"not": "a name"}}]
    for first in (True, False):
        with RawServer(lambda _: json_answer(rows)) as server, comfynb.connect(server.url, KEY, journal=False) as ws:
            if first:
                with pytest.warns(SchemaDriftWarning):
                    ws.machines()
            table = ws.health()
        assert state(table, "version drift") == "warn"
        assert "Machine.gpu" in seen(table, "version drift") or "values" in seen(table, "version drift")


def test_a_run_status_that_is_not_known_is_drift(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Of the connection that saw it."""
    sandbox.knobs.change(unknown_status=True, speed=20.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownStatusWarning)
        ws.run("text2img", prompt="a red fox", seed=7)
    assert "'warming-up'" in seen(ws.health(), "version drift")


def test_runs_that_do_not_end_are_stale(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """By the server's own list and time."""
    sandbox.knobs.change(stuck_next=1)
    run = ws.submit("text2img", prompt="a red fox", seed=7)
    assert state(ws.health(), "runs") == "ok"
    sandbox.advance(8000)
    table = ws.health()
    assert state(table, "runs") == "warn"
    assert f"text2img {run.id} (running" in seen(table, "runs")
    assert state(ws.health(config={"runs": {"stale_after": 80000}}), "runs") == "ok"
    sandbox.advance(86400)
    assert state(ws.health(), "runs") == "ok"


def test_submits_that_were_cut_off_are_told(ws: comfynb.Workspace) -> None:
    """With what finds out."""
    journal = ws.comfyui_service.submitter.journal
    assert journal is not None
    journal.begin(Noted("text2img", None, None, None, None, {}, datetime.now(UTC), state="uncertain"))
    table = ws.health()
    assert "1 submit of which it is not known" in seen(table, "runs")
    assert "1 run not known to have ended" in seen(table, "journal")


def test_a_journal_that_cannot_be_read_is_bad(sandbox: Sandbox, tmp_path: Path) -> None:
    """It would be a warning at the next submit only."""
    path = tmp_path / "journal.sqlite"
    path.write_text("no database, and longer than a header of one would be " * 40)
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws:
        with pytest.raises(sqlite3.Error):
            ws.comfyui_service.submitter.journal.all()  # type: ignore[union-attr]
        assert state(ws.health(), "journal") == "bad"


def test_the_receiver_of_webhooks_is_a_row(ws: comfynb.Workspace) -> None:
    """Whether it runs, what came, and whether nothing did; one that was closed is missed by nobody."""
    assert "no receiver" in seen(ws.health(), "webhooks")
    with ws.listen() as listener:
        assert seen(ws.health(), "webhooks") == "the receiver runs; nothing came so far"
        httpx.post(listener.address, json={"event_type": "run.updated", "status": "running", "run_id": "r1"})
        assert seen(ws.health(), "webhooks") == "the receiver runs; 1 other"
        ws.comfyui_service.events.silent = True
        assert state(ws.health(), "webhooks") == "warn"
    assert "no receiver" in seen(ws.health(), "webhooks")
    assert not listener.failed


def test_a_receiver_that_broke_down_is_bad(ws: comfynb.Workspace) -> None:
    """It was not closed."""
    ws.listen()
    listener = ws._core.receiver
    assert listener is not None

    async def break_down() -> None:
        task = listener.server._task
        assert task is not None
        task.cancel()
        await asyncio.wait((task,))

    ws._face.call(break_down)
    assert state(ws.health(), "webhooks") == "bad"


def test_a_workspace_that_may_not_ask_says_so(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """It is no incident, and nothing is sent."""
    with comfynb.connect(sandbox.url, sandbox.api_key, offline=True) as offline:
        before = sandbox.counters.total
        table = offline.health()
        assert sandbox.counters.total == before
    assert state(table, "server") == "warn"
    assert seen(table, "server").startswith("not asked: ")
    assert seen(table, "requests") == "none so far"


def test_a_cache_on_disk_that_fails_is_a_row(sandbox: Sandbox, tmp_path: Path) -> None:
    """Reads go on without it."""
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=False) as ws:
        keeper = ws.workflows_service.cache.keeper
        assert keeper is not None
        keeper._broken["disk"] = float("inf")
        table = ws.health()
    assert state(table, "cache") == "warn"
    assert "disk fails" in seen(table, "cache")


def test_latency_is_compared_with_what_it_was(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """After enough looks to tell."""
    limits = {"latency": {"floor": 0.0, "warn": 3.0}}
    for _ in range(10):
        ws.health()
    sandbox.knobs.change(latency=0.08)
    for _ in range(5):
        table = ws.health(config=limits)
    assert state(table, "latency") in ("warn", "bad")
    assert "GET /machines takes" in seen(table, "latency")


def test_it_works_for_coroutines_and_in_threads(ws: comfynb.Workspace) -> None:
    """As all that asks the server."""

    async def main() -> tuple[str, bool]:
        table = await ws.aio.health()
        watch = await ws.aio.watch_health(every=60)
        with watch:
            await watch.aio.look()
        return state(table, "key"), watch.running

    assert asyncio.run(main()) == ("ok", False)


# Limits


def test_limits_come_from_the_file_that_is_found(
    ws: comfynb.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in it is told with its line; False takes none."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "comfynb-health.toml"
    path.write_text("[requests]\nwarn = 2\n", encoding="utf-8")
    with pytest.raises(comfynb.ConfigurationError, match=r"comfynb-health\.toml, line 2: 2 has to be a share"):
        ws.health()
    assert state(ws.health(config=False), "server") == "ok"
    with pytest.raises(comfynb.ConfigurationError, match="is no file; config= names it"):
        ws.health(config=tmp_path / "nope.toml")
    with pytest.raises(comfynb.ConfigurationError, match="is no file of limits"):
        ws.health(config=3)


def test_a_watch_reads_its_file_again(ws: comfynb.Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong with it by then is told once, and the limits stay as they were."""
    path = tmp_path / "limits.toml"
    path.write_text("[alerts]\nafter = 1\nignore = ['*']\n", encoding="utf-8")
    with ws.watch_health(every=3600, config=path) as watch:
        assert watch.incidents == ()
        path.write_text("[alerts]\nafter = 'soon'\n", encoding="utf-8")
        with caplog.at_level(logging.WARNING, "comfynb"):
            watch.look()
            watch.look()
        assert [record.getMessage().count("line 2") for record in caplog.records] == [1]
        assert "line 2" in repr(watch)
        path.write_text("[alerts]\nafter = 1\n", encoding="utf-8")
        watch.look()
        assert [incident.check for incident in watch.incidents] == ["machine office-box"]


# Watching


def test_an_incident_is_told_once_and_its_end_once(
    ws: comfynb.Workspace, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """To the callback and to the log, however many looks see it."""
    told: list[Alert] = []
    with (
        caplog.at_level(logging.INFO, "comfynb"),
        ws.watch_health(every=3600, config=AT_ONCE, on_alert=told.append) as watch,
    ):
        assert watch.incidents == ()
        sandbox.knobs.change(fail_next=3, fail_status=503, faults_on="GET /api/machines")
        for _ in range(3):
            assert state(watch.look(), "server") == "bad"
        watch.look()
        watch.look()
    assert [(alert.check, alert.over) for alert in told] == [("server", False), ("server", True)]
    (incident,) = watch.incidents
    assert incident.until is not None
    assert incident.since <= incident.until
    said = [
        record.getMessage()
        for record in caplog.records
        if record.name == "comfynb" and "server is" in record.msg % record.args
    ]
    assert [line.partition(":")[0] for line in said] == ["server is bad", "server is well again"]


def test_a_watch_looks_by_itself_until_it_is_stopped(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """In the background; afterwards it asks no more."""
    looked = threading.Semaphore(0)
    watch = ws.watch_health(every=0.01)
    watch.listeners.append(looked.release)
    for _ in range(3):
        assert looked.acquire(timeout=10)
    watch.stop()
    watch.stop()
    assert ws._core.health.watches == []
    watch.look()  # by hand it still can
    assert not watch.running
    assert "no longer" in repr(watch)


def test_a_watch_that_is_stopped_waits_for_no_turn(ws: comfynb.Workspace) -> None:
    """It ends at once, however far the next look is away."""
    watch = ws.watch_health(every=3600)
    task = watch._task
    assert task is not None
    watch.stop()
    ws.machines(refresh=True)  # its turn on the I/O thread comes after the end of the watch
    assert task.cancelled()


def test_closing_the_workspace_ends_its_watches(sandbox: Sandbox) -> None:
    """Nothing asks a server through connections that are closed."""
    ws = comfynb.connect(sandbox=sandbox)
    watch = ws.watch_health(every=0.01)
    ws.close()
    assert not watch.running


def test_a_callback_that_fails_ends_nothing(ws: comfynb.Workspace, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; one that uses the workspace, or stops the watch, may."""
    seen_by_callback: list[Any] = []

    def fail(alert: Alert) -> None:
        seen_by_callback.append(len(ws.machines()))
        raise RuntimeError("no mail today")

    limits = {"alerts": {"after": 1}}
    with caplog.at_level(logging.ERROR, "comfynb"), ws.watch_health(every=3600, config=limits, on_alert=fail) as watch:
        watch.look()
        assert watch.running
    assert seen_by_callback == [8]
    assert [record.message for record in caplog.records] == [
        "the callback of the watch over health failed on machine office-box"
    ]
    stopping = ws.watch_health(every=0.01, config=False)
    stopping._on_alert = lambda _: stopping.stop()
    stopping.look()
    assert not stopping.running


def test_a_callback_that_never_returns_ends_nothing(
    ws: comfynb.Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch goes on without it, and says so."""
    from comfynb.core import health_watch

    monkeypatch.setattr(health_watch, "PATIENCE", 0.01)
    for_ever = threading.Event()
    try:
        with ws.watch_health(
            every=3600, config={"alerts": {"after": 1}}, on_alert=lambda _: for_ever.wait(20)
        ) as watch:
            assert state(watch.look(), "server") == "ok"
    finally:
        for_ever.set()
    assert "has not returned" in caplog.text


def test_seconds_between_looks_are_more_than_none(ws: comfynb.Workspace) -> None:
    """Else it would do nothing but look."""
    for every in (0, -1, float("nan"), float("inf")):
        with pytest.raises(comfynb.InputError, match="every="):
            ws.watch_health(every=every)


def test_a_day_of_outages_leaves_nothing_behind(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """What a watch keeps has an end."""
    with ws.watch_health(every=3600, config=AT_ONCE) as watch:
        for _ in range(300):
            watch._alerting._number += 1
            watch._note(Alert("server", False, "bad", "down", "", watch._alerting._number))
        assert len(watch.incidents) == 200
