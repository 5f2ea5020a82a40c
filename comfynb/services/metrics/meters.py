"""The counters and histograms of prometheus-client, in a registry of their own for each connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Final

from comfynb.api.transport import Call
from comfynb.rules.quantiles import quantile
from comfynb.rules.text import tidy
from comfynb.services.metrics.ended import EndedRun
from comfynb.services.metrics.figures import RouteFigures, RunFigures

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

__all__ = ["OTHER", "Few", "Meters"]

OTHER: Final = "other"
"""What stands for all names beyond those that are told apart."""
NO_ANSWER: Final = "none"

_REQUEST_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
_RUN_SECONDS: Final = (
    *(0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0),
    *(45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 3600.0),
)
_MOST: Final = 200
_WIDEST: Final = 80
_PARTS: Final = ("queue", "cold_start", "running", "total")


class Few:
    """Keeps the values of labels few and short: each one is kept for as long as the process lives.

    Parameters
    ----------
    most : int
        How many are told apart; the others are all called "other".

    Examples
    --------
    >>> few = Few(1)
    >>> few("text2img", "gpu-1"), few("inpaint", "gpu-1"), few("text2img", "gpu-1")
    (('text2img', 'gpu-1'), ('other', 'other'), ('text2img', 'gpu-1'))
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: set[tuple[str, ...]] = set()

    def __call__(self, *names: str) -> tuple[str, ...]:
        """Return the names as labels."""
        short = tuple(tidy(name, _WIDEST) for name in names)
        if short not in self._known:
            if len(self._known) >= self._most:
                return (OTHER,) * len(names)
            self._known.add(short)
        return short


