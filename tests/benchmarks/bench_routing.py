"""How long it takes to decide where a run goes, with 1,000 rules and 500 machines, against two dict lookups."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from figures import Figure, medians, show, timed

from comfynb.rules.routing import Fleet, Router, RoutingRules, Subject
from comfynb.rules_files import RulesFile, Watched

RULES, MACHINES, WORKFLOWS = 1000, 500, 5000
THREADS, DECISIONS, CHANGES = 8, 100_000, 10


def _machines() -> list[Any]:
    statuses = ["ready", "ready", "ready", "paused"]
    return [
        SimpleNamespace(id=f"m{n}", name=f"gpu-{n}", status=statuses[n % 4], gpu="A100", disabled=None)
        for n in range(MACHINES)
    ]


def _text(shift: int) -> str:
    rows = [
        f"flow_{n} = ['gpu-{(n * 4 + 3) % MACHINES}', 'gpu-{(n + shift) * 4 % MACHINES}']" for n in range(RULES - 20)
    ]
    globs = [f"'glob_{n}_*' = 'gpu-{(n + shift) * 4 % MACHINES}'" for n in range(20)]
    return "\n".join(["default_machine = 'gpu-0'", "[routing_rules]", *rows, *globs])


def _subjects() -> list[Subject]:
    names = [f"flow_{n}" for n in range(RULES - 20)]
    names += [f"glob_{n % 20}_{n}" for n in range(500)]
    names += [f"other_{n}" for n in range(WORKFLOWS - len(names))]
    random.Random(7).shuffle(names)
    return [Subject(f"w{n}", name, name) for n, name in enumerate(names)]


def _deployments(subjects: list[Subject]) -> list[Any]:
    return [
        SimpleNamespace(
            id=f"d{n}",
            environment="production",
            workflow_id=subject.id,
            workflow_version_id=f"v{n}",
            machine_id=f"m{n % MACHINES}",
            gpu=None,
        )
        for n, subject in enumerate(subjects)
    ]


def measure() -> list[Figure]:
    """Return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.toml"
        path.write_text(_text(0), encoding="utf-8")
        (load,) = medians(timed(lambda: _read(path)))
        rules = _read(path)
        fleet, subjects = Fleet(_machines()), _subjects()
        deployments = _deployments(subjects)
        first = {subject: subject.standard for subject in subjects}
        second = {subject.standard: subject for subject in subjects}
        known = Router(rules, fleet, deployments)

        def lookups() -> None:
            for subject in subjects:
                second[first[subject]]

        def decide(router: Router) -> None:
            route = router.route
            for subject in subjects:
                route(subject)

        def fresh() -> float:
            router = Router(rules, fleet, deployments)
            return timed(lambda: decide(router))()

        bare, again, new = medians(timed(lookups), timed(lambda: decide(known)), fresh)
        bad = _under_way(path, fleet, deployments, subjects)
    return [
        Figure("1,000 routing rules are read from a file (ms)", load, None, 1000),
        Figure("5,000 decisions seen before / two dict lookups each", again, bare, 5),
        Figure("5,000 fresh decisions / two dict lookups each", new, bare, 40),
        Figure("100,000 decisions, 8 threads, rules re-read 10 times: wrong or failed", bad, None, 0),
    ]


def _read(path: Path) -> RoutingRules:
    file = RulesFile.read(path)
    return RoutingRules(file.data, locate=file.problem)


def _under_way(path: Path, fleet: Fleet, deployments: list[Any], subjects: list[Subject]) -> int:
    """Decide in many threads while the file changes; return how many decisions were wrong or failed."""
    watched = Watched(lambda: path, lambda _: Router(_read(path), fleet, deployments))
    allowed: list[dict[str, str | None]] = []
    for shift in range(CHANGES + 1):
        path.write_text(_text(shift), encoding="utf-8")
        router = Router(_read(path), fleet, deployments)
        allowed.append({subject.id: router.route(subject).machine_id for subject in subjects})
    path.write_text(_text(0), encoding="utf-8")
    wrong, failed = [0] * THREADS, [0] * THREADS

    def decide(number: int) -> None:
        chance = random.Random(number)
        for _ in range(DECISIONS // THREADS // 10):  # ten decisions each time
            try:
                router = watched.get()
                for subject in chance.choices(subjects, k=10):
                    machine = router.route(subject).machine_id
                    wrong[number] += all(machine != each[subject.id] for each in allowed)
            except Exception:
                failed[number] += 1

    def change() -> None:
        for shift in range(1, CHANGES + 1):
            time.sleep(0.02)
            fresh = path.with_suffix(".new")
            fresh.write_text(_text(shift), encoding="utf-8")
            fresh.replace(path)

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(THREADS)]
    changer = threading.Thread(target=change)
    for thread in (*threads, changer):
        thread.start()
    for thread in threads:
        thread.join()
    changer.join()
    last = watched.get()
    wrong_in_the_end = sum(last.route(subject).machine_id != allowed[CHANGES][subject.id] for subject in subjects)
    return sum(wrong) + wrong_in_the_end + sum(failed)


if __name__ == "__main__":
    show(measure())
