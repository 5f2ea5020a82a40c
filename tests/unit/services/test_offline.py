"""What was read is shown when the server is away, with its age; what needs the server is refused, or kept for later."""

from __future__ import annotations

import gzip
import json
import os
import stat
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.warnings import JournalWarning, StaleDataWarning

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


@pytest.fixture
def server() -> Iterator[Sandbox]:
    """Return a sandbox that a test may end."""
    with Sandbox(speed=1000.0) as started:
        yield started


@pytest.fixture
def connected(server: Sandbox) -> Iterator[Callable[..., comfynb.Workspace]]:
    """Return what connects to it as to a server anywhere, without patience."""
    opened = []

    def connect(**options: object) -> comfynb.Workspace:
        given = {"retries": 0, "timeout": 5.0, **options}
        opened.append(comfynb.connect(server.url, server.api_key, **given))  # type: ignore[arg-type]
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def test_tables_are_shown_with_their_age_when_the_server_is_away(
    server: Sandbox, connected: Callable[..., comfynb.Workspace]
) -> None:
    """Of every table that was read; said once, and again when the server was back in between."""
    ws = connected(cache_ttl=0, machines_ttl=0)
    before = datetime.now(UTC).replace(microsecond=0)
    reads = [
        ws.workflows,
        ws.deployments,
        ws.machines,
        ws.catalog,
        lambda: ws.catalog(runs=True),
        lambda: ws.versions("text2img"),
        lambda: ws.inputs("text2img"),
        lambda: ws.runs(workflow="text2img", limit=5),
        ws.runs,
    ]
    fresh = [read() for read in reads]
    run_id = fresh[-1]["id"].iloc[0]
    known = ws.get_run(run_id).status, ws.outputs(run_id)
    server.stop()
    with pytest.warns(StaleDataWarning) as told:
        again = [read() for read in reads]
    assert len([each for each in told if each.category is StaleDataWarning]) == 1
    for old, new in zip(fresh, again, strict=True):
        assert new.to_dict() == old.to_dict() or new.equals(old), new.attrs["kind"]
        assert new.attrs["stale"] is True
        assert old.attrs["stale"] is False
        assert before <= datetime.fromisoformat(new.attrs["as_of"]) <= datetime.now(UTC)
    assert ws.get_run(run_id).status == known[0]
    assert ws.outputs(run_id).equals(known[1])
    assert "offline" in repr(ws)
    assert "offline" in ws._repr_mimebundle_()["text/html"]


def test_an_outage_that_is_noticed_behind_a_read_is_told_with_the_next(
    server: Sandbox, connected: Callable[..., comfynb.Workspace]
) -> None:
    """What is past its time is fetched in the background, where nobody would hear of it."""
    ws = connected(cache_ttl=0.5)
    ws.workflows()
    server.stop()
    time.sleep(0.6)
    assert ws.workflows().attrs["stale"] is False
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        until = time.monotonic() + 10.0
        while not ws.workflows().attrs["stale"] and time.monotonic() < until:
            time.sleep(0.02)
    (one,) = [each for each in told if each.category is StaleDataWarning]
    assert one.filename == __file__
    assert ws.workflows().attrs["stale"] is True


def test_cards_say_of_when_they_are_when_the_server_is_away(
    server: Sandbox, connected: Callable[..., comfynb.Workspace]
) -> None:
    """As text, as HTML and as an attribute; what the server itself has said is of now, and says nothing of it."""
    ws = connected(cache_ttl=0, machines_ttl=0)
    before = datetime.now(UTC).replace(microsecond=0)
    run_id = ws.run("text2img", prompt="a red fox", progress=False).id
    ways = [
        lambda: ws.workflow("text2img"),
        lambda: ws.deployment("text2img"),
        lambda: ws.machine("studio-classic-a"),
        lambda: ws.get_run(run_id),
    ]
    for way in ways:
        assert "as of" not in repr(way())
    port = int(server.url.rsplit(":", 1)[1])
    server.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StaleDataWarning)
        cards = [way() for way in ways]
    for card in cards:
        assert "; the server was away" in repr(card)
        assert "; the server was away" in (card._repr_html_() if hasattr(card, "_repr_html_") else "")
    for card in cards[:3]:
        assert before <= card.as_of <= datetime.now(UTC)
    with Sandbox(port=port, speed=1000.0) as back:
        back.world.runs[run_id] = server.world.runs[run_id]
        cards[3].refresh()
        assert "as of" not in repr(cards[3])


