"""`ws.metrics`: what this connection has counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from comfynb.core import Core
from comfynb.errors import InputError
from comfynb.services.metrics import Metrics

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class WorkspaceMetrics:
    """What a connection has counted since `connect`, as tables, as a plot, and as Prometheus reads it.

    Nothing is asked of the server. Displaying this shows the table of routes.

    Parameters
    ----------
    core : Core
        The workspace.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> run = ws.run("text2img", prompt="a red fox", seed=7)
    >>> ws.metrics(by="runs")[["name", "machine", "runs", "success_rate"]].values.tolist()
    [['text2img', 'studio-classic-a', 1, 1.0]]
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def _metrics(self) -> Metrics:
        return self._core.metrics

    def __call__(self, by: Literal["routes", "runs", "counts"] = "routes") -> pd.DataFrame:
        """Return what was counted.

        Parameters
        ----------
        by : {"routes", "runs", "counts"}
            One row per route with calls, errors, retries and seconds; per workflow and machine with runs, their success
            and seconds; or per result of a look into the cache and per outcome of a webhook.

        Returns
        -------
        pandas.DataFrame
            ``comfynb.TABLES["metrics"].describe()`` tells the columns, `TABLES["metrics_runs"]` and
            `TABLES["metrics_counts"]` those of the others. Medians are those of histograms: near, not exact.
        """
        from comfynb import frames

        source, now = str(self._core.catalogue.client.transport.address), datetime.now(UTC)
        if by == "routes":
            return frames.metrics_frame(self._metrics.routes(), source=source, as_of=now)
        if by == "runs":
            return frames.metrics_runs_frame(self._metrics.runs(), source=source, as_of=now)
        if by == "counts":
            return frames.metrics_counts_frame(self._metrics.counts(), source=source, as_of=now)
        raise InputError(f'by={by!r} is unknown; it is "routes", "runs" or "counts".')

    def plot(self, by: Literal["routes", "runs"] = "routes") -> Figure:
        """Return a plot of how many there were, good and bad, and how long they took.

        Parameters
        ----------
        by : {"routes", "runs"}
            One bar per route, or per workflow and machine.

        Returns
        -------
        matplotlib.figure.Figure
            Two panels side by side.

        Raises
        ------
        ConfigurationError
            If matplotlib is not installed.
        """
        from comfynb.display.metrics import plot_bars, route_bars, run_bars

        if by == "routes":
            return plot_bars(route_bars(self._metrics.routes()), "calls")
        if by == "runs":
            return plot_bars(run_bars(self._metrics.runs()), "runs")
        raise InputError(f'by={by!r} cannot be plotted; it is "routes" or "runs".')

    def text(self) -> str:
        """Return all of it in the text format of Prometheus, as it stands at ``/metrics``."""
        return self._metrics.text()

    def __repr__(self) -> str:
        from comfynb.display.metrics import metrics_text

        return metrics_text(self._metrics.routes(), self._metrics.runs())

    def _repr_html_(self) -> str:
        from comfynb.display.metrics import metrics_html

        return metrics_html(self._metrics.routes(), self._metrics.runs())
