"""Five hundred clients of one sandbox for a minute: nobody meets an error, and it does not grow."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.soak, pytest.mark.timeout(150)]

CLIENTS = 500
WARM_UP, STEADY, FAULTY = 12.0, 45.0, 5.0
"""Seconds of each part."""
PAUSE = (0.2, 0.8)
"""Seconds that a client thinks."""
GROWTH = 4.0
"""Megabytes by which the sandbox may be larger at the end of the steady part than at its beginning."""


@dataclass
class Server:
    """A sandbox in a process of its own."""

    process: subprocess.Popen[str]
    host: str
    port: int
    key: str

    def megabytes(self) -> float:
        """Return the memory that it holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve a sandbox by its command."""
    command = [sys.executable, "-c", "from comfynb.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "sandbox", "--port", "0", "--speed", "1000"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            said += process.stdout.readline()
        found = re.search(r'connect\("(.+)", "(.+)"\)', said)
        assert found is not None
        place = urlsplit(found[1])
        yield Server(process, place.hostname or "", place.port or 0, found[2])
    finally:
        process.kill()
        process.communicate()


@dataclass
class Tally:
    """What all clients have seen."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


class Client:
    """One connection that is kept, without a library in between, so that there can be many."""

    def __init__(self, server: Server, tally: Tally, seed: int) -> None:
        self.server = server
        self.tally = tally
        self.chance = random.Random(seed)
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request; return what came, or None for an answer that is an error."""
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.server.host, self.server.port)
        reader, writer = self.streams
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {self.server.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        begun = time.perf_counter()
        writer.write(head.encode() + content)
        answered = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: (\d+)", answered, re.IGNORECASE)
        assert length is not None
        answer = await reader.readexactly(int(length[1]))
        status = int(answered.split(" ", 2)[1])
        self.tally.statuses[status] += 1
        self.tally.seconds.append(time.perf_counter() - begun)
        return json.loads(answer) if status == 200 else None

    async def live(self, deployment_id: str, until: Callable[[], bool]) -> None:
        """Submit one run, wait for its end, and read this and that from then on."""
        try:
            await asyncio.sleep(self.chance.uniform(0, WARM_UP / 3))
            queued = await self.ask("POST", "/api/run/deployment/queue", {"deployment_id": deployment_id, "inputs": {}})
            run_id, ended = queued["run_id"], False
            while not until():
                path = f"/api/run/{run_id}" if not ended or self.chance.random() < 0.7 else self.other(deployment_id)
                answer = await self.ask("GET", path)
                if answer is not None and path.endswith(run_id):
                    assert answer["id"] == run_id, "the answer is another run's"
                    if not ended and answer["status"] in {"success", "failed"}:
                        ended = True
                        self.tally.ended[answer["status"]] += 1
                await asyncio.sleep(self.chance.uniform(*PAUSE))
        except (OSError, EOFError, AssertionError, ValueError, TypeError) as error:
            self.tally.broken.append(repr(error))
        finally:
            if self.streams is not None:
                self.streams[1].close()

    def other(self, deployment_id: str) -> str:
        """Return something else that a client asks for now and then."""
        paths = ["/api/machines", "/api/workflows", "/api/runs/count", f"/api/deployment/{deployment_id}"]
        return self.chance.choice([*paths, "/api/workflows/all", f"/api/deployment/{deployment_id}/runs?limit=5"])


async def soak(server: Server) -> tuple[Tally, list[float], dict[str, Any]]:
    """Let the clients live; return what they saw, the memory in the steady part, and the sandbox's own counts."""
    tally = Tally()
    over = False
    asking = Client(server, Tally(), 0)
    deployments = await asking.ask("GET", "/api/deployments?environment=production")
    deployment_id = next(each["id"] for each in deployments if each["workflow"]["name"] == "text2img")
    clients = [
        asyncio.create_task(Client(server, tally, seed).live(deployment_id, lambda: over)) for seed in range(CLIENTS)
    ]
    await asyncio.sleep(WARM_UP)
    memory = []
    begun = time.monotonic()
    while time.monotonic() - begun < STEADY:
        memory.append(server.megabytes())
        await asyncio.sleep(0.5)
    assert set(tally.statuses) == {200}
    await asking.ask("POST", "/sandbox/knobs", {"error_rate": 0.05, "fail_status": 503, "faults_on": "GET /api/run/"})
    await asyncio.sleep(FAULTY)
    over = True
    await asyncio.gather(*clients)
    counters = await asking.ask("GET", "/sandbox/counters")
    assert asking.streams is not None
    asking.streams[1].close()
    return tally, memory, counters


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell what a process holds")
def test_five_hundred_clients_for_a_minute(server: Server, record_property: Callable[[str, object], None]) -> None:
    """Every run ends well, every error was asked for, and the memory stays what it was after the warm-up."""
    tally, memory, counters = asyncio.run(soak(server))
    third = len(memory) // 3
    first, last = statistics.median(memory[:third]), statistics.median(memory[-third:])
    total = sum(tally.statuses.values())
    record_property("requests", total)
    print(
        f"{total} requests, {total / (WARM_UP + STEADY + FAULTY):.0f} a second, median "
        f"{statistics.median(tally.seconds) * 1000:.0f} ms; {first:.1f} MB, then {last:.1f} MB"
    )
    assert not tally.broken, tally.broken[:5]
    assert tally.ended == {"success": CLIENTS}
    assert set(tally.statuses) == {200, 503}
    assert tally.statuses[503] == counters["faults"]["error_rate"]
    assert counters["runs_created"] == CLIENTS
    assert total > CLIENTS * 20, "so few requests prove nothing"
    assert last - first < GROWTH
