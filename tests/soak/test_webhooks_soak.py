"""A hundred thousand posts that mean harm, or nothing: the receiver takes them, and no run changes."""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

import comfynb
from comfynb.core.listener import Listener
from comfynb.runs.live import LiveView
from comfynb.sandbox import Sandbox

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]

POSTS = 100_000
WARM = 20_000
CONNECTIONS = 8
GROWTH = 12 * 1024
"""Kilobytes that the process may have grown by after the warm-up."""

FLOOD = """
import itertools, json, random, socket, sys, threading
port, path, posts, connections, seed, *run_ids = sys.argv[1:]
statuses = ["running", "success", "failed", "cancelled", "timeout", "queued", "brand-new"]
found = {}

def event(rng, run_id):
    outputs = [{"data": {"images": [{"url": "http://127.0.0.1:9/evil.png", "filename": "evil.png"}]}}]
    return json.dumps({"event_type": "run.updated", "run_id": run_id, "status": rng.choice(statuses),
                       "live_status": "x" * rng.randrange(200), "progress": rng.random(), "outputs": outputs}).encode()

def requests(rng):
    for number in itertools.count():
        kind = number % 20
        method, where, body = "POST", path, b""
        if number % 1000 == 999:
            body = b" " * (1_100_000)
        elif kind < 7:
            body = event(rng, rng.choice(run_ids))
        elif kind < 10:
            body = event(random.Random(7), run_ids[0])
        elif kind < 14:
            body = event(rng, "%032x" % rng.getrandbits(128))
        elif kind < 16:
            body = rng.randbytes(rng.randrange(300))
        elif kind == 16:
            body = json.dumps(rng.choice([None, 7, [], {}, {"run_id": 7}, [[[[]]]], {"run_id": "x" * 1000}])).encode()
        elif kind == 17:
            where = path[:-1] + rng.choice("-_0Az")
        elif kind == 18:
            where = "/" + "%x" % rng.getrandbits(64)
        else:
            method = rng.choice(["GET", "PUT", "DELETE"])
        yield f"{method} {where} HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: {len(body)}\\r\\n\\r\\n".encode() + body

def work(number):
    rng = random.Random(int(seed) * 100 + number)
    connection, mine = None, {}
    for _, request in zip(range(int(posts) // int(connections)), requests(rng)):
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", int(port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request)
        answer = b""
        while b"\\r\\n\\r\\n" not in answer:
            part = connection.recv(4096)
            assert part, "it answered nothing"
            answer += part
        assert answer.endswith(b"\\r\\n\\r\\n"), answer
        status = answer[9:12].decode()
        mine[status] = mine.get(status, 0) + 1
        if b"connection: close" in answer.lower():
            connection.close()
            connection = None
    found[number] = mine

threads = [threading.Thread(target=work, args=(number,)) for number in range(int(connections))]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(list(found.values())))
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox without a past, whose machines stand still."""
    with Sandbox(history=0, speed=0.0) as sandbox:
        yield sandbox


def flood(listener: Listener, posts: int, seed: int, *run_ids: str) -> Counter[str]:
    """Post from another process over several connections; return how often each status was answered."""
    parts = urlsplit(listener.address)
    words = (str(parts.port), parts.path, str(posts), str(CONNECTIONS), str(seed), *run_ids)
    done = subprocess.run([sys.executable, "-c", FLOOD, *words], capture_output=True, text=True, check=True)
    return sum(map(Counter, json.loads(done.stdout)), Counter())


def kilobytes() -> float:
    """Return the most memory that this process ever had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "linux" else most / 1024


def test_a_hundred_thousand_posts_change_nothing(sandbox: Sandbox) -> None:
    """Memory stays flat, the server is asked some times a second, and a true event is heard after all that."""
    with comfynb.connect(sandbox=sandbox) as ws, ThreadPoolExecutor(1) as pool:
        listener = ws.listen()
        sandbox.knobs.speed = 1000.0
        ended = ws.run("text2img", seed=1, webhook=True, progress=False)
        sandbox.knobs.speed = 0.0
        waited, seen, alone = (ws.submit("text2img", seed=seed, webhook=True) for seed in (2, 3, 4))
        waiting = pool.submit(waited.wait, 390, stall=390, progress=False)

        async def watch() -> None:
            ws._core.live.add(LiveView(seen._tracked, lambda: None))

        ws._face.call(watch)
        ids = [run.id for run in (waited, seen, alone, ended)]
        outputs = [output.filename for output in ended.outputs]

        answered = flood(listener, WARM, 1, *ids)
        gc.collect()
        before, asked, begun = kilobytes(), sandbox.counters.total, time.monotonic()
        answered += flood(listener, POSTS - WARM, 2, *ids)
        took, looks = time.monotonic() - begun, sandbox.counters.total - asked
        gc.collect()
        grown = kilobytes() - before
        print(f"{(POSTS - WARM) / took:.0f} posts a second, {looks / took:.1f} looks a second, {grown:.0f} kB more")

        assert answered.total() == POSTS
        assert set(answered) == {"204", "400", "404", "405", "413"}
        assert min(answered["204"], answered["400"], answered["404"], answered["405"]) >= POSTS / 25
        assert grown < GROWTH
        assert looks / took < 8
        assert not waiting.done()
        for run in (waited, seen, alone):
            run.refresh()
            assert (run.status, run.progress, run.outputs) == ("not-started", 0.0, ())
        ended.refresh()
        assert (ended.status, [output.filename for output in ended.outputs]) == ("success", outputs)

        assert httpx.post(listener.address, json={"run_id": "x"}).status_code == 204
        sandbox.advance(600)
        assert waiting.result(10).status == "success"
        assert {run.wait(10, progress=False).status for run in (seen, alone)} == {"success"}
