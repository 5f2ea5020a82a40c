"""What of a connection is well, what is not, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal, TypeAlias

from comfynb.rules.text import tidy

__all__ = ["Finding", "HealthFacts", "HealthLimits", "HealthState", "MachineSeen", "StaleRun", "judge", "worst"]

HealthState: TypeAlias = Literal["ok", "warn", "bad"]
STATES: Final[tuple[HealthState, ...]] = ("ok", "warn", "bad")

_LATEST: Final = 5
_PAST: Final = 10
_FEW_CALLS: Final = 10
_MOST_TOLD: Final = 3
_GOOD_MACHINES: Final = frozenset({"ready", "running"})
_MACHINES: Final[Mapping[str, tuple[HealthState, str]]] = {
    "paused": ("warn", "Resume it, or route its workflows elsewhere: the server queues runs on it all the same."),
    "building": ("warn", "Wait until it is built, or route its workflows elsewhere."),
    "starting": ("warn", "Wait until it has started."),
    "not-started": ("warn", "Start it, or route its workflows elsewhere."),
    "error": ("bad", "Build or start it again, or route its workflows elsewhere: runs on it fail."),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    check : str
        What was looked at.
    state : HealthState
        "ok", "warn" or "bad".
    seen : str
        What was seen.
    advice : str
        What to do; empty where there is nothing to do.
    """

    check: str
    state: HealthState
    seen: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """From where on something is not well, and when that raises an alert.

    Parameters
    ----------
    latency_warn, latency_bad : float
        How many times slower than before a route is.
    latency_floor : float
        Seconds; what is quicker is never slow.
    requests_warn, requests_bad : float
        Share of the last calls that failed, 0 to 1.
    clock_warn, clock_bad : float
        Seconds by which the clocks of server and machine differ.
    stale_after : float
        Seconds after which a run that has not ended is stale.
    forget_after : float
        Seconds after which nobody waits for it any more: the server never ends some of its rows.
    level : HealthState
        The mildest state that is an incident: "warn" or "bad".
    after, over : int
        Looks one after the other that have to see it before an alert is raised, and see it gone before it is over.
    ignore : tuple of str
        Checks that raise no alert, by their names; ``*`` stands for anything.
    """

    latency_warn: float = 3.0
    latency_bad: float = 10.0
    latency_floor: float = 0.25
    requests_warn: float = 0.1
    requests_bad: float = 0.5
    clock_warn: float = 30.0
    clock_bad: float = 300.0
    stale_after: float = 1800.0
    forget_after: float = 86400.0
    level: HealthState = "bad"
    after: int = 2
    over: int = 2
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineSeen:
    """A machine, as the server tells of it.

    Parameters
    ----------
    id : str
        Its id.
    name : str
        Its name.
    status : str or None
        Its status.
    deployments : int or None
        How many deployments run on it; None while that is not known.
    """

    id: str
    name: str
    status: str | None
    deployments: int | None = None


