"""Quantiles of what a histogram has counted."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

__all__ = ["quantile"]


def quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float | None:
    """Return about which value a share of all values does not exceed; None if nothing was counted.

    Within a bucket the values are taken as evenly spread, as Prometheus does in `histogram_quantile`; what lies above
    the last bound counts as that bound.

    Parameters
    ----------
    share : float
        0 to 1; 0.5 is the median.
    buckets : sequence of (bound, count)
        Upper bounds, growing, the last one infinite; and how many values are at most that.

    Examples
    --------
    >>> quantile(0.5, [(1.0, 2), (2.0, 4), (float("inf"), 4)])
    1.0
    >>> quantile(0.95, [(1.0, 0), (2.0, 10), (float("inf"), 10)])
    1.95
    """
    total = buckets[-1][1] if buckets else 0
    if total <= 0:
        return None
    wanted = share * total
    lower, below = 0.0, 0.0
    for upper, count in buckets:
        if count >= wanted and count > below:
            if upper == inf:
                return lower
            return lower + (upper - lower) * max(0.0, wanted - below) / (count - below)
        lower, below = upper, count
    return lower
