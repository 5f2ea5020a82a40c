"""A day in which everything is left on, with outages: what a session holds and what it writes stay what they were."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import selectors
import statistics
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:  # the process of the day imports comfynb when its clock is set
    import comfynb
    from comfynb.rules.alerting import Alert
    from comfynb.sandbox import Sandbox

T = TypeVar("T")

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]

HOURS, WARM = 24, 4
OUTAGES = {2: "gone", 6: "gateway", 10: "cut off", 14: "gone", 18: "gateway", 22: "cut off"}
"""By their hours: nothing listens; a gateway answers 503; what is asked for is done, and the answer dropped."""
RUN_SECONDS = 36.0
"""Factor on the seconds of runs: the long one of each hour, of 17 minutes or more, outlives the outage, of 9."""
QUICKEST = 20_000.0
"""Seconds that are skipped in a real one at most, so that other threads have their turn."""
MEMORY, OBJECTS, FILES = 8.0, 1200, 10
"""Megabytes, Python objects and open files that there may be more of after the warm-up. The caches of SQLite take up to
2 MB for each of three connections; eight connections to the server are kept."""
WAL = 6_000_000
"""Bytes; SQLite begins a log anew after a thousand pages of 4 kB, or somewhat later if somebody reads just then."""
JOURNAL, ANSWERS = 4_000, 16_000
"""Bytes for each submit: its entry; the last answers of its run, and its rows in lists that are not full yet."""


class Clock:
    """The clocks of this process and of its event loops: real while anything is under way, and waits are skipped.

    So a deadline of ten seconds has ten real ones, however busy the machine is, and a day takes as long as its work.
    Only `datetime` is the machine's own: ages in the journal are real.
    """

    def __init__(self) -> None:
        self.skipped = 0.0
        self.skips = False
        self.listening = 1
        self.jobs = 0
        for name in ("monotonic", "time", "perf_counter"):
            setattr(time, name, lambda real=getattr(time, name): real() + self.skipped)
        clock = self

        class Selector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> Any:
                # A connection is registered here only while somebody waits for what comes.
                under_way = clock.jobs or len(self.get_map()) > clock.listening
                if not timeout or not clock.skips or under_way:
                    return super().select(timeout)
                ready = super().select(0)
                if not ready:
                    clock.skipped += timeout
                    time.sleep(timeout / QUICKEST)
                return ready

        class Loop(asyncio.SelectorEventLoop):
            def run_in_executor(self, *what: Any) -> Any:
                clock.jobs += 1
                future = super().run_in_executor(*what)
                future.add_done_callback(lambda _: setattr(clock, "jobs", clock.jobs - 1))
                return future

        asyncio.new_event_loop = lambda: Loop(Selector())


class Day:
    """What somebody does all day, in a process of its own; the server is in the one that started it."""

    def __init__(self, clock: Clock, url: str, key: str, folder: Path) -> None:
        import uvicorn

        import comfynb

        async def looks_seldom(server: uvicorn.Server) -> None:
            while not server.should_exit:  # noqa: ASYNC110 - as uvicorn does, ten times a second
                await asyncio.sleep(60)

        uvicorn.Server.main_loop = looks_seldom
        self.clock, self.data, self.pictures = clock, folder / "data", folder / "pictures"
        self.passed = 0
        self.ids: set[str] = set()
        self.figures: list[dict[str, float]] = []
        self.alerts: list[Alert] = []
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        noting = logging.Handler(logging.ERROR)
        noting.emit = lambda record: self.faults.append(noting.format(record))
        logging.getLogger().addHandler(noting)
        warnings.simplefilter("always")
        warnings.showwarning = lambda _, category, *__, **___: self.counts.update([category.__name__])
        journal = self.data / "journal.sqlite"
        self.ws = comfynb.connect(url, key, journal=journal, cache="disk", cache_ttl=60.0, queue_offline=True)
        self.listener = self.ws.listen()
        clock.listening += 1
        limits = {"alerts": {"ignore": ["clock", "latency"]}}  # `datetime` is real, and so is how busy this machine is
        self.watch = self.ws.watch_health(every=120.0, config=limits, on_alert=self.alerts.append)
        self.panel = self.watch.view()

    def say(self, what: str) -> None:
        """Have the server's process do something, and wait until that is done."""
        print(json.dumps(what), flush=True)
        sys.stdin.readline()

    def wait(self, function: Callable[[], Awaitable[T]]) -> T:
        """Await something where the connections live; meanwhile nobody does anything else, and waits are skipped."""

        async def there() -> T:
            self.clock.skips = True
            try:
                return await function()
            finally:
                self.clock.skips = False

        return self.ws._face.call(there)

    def minutes(self, count: int) -> None:
        """Let time go by, here and for the machines."""
        for _ in range(count):
            self.wait(lambda: asyncio.sleep(60))
            self.say("minute")
            self.passed += 1

    def submit(self, workflow: str, **inputs: Any) -> comfynb.Run:
        """Submit a run whose changes the server posts."""
        run = self.wait(lambda: self.ws.aio.submit(workflow, inputs, webhook=True))
        self.ids.add(run.id)
        return run

    def follow(self, run: comfynb.Run) -> None:
        """Wait for the end of a run, again whenever the server was away for too long."""
        import comfynb

        while not run.ended:
            try:
                run.wait(timeout=None, stall=86400.0, progress=False)
            except (comfynb.TransportError, comfynb.ApiError):
                self.counts["waited again"] += 1

    def look_around(self) -> None:
        """Look at tables and figures."""
        ws, now = self.ws, self.ws.aio
        for read in (now.catalog, now.machines, lambda: now.runs(limit=20), lambda: now.runs("text2img", limit=5)):
            self.counts["stale tables"] += self.wait(read).attrs["stale"]
        health = self.wait(now.health).set_index("check")
        self.counts[f"server {health.loc['server', 'state']}"] += 1
        metrics = (ws.metrics(), ws.metrics(by="runs"), ws.metrics(by="counts"), ws.metrics.text())
        assert all(len(each) for each in (metrics[0], metrics[3], repr(ws), repr(self.watch), self.watch.last))

    def outage(self, kind: str) -> None:
        """Go on as always while the server is away, and see afterwards to what was submitted meanwhile."""
        import comfynb

        self.say(kind)
        self.minutes(5)
        self.look_around()
        with pytest.raises((comfynb.OfflineError, comfynb.SubmitUncertainError)):
            self.submit("text2img", prompt=f"while the server is away, {self.passed}")
        self.minutes(4)
        self.say("back")
        self.minutes(1)
        self.ids |= {run.id for run in self.wait(self.ws.aio.resume)}

    def hour(self, number: int) -> None:
        """Spend an hour."""
        long = self.submit("text2img", prompt=f"a fox {number} __slow__")
        following = threading.Thread(target=self.follow, args=(long,), daemon=True)
        following.start()
        shorts = [self.submit("Text to Image", Prompt=f"a fox {number} {place}") for place in range(3)]
        self.minutes(2)
        self.look_around()
        views = [run.view() for run in (*shorts, long)]
        self.minutes(3)
        if number in OUTAGES:
            self.outage(OUTAGES[number])
            assert not long.ended
        self.minutes(2)
        for words in ("not be looked at", "is watched no longer"):
            self.counts["views with trouble"] += sum(words in view._html.value for view in views)
        for view in views:
            view.close()
        while following.is_alive() and self.passed % 60 < 55:
            self.minutes(1)
        self.counts[f"long {long.status}"] += 1
        self.counts["pictures"] += len(self.wait(lambda: long.aio.download(self.pictures)))
        self.minutes(60 - self.passed % 60)
        self.note()

    def note(self) -> None:
        """Note what this process holds now, and what it has written."""

        async def tasks() -> int:
            return len(asyncio.all_tasks())

        gc.collect()
        core = self.ws._core
        told = (core.comfyui.client.transport.pacer.listeners, core.comfyui.events._watchers, core.live._due, core.live)
        paths = [path for path in self.data.rglob("*") if path.is_file()]
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.figures.append(
            {
                "megabytes": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1),
                "objects": len(gc.get_objects()),
                "threads": sum(not each.name.startswith("asyncio") for each in threading.enumerate()),
                "tasks": self.ws._face.call(tasks),
                "listeners": sum(map(len, (*told, self.watch.listeners))),
                "files": len(list(Path("/proc/self/fd").iterdir())),
                "wal": max(path.stat().st_size for path in paths if path.name.endswith("-wal")),
                "answers": sum(path.stat().st_size for path in paths if path.match("answers/*.sqlite")),
                "submits": len(self.ids),
            }
        )


