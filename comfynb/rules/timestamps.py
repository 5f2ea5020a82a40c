"""Times of the API, in all their shapes, as UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

__all__ = ["parse_time"]

_MILLISECONDS_FROM: Final = 1e11
"""As seconds this would be the year 5138; the machines give milliseconds."""


def parse_time(value: object) -> datetime | None:
    """Return a time of the API as a time-zone aware UTC datetime, or None for what is none.

    The API writes times in several shapes: with a blank or a `T`, with and without zone, with `Z`, and with the
    invalid `+00Z`. A time without zone is UTC. Numbers are seconds since 1970, or milliseconds if they are large.

    Parameters
    ----------
    value : object
        Text, number, datetime, or anything else.

    Returns
    -------
    datetime or None
        Aware, in UTC. None for None, an empty text, and what is no time.

    Examples
    --------
    >>> parse_time("2026-11-23 12:55:01.195138")
    datetime.datetime(2026, 11, 23, 12, 55, 1, 195138, tzinfo=datetime.timezone.utc)
    >>> parse_time("2026-11-23T12:55:01.356604+00Z").isoformat()
    '2026-11-23T12:55:01.356604+00:00'
    >>> parse_time("yesterday") is None
    True
    """
    try:
        if isinstance(value, str):
            return _as_utc(_from_text(value))
        if isinstance(value, datetime):
            # pandas' NaT is a datetime that does not equal itself.
            return _as_utc(value) if value == value else None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS_FROM else value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _from_text(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        # "+00Z" says twice that it is UTC.
        return datetime.fromisoformat(text.strip().removesuffix("Z"))


def _as_utc(time: datetime) -> datetime:
    if time.tzinfo is UTC:
        return time
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
