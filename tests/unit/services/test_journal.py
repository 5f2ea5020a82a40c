"""What was submitted is written down before it is sent, and found again after whatever happened."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults import Proxy
from worlds import begin_anew

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.services.journal import Journal, Noted
from comfynb.warnings import JournalWarning, UncertainSubmitWarning


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """Return a sandbox without a past."""
    return begin_anew(_server, history=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a journal can be."""
    return tmp_path / "new" / "journal.sqlite"


def noted(workflow_id: str = "w1", **more: object) -> Noted:
    """Return a submit as it is written down."""
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return replace(Noted("text2img", workflow_id, "v1", None, "m1", {"seed": 7}, since), **more)  # type: ignore[arg-type]


def test_what_was_written_down_is_read_again_by_another_process(path: Path) -> None:
    """Every field of it; in the order in which it was written."""
    first, second = noted(before=frozenset({"r0"})), noted("w2", inputs={"prompt": "füchse 🦊", "n": [1, None]})
    journal = Journal(path)
    journal.begin(first)
    journal.begin(second)
    assert Journal(path).all() == [first, second]
    journal.taken(first.id, "r1")
    journal.uncertain(second.id, "no answer")
    assert [(each.state, each.run_id, each.why) for each in Journal(path).all()] == [
        ("taken", "r1", None),
        ("uncertain", None, "no answer"),
    ]
    assert Journal(path).runs() == {"r1"}
    journal.ended("r1")
    assert [each.state for each in Journal(path).all("ended")] == ["ended"]