def live(url: str, key: str, folder: str) -> None:
    """Spend the day, and say what was seen."""
    clock = Clock()
    begun = time.monotonic()
    day = Day(clock, url, key, Path(folder))
    for number in range(HOURS):
        day.hour(number)
    day.counts["hours"] = int((time.monotonic() - begun) / 3600)
    day.counts["webhooks"] = day.listener.counts["event"]
    day.wait(day.ws.aio.close)
    seen = {"figures": day.figures, "counts": day.counts, "faults": day.faults, "ids": sorted(day.ids)}
    print(json.dumps({**seen, "alerts": [(alert.check, alert.over) for alert in day.alerts]}))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox without a past, whose machines go on when they are told to."""
    from comfynb.sandbox import Sandbox

    with Sandbox(history=0, speed=0.0, run_seconds=RUN_SECONDS) as sandbox:
        yield sandbox


def serve(sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    """Start the day, and do what it asks for; return what was seen in it."""
    does: dict[str, Callable[[], object]] = {
        "minute": lambda: sandbox.advance(60.0),
        "gone": sandbox.stop,
        "gateway": lambda: sandbox.knobs.change(error_rate=1.0, fail_status=503),
        "cut off": lambda: sandbox.knobs.change(drop_next=10**9, drop="after"),
        "back": lambda: (sandbox.knobs.change(error_rate=0.0, drop_next=0), sandbox.start()),
    }
    command = [sys.executable, __file__, sandbox.url, sandbox.api_key, str(folder)]
    env = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=env)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said: Any = json.loads(line)
                if isinstance(said, dict):
                    return said
                does[said]()
                process.stdin.write("\n")
                process.stdin.flush()
        finally:
            process.kill()
    raise AssertionError("the day has ended before its evening")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell what a process holds")
def test_a_day_of_watching_with_outages(sandbox: Sandbox, tmp_path: Path) -> None:
    """Memory, threads, tasks, open files and files on disk stay flat, and after each outage all goes on as before."""
    begun = time.monotonic()
    seen = serve(sandbox, tmp_path)
    figures, counts, alerts = seen["figures"], seen["counts"], Counter(map(tuple, seen["alerts"]))
    warm, end = figures[WARM - 1], figures[-1]
    journal = (tmp_path / "data" / "journal.sqlite").stat().st_size
    print(f"\n{counts['hours']} hours in {time.monotonic() - begun:.0f} s, {sandbox.counters.total} requests")
    print(", ".join(f"{name} {warm[name]} → {end[name]}" for name in end), f"journal {journal}", sep=", ")
    print(", ".join(f"{name} {number}" for name, number in sorted(counts.items())))

    def grown(name: str) -> float:
        return statistics.median(each[name] for each in figures[-6:]) - warm[name]

    assert counts["hours"] >= HOURS
    assert grown("megabytes") < MEMORY
    assert grown("objects") < OBJECTS
    assert (grown("threads"), grown("tasks"), grown("listeners")) == (0, 0, 0)
    assert grown("files") <= FILES
    assert max(each["wal"] for each in figures) < WAL
    assert end["answers"] - warm["answers"] < (end["submits"] - warm["submits"]) * ANSWERS
    assert journal < len(seen["ids"]) * JOURNAL

    assert set(seen["ids"]) == set(sandbox.world.runs)
    assert seen["faults"] == []
    assert counts["long success"] == counts["pictures"] == counts["server ok"] == HOURS
    assert counts["server bad"] == counts["StaleDataWarning"] == len(OUTAGES)
    assert counts["stale tables"] == 4 * len(OUTAGES)
    assert counts["views with trouble"] == 0
    assert counts["webhooks"] > HOURS
    assert alerts == {("machine office-box", False): 1} | {
        (check, over): len(OUTAGES) for check in ("server", "requests") for over in (False, True)
    }


if __name__ == "__main__":
    live(*sys.argv[1:])
