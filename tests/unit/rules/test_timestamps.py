"""Times in all their shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.rules.timestamps import parse_time

WHEN = datetime(2026, 3, 9, 12, 55, 1, 195000, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-09 12:55:01.195000",
        "2026-03-09T12:55:01.195000",
        "2026-03-09T12:55:01.195000Z",
        "2026-03-09T12:55:01.195Z",
        "2026-03-09T12:55:01.195000+00Z",
        "2026-03-09T12:55:01.195+00:00",
        "2026-03-09T14:55:01.195+02:00",
        "  2026-03-09T12:55:01.195Z ",
    ],
)
def test_every_shape_of_the_api_is_the_same_time(text: str) -> None:
    """With or without zone, with T or blank, valid or not: one time, in UTC."""
    parsed = parse_time(text)
    assert parsed == WHEN
    assert parsed is not None
    assert parsed.utcoffset() == timedelta(0)


def test_other_kinds_of_times() -> None:
    """Seconds, milliseconds and datetimes are understood; a naive datetime is UTC."""
    assert parse_time(WHEN.timestamp()) == WHEN
    assert parse_time(round(WHEN.timestamp() * 1000)) == WHEN
    assert parse_time(WHEN.replace(tzinfo=None)) == WHEN
    assert parse_time(WHEN.astimezone(timezone(timedelta(hours=9)))) == WHEN
    assert parse_time(pd.Timestamp(WHEN)) == WHEN


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " ", "Z", "yesterday", "2026-13-40T00:00:00Z", "2026-03-09T12:55:01.195+00ZZ", b"2026"),
        *(True, float("nan"), 1e300, [], {}, pd.NaT, "0001-01-01T00:00:00+23:00"),
    ],
)
def test_what_is_no_time_is_none(value: object) -> None:
    """None, not an error and not a guess."""
    assert parse_time(value) is None


@given(st.datetimes(), st.sampled_from(["isoformat", "blank", "z", "broken"]))
def test_every_time_comes_back(time: datetime, shape: str) -> None:
    """Whatever shape a time was written in, it is read as the same moment."""
    text = {
        "isoformat": time.isoformat(),
        "blank": str(time),
        "z": time.isoformat() + "Z",
        "broken": time.replace(tzinfo=UTC).isoformat()[:-3] + "Z",
    }[shape]
    assert parse_time(text) == time.replace(tzinfo=UTC)


@given(st.text() | st.integers() | st.floats() | st.none())
def test_nothing_raises(value: object) -> None:
    """Whatever comes, the answer is an aware time or None."""
    parsed = parse_time(value)
    assert parsed is None or parsed.tzinfo is not None
