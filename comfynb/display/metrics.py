"""How metrics look: a card of routes and runs, and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from comfynb.display.card import Card, Table
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.words import count
from comfynb.errors import ConfigurationError
from comfynb.rules.text import tidy
from comfynb.services.metrics.figures import RouteFigures, RunFigures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Bar", "metrics_html", "metrics_text", "plot_bars", "route_bars", "run_bars"]

_MOST: Final = 20
_GOOD, _BAD = "#3a9a40", "#e04848"


def metrics_text(routes: Sequence[RouteFigures], runs: Sequence[RunFigures]) -> str:
    """Return metrics as plain text.

    Examples
    --------
    >>> print(metrics_text([], []).splitlines()[0])
    no calls – metrics
    """
    return card_text(_card(routes, runs))


def metrics_html(routes: Sequence[RouteFigures], runs: Sequence[RunFigures]) -> str:
    """Return metrics as HTML."""
    return card_html(_card(routes, runs))


def _card(routes: Sequence[RouteFigures], runs: Sequence[RunFigures]) -> Card:
    of_routes = tuple(
        (row.route, str(row.calls), str(row.errors), str(row.retries), _seconds(row.median), _seconds(row.p95))
        for row in routes[:_MOST]
    )
    of_runs = tuple(
        (row.workflow, row.machine, str(row.runs), f"{_good(row) / row.runs:.0%}", _seconds(row.total))
        for row in runs[:_MOST]
    )
    return Card(
        status=count(sum(row.calls for row in routes), "call"),
        title="metrics",
        sections=(
            Table("routes", ("route", "calls", "errors", "retries", "median", "p95"), of_routes),
            Table("runs", ("workflow", "machine", "runs", "success", "median"), of_runs),
        ),
        following=("ws.metrics()", 'ws.metrics(by="runs")', "ws.metrics.plot()"),
    )


class Bar(NamedTuple):
    """One bar of a plot.

    Parameters
    ----------
    label : str
        What it is.
    good, bad : int
        How many ended well, and how many did not.
    median, p95 : float or None
        Seconds.
    """

    label: str
    good: int
    bad: int
    median: float | None
    p95: float | None


def route_bars(routes: Sequence[RouteFigures]) -> list[Bar]:
    """Return a bar for each route."""
    return [Bar(row.route, row.calls - row.errors, row.errors, row.median, row.p95) for row in routes]


def run_bars(runs: Sequence[RunFigures]) -> list[Bar]:
    """Return a bar for each workflow and machine."""
    return [
        Bar(f"{row.workflow} on {row.machine}", _good(row), row.runs - _good(row), row.total, row.total_p95)
        for row in runs
    ]


def plot_bars(bars: Sequence[Bar], what: str) -> Figure:
    """Return a plot: how many there were on the left, and how long they took on the right.

    Parameters
    ----------
    bars : sequence of Bar
        What is plotted; of many, those with the largest numbers.
    what : str
        What is counted: "calls" or "runs".

    Raises
    ------
    ConfigurationError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ConfigurationError("A plot needs matplotlib; pip install matplotlib brings it.") from None
    shown = sorted(bars, key=lambda bar: bar.good + bar.bad)[-_MOST:]
    figure, (left, right) = plt.subplots(
        1, 2, sharey=True, figsize=(9.5, 1.2 + 0.32 * max(2, len(shown))), layout="constrained"
    )
    places = range(len(shown))
    left.barh(places, [bar.good for bar in shown], color=_GOOD, label="ended well")
    left.barh(places, [bar.bad for bar in shown], left=[bar.good for bar in shown], color=_BAD, label="did not")
    left.set_yticks(list(places), [_label(bar.label) for bar in shown])
    left.set_xlabel(f"number of {what}")
    left.xaxis.get_major_locator().set_params(integer=True)
    for name, marker, filled in (("median", "o", True), ("p95", "|", False)):
        known = [(getattr(bar, name), place) for place, bar in enumerate(shown) if getattr(bar, name) is not None]
        if known:
            seconds, at = zip(*known, strict=True)
            right.plot(seconds, at, marker, color="#3b8ede" if filled else "#d07000", label=name, markersize=8)
    right.set_xlabel("seconds")
    right.set_xlim(left=0)
    right.grid(axis="x", alpha=0.3)
    for axes in (left, right):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize="small", frameon=False)
    plt.close(figure)  # it is shown where it is returned to, and not once more at the end of the cell
    return figure


def _label(text: str) -> str:
    """Return a label that is no formula, and in letters that the font of every plot has."""
    return tidy(text, 48).encode("latin-1", "replace").decode("latin-1").replace("$", r"\$")


def _good(row: RunFigures) -> int:
    return dict(row.statuses).get("success", 0)


def _seconds(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
