"""How long a run is waited for."""

from __future__ import annotations

import math
from typing import Any

import pytest

from comfynb.errors import InputError
from comfynb.rules.waiting import DEFAULT_TIMEOUT, check_seconds


@pytest.mark.parametrize("seconds", [None, 1, 0.5, DEFAULT_TIMEOUT, math.inf])
def test_a_number_of_seconds_or_no_limit_can_be_waited(seconds: float | None) -> None:
    """Any number above 0 is a time to wait, and None is no limit."""
    check_seconds(timeout=seconds)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, "60"])
def test_what_is_no_time_is_named_with_its_parameter(seconds: Any) -> None:
    """A time that cannot be waited is refused, and the message says which parameter it was given for."""
    with pytest.raises(InputError, match=r"^stall=.* is no number of seconds to wait\.$"):
        check_seconds(timeout=60, stall=seconds)
