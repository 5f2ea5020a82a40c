"""Watching the health of a connection: look, tell what changed, wait, look again."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from comfynb.display.health import Incident, WatchFacts, watch_html, watch_text
from comfynb.errors import ConfigurationError, InputError
from comfynb.face import Twin, calls
from comfynb.notices import collecting
from comfynb.rules.alerting import Alert, Alerting
from comfynb.rules.health import Finding
from comfynb.services.health_limits import LimitsInUse

if TYPE_CHECKING:
    from comfynb.core.core import Core
    from comfynb.frames.health import HealthTable
    from comfynb.widgets.health_view import HealthView

__all__ = ["AlertCallback", "HealthWatch", "Incident"]

log = logging.getLogger("comfynb")

AlertCallback: TypeAlias = Callable[[Alert], object]
"""Whoever wants to be told of alerts."""

PATIENCE: Final = 30.0
"""Seconds that a callback may take before the watch goes on without it."""
_MOST_INCIDENTS: Final = 200


def _itself(watch: HealthWatch) -> HealthWatch:
    return watch


class HealthWatch:
    """A watch over the health of a connection, made by `Workspace.watch_health`.

    Displaying it shows what the last look found; `view()` does so as it goes on.

    Parameters
    ----------
    core : Core
        The connection.
    limits : LimitsInUse
        What is not well, and when that is an alert.
    every : float
        Seconds between two looks.
    on_alert : callable or None
        Told of each alert.
    """

    def __init__(self, core: Core, limits: LimitsInUse, every: float, on_alert: AlertCallback | None) -> None:
        if not 0 < every < 1e9:
            raise InputError(f"every={every!r} is no number of seconds above 0.")
        self._core = core
        self._face = core.face
        self._source = limits
        self._limits = limits.get()
        self._every = every
        self._on_alert = on_alert
        self._alerting = Alerting()
        self._findings: tuple[Finding, ...] = ()
        self._looked: datetime | None = None
        self._incidents: dict[int, Incident] = {}
        self._trouble = ""
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self.listeners: list[Callable[[], None]] = []

    # -- what is known ------------------------------------------------------------------------------------------

    @property
    def last(self) -> HealthTable:
        """What the last look found, as `Workspace.health` returns it."""
        from comfynb.frames.health import health_frame

        return health_frame(self._findings, source=self._address, as_of=self._looked)

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """What was not well, the oldest first; the last 200 are kept. One that goes on has no `until`."""
        return tuple(self._incidents.values())

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return not self._stopped

    def facts(self) -> WatchFacts:
        """Return what is known, for a display."""
        return WatchFacts(
            findings=self._findings,
            source=self._address,
            running=self.running,
            every=self._every,
            looked=self._looked,
            incidents=self.incidents,
            trouble=self._trouble,
        )

    @property
    def aio(self) -> Twin:
        """The methods that ask the server as coroutine functions, for any event loop."""
        return Twin(self, "watch")

    # -- what it does -------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Look once, then go on in the background. Called where the connections live."""
        self._loop = asyncio.get_running_loop()
        await self._look()
        if not self._stopped:
            self._core.health.watches.append(self)
            self._task = asyncio.ensure_future(self._go())

    async def _look(self) -> HealthTable:
        """Look now, without waiting for the next turn, and tell what is to be told.

        Returns
        -------
        HealthTable
            What was found.
        """
        async with self._one_at_a_time:
            try:
                self._limits, self._trouble = self._source.get(), ""
            except ConfigurationError as error:
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    log.warning("the limits of the watch over health cannot be used, and stay as they were: %s", error)
            with collecting([]):
                findings, complete = await self._core.health.findings(self._limits)
            self._findings, self._looked = findings, datetime.now(UTC)
            alerts = self._alerting.look(findings, self._limits, complete=complete)
            for alert in alerts:
                self._note(alert)
            for alert in alerts:
                await self._tell(alert)
            self._show()
        return self.last

    look = calls(_itself, _look)

    def _show(self) -> None:
        for listener in list(self.listeners):
            try:
                listener()
            except Exception:  # a display that fails must not end the watch
                log.exception("a view of the watch over health failed")

    def _note(self, alert: Alert) -> None:
        now = self._looked or datetime.now(UTC)
        if not alert.over:
            self._incidents[alert.incident] = Incident(alert.check, alert.state, alert.seen, alert.advice, now)
        elif alert.incident in self._incidents:
            self._incidents[alert.incident] = replace(self._incidents[alert.incident], until=now)
        while len(self._incidents) > _MOST_INCIDENTS:
            del self._incidents[next(iter(self._incidents))]

    async def _tell(self, alert: Alert) -> None:
        log.log(logging.INFO if alert.over else logging.WARNING, "%s", alert)
        callback = self._on_alert
        if callback is None:
            return
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def call() -> None:
            try:
                callback(alert)
            except Exception:
                log.exception("the callback of the watch over health failed on %s", alert.check)
            finally:
                with suppress(RuntimeError):  # the loop may be gone by now
                    loop.call_soon_threadsafe(done.set)

        # A thread of its own, so that it may use the workspace, and one that never returns keeps no process alive.
        threading.Thread(target=call, name="comfynb-alert", daemon=True).start()
        try:
            async with asyncio.timeout(PATIENCE):
                await done.wait()
        except TimeoutError:
            log.warning("the callback of the watch over health has not returned after %g s", PATIENCE)

    async def _go(self) -> None:
        while not self._stopped:
            await asyncio.sleep(self._every)
            try:
                await self._look()
            except Exception:  # a fault of ours; the next look may do better
                log.exception("a look at the health of %s failed", self._address)

    def stop(self) -> None:
        """Look no more. May be called from any thread, also by the callback; to stop twice does nothing."""
        self._stopped = True
        with suppress(ValueError):
            self._core.health.watches.remove(self)
        task, loop = self._task, self._loop
        if task is not None and loop is not None:
            with suppress(RuntimeError):  # the loop has ended, and the task with it
                loop.call_soon_threadsafe(task.cancel)
        self._show()

    def __enter__(self) -> HealthWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- showing itself -----------------------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        return str(self._core.catalogue.client.transport.address)

    def view(self) -> HealthView:
        """Return a small panel that shows what each look finds, by itself, until the watch stops or it is closed."""
        from comfynb.widgets.health_view import HealthView

        return HealthView(self)

    def __repr__(self) -> str:
        return watch_text(self.facts())

    def _repr_html_(self) -> str:
        return watch_html(self.facts())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from comfynb.runs.progress import in_kernel

        if self.running and in_kernel():
            return self.view()._repr_mimebundle_()
        return {"text/plain": repr(self), "text/html": self._repr_html_()}