class Meters:
    """All counters and histograms of one connection.

    Parameters
    ----------
    webhooks : callable
        Returns how many webhooks came, by what became of them.
    cache : callable
        Returns how many looks into the cache there were, by what they brought.
    """

    def __init__(self, webhooks: Callable[[], Mapping[str, int]], cache: Callable[[], Mapping[str, int]]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        registry = self.registry = CollectorRegistry(auto_describe=False)
        of_run = ("workflow", "machine")

        def counter(name: str, help: str, *labels: str) -> Counter:
            return Counter(f"comfynb_{name}", help, labels, registry=registry)

        def of_runs(name: str, help: str) -> Histogram:
            return Histogram(f"comfynb_run_{name}_seconds", help, of_run, registry=registry, buckets=_RUN_SECONDS)

        self._requests = counter("requests", "Calls, each with all its tries, by their last status.", "route", "status")
        self._seconds = Histogram(
            "comfynb_request_seconds",
            "Seconds of a call, without the waits between its tries.",
            ("route",),
            registry=registry,
            buckets=_REQUEST_SECONDS,
        )
        self._retries = counter("retries", "Tries after the first one.", "route")
        self._waited = counter("waited_seconds", "Seconds between tries, and for a limit of the rate.", "route")
        self._received = counter("received_bytes", "Bytes of answers.", "route")
        self._runs = counter("runs", "Runs that were seen to end.", *of_run, "status")
        self._parts = {
            "queue": of_runs("queue", "Seconds that a run waited for a machine."),
            "cold_start": of_runs("cold_start", "Seconds that the machine of a run took to start."),
            "running": of_runs("running", "Seconds that a run executed."),
            "total": of_runs("total", "Seconds from the creation of a run to its end."),
        }
        self._webhooks, self._cache = webhooks, cache
        registry.register(_CountedElsewhere("webhooks", "Webhooks, by what became of them.", "outcome", webhooks))
        registry.register(_CountedElsewhere("cache_results", "Looks into the cache.", "result", cache))
        self._routes, self._statuses, self._places = Few(), Few(), Few()

    # -- what goes in -------------------------------------------------------------------------------------------

    def call(self, call: Call) -> None:
        """Count a call."""
        (route,) = self._routes(call.route)
        (status,) = self._statuses(NO_ANSWER if call.status is None else str(call.status))
        self._requests.labels(route, status).inc()
        self._seconds.labels(route).observe(max(0.0, call.seconds - call.waited))
        for meter, amount in ((self._retries, call.retries), (self._waited, call.waited), (self._received, call.size)):
            if amount > 0:
                meter.labels(route).inc(amount)

    def run(self, run: EndedRun) -> None:
        """Count a run that has ended."""
        place = self._places(run.workflow, run.machine)
        (status,) = self._statuses(run.status)
        self._runs.labels(*place, status).inc()
        for part in _PARTS:
            seconds: float | None = getattr(run, part)
            if seconds is not None:
                self._parts[part].labels(*place).observe(seconds)

    # -- what comes out -----------------------------------------------------------------------------------------

    def routes(self) -> list[RouteFigures]:
        """Return what was counted of each route, those with most calls first."""
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        for labels, value in _samples(self._requests, "_total"):
            counts[labels["route"]][labels["status"]] = int(value)
        retries, waited, received = (
            {labels["route"]: value for labels, value in _samples(meter, "_total")}
            for meter in (self._retries, self._waited, self._received)
        )
        buckets = _buckets(self._seconds, "route")
        found = []
        for route, statuses in counts.items():
            calls, unanswered = sum(statuses.values()), statuses.get(NO_ANSWER, 0)
            refused = sum(number for status, number in statuses.items() if status.isdigit() and int(status) >= 400)
            found.append(
                RouteFigures(
                    route=route,
                    calls=calls,
                    errors=refused + unanswered,
                    unanswered=unanswered,
                    retries=int(retries.get(route, 0)),
                    waited=waited.get(route, 0.0),
                    median=quantile(0.5, buckets[route,]),
                    p95=quantile(0.95, buckets[route,]),
                    received=int(received.get(route, 0)),
                    statuses=tuple(sorted(statuses.items())),
                )
            )
        return sorted(found, key=lambda each: (-each.calls, each.route))

    def runs(self) -> list[RunFigures]:
        """Return what was counted of each workflow on each machine, by their names."""
        counts: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
        for labels, value in _samples(self._runs, "_total"):
            counts[labels["workflow"], labels["machine"]][labels["status"]] = int(value)
        buckets = {part: _buckets(meter, "workflow", "machine") for part, meter in self._parts.items()}
        return [
            RunFigures(
                workflow=place[0],
                machine=place[1],
                runs=sum(statuses.values()),
                statuses=tuple(sorted(statuses.items())),
                queue=quantile(0.5, buckets["queue"][place]),
                cold_start=quantile(0.5, buckets["cold_start"][place]),
                running=quantile(0.5, buckets["running"][place]),
                total=quantile(0.5, buckets["total"][place]),
                total_p95=quantile(0.95, buckets["total"][place]),
            )
            for place, statuses in sorted(counts.items())
        ]

    def counts(self) -> list[tuple[str, str, int]]:
        """Return kind, what, and how many, of all that is neither a call nor a run."""
        kinds = (("cache", self._cache()), ("webhook", self._webhooks()))
        return [(kind, *each) for kind, counts in kinds for each in sorted(counts.items())]


class _CountedElsewhere:
    """Lets the registry ask whoever counts by itself: the cache, and the receiver of webhooks."""

    def __init__(self, name: str, help: str, label: str, counts: Callable[[], Mapping[str, int]]) -> None:
        self._name, self._help, self._label, self._counts = name, help, label, counts
        self._few = Few()

    def collect(self) -> Iterable[Any]:
        """Return the counts at this moment."""
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(f"comfynb_{self._name}", self._help, labels=(self._label,))
        totals: dict[tuple[str, ...], int] = defaultdict(int)
        for what, number in sorted(self._counts().items()):
            totals[self._few(what)] += number
        for labels, number in totals.items():
            family.add_metric(labels, number)
        yield family


def _samples(meter: Counter | Histogram, ending: str) -> Iterable[tuple[dict[str, str], float]]:
    for family in meter.collect():
        for sample in family.samples:
            if sample.name == family.name + ending:
                yield sample.labels, sample.value


def _buckets(meter: Histogram, *labels: str) -> dict[tuple[str, ...], list[tuple[float, float]]]:
    found: dict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
    for told, value in _samples(meter, "_bucket"):
        bound = told["le"]
        found[tuple(told[label] for label in labels)].append((inf if bound == "+Inf" else float(bound), value))
    return found
