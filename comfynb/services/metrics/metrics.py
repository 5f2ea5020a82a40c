"""The metrics of one connection: cheap to add to, and worked out when somebody looks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from comfynb.api.transport import Call
from comfynb.services.metrics.ended import EndedRun
from comfynb.warnings import SchemaDriftWarning

if TYPE_CHECKING:
    from comfynb.services.metrics.figures import RouteFigures, RunFigures
    from comfynb.services.metrics.meters import Meters

__all__ = ["Metrics"]

_KEPT: Final = 1000
"""What happened is only written down until somebody looks, or until it is this much."""
_HISTORY: Final = 200
_RECENT: Final = 50
_REMEMBERED: Final = 10_000
_MOST_WORDS: Final = 100


class Metrics:
    """What a connection has counted.

    Adding something is an append: the counters and histograms, which are those of prometheus-client, are made and
    brought up to date when somebody looks.

    Parameters
    ----------
    webhooks : callable, optional
        Returns how many webhooks came, by what became of them.
    cache : callable, optional
        Returns how many looks into the cache there were, by what they brought.

    Examples
    --------
    >>> metrics = Metrics()
    >>> metrics.called(Call("GET /machines", 200, 0.25, 0, 512))
    >>> [(each.route, each.calls, each.errors) for each in metrics.routes()]
    [('GET /machines', 1, 0)]
    """

    def __init__(
        self, webhooks: Callable[[], Mapping[str, int]] = dict, cache: Callable[[], Mapping[str, int]] = dict
    ) -> None:
        self._events: deque[Call | EndedRun] = deque()
        self._counted_elsewhere = webhooks, cache
        self._lock = threading.Lock()
        self._made: Meters | None = None
        self._latencies: dict[str, deque[float]] = {}
        self._failed: deque[bool] = deque(maxlen=_RECENT)
        self._ended: dict[str, None] = {}
        self._words: dict[str, None] = {}

    # -- what goes in -------------------------------------------------------------------------------------------

    def called(self, call: Call) -> None:
        """Count a call; a hook of the transport."""
        self._add(call)

    def ended(self, run_id: str, run: EndedRun) -> None:
        """Count a run that was seen to end, once, however many handles of it there are."""
        with self._lock:
            if run_id in self._ended:
                return
            _keep(self._ended, run_id, _REMEMBERED)
        self._add(run)

    def unknown(self, what: str) -> None:
        """Keep in mind something of the server that comfynb does not know, such as a status."""
        if what not in self._words:
            with self._lock:
                _keep(self._words, what, _MOST_WORDS)

    def noticed(self, warning: Warning) -> None:
        """Keep in mind what a warning says of the server's answers."""
        if isinstance(warning, SchemaDriftWarning):
            self.unknown(str(warning).rstrip("."))

    def _add(self, event: Call | EndedRun) -> None:
        self._events.append(event)
        if len(self._events) >= _KEPT:
            self._meters()

    # -- what comes out -----------------------------------------------------------------------------------------

    def routes(self) -> list[RouteFigures]:
        """Return what was counted of each route, those with most calls first."""
        return self._meters().routes()

    def runs(self) -> list[RunFigures]:
        """Return what was counted of each workflow on each machine, by their names."""
        return self._meters().runs()

    def counts(self) -> list[tuple[str, str, int]]:
        """Return kind ("cache", "webhook"), what, and how many."""
        return self._meters().counts()

    def text(self) -> str:
        """Return all of it as Prometheus reads it, in its text format."""
        from prometheus_client import generate_latest

        return generate_latest(self._meters().registry).decode()

    def page(self) -> tuple[str, bytes]:
        """Return content type and body of an answer to Prometheus."""
        from prometheus_client import CONTENT_TYPE_LATEST

        return CONTENT_TYPE_LATEST, self.text().encode()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer Prometheus, as an ASGI application: ``starlette.routing.Mount("/metrics", metrics.app)``."""
        from prometheus_client import make_asgi_app

        await make_asgi_app(self._meters().registry)(scope, receive, send)

    def latencies(self) -> dict[str, tuple[float, ...]]:
        """Return the seconds of the last good reads of each route, the oldest first."""
        self._meters()
        with self._lock:
            return {route: tuple(seconds) for route, seconds in self._latencies.items()}

    def recent(self) -> tuple[int, int]:
        """Return how many of the last calls failed for a reason of the server or the network, and how many they are."""
        self._meters()
        with self._lock:
            return sum(self._failed), len(self._failed)

    def unknowns(self) -> tuple[str, ...]:
        """Return what of the server was seen that comfynb does not know."""
        with self._lock:
            return tuple(self._words)

    # -- how it is done -----------------------------------------------------------------------------------------

    def _meters(self) -> Meters:
        """Return the counters, brought up to date."""
        with self._lock:
            if self._made is None:
                from comfynb.services.metrics.meters import Meters

                self._made = Meters(*self._counted_elsewhere)
            for _ in range(len(self._events)):
                event = self._events.popleft()
                if isinstance(event, Call):
                    self._made.call(event)
                    self._note(event)
                else:
                    self._made.run(event)
            return self._made

    def _note(self, call: Call) -> None:
        failed = call.status is None or call.status == 429 or call.status >= 500
        self._failed.append(failed)
        if call.route.startswith("GET ") and call.status is not None and call.status < 400:
            seconds = self._latencies.setdefault(call.route, deque(maxlen=_HISTORY))
            seconds.append(max(0.0, call.seconds - call.waited))


def _keep(known: dict[str, None], what: str, most: int) -> None:
    known[what] = None
    if len(known) > most:
        del known[next(iter(known))]
