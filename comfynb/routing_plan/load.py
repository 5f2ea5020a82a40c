"""How routing does under load: decisions in many threads, and runs that are submitted at the same time."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from comfynb.connecting import connect
from comfynb.rules.routing import Fleet, Router, RoutingRules, Subject

if TYPE_CHECKING:
    from comfynb.sandbox import Sandbox

__all__ = ["Load", "measure_load"]

_THREADS = (1, 2, 4, 8)
_RULES, _MACHINES, _DECISIONS = 1000, 500, 100_000
_RUNS = (10, 50, 200)


@dataclass(frozen=True, slots=True)
class Load:
    """One measurement.

    Attributes
    ----------
    what : str
        What was done: "decisions" or "runs".
    at_once : int
        Threads, or runs that were submitted at the same time.
    number : int
        How many there were.
    seconds : float
        How long all of them took.
    typical, slow : float or None
        Milliseconds: the median and the 95th of 100 of single ones; None where single ones are not timed.
    wrong : int
        How many went elsewhere than the rules say, or failed.
    """

    what: str
    at_once: int
    number: int
    seconds: float
    typical: float | None
    slow: float | None
    wrong: int

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.number / self.seconds


def measure_load() -> list[Load]:
    """Measure decisions over 1,000 rules and 500 machines, and routed runs on a sandbox."""
    return [*(_decisions(threads) for threads in _THREADS), *_runs()]


def _decisions(threads: int) -> Load:
    machines = [
        SimpleNamespace(id=f"m{n}", name=f"gpu-{n}", status="ready", gpu="A100", disabled=None)
        for n in range(_MACHINES)
    ]
    rules = RoutingRules({"routing_rules": {f"flow_{n}": f"gpu-{n * 7 % _MACHINES}" for n in range(_RULES)}})
    router = Router(rules, Fleet(machines))
    subjects = [Subject(f"w{n}", f"flow_{n}", f"flow_{n}") for n in range(_RULES)]
    right = [f"m{n * 7 % _MACHINES}" for n in range(_RULES)]
    wrong = [0] * threads
    rounds = -(-_DECISIONS // _RULES // threads)

    def decide(number: int) -> None:
        for _ in range(rounds):
            routes = [router.route(subject).machine_id for subject in subjects]
            wrong[number] += routes != right

    begun = time.perf_counter()
    workers = [threading.Thread(target=decide, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - begun
    return Load("decisions", threads, rounds * _RULES * threads, seconds, None, None, sum(wrong))


def _runs() -> list[Load]:
    from comfynb.sandbox import Sandbox

    rules: Mapping[str, Any] = {"routing_rules": {"text2img": "serverless-a10g", "makeimage": "serverless-h100"}}
    with Sandbox(speed=1000.0) as sandbox, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.toml"
        path.write_text("\n".join(["[routing_rules]", *(f'{k} = "{v}"' for k, v in rules["routing_rules"].items())]))
        with connect(sandbox=sandbox, routing=path, names=False) as ws:
            ws.prepare("text2img")
            # In a notebook this thread has a loop that runs already.
            with ThreadPoolExecutor(1) as thread:
                return [
                    thread.submit(asyncio.run, _submit(ws, sandbox, rules["routing_rules"], number)).result()
                    for number in _RUNS
                ]


async def _submit(ws: Any, sandbox: Sandbox, rules: Mapping[str, str], number: int) -> Load:
    taken: list[float] = []
    wrong = 0

    async def one(place: int) -> None:
        nonlocal wrong
        name = list(rules)[place % len(rules)]
        begun = time.perf_counter()
        run = await ws.aio.submit(name, {"seed": place + 1})
        taken.append((time.perf_counter() - begun) * 1000)
        machine = sandbox.world.machines[sandbox.world.runs[run.id].machine_id].name
        wrong += machine != rules[name]

    begun = time.perf_counter()
    done = await asyncio.gather(*(one(place) for place in range(number)), return_exceptions=True)
    seconds = time.perf_counter() - begun
    wrong += sum(isinstance(each, BaseException) for each in done)
    ordered = sorted(taken) or [0.0]
    slow = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return Load("runs", number, number, seconds, statistics.median(ordered), slow, wrong)
