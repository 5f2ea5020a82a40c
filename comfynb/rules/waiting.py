"""How long a run is waited for."""

from __future__ import annotations

from typing import Final

from comfynb.errors import InputError

__all__ = ["DEFAULT_TIMEOUT", "check_seconds"]

DEFAULT_TIMEOUT: Final = 1800.0
"""Seconds that `wait` waits, unless told otherwise."""


def check_seconds(**seconds: float | None) -> None:
    """Check times to wait, given by the names of their parameters.

    Raises
    ------
    InputError
        If one is no number of seconds; None is no limit.

    Examples
    --------
    >>> check_seconds(timeout=60, stall=None)
    """
    for name, value in seconds.items():
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise InputError(f"{name}={value!r} is no number of seconds to wait.")
