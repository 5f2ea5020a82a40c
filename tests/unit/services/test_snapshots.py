"""A snapshot is whole whatever else goes on, answers what is asked most, fetches nothing, and may be anybody's file."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import stat
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faults import RawServer, answer, transport_to

import comfynb
from comfynb.api import routes
from comfynb.api.answers import Answer
from comfynb.api.keeping import last_known, recorded_by
from comfynb.api.models import Machine
from comfynb.api.models import Run as RunModel
from comfynb.sandbox import Sandbox
from comfynb.services.cache import snapshot as snapshots
from comfynb.services.cache.disk import DiskStore
from comfynb.services.cache.keeper import AnswerKeeper
from comfynb.services.cache.kept import Kept, StoreError
from comfynb.services.cache.snapshot import read_snapshot, write_snapshot
from comfynb.services.catalogue.machines import Machines
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.downloads import Downloads
from comfynb.services.results import ResultFile
from comfynb.warnings import PartialResultWarning, StaleDataWarning

SERVER = "https://api.comfydeploy.com"
HEAD = {"kind": "comfynb snapshot", "format": 1, "server": SERVER, "taken": "2026-01-01T00:00:00+00:00"}
ROW = {"key": "/workflows/all", "stored": 1e9, "status": 200, "type": "application/json", "json": []}


@pytest.fixture
def server() -> Iterator[Sandbox]:
    """Return a sandbox that a test may end."""
    with Sandbox(speed=1000.0) as started:
        yield started


@pytest.fixture
def ws(server: Sandbox) -> Iterator[comfynb.Workspace]:
    """Connect to it as to a server anywhere, without patience."""
    with comfynb.connect(server.url, server.api_key, retries=0, timeout=5.0) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a snapshot, and what the server said itself of some things in it."""
    path = tmp_path_factory.mktemp("snapshot") / "workspace.snapshot"
    with Sandbox(speed=1000.0) as server, comfynb.connect(server.url, server.api_key) as ws:
        ws.snapshot(path)
        everywhere, run_id = ws.runs(limit=20), ws.runs("text2img", limit=1)["id"][0]
        said = {
            "everywhere": everywhere,
            "text2img": ws.runs("text2img", limit=20),
            "run": ws.get_run(run_id),
            "outputs": ws.outputs(run_id),
        }
    return path, said


@pytest.fixture
def theirs(taken: tuple[Path, dict[str, Any]]) -> Iterator[comfynb.Workspace]:
    """Explore that snapshot."""
    with comfynb.connect(snapshot=taken[0]) as workspace:
        yield workspace


def keys_of(path: Path) -> set[str]:
    """Return which reads a snapshot answers."""
    return set(read_snapshot(path).answers)


# Others read at the same time


