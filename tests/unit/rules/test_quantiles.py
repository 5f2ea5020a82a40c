"""Quantiles of histograms: near the true ones, and in order."""

from __future__ import annotations

from bisect import bisect_left
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.rules.quantiles import quantile

BOUNDS = (0.1, 0.5, 1.0, 5.0, inf)


def counted(values: list[float]) -> list[tuple[float, float]]:
    """Return the cumulative buckets of some values."""
    return [(bound, sum(value <= bound for value in values)) for bound in BOUNDS]


@given(st.lists(st.floats(0.001, 5.0), min_size=1), st.floats(0.01, 1.0))
def test_it_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    """The value that this share does not exceed, and the estimate of it, are in one bucket."""
    true = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
    place = bisect_left(BOUNDS, true)
    found = quantile(share, counted(values))
    assert found is not None
    assert (0.0, *BOUNDS)[place] - 1e-9 <= found <= BOUNDS[place] + 1e-9


@given(st.lists(st.floats(0.0, 100.0)), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_is_never_a_smaller_value(values: list[float], one: float, other: float) -> None:
    """And nothing is known of nothing."""
    low, high = (quantile(share, counted(values)) for share in sorted((one, other)))
    assert (low is None) == (high is None) == (not values)
    assert low is None or high is None or low <= high


@pytest.mark.parametrize("buckets", [[], [(inf, 0)], [(1.0, 0), (inf, 0)]])
def test_nothing_counted_has_no_quantile(buckets: list[tuple[float, float]]) -> None:
    """Nor has no bucket at all."""
    assert quantile(0.5, buckets) is None


def test_values_are_taken_as_evenly_spread_within_a_bucket() -> None:
    """As Prometheus does."""
    assert quantile(0.75, [(1.0, 2), (2.0, 4), (inf, 4)]) == 1.5
    assert quantile(0.25, [(1.0, 2), (2.0, 4), (inf, 4)]) == 0.5


def test_what_is_above_the_last_bound_counts_as_that() -> None:
    """Since nothing more is known of it."""
    assert quantile(0.9, counted([400.0, 500.0])) == 5.0