def test_another_process_reads_what_was_read_before_without_a_server(
    server: Sandbox, connected: Callable[..., comfynb.Workspace]
) -> None:
    """connect(offline=True) asks nothing, also where the server is there."""
    online = connected()
    catalog = online.catalog()
    online.close()
    asked: list[object] = []
    ws = connected(offline=True)
    ws.workflows_service.client.transport.hooks.append(asked.append)
    assert ws.catalog().equals(catalog)
    assert ws.catalog().attrs["stale"] is True
    with pytest.raises(comfynb.OfflineError, match=r"versions.* was not read before"):
        ws.versions("text2img")
    with pytest.raises(comfynb.OfflineError, match="Nothing was submitted"):
        ws.submit("text2img", prompt="a red fox")
    assert [call for call in asked if call.status is not None] == []  # type: ignore[attr-defined]


def test_what_is_older_than_asked_for_is_not_shown(
    server: Sandbox, connected: Callable[..., comfynb.Workspace]
) -> None:
    """`oldest` is the limit."""
    ws = connected(cache_ttl=0, oldest=0.05)
    ws.workflows()
    server.stop()
    time.sleep(0.1)
    with pytest.raises(comfynb.TransportError):
        ws.workflows()


def test_a_run_that_is_watched_is_never_answered_for(
    server: Sandbox, connected: Callable[..., comfynb.Workspace]
) -> None:
    """An old status would be taken for the run's own: the handle says that the server is away."""
    ws = connected()
    run = ws.run("text2img", prompt="a red fox", progress=False)
    server.stop()
    with pytest.raises(comfynb.TransportError):
        run.refresh()
    assert run.status == "success"