class TestAtTheSameTime:
    """What one reads is recorded for that one alone."""

    def test_two_snapshots_are_both_whole_and_leave_nothing_behind(self, ws: comfynb.Workspace, tmp_path: Path) -> None:
        """Although a third cell asks for the same tables all the while, and a fourth writes to the same file."""
        alone = keys_of(ws.snapshot(tmp_path / "alone", runs=2))
        before = ws.workflows_service.client.transport.keeper
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                ws.machines(refresh=True)
                ws.workflows(refresh=True)

        with ThreadPoolExecutor(4) as pool:
            reading = pool.submit(read)
            taking = [pool.submit(ws.snapshot, tmp_path / name, runs=2) for name in ("one", "two", "two")]
            paths = [each.result() for each in taking]
            done.set()
            reading.result()
        assert [keys_of(path) for path in paths] == [alone] * 3
        assert ws.workflows_service.client.transport.keeper is before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "one", "two"]

    def test_another_read_is_kept_where_it_always_is(
        self, server: Sandbox, ws: comfynb.Workspace, tmp_path: Path
    ) -> None:
        """So that it can be shown when the server is away."""
        begun = threading.Event()
        ws.workflows_service.client.transport.hooks.append(lambda _: begun.set())
        with ThreadPoolExecutor(1) as pool:
            taking = pool.submit(ws.snapshot, tmp_path / "workspace.snapshot")
            assert begun.wait(10.0)
            seen = ws.runs("text2img", limit=7)
            assert not taking.done()
            taking.result()
        server.stop()
        with pytest.warns(StaleDataWarning):
            assert ws.runs("text2img", limit=7)["id"].equals(seen["id"])

    def test_only_the_tasks_of_the_recording_have_its_recorder(self) -> None:
        """Also those that it starts; and nobody has it when it is over."""

        class Named:
            def __init__(self, name: str) -> None:
                self.name = name.encode()

            async def answer(self, _key: str, _ask: Callable[[], Awaitable[Answer]]) -> Answer:
                await asyncio.sleep(0.01)
                return Answer(200, self.name)

        transport = transport_to("http://127.0.0.1:1")
        transport.keeper = Named("usual")

        async def read() -> bytes:
            return (await transport.send(routes.MACHINES)).content

        async def recording() -> list[bytes]:
            with recorded_by(Named("recorder")):
                inside = await asyncio.gather(read(), asyncio.create_task(read()))
            return [*inside, await read()]

        async def both() -> tuple[list[bytes], bytes]:
            return await asyncio.gather(recording(), read())

        assert asyncio.run(both()) == [[b"recorder", b"recorder", b"usual"], b"usual"]


# What a snapshot can answer


