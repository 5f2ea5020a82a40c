"""How a connection is: looked at once, or watched."""

from __future__ import annotations

import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfynb.core.core import Core
    from comfynb.core.health_watch import AlertCallback, HealthWatch
    from comfynb.frames.health import HealthTable
    from comfynb.rules.health import Finding, HealthLimits
    from comfynb.services.health_limits import LimitsGiven

__all__ = ["HealthChecks"]


class HealthChecks:
    """Looks at how a connection is.

    Parameters
    ----------
    core : Core
        The connection.
    simulated : bool
        Whether its server is a sandbox, which has a time of its own.

    Attributes
    ----------
    watches : list of HealthWatch
        Those that go on.
    """

    def __init__(self, core: Core, *, simulated: bool = False) -> None:
        self._of = weakref.ref(core)
        self._simulated = simulated
        self.watches: list[HealthWatch] = []

    @property
    def _core(self) -> Core:
        core = self._of()
        assert core is not None  # noqa: S101 - whoever calls holds it
        return core

    async def health(self, *, config: LimitsGiven = None) -> HealthTable:
        """Look at how the connection is: server, key, latency, machines, runs, cache, webhooks, clocks, journal.

        A server that is down is a row that says so, and no error. It costs two requests, and up to three more where
        runs of yours are not known to have ended.

        Parameters
        ----------
        config : str, pathlib.Path, mapping or False, optional
            From where on something is not well: a TOML file, or what one would say; False for the defaults. None looks
            for ``comfynb-health.toml``, of which ``comfynb health --init`` writes a first one.

        Returns
        -------
        HealthTable
            A DataFrame with one row a check: what was looked at, "ok", "warn" or "bad", what was seen, and what to do;
            ``comfynb.TABLES["health"].describe()`` tells the columns. It displays itself as a card.

        Raises
        ------
        ConfigurationError
            If the file cannot be used.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> ws.health().set_index("check").loc["key", "state"]
        'ok'
        """
        from comfynb.frames.health import health_frame
        from comfynb.services.health_limits import LimitsInUse

        findings, _ = await self.findings(LimitsInUse(config).get())
        source = str(self._core.catalogue.client.transport.address)
        return health_frame(findings, source=source, as_of=datetime.now(UTC))

    async def findings(self, limits: HealthLimits) -> tuple[tuple[Finding, ...], bool]:
        """Return what each check finds, and whether the server answered, so that all could be looked at."""
        from comfynb.rules.health import judge
        from comfynb.services.health import examine

        core = self._core
        facts = await examine(core.comfyui, core.metrics, limits, receiver=core.receiver, simulated=self._simulated)
        return judge(facts, limits), facts.reachable

    async def watch_health(
        self, *, every: float = 30.0, config: LimitsGiven = None, on_alert: AlertCallback | None = None
    ) -> HealthWatch:
        """Look at the health again and again, in the background, and tell what changes for the worse or the better.

        The first look is taken before this returns. An alert goes to the logger ``comfynb`` and to `on_alert`, once
        for each incident, and once when it is over; ``[alerts]`` of the file says after how many looks.

        Parameters
        ----------
        every : float
            Seconds between two looks.
        config : str, pathlib.Path, mapping or False, optional
            As `health` takes it; the file is read again when it changes.
        on_alert : callable, optional
            Called with each `comfynb.rules.alerting.Alert`, on a thread of its own; what it raises is logged.

        Returns
        -------
        HealthWatch
            It goes on until `stop`, the end of a ``with``, or the end of the workspace.

        Raises
        ------
        ConfigurationError
            If the file cannot be used.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> with ws.watch_health(every=60) as watch:
        ...     watch.last.set_index("check").loc["server", "state"]
        'ok'
        """
        from comfynb.core.health_watch import HealthWatch
        from comfynb.services.health_limits import LimitsInUse

        watch = HealthWatch(self._core, LimitsInUse(config), every, on_alert)
        await watch.begin()
        return watch

    def close(self) -> None:
        """Watch nothing any more."""
        for watch in list(self.watches):
            watch.stop()