@dataclass(frozen=True, slots=True)
class StaleRun:
    """A run that ought to have ended.

    Parameters
    ----------
    id : str
        The run.
    workflow : str
        The name of its workflow.
    status : str or None
        What the server says.
    age : float
        Seconds since it was made.
    """

    id: str
    workflow: str
    status: str | None
    age: float


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What was seen of a connection.

    Parameters
    ----------
    address : str
        The server.
    status : int or None
        Of its answer; None when there was none.
    is_api : bool
        Whether the answer was one of the API.
    trouble : str
        Why there was no answer.
    offline : bool
        Whether the server must not be asked.
    latencies : mapping of str to sequence of float
        Seconds of the last good calls of each route, the oldest first.
    failed, calls : int
        How many of the last calls failed, and how many these are.
    waiting : str
        What requests wait for; empty if they need not.
    machines : sequence of MachineSeen or None
        The machines; None if they could not be read.
    stale : sequence of StaleRun
        Runs that ought to have ended.
    unresolved : int
        Submits of which it is not known whether they started a run.
    runs_trouble : str
        Why runs could not be looked at.
    entries, hits, misses : int
        Of the cache.
    cache_trouble : str
        Where it keeps answers and cannot just now.
    listening : bool or None
        Whether the receiver of webhooks runs; None if there is none.
    webhooks : mapping of str to int
        How many webhooks came, by what became of them.
    unheard : bool
        Whether a run has ended of which nothing came.
    clock_offset : float or None
        Seconds by which the server's clock is ahead.
    simulated : bool
        Whether the server is a sandbox, which has a time of its own.
    unknown : sequence of str
        What of the server comfynb does not know.
    journal : str or None
        Where submits are written down; None if they are not.
    journal_trouble : str
        Why that cannot be read.
    open_submits : int
        Submits there whose runs are not known to have ended.
    kept_submits : int
        Submits there that were kept while the server was away.
    """

    address: str
    status: int | None = None
    is_api: bool = False
    trouble: str = ""
    offline: bool = False
    latencies: Mapping[str, Sequence[float]] = field(default_factory=dict)
    failed: int = 0
    calls: int = 0
    waiting: str = ""
    machines: Sequence[MachineSeen] | None = None
    stale: Sequence[StaleRun] = ()
    unresolved: int = 0
    runs_trouble: str = ""
    entries: int = 0
    hits: int = 0
    misses: int = 0
    cache_trouble: str = ""
    listening: bool | None = None
    webhooks: Mapping[str, int] = field(default_factory=dict)
    unheard: bool = False
    clock_offset: float | None = None
    simulated: bool = False
    unknown: Sequence[str] = ()
    journal: str | None = None
    journal_trouble: str = ""
    open_submits: int = 0
    kept_submits: int = 0

    @property
    def reachable(self) -> bool:
        """Whether the server answered as the API does, so that everything could be looked at."""
        return self.is_api and self.status == 200


def worst(findings: Sequence[Finding]) -> HealthState:
    """Return the worst state of all.

    Examples
    --------
    >>> worst([Finding("server", "ok", "answers"), Finding("clock", "warn", "differs")])
    'warn'
    """
    return max((finding.state for finding in findings), key=STATES.index, default="ok")


def judge(facts: HealthFacts, limits: HealthLimits | None = None) -> tuple[Finding, ...]:
    """Return what each check finds; every name of a check stands there once.

    Parameters
    ----------
    facts : HealthFacts
        What was seen.
    limits : HealthLimits, optional
        From where on something is not well.

    Examples
    --------
    >>> found = judge(HealthFacts("https://host", trouble="nothing answers there"))
    >>> found[0].state, found[0].seen
    ('bad', 'nothing answers there')
    """
    limits = limits or HealthLimits()
    return (
        _server(facts),
        _key(facts),
        _latency(facts, limits),
        _requests(facts, limits),
        *_machines(facts),
        _runs(facts, limits),
        _cache(facts),
        _webhooks(facts),
        _clock(facts, limits),
        _drift(facts),
        _journal(facts),
    )


def _server(facts: HealthFacts) -> Finding:
    if facts.offline:
        why = tidy(facts.trouble, 300).rstrip(".")
        return Finding("server", "warn", f"not asked: {why}", "Connect anew where it may be asked.")
    if facts.status is None:
        why = tidy(facts.trouble, 300).rstrip(".") or "no answer came"
        return Finding("server", "bad", why, "Check the address, the network, and whether it runs.")
    if facts.status == 429:
        return Finding("server", "warn", "answers 429: too many requests", "Ask less often, or wait for a while.")
    if facts.status >= 500:
        return Finding("server", "bad", f"answers {facts.status}", "Wait, or tell whoever runs it.")
    if not facts.is_api:
        return Finding(
            "server",
            "bad",
            f"answers {facts.status}, but not as the API does",
            "Check url= or COMFY_DEPLOY_API_URL; a login page may stand in between.",
        )
    return Finding("server", "ok", f"{tidy(facts.address, 200)} answers")


def _key(facts: HealthFacts) -> Finding:
    if facts.status in (401, 403):
        return Finding("key", "bad", f"refused ({facts.status})", "Make a new key, and set COMFY_DEPLOY_API_KEY.")
    if facts.reachable:
        return Finding("key", "ok", "accepted")
    return Finding("key", "warn", "not known: the server did not say", "See the server first.")


def slowdown(latencies: Mapping[str, Sequence[float]], floor: float) -> tuple[float, str, float, float] | None:
    """Return factor, route, median seconds now and before, of the route that became slower than all others.

    Now is the last five calls; before is what came earlier, if that is ten calls at least. None if no route has both.
    """
    found = []
    for route, seconds in latencies.items():
        past, now = seconds[:-_LATEST], seconds[-_LATEST:]
        if len(past) >= _PAST:
            before, lately = median(past), median(now)
            factor = 1.0 if lately <= floor else lately / max(before, 1e-6)
            found.append((factor, route, lately, before))
    return max(found, default=None)


def _latency(facts: HealthFacts, limits: HealthLimits) -> Finding:
    found = slowdown(facts.latencies, limits.latency_floor)
    if found is None:
        return Finding("latency", "ok", "too few calls so far to tell")
    factor, route, lately, before = found
    state: HealthState = "bad" if factor >= limits.latency_bad else "warn" if factor >= limits.latency_warn else "ok"
    if state == "ok":
        return Finding("latency", "ok", "as it was before")
    seen = f"{route} takes {_time(lately)} now, and took {_time(before)} before"
    return Finding("latency", state, seen, "Look at the network and the load of the server; poll less often.")


def _requests(facts: HealthFacts, limits: HealthLimits) -> Finding:
    if not facts.calls:
        return Finding("requests", "ok", "none so far")
    share = facts.failed / facts.calls
    state: HealthState = "bad" if share >= limits.requests_bad else "warn" if share >= limits.requests_warn else "ok"
    if facts.calls < _FEW_CALLS:
        state = "warn" if state == "bad" else "ok"
    seen = f"{facts.failed or 'none'} of the last {facts.calls} failed"
    if facts.waiting:
        state, seen = "bad" if state == "bad" else "warn", f"{seen}; {tidy(facts.waiting, 200)}"
    return Finding("requests", state, seen, "ws.metrics() says which, and how." if state != "ok" else "")


def _machines(facts: HealthFacts) -> Iterator[Finding]:
    if facts.machines is None:
        yield Finding("machines", "warn", "not known: they could not be read", "See the server first.")
        return
    if not facts.machines:
        yield Finding("machines", "warn", "there are none", "Make a machine; nothing can run without one.")
        return
    names = [tidy(machine.name, 80) or machine.id for machine in facts.machines]
    for name, machine in zip(names, facts.machines, strict=True):
        check = f"machine {name}" if names.count(name) == 1 else f"machine {name} ({tidy(machine.id, 80)})"
        status = tidy(machine.status, 60) or "without a status"
        used = ""
        if machine.deployments is not None:
            used = f"; {machine.deployments or 'no'} deployment{'' if machine.deployments == 1 else 's'} on it"
        if machine.status in _GOOD_MACHINES:
            yield Finding(check, "ok", status)
        else:
            state, advice = _MACHINES.get(machine.status or "", ("warn", "Look at it on the server."))
            yield Finding(check, state, status + used, advice)


def _runs(facts: HealthFacts, limits: HealthLimits) -> Finding:
    advice = []
    told = []
    if facts.stale:
        shown = [
            f"{tidy(run.workflow, 60)} {run.id} ({tidy(run.status, 40) or 'status not known'}, {_time(run.age)})"
            for run in facts.stale[:_MOST_TOLD]
        ]
        more = f" and {len(facts.stale) - _MOST_TOLD} more" if len(facts.stale) > _MOST_TOLD else ""
        told.append(f"{len(facts.stale)} older than {_time(limits.stale_after)}: {', '.join(shown)}{more}")
        advice.append("Look at them with ws.get_run(id), and cancel what does not go on: it may be billing.")
    if facts.unresolved:
        plural = "submits" if facts.unresolved > 1 else "submit"
        told.append(f"{facts.unresolved} {plural} of which it is not known whether a run was started")
        advice.append("ws.resume() finds out.")
    if facts.runs_trouble:
        told.append(f"not all could be looked at: {tidy(facts.runs_trouble, 200)}")
    if told:
        return Finding("runs", "warn", "; ".join(told), " ".join(advice))
    return Finding("runs", "ok", "none is stale")


def _cache(facts: HealthFacts) -> Finding:
    looks = facts.hits + facts.misses
    kept = f"{facts.entries or 'no'} entr{'y' if facts.entries == 1 else 'ies'}"
    if facts.cache_trouble:
        advice = "Look after it; until then reads ask the server."
        return Finding("cache", "warn", f"{tidy(facts.cache_trouble, 200)} fails; {kept} in memory", advice)
    return Finding("cache", "ok", kept if not looks else f"{kept}, {facts.hits / looks:.0%} of {looks} looks served")


def _webhooks(facts: HealthFacts) -> Finding:
    if facts.listening is None:
        return Finding("webhooks", "ok", "no receiver: runs are asked for")
    came = ", ".join(f"{number} {tidy(outcome, 40)}" for outcome, number in sorted(facts.webhooks.items()) if number)
    if not facts.listening:
        return Finding("webhooks", "bad", "the receiver does not run", "ws.listen() starts it again.")
    if facts.unheard:
        advice = "Check that the server reaches its public_url; runs are asked for meanwhile."
        return Finding("webhooks", "warn", "the receiver runs, and a run ended of which nothing came", advice)
    return Finding("webhooks", "ok", f"the receiver runs; {came or 'nothing came so far'}")


def _clock(facts: HealthFacts, limits: HealthLimits) -> Finding:
    if facts.simulated:
        return Finding("clock", "ok", "a sandbox has a time of its own")
    if facts.clock_offset is None:
        return Finding("clock", "ok", "the server has not told its time")
    apart = abs(facts.clock_offset)
    state: HealthState = "bad" if apart >= limits.clock_bad else "warn" if apart >= limits.clock_warn else "ok"
    if state == "ok":
        return Finding("clock", "ok", "as the server's")
    seen = f"{_time(apart)} {'behind' if facts.clock_offset > 0 else 'ahead of'} the server's"
    return Finding("clock", state, seen, "Set the clock of this machine, or tell whoever runs the server.")


def _drift(facts: HealthFacts) -> Finding:
    if not facts.unknown:
        return Finding("version drift", "ok", "nothing of the server is unknown")
    shown = ", ".join(tidy(each, 120) for each in facts.unknown[:_MOST_TOLD])
    more = f" and {len(facts.unknown) - _MOST_TOLD} more" if len(facts.unknown) > _MOST_TOLD else ""
    advice = "Nothing breaks by it; look for a newer comfynb. ws.explore() says more."
    return Finding("version drift", "warn", f"not known here: {shown}{more}", advice)


def _journal(facts: HealthFacts) -> Finding:
    if facts.journal_trouble:
        advice = "Make room or give it another place with connect(journal=…): a crash could lose a run."
        return Finding("journal", "bad", f"cannot be used: {tidy(facts.journal_trouble, 200)}", advice)
    if facts.journal is None:
        return Finding("journal", "ok", "switched off")
    count = facts.open_submits
    waiting = f"{count} run{'' if count == 1 else 's'} not known to have ended" if count else "all its runs have ended"
    if facts.kept_submits:
        kept = f"{facts.kept_submits} kept for when the server is back"
        return Finding("journal", "ok", f"{tidy(facts.journal, 200)}; {waiting}; {kept}", "ws.resume() submits them.")
    return Finding("journal", "ok", f"{tidy(facts.journal, 200)}; {waiting}")


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