def test_only_its_owner_can_read_it(path: Path) -> None:
    """It holds prompts."""
    Journal(path).begin(noted())
    for file in (path, *path.parent.glob("*.sqlite-*")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_many_threads_and_processes_write_one_journal(path: Path) -> None:
    """Nothing is lost."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Journal(path).begin(noted()), range(40)))
    assert len(Journal(path).all()) == 40


def test_what_is_over_is_forgotten_after_a_month(path: Path) -> None:
    """So is what is over by then, whether somebody saw it or not; what may be a run that nobody knows is kept."""
    old = datetime.now(UTC) - timedelta(days=40)
    journal = Journal(path)
    for state in ("ended", "refused", "lost", "open", "taken", "uncertain"):
        journal.begin(noted(at=old, state=state))
    journal.close()
    assert sorted(each.state for each in Journal(path).all()) == ["open", "uncertain"]


# With a server


def test_a_run_is_open_until_it_is_seen_to_have_ended(sandbox: Sandbox, path: Path) -> None:
    """Then it is pending no more."""
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws:
        sandbox.knobs.speed = 0
        run = ws.submit("text2img", prompt="a fox", seed=7)
        (row,) = ws.pending().to_dict("records")
        assert (row["state"], row["run_id"], row["workflow"]) == ("taken", run.id, "text2img")
        assert row["inputs"] == {"prompt": "a fox", "seed": 7}
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws:
        (again,) = ws.resume()
        assert (again.id, again.ended) == (run.id, False)
        sandbox.advance(100)
        assert again.wait().status == "success"
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws:
        assert len(ws.pending()) == 0
        assert ws.resume() == []


def test_what_was_refused_is_not_pending(sandbox: Sandbox, path: Path) -> None:
    """The server said that there is no run."""
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws:
        sandbox.knobs.no_credits = True
        with pytest.raises(comfynb.CreditsError):
            ws.submit("text2img")
        assert len(ws.pending()) == 0
    assert [each.state for each in Journal(path).all()] == ["refused"]


def cut_off(sandbox: Sandbox, path: Path, *, runs: int, submits: int) -> None:
    """Leave open submits as a process that was killed does, of which some have started runs."""
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=False) as ws:
        sandbox.knobs.speed = 0
        prepared = ws.prepare("text2img", prompt="a fox", seed=7)
        journal = Journal(path)
        for _ in range(submits):
            journal.begin(
                Noted(
                    prepared.name,
                    prepared.workflow.id,
                    prepared.version.id,
                    prepared.deployment.id if prepared.deployment else None,
                    prepared.machine_id,
                    dict(prepared.inputs.send),
                    datetime.min.replace(tzinfo=UTC),
                )
            )
        for _ in range(runs):
            ws.submit("text2img", prompt="a fox", seed=7)


@pytest.mark.parametrize(("submits", "runs"), [(1, 1), (3, 3), (3, 2)])
def test_runs_of_submits_that_were_cut_off_are_found(sandbox: Sandbox, path: Path, submits: int, runs: int) -> None:
    """By what they were made of; one run for one submit. What shows no run is still open."""
    cut_off(sandbox, path, runs=runs, submits=submits)
    before = sandbox.counters.runs_created
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws:
        if runs < submits:
            with pytest.warns(UncertainSubmitWarning, match="does not show it so far"):
                found = ws.resume()
        else:
            found = ws.resume()
        assert {run.id for run in found} == set(sandbox.world.runs)
        assert ws.pending()["state"].tolist().count("open") == submits - runs
    assert sandbox.counters.runs_created == before


def test_what_others_started_is_reported_and_never_claimed(sandbox: Sandbox, path: Path) -> None:
    """Two runs for one submit: nobody can know whose is whose."""
    cut_off(sandbox, path, runs=2, submits=1)
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws:
        with pytest.warns(UncertainSubmitWarning, match="2 runs could be it, so none was taken for it"):
            assert ws.resume() == []
        assert ws.pending()["state"].tolist() == ["uncertain"]


def test_a_submit_whose_run_never_shows_is_given_up(sandbox: Sandbox, path: Path) -> None:
    """After the time in which the server answers at the latest."""
    cut_off(sandbox, path, runs=0, submits=1)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE submits SET at = ?", ((datetime.now(UTC) - timedelta(minutes=4)).isoformat(),))
    connection.close()
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws:
        assert ws.resume() == []
        assert len(ws.pending()) == 0
    assert [each.state for each in Journal(path).all()] == ["lost"]


def test_what_another_process_is_at_is_left_to_it(sandbox: Sandbox, path: Path) -> None:
    """As long as that lives."""
    cut_off(sandbox, path, runs=1, submits=1)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE submits SET pid = ?", (other.pid,))
        connection.close()
        with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws:
            assert ws.resume() == []
            other.communicate(b"\n")
            assert len(ws.resume()) == 1


SUBMITS = """
import sys
import comfynb
ws = comfynb.connect(sys.argv[1], sys.argv[2], journal=sys.argv[3])
print("connected", flush=True)
for seed in range(1, 200):
    ws.submit("text2img", prompt="a fox", seed=seed)
"""


@pytest.mark.parametrize("seconds", [0.05, 0.21, 0.4])
def test_a_process_that_is_killed_loses_no_run(sandbox: Sandbox, path: Path, seconds: float) -> None:
    """Whenever it is killed: each run that the server has is known by its id afterwards, once."""
    sandbox.knobs.change(speed=0, latency=0.005)
    command = [sys.executable, "-c", SUBMITS, sandbox.url, sandbox.api_key, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
    sandbox.knobs.latency = 0.0
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws, warnings.catch_warnings():
        warnings.simplefilter("ignore", UncertainSubmitWarning)  # one that was not sent yet shows no run
        found = ws.resume()
    ids = [run.id for run in found]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(sandbox.world.runs)


# When it cannot be written


def test_a_journal_that_cannot_be_written_is_a_warning(sandbox: Sandbox, tmp_path: Path) -> None:
    """Once; the runs are submitted all the same."""
    (tmp_path / "file").write_text("x")
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=tmp_path / "file" / "journal.sqlite") as ws:
        with pytest.warns(JournalWarning, match=r"cannot be written into the journal .* they are sent all the same"):
            run = ws.submit("text2img")
        assert run.wait().status == "success"
        assert ws.submit("text2img").wait().status == "success"


def test_a_journal_that_can_be_written_again_has_the_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """Also of the submit that could not be written down before it was sent."""
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    with Proxy(sandbox.url, hold=b"POST /api/run") as proxy, ThreadPoolExecutor(1) as pool:
        ws = comfynb.connect(proxy.url, sandbox.api_key, journal=folder / "journal.sqlite")
        ws.prepare("text2img")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", JournalWarning)
            submit = pool.submit(ws.submit, "text2img")
            assert proxy.arrived.wait(10)
            folder.unlink()
            proxy.opened.set()
            run = submit.result(10)
        ws.close()
        with comfynb.connect(proxy.url, sandbox.api_key, journal=folder / "journal.sqlite") as again:
            assert list(again.pending()["run_id"]) == [run.id]


def test_there_can_be_none(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By default it is in the user's data folder, one for each server and key, none of which it names."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=False, last_known=False) as ws:
        ws.submit("text2img")
        assert (len(ws.pending()), ws.resume()) == (0, [])
    assert list(tmp_path.rglob("*.sqlite")) == []
    for key in (sandbox.api_key, sandbox.other_api_key):
        with comfynb.connect(sandbox.url, key) as ws:
            ws.pending()
    files = list(tmp_path.rglob("journal/*.sqlite"))
    assert len(files) == 2
    assert all(sandbox.api_key not in file.name for file in files)
    with comfynb.connect(sandbox=sandbox) as ws:
        ws.submit("text2img")
        assert len(ws.pending()) == 1
    assert len(list(tmp_path.rglob("*.sqlite"))) == 2


def test_a_submit_of_this_process_is_left_to_it(sandbox: Sandbox, path: Path) -> None:
    """Its run may be in the list before its answer has come."""
    sandbox.knobs.speed = 0
    with comfynb.connect(sandbox.url, sandbox.api_key, journal=path) as ws, ThreadPoolExecutor(1) as pool:
        ws.prepare("text2img")
        sandbox.knobs.latency = 0.2
        submit = pool.submit(ws.submit, "text2img", prompt="a fox")
        while sandbox.counters.runs_created == 0:
            time.sleep(0.005)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UncertainSubmitWarning)
            ws.resume()
        assert [row["run_id"] for row in ws.pending().to_dict("records")] == [submit.result().id]


def test_a_submit_that_is_called_off_while_it_is_written_down_is_not_open(sandbox: Sandbox, path: Path) -> None:
    """Another process writes just then; nothing was sent, and nothing is left to be looked for."""
    Journal(path).all()

    async def main() -> None:
        async with comfynb.connect(sandbox.url, sandbox.api_key, journal=path).aio as ws:
            await ws.prepare("text2img")
            before = sandbox.counters.total
            task = asyncio.ensure_future(ws.submit("text2img"))
            while sandbox.counters.total == before:  # noqa: ASYNC110 - a server that tells nobody
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.sleep(0.05)
            other.rollback()
            with pytest.raises(asyncio.CancelledError):
                await task
            while [each.state for each in Journal(path).all()] != ["refused"]:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.01)

    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    asyncio.run(asyncio.wait_for(main(), 10))
    other.close()
    assert sandbox.counters.runs_created == 0
