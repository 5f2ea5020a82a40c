"""Going on after a crash or an outage: nothing that may be a run is given up, and nothing of others is taken."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults import Cut, Proxy
from worlds import begin_anew

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.services.journal import Journal
from comfynb.warnings import JournalWarning, StaleDataWarning, UncertainSubmitWarning

DEAD = 4_000_000
"""The number of a process that is not there."""


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """Return a sandbox without a past."""
    return begin_anew(_server, history=0)


@pytest.fixture
def proxy(sandbox: Sandbox) -> Iterator[Proxy]:
    """Return a way to it that can be closed."""
    with Proxy(sandbox.url) as proxy:
        yield proxy


@pytest.fixture
def connected(proxy: Proxy, sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., comfynb.Workspace]]:
    """Return what connects through it, with one journal for all."""
    opened = []

    def connect(**options: object) -> comfynb.Workspace:
        given = {"retries": 0, "journal": tmp_path / "journal.sqlite", "queue_offline": True, **options}
        opened.append(comfynb.connect(proxy.url, sandbox.api_key, **given))  # type: ignore[arg-type]
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def keep(ws: comfynb.Workspace, proxy: Proxy, **options: object) -> None:
    """Have a submit kept for later."""
    ws.prepare("text2img", prompt="a fox")
    proxy.refuse()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StaleDataWarning)
        with pytest.raises(comfynb.OfflineError, match=r"ws\.resume\(\) submits it"):
            ws.submit("text2img", prompt="a fox", seed=7, **options)
    proxy.listen()


def cut_off(path: Path, **columns: object) -> None:
    """Make of all submits what a process leaves that is killed before their answers."""
    changes = {"state": "open", "run_id": None, "pid": DEAD, **columns}
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"UPDATE submits SET {', '.join(f'{name} = ?' for name in changes)}", (*changes.values(),))  # noqa: S608
    connection.close()


# What was kept for later


@pytest.mark.parametrize(
    "trouble",
    [
        {"error_rate": 1.0, "fail_status": 502},
        {"error_rate": 1.0, "fail_status": 500},
        {"rate_limit": 0.001, "retry_after": None},
        {"html_answers": True},
        {"rate_limit": 0.001, "retry_after": None, "faults_on": "POST /api/run"},
    ],
    ids=["502", "500", "429", "a portal", "429 to the submit"],
)
@pytest.mark.parametrize("fresh", [True, False], ids=["another kernel", "the same"])
def test_what_was_kept_outlives_a_server_that_is_half_back(
    connected: Callable[..., comfynb.Workspace], proxy: Proxy, sandbox: Sandbox, trouble: dict[str, object], fresh: bool
) -> None:
    """It is kept on until it is taken, and taken once."""
    ws = connected()
    keep(ws, proxy)
    ws = connected() if fresh else ws
    ws.comfyui_service.submitter.patience = (0.0, 0.05)
    sandbox.knobs.change(**trouble)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(comfynb.ComfyError):
            ws.resume()
    sandbox.knobs.change(error_rate=0.0, rate_limit=0.0, html_answers=False, faults_on="")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ws.resume()
    assert len(sandbox.world.runs) == 1
    assert "queued" not in list(ws.pending()["state"])


def test_a_limit_of_ours_keeps_it_on_and_says_so(connected: Callable[..., comfynb.Workspace], proxy: Proxy) -> None:
    """The next connection may start it."""
    keep(connected(), proxy)
    with pytest.warns(JournalWarning, match="is still kept for later: .* may start 0 runs"):
        assert connected(max_runs=0).resume() == []
    assert len(connected().resume()) == 1


def test_what_was_read_before_decides_nothing_about_it(
    connected: Callable[..., comfynb.Workspace], proxy: Proxy, sandbox: Sandbox
) -> None:
    """A server that is still away has not refused anything."""
    ws = connected()
    keep(ws, proxy)
    with sqlite3.connect(ws._core.comfyui.submitter.journal.path) as connection:  # type: ignore[union-attr, arg-type]
        connection.execute("UPDATE submits SET inputs = ?", ('{"no such input": 1}',))
    connection.close()
    sandbox.knobs.change(drop_next=1000)
    with pytest.raises(comfynb.TransportError):
        ws.resume()
    assert list(ws.pending()["state"]) == ["queued"]
    sandbox.knobs.change(drop_next=0)
    with pytest.warns(JournalWarning, match="is dropped: .* cannot be sent"):
        ws.resume()
    assert len(ws.pending()) == 0


def test_its_webhook_is_kept_with_it(
    connected: Callable[..., comfynb.Workspace], proxy: Proxy, sandbox: Sandbox
) -> None:
    """An address that was given is sent along; that of a receiver which is gone is not."""
    ws = connected()
    keep(ws, proxy, webhook="http://127.0.0.1:9/hook")
    (run,) = ws.resume()
    assert sandbox.world.runs[run.id].webhook == "http://127.0.0.1:9/hook"
    run.wait()
    with ws.listen():
        keep(ws, proxy, webhook=True)
    assert "/hooks/" not in (ws._core.comfyui.submitter.journal.path).read_bytes().decode("latin-1")  # type: ignore[union-attr]
    (run,) = ws.resume()
    assert sandbox.world.runs[run.id].webhook is None


# What was cut off


def test_a_run_is_found_behind_many_newer_ones(
    connected: Callable[..., comfynb.Workspace], sandbox: Sandbox, tmp_path: Path
) -> None:
    """However many others have been started since, and however long ago that was."""
    ws = connected()
    run = ws.submit("text2img", prompt="mine", seed=1)
    cut_off(tmp_path / "journal.sqlite", at=(datetime.now(UTC) - timedelta(days=2)).isoformat())
    other = connected(journal=False, queue_offline=False)
    for seed in range(60):
        other.submit("text2img", prompt="other", seed=1 + seed)
    (found,) = connected().resume()
    assert found.id == run.id
    assert "It was cut off" in repr(found)


def test_a_run_that_somebody_started_hours_later_is_not_taken(
    connected: Callable[..., comfynb.Workspace], proxy: Proxy, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A submit that never left this machine has no run, whoever starts the same some day."""
    ws = connected()
    ws.comfyui_service.submitter.patience = (0.0,)
    proxy.choose = lambda _: Cut(request=20)
    with pytest.raises(comfynb.SubmitUncertainError):
        ws.submit("wallpaper of the day")
    proxy.choose = lambda _: None
    cut_off(tmp_path / "journal.sqlite")
    sandbox.advance(6 * 3600)
    connected(journal=False, queue_offline=False).submit("wallpaper of the day")
    with pytest.warns(UncertainSubmitWarning, match="does not show it so far"):
        assert connected().resume() == []