class TestAnswers:
    """The commonest calls, as the server would have answered them."""

    def test_shorter_run_lists(self, taken: tuple[Path, dict[str, Any]], theirs: comfynb.Workspace) -> None:
        """Of all workflows and of one, whatever the limit."""
        said = taken[1]
        assert theirs.runs(limit=20)["id"].equals(said["everywhere"]["id"])
        assert theirs.runs("text2img", limit=20)["id"].equals(said["text2img"]["id"])
        assert [len(theirs.runs("text2img", limit=limit)) for limit in (0, 1, 20, 33)] == [0, 1, 20, 33]
        # The list ends before a hundred, so that there is no more to know.
        assert theirs.runs("text2img", limit=1000)["id"].equals(theirs.runs("text2img")["id"])

    def test_a_run_of_its_tables(self, taken: tuple[Path, dict[str, Any]], theirs: comfynb.Workspace) -> None:
        """With the names of what it ran on, and its outputs."""
        said = taken[1]
        run = theirs.get_run(said["run"].id)
        assert (run.status, run.machine, run.inputs) == (said["run"].status, said["run"].machine, said["run"].inputs)
        assert "as of" in repr(run)
        assert theirs.outputs(run.id).drop(columns="url").equals(said["outputs"].drop(columns="url"))

    def test_every_run_that_was_read_and_its_outputs(self, theirs: comfynb.Workspace) -> None:
        """Also of versions that no deployment has."""
        for run_id in theirs.runs("text2img", limit=50)["id"]:
            assert theirs.get_run(run_id).id == run_id
            theirs.outputs(run_id)

    def test_every_machine(self, theirs: comfynb.Workspace) -> None:
        """By its name and by its id."""
        for row in theirs.machines().itertuples():
            assert theirs.machine(row.id).name == theirs.machine(row).name == row.name

    def test_as_many_runs_as_asked_for(self, ws: comfynb.Workspace, tmp_path: Path) -> None:
        """Of each workflow; none of them without asking the server for any."""
        keys = keys_of(ws.snapshot(tmp_path / "two", runs=2))
        newest = {run_id for workflow in ws.workflows()["id"] for run_id in ws.runs(workflow, limit=2)["id"]}
        assert {key.rpartition("/")[2] for key in keys if key.startswith("/run/")} == newest
        assert not [key for key in keys_of(ws.snapshot(tmp_path / "none", runs=0)) if key.startswith("/run/")]
        with pytest.raises(comfynb.InputError, match="runs=-1 is no number"):
            ws.snapshot(tmp_path / "negative", runs=-1)

    def test_what_cannot_be_read_is_left_out_with_a_word(
        self, ws: comfynb.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that the server fails on, and a machine that is gone by now, do not cost the snapshot."""
        newest = ws.runs("text2img", limit=1)["id"][0]
        gone = ws.machines()["id"][0]
        check, by_id = ComfyUIService.check_status, Machines.by_id

        async def fails(service: ComfyUIService, run_id: str, **more: Any) -> RunModel:
            if run_id == newest:
                raise comfynb.ApiError("The server fails.", status=500)
            return await check(service, run_id, **more)

        async def is_gone(machines: Machines, machine_id: str) -> Machine:
            if machine_id == gone:
                raise comfynb.NotFoundError("It is gone.", status=404)
            return await by_id(machines, machine_id)

        monkeypatch.setattr(ComfyUIService, "check_status", fails)
        monkeypatch.setattr(Machines, "by_id", is_gone)
        with pytest.warns(PartialResultWarning) as told:
            path = ws.snapshot(tmp_path / "workspace.snapshot", runs=1)
        words = " ".join(str(each.message) for each in told)
        assert "1 of 8 machines could not be read" in words
        assert "runs could not be read" in words
        assert f"/run/{newest}" not in keys_of(path)
        assert any(key.startswith("/run/") for key in keys_of(path))


class TestLastKnown:
    """A kept answer is given to every read that it answers."""

    def test_a_shorter_list_after_a_longer_one(self, server: Sandbox, ws: comfynb.Workspace) -> None:
        """Of a real server that went away; not a longer one after a shorter one, unless that was the whole list."""
        longer, few = ws.runs("text2img", limit=30), ws.runs("img2vid - wan 2.1", limit=5)
        whole = ws.runs("inpaint", limit=99)
        assert (len(few), len(whole) < 99) == (5, True)
        server.stop()
        with pytest.warns(StaleDataWarning):
            assert ws.runs("text2img", limit=5)["id"].equals(longer["id"][:5])
        assert ws.runs("inpaint")["id"].equals(whole["id"])
        with pytest.raises(comfynb.TransportError):
            ws.runs("img2vid - wan 2.1", limit=6)

    def test_a_run_with_its_place_in_the_queue_or_without(self, server: Sandbox, ws: comfynb.Workspace) -> None:
        """`outputs` asks without, `get_run` with it."""
        first, second = ws.runs("text2img", limit=2)["id"]
        outputs, run = ws.outputs(first), ws.get_run(second)
        server.stop()
        with pytest.warns(StaleDataWarning):
            assert ws.get_run(first).status == "success"
        assert [each.filename for each in ws.get_run(first).outputs] == list(outputs["name"])
        assert list(ws.outputs(second)["name"]) == [each.filename for each in run.outputs]

    @pytest.mark.parametrize(
        ("kept", "asked", "found"),
        [
            ({"limit=5": (2, 5), "limit=100": (1, 9)}, "limit=5", "limit=5"),
            ({"limit=5": (1, 5), "limit=100": (2, 9)}, "limit=5", "limit=100"),
            ({"limit=5": (1, 5), "limit=3": (2, 3)}, "limit=5", "limit=5"),
            ({"limit=5": (1, 5), "limit=3": (2, 2)}, "limit=5", "limit=3"),
            ({"limit=3": (1, 3)}, "limit=5", None),
        ],
        ids=["its own", "a newer longer one", "not one that was cut off", "a newer whole one", "none"],
    )
    def test_the_newest_page_with_the_rows_is_taken(
        self, kept: dict[str, tuple[int, int]], asked: str, found: str | None
    ) -> None:
        """Whichever limit it was read with."""
        book, now = DiskStore(None), time.time()
        key = "/workflow/1/runs?{}&offset=0"
        rows = {
            name: json.dumps([{"id": f"{name} {number}"} for number in range(count)]).encode()
            for name, (_, count) in kept.items()
        }
        book.fill({key.format(name): Kept(rows[name], now - 10 + age) for name, (age, _) in kept.items()})
        keeper = AnswerKeeper(book, offline="It is away.")

        async def ask() -> Answer:
            raise AssertionError("nothing may be asked")

        async def read() -> bytes | None:
            with last_known():
                try:
                    return (await keeper.answer(key.format(asked), ask)).content
                except comfynb.OfflineError:
                    return None

        assert asyncio.run(read()) == (rows[found] if found is not None else None)


# Nothing is fetched


class TestFiles:
    """Where the server must not be asked, nobody else is asked for a file either."""

    def test_a_file_that_somebody_made_sends_nothing_to_where_it_says(
        self, taken: tuple[Path, dict[str, Any]], tmp_path: Path
    ) -> None:
        """Although its server is said to be in a private network, where such addresses would be fine."""
        theirs = read_snapshot(taken[0])
        run_id = taken[1]["run"].id
        with RawServer(lambda _: answer(200, b"a secret", "text/plain")) as intranet:
            run = json.loads(theirs.answers[f"/run/{run_id}"].content)
            for output in run["outputs"]:
                for made in output["data"].values():
                    for file in made:
                        file["url"] = f"{intranet.url}/admin"
            made_up = replace(theirs.answers[f"/run/{run_id}"], content=json.dumps(run).encode())
            path = tmp_path / "made-up.snapshot"
            write_snapshot(path, "http://10.0.0.1", {**theirs.answers, f"/run/{run_id}": made_up})
            with comfynb.connect(snapshot=path) as ws:
                found = ws.get_run(run_id)
                assert found.outputs[0].url == f"{intranet.url}/admin"
                for fetch in (
                    found.images,
                    found.outputs[0].to_bytes,
                    lambda: found.outputs[0].save(tmp_path / "here"),
                ):
                    with pytest.raises(comfynb.OfflineError, match=r"This is a snapshot of .* was not fetched"):
                        fetch()
                with pytest.raises(comfynb.OfflineError, match="needs the server's own answer of now"):
                    found.download(tmp_path / "here")
            assert intranet.requests == []
        assert not (tmp_path / "here").exists()

    def test_offline_fetches_nothing_but_texts_that_are_here(
        self, server: Sandbox, ws: comfynb.Workspace, tmp_path: Path
    ) -> None:
        """Said at once, and not after five tries."""
        run_id = ws.run("text2img", prompt="a red fox", progress=False).id
        ws.get_run(run_id)
        ws.workflows()
        ws.close()
        with comfynb.connect(server.url, server.api_key, offline=True) as offline:
            begun = time.monotonic()
            with pytest.raises(comfynb.OfflineError, match="asks nothing of the server"):
                offline.get_run(run_id).images()
            assert time.monotonic() - begun < 1.0
            text = ResultFile("text", "note.txt", None, "a note", "1", None, None, run_id)
            saved = asyncio.run(Downloads(offline.workflows_service.client).save([text], tmp_path))
            assert saved[0].path.read_text() == "a note"


# Files that others made


def packed(path: Path, *lines: bytes | str | dict[str, Any]) -> Path:
    """Write lines as a snapshot has them."""
    written = (each if isinstance(each, bytes | str) else json.dumps(each) for each in lines)
    content = b"\n".join(each.encode() if isinstance(each, str) else each for each in written)
    path.write_bytes(gzip.compress(content, compresslevel=1))
    return path


def row(**changes: str) -> str:
    """Return an answer, with some of its values as they stand in the file."""
    parts = {name: json.dumps(value) for name, value in ROW.items()} | changes
    return "{" + ", ".join(f'"{name}": {value}' for name, value in parts.items()) + "}"


HOSTILE = {
    "deep": row(json="[" * 200_000 + "]" * 200_000),
    "a deep head": "[" * 200_000,
    "no time": row(stored="NaN"),
    "a time without end": row(stored="1e999"),
    "a time that no calendar has": row(stored="1e300"),
    "a time before all calendars": row(stored="-1e15"),
    "a time that is a text": row(stored='"now"'),
    "a status without end": row(status="1e999"),
    "a status that is none": row(status=str(10**30)),
    "a status that is too long": row(status="1" * 5000),
    "half a character in a key": row(key='"\\ud800"'),
    "half a character in a type": row(type='"\\ud800"'),
    "half a character in a body": row(json='["\\ud800"]'),
    "half a character in a text": row(text='"\\ud800"'),
    "a key that is none": row(key="7"),
    "a text that is none": row(text="7"),
    "no row": "[]",
    "no UTF-8": b'{"key": "\xff"}',
}


class TestReading:
    """A snapshot may come from anybody, and may be damaged."""

    @pytest.mark.parametrize("what", HOSTILE)
    def test_what_is_none_is_refused_in_a_sentence(self, what: str, tmp_path: Path) -> None:
        """Before any of it is shown."""
        path = packed(tmp_path / "workspace.snapshot", *(() if what == "a deep head" else (HEAD, ROW)), HOSTILE[what])
        with pytest.raises(comfynb.ConfigurationError, match=r"is no snapshot that this comfynb can read.*\.$"):
            comfynb.connect(snapshot=path)

    @pytest.mark.parametrize(
        "changes",
        [
            {"server": "javascript:alert(1)"},
            {"server": ""},
            {"server": "https://a:b@host/"},
            {"server": "https://host/" + "x" * 5000},
            {"server": "https://host/\x1b[2J"},
            {"server": 7},
            {"server": None},
            {"taken": "yesterday"},
            {"taken": 7},
            {"format": 2},
        ],
    )
    def test_so_is_one_with_another_head(self, changes: dict[str, Any], tmp_path: Path) -> None:
        """Its server stands in many messages."""
        path = packed(tmp_path / "workspace.snapshot", {**HEAD, **changes}, ROW)
        with pytest.raises(comfynb.ConfigurationError, match="is no snapshot that this comfynb can read"):
            comfynb.connect(snapshot=path)

    def test_the_rows_of_these_tests_are_good_ones_otherwise(self, tmp_path: Path) -> None:
        """So that what is refused is what is wrong with them."""
        (kept,) = read_snapshot(packed(tmp_path / "workspace.snapshot", HEAD, row())).answers.values()
        assert (kept.content, kept.stored, kept.status) == (b"[]", 1e9, 200)

    @pytest.mark.parametrize("line", [b"0" * (300 << 20), b"[" + b"[]," * 5_000_000 + b"[]]"], ids=["long", "many"])
    def test_one_that_unpacks_to_very_much_takes_little_memory(self, line: bytes, tmp_path: Path) -> None:
        """One line of it is looked at, and that is not read to its end, or not taken apart."""
        path = packed(tmp_path / "workspace.snapshot", HEAD, line)
        tracemalloc.start()
        try:
            with pytest.raises(comfynb.ConfigurationError, match="is not read, since it has more than"):
                comfynb.connect(snapshot=path)
            assert tracemalloc.get_traced_memory()[1] < 200 << 20
        finally:
            tracemalloc.stop()

    def test_many_small_answers_are_too_much_as_well(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each takes some memory, however short it is."""
        path = packed(tmp_path / "workspace.snapshot", HEAD, *(row(key=f'"/{number}"') for number in range(2000)))
        assert len(read_snapshot(path).answers) == 2000
        monkeypatch.setattr(snapshots, "LARGEST", 1 << 20)
        with pytest.raises(comfynb.ConfigurationError, match=r"more than 1\.0 MB when it is unpacked"):
            read_snapshot(path)


class TestWriting:
    """Where it cannot be written, that is said in a sentence, and before the server is asked."""

    def test_a_folder_is_made_for_it(self, ws: comfynb.Workspace, tmp_path: Path) -> None:
        """And the file is still its owner's alone."""
        path = ws.snapshot(tmp_path / "a" / "b" / "workspace.snapshot", runs=0)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    @pytest.mark.parametrize(
        "path", ["", ".", "a folder", "a\0b", "~nobody-of-that-name/x", "pipe", "x" * 5000, "file/x"]
    )
    def test_what_cannot_be_its_file_is_refused(
        self, path: str, ws: comfynb.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is asked, and nothing that is there is replaced."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a folder").mkdir()
        (tmp_path / "file").write_text("mine")
        os.mkfifo(tmp_path / "pipe")
        asked: list[object] = []
        ws.workflows_service.client.transport.hooks.append(asked.append)
        with pytest.raises(comfynb.InputError, match=r"names no file|cannot be the file of a snapshot: .*\.$"):
            ws.snapshot(path)
        assert asked == []
        assert sorted(each.name for each in tmp_path.iterdir()) == ["a folder", "file", "pipe"]

    def test_a_full_disk_is_an_error_of_ours(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was there before stays, and nothing half done is left."""
        path = tmp_path / "workspace.snapshot"
        write_snapshot(path, SERVER, {})
        before = path.read_bytes()

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(gzip.GzipFile, "write", full)
        with pytest.raises(comfynb.ComfyError, match=r"could not be written to .*No space left"):
            write_snapshot(path, SERVER, {"/machines": Kept(b"[]", 1.0)})
        assert path.read_bytes() == before
        assert [each.name for each in tmp_path.iterdir()] == ["workspace.snapshot"]

    def test_what_could_not_be_read_again_is_not_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A single answer is left out with a word; all of it together is refused."""
        path, answers = tmp_path / "workspace.snapshot", {f"/{n}": Kept(b'["%s"]' % (b"x" * 5000), 1.0) for n in "ab"}
        answers["/large"] = Kept(b'["%s"]' % (b"x" * 50_000), 1.0)
        monkeypatch.setattr(snapshots, "_LONGEST", 20_000)
        with pytest.warns(PartialResultWarning, match="not in it: 1 of the server's answers"):
            write_snapshot(path, SERVER, answers)
        assert keys_of(path) == {"/a", "/b"}
        monkeypatch.setattr(snapshots, "LARGEST", 10_000)
        with pytest.raises(comfynb.InputError, match="with fewer runs makes a smaller one"):
            write_snapshot(path, SERVER, {key: answers[key] for key in ("/a", "/b")})

    def test_what_no_json_is_made_of_is_kept_as_a_text(self, tmp_path: Path) -> None:
        """An answer that is nested too deeply costs nothing but itself."""
        deep = b"[" * 100_000 + b"]" * 100_000
        path = tmp_path / "workspace.snapshot"
        write_snapshot(path, SERVER, {"/deep": Kept(deep, 1.0), "/machines": Kept(b"[]", 1.0)})
        assert {key: kept.content for key, kept in read_snapshot(path).answers.items()} == {
            "/deep": deep,
            "/machines": b"[]",
        }

    def test_what_was_read_before_and_is_spoilt_is_an_error_of_ours(
        self, server: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the server must not be asked, there is nothing else to take."""

        async def spoilt(_: DiskStore) -> dict[str, Kept]:
            raise StoreError("disk: it is spoilt")

        monkeypatch.setattr(DiskStore, "all", spoilt)
        with (
            comfynb.connect(server.url, server.api_key, offline=True) as ws,
            pytest.raises(comfynb.OfflineError, match="cannot be read: disk: it is spoilt"),
        ):
            ws.snapshot(tmp_path / "workspace.snapshot")
