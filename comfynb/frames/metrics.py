"""The tables of what was counted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.services.metrics.figures import RouteFigures, RunFigures

__all__ = ["metrics_counts_frame", "metrics_frame", "metrics_runs_frame"]


def metrics_frame(figures: Iterable[RouteFigures], *, source: str = "", as_of: datetime | None = None) -> pd.DataFrame:
    """Return one row per route, in the given order.

    Parameters
    ----------
    figures : iterable of RouteFigures
        The rows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["metrics"]` declares them.

    Examples
    --------
    >>> len(metrics_frame([]))
    0
    """
    rows = list(figures)
    return frame(
        TABLES["metrics"],
        {
            "route": [row.route for row in rows],
            "calls": [row.calls for row in rows],
            "errors": [row.errors for row in rows],
            "unanswered": [row.unanswered for row in rows],
            "retries": [row.retries for row in rows],
            "waited_seconds": [row.waited for row in rows],
            "median_seconds": [row.median for row in rows],
            "p95_seconds": [row.p95 for row in rows],
            "received_bytes": [row.received for row in rows],
            "statuses": [row.statuses for row in rows],
        },
        source=source,
        as_of=as_of,
    )


def metrics_runs_frame(
    figures: Iterable[RunFigures], *, source: str = "", as_of: datetime | None = None
) -> pd.DataFrame:
    """Return one row per workflow and machine, in the given order.

    Parameters
    ----------
    figures : iterable of RunFigures
        The rows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["metrics_runs"]` declares them.

    Examples
    --------
    >>> len(metrics_runs_frame([]))
    0
    """
    rows = list(figures)
    succeeded = [dict(row.statuses).get("success", 0) for row in rows]
    return frame(
        TABLES["metrics_runs"],
        {
            "name": [row.workflow for row in rows],
            "machine": [row.machine for row in rows],
            "runs": [row.runs for row in rows],
            "succeeded": succeeded,
            "success_rate": [good / row.runs for good, row in zip(succeeded, rows, strict=True)],
            "queue_seconds": [row.queue for row in rows],
            "cold_start_seconds": [row.cold_start for row in rows],
            "run_seconds": [row.running for row in rows],
            "median_seconds": [row.total for row in rows],
            "p95_seconds": [row.total_p95 for row in rows],
            "statuses": [row.statuses for row in rows],
        },
        source=source,
        as_of=as_of,
    )


def metrics_counts_frame(
    counts: Iterable[tuple[str, str, int]], *, source: str = "", as_of: datetime | None = None
) -> pd.DataFrame:
    """Return one row per count, in the given order.

    Parameters
    ----------
    counts : iterable of (kind, what, number)
        The rows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["metrics_counts"]` declares them.

    Examples
    --------
    >>> metrics_counts_frame([("cache", "hit", 3)])["number"].tolist()
    [3]
    """
    rows = list(counts)
    return frame(
        TABLES["metrics_counts"],
        {
            "kind": [kind for kind, _, _ in rows],
            "what": [what for _, what, _ in rows],
            "number": [number for _, _, number in rows],
        },
        source=source,
        as_of=as_of,
    )