def test_a_run_that_cannot_be_looked_at_takes_no_other_away(
    connected: Callable[..., comfynb.Workspace], sandbox: Sandbox
) -> None:
    """Its handle is there, too, and looks again when it is told to."""
    ws = connected()
    ids = [ws.submit("text2img", seed=1 + number).id for number in range(3)]
    sandbox.knobs.change(fail_next=1, fail_status=500, faults_on=f"GET /api/run/{ids[1]}")
    with pytest.warns(JournalWarning, match=f"The run {ids[1]} of text2img could not be looked at"):
        found = connected().resume()
    assert [run.id for run in found] == ids
    assert {run.wait().status for run in found} == {"success"}


# A journal that is not as it should be


def test_an_entry_that_cannot_be_read_hides_no_other(
    connected: Callable[..., comfynb.Workspace], tmp_path: Path
) -> None:
    """It is told once, in every table and look."""
    ws = connected()
    ids = [ws.submit("text2img", seed=1 + number).id for number in range(3)]
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("UPDATE submits SET inputs = '{' WHERE run_id = ?", (ids[1],))
    connection.close()
    again = connected()
    with pytest.warns(JournalWarning, match="has an entry that cannot be read"):
        assert list(again.pending()["run_id"]) == [ids[0], ids[2]]
    assert again.health().set_index("check").loc["journal", "state"] == "ok"


@pytest.mark.parametrize("content", [b"x" * 5000, None], ids=["garbage", "a folder"])
def test_a_journal_that_is_none_is_said_in_a_sentence(
    connected: Callable[..., comfynb.Workspace], tmp_path: Path, content: bytes | None
) -> None:
    """It is nobody's to be replaced."""
    path = tmp_path / "journal.sqlite"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    ws = connected()
    for ask in (ws.pending, ws.resume):
        with pytest.raises(comfynb.ComfyError, match=r"journal\.sqlite' cannot be read .*; move it away"):
            ask()
    assert ws.health().set_index("check").loc["journal", "state"] == "bad"
    with pytest.warns(JournalWarning, match="cannot be written"):
        assert ws.submit("text2img").id
    assert content is None or path.read_bytes() == content


def test_a_journal_of_an_earlier_version_is_read_on(tmp_path: Path) -> None:
    """And gets what it lacks; one of a later version is read, too."""
    path = tmp_path / "journal.sqlite"
    Journal(path).all()
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE submits DROP COLUMN webhook")
        connection.execute("ALTER TABLE submits DROP COLUMN sent")
        connection.execute("ALTER TABLE submits ADD COLUMN of_the_future TEXT")
    connection.close()
    assert Journal(path).all() == []
    with sqlite3.connect(path) as connection:
        names = {row[1] for row in connection.execute("PRAGMA table_info(submits)")}
    connection.close()
    assert {"webhook", "sent", "of_the_future"} <= names


def test_a_journal_that_is_deleted_while_it_is_open_is_made_anew(
    connected: Callable[..., comfynb.Workspace], tmp_path: Path
) -> None:
    """What is submitted afterwards is in it."""
    ws = connected()
    ws.submit("text2img", seed=1)
    for path in tmp_path.glob("journal.sqlite*"):
        path.unlink()
    run = ws.submit("text2img", seed=2)
    assert list(connected().pending()["run_id"]) == [run.id]
