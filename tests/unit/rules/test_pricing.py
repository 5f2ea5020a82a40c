"""Prices of GPUs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.rules.pricing import estimate, price_per_second, price_table


@pytest.mark.parametrize(
    ("payload", "table"),
    [
        ({"T4": 0.5, "L4": "0.25", "CPU": 0}, {"T4": 0.5, "L4": 0.25, "CPU": 0.0}),
        ({"T4": {"price": 0.5}, "L4": {"price_per_second": 0.25, "memory": 24}}, {"T4": 0.5, "L4": 0.25}),
        ({"T4": {"pricePerHour": 3600}, "L4": {"usd_per_minute": 60}}, {"T4": 1.0, "L4": 1.0}),
        ([{"gpu": "T4", "price": 0.5}, {"name": "L4", "cost": 0.25}], {"T4": 0.5, "L4": 0.25}),
        ([{"name": "T4", "price": 3600, "unit": "USD/hour"}], {"T4": 1.0}),
        ({"data": [{"gpu_type": "T4", "per_second": 0.5}]}, {"T4": 0.5}),
        ({"pricing": {"H100": 0.5}}, {"H100": 0.5}),
    ],
)
def test_prices_are_read_from_several_shapes(payload: Any, table: dict[str, float]) -> None:
    """Mappings and lists, per second, minute and hour."""
    assert price_table(payload) == table


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "free",
        7,
        [],
        {},
        ["T4", 0.5],
        {"T4": None, "L4": True, "A100": -1, "H100": "much"},
        {"T4": {"memory": 16}, "L4": {"max_runs_per_second": 5}},
        [{"price": 0.5}],
        [{"name": "T4", "price": 0.5, "unit": "credit"}],
        {"detail": "Not found"},
    ],
)
def test_what_is_unclear_is_no_price(payload: Any) -> None:
    """A wrong price is worse than none."""
    assert price_table(payload) == {}


def test_a_price_is_found_whatever_the_case() -> None:
    """Machines and price table write the names of GPUs differently."""
    table = {"A100-80GB": 0.5}
    assert price_per_second(" a100-80gb ", table) == 0.5
    assert price_per_second("A100", table) is None
    assert price_per_second(None, table) is None


def test_an_estimate_needs_both() -> None:
    """Unknown seconds or an unknown price make an unknown cost, not 0."""
    assert estimate(10, 0.5) == 5.0
    assert estimate(0, 0.5) == 0.0
    assert estimate(None, 0.5) is None
    assert estimate(10, None) is None
    assert estimate(float("nan"), 0.5) is None
    assert estimate(-1, 0.5) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "gpu", "price", "unit", "T4"]), inner),
        max_leaves=10,
    )
)
def test_no_shape_is_an_error(payload: Any) -> None:
    """Whatever comes, prices are finite numbers of 0 or more."""
    assert all(0 <= price < float("inf") for price in price_table(payload).values())