def test_answers_are_kept_for_their_owner_alone_and_without_the_key(
    server: Sandbox, connected: Callable[..., comfynb.Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a file of the user's data folder whose name does not tell the key either."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ws = connected()
    ws.catalog()
    ws.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.parent.name == "answers" for path in files)
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert server.api_key.encode() not in path.read_bytes()
        assert server.api_key not in str(path)


def test_nothing_is_kept_on_disk_where_that_is_not_wanted(
    connected: Callable[..., comfynb.Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """last_known=False keeps it in memory, journal=False keeps no submits."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ws = connected(last_known=False, journal=False)
    ws.catalog()
    ws.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_submit_is_kept_until_the_server_is_back_and_sent_once(
    server: Sandbox, connected: Callable[..., comfynb.Workspace]
) -> None:
    """And only when the user says so; two who say so at once send it once."""
    ws = connected(queue_offline=True)
    ws.prepare("text2img", prompt="a red fox")
    count = len(ws.runs(workflow="text2img", limit=1000))
    port = int(server.url.rsplit(":", 1)[1])
    server.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StaleDataWarning)
        with pytest.raises(comfynb.OfflineError, match=r"ws\.resume\(\)") as refused:
            ws.submit("text2img", prompt="a red fox", seed=7)
    pending = ws.pending()
    assert list(pending["state"]) == ["queued"]
    assert pending["inputs"][0] == {"prompt": "a red fox", "seed": 7}
    assert refused.value.kept
    with pytest.raises(comfynb.TransportError):
        ws.resume()
    assert list(ws.pending()["state"]) == ["queued"]
    with Sandbox(port=port, speed=1000.0):
        other = connected(queue_offline=True)
        with ThreadPoolExecutor(2) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            list(pool.map(lambda each: _quietly(each.resume), (ws, other)))
        assert len(ws.runs(workflow="text2img", limit=1000)) == count + 1
        run = ws.get_run(ws.runs(workflow="text2img", limit=1)["id"][0])
        assert run.wait(progress=False).inputs["prompt"] == "a red fox"
        assert "queued" not in list(ws.pending()["state"])


def _quietly(resume: Callable[[], object]) -> None:
    try:
        resume()
    except comfynb.OfflineError as error:
        assert "somebody else" in str(error)  # noqa: PT017 - whoever comes second may be told so


def test_a_kept_submit_that_the_server_refuses_now_is_told_and_dropped(
    server: Sandbox, connected: Callable[..., comfynb.Workspace]
) -> None:
    """It is not tried for ever."""
    ws = connected(offline=True, queue_offline=True)
    online = connected()
    online.prepare("text2img", prompt="a red fox")
    online.close()
    with pytest.raises(comfynb.OfflineError):
        ws.submit("text2img", prompt="a red fox")
    ws.close()
    port = int(server.url.rsplit(":", 1)[1])
    server.stop()
    with Sandbox(port=port, world={"machines": [], "workflows": [], "deployments": []}):
        back = connected()
        with pytest.warns(JournalWarning, match="is dropped"):
            assert back.resume() == []
        assert len(back.pending()) == 0


def test_keeping_submits_needs_a_journal(server: Sandbox) -> None:
    """Said before anything is done."""
    with pytest.raises(comfynb.ConfigurationError, match="journal=False"):
        comfynb.connect(server.url, server.api_key, queue_offline=True, journal=False)


class TestSnapshot:
    """A whole workspace as one file, for who has no key."""

    @pytest.fixture
    def file(self, connected: Callable[..., comfynb.Workspace], tmp_path: Path) -> Path:
        """Return a snapshot."""
        return connected().snapshot(tmp_path / "workspace.snapshot")

    def test_shows_every_table_of_the_workspace(
        self, file: Path, server: Sandbox, connected: Callable[..., comfynb.Workspace]
    ) -> None:
        """As they were, and says of when they are."""
        online = connected()
        there = [online.catalog(), online.catalog(runs=True), online.deployments(), online.runs()]
        versions = {name: len(online.versions(name)) for name in online.workflows()["id"]}
        server.stop()
        ws = comfynb.connect(snapshot=file)
        here = [ws.catalog(), ws.catalog(runs=True), ws.deployments(), ws.runs()]
        for old, new in zip(there, here, strict=True):
            assert new.drop(columns="url", errors="ignore").equals(old.drop(columns="url", errors="ignore"))
            assert new.attrs["stale"] is True
        assert "snapshot" in repr(ws)
        assert ws.workflow("text2img").name == "text2img"
        assert {name: len(ws.versions(name)) for name in ws.workflows()["id"]} == versions

    def test_holds_no_key_and_is_for_its_owner(self, file: Path, server: Sandbox) -> None:
        """Whoever gives it away gives no key away; tokens of machines are out of it, too."""
        text = gzip.decompress(file.read_bytes()).decode()
        assert server.api_key not in text
        assert '"auth_token": "' not in text
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_refuses_submits(self, file: Path) -> None:
        """There is no server behind it."""
        with pytest.raises(comfynb.OfflineError, match="snapshot"):
            comfynb.connect(snapshot=file).submit("text2img", prompt="a red fox")

    def test_of_a_snapshot_is_the_same(self, file: Path, tmp_path: Path) -> None:
        """A colleague may pass it on."""
        again = comfynb.connect(snapshot=file).snapshot(tmp_path / "again")
        lines = [gzip.decompress(path.read_bytes()).splitlines() for path in (file, again)]
        assert [json.loads(line) for line in lines[0][1:]] == [json.loads(line) for line in lines[1][1:]]

    def test_that_is_none_is_refused_in_a_sentence(self, tmp_path: Path) -> None:
        """A missing file, another file, a cut-off one, one that is empty."""
        whole = gzip.compress(b'{"kind": "comfynb snapshot", "format": 1}\n' * 3)
        for number, content in enumerate((None, b"PK", b"", whole[:20], whole, gzip.compress(b"[1]\n"))):
            path = tmp_path / str(number)
            if content is not None:
                path.write_bytes(content)
            with pytest.raises(comfynb.ConfigurationError, match="snapshot"):
                comfynb.connect(snapshot=path)

    def test_runs_the_whole_catalog_notebook(self, file: Path, tmp_path: Path) -> None:
        """Every cell of it, with no server at all; the variable makes a plain connect() take it."""
        (path,) = NOTEBOOKS.glob("*_catalog.ipynb")
        notebook = nbformat.read(path, as_version=4)
        env = {**os.environ, "COMFYNB_SNAPSHOT": str(file)}
        for cell in notebook.cells:
            cell.outputs = [] if cell.cell_type == "code" else cell.get("outputs", [])
        client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
        client.execute(env=env)
        texts = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", []))
        assert "text2img" in texts
