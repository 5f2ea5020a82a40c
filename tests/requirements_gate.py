"""What some tests need and not every machine has: without it they skip, or fail where it is required."""

from __future__ import annotations

import os

import pytest


def require(name: str, found: bool, reason: str) -> None:
    """Skip the test if something is not there; fail it if `COMFYNB_REQUIRE` names that thing.

    Parameters
    ----------
    name : str
        What `COMFYNB_REQUIRE` calls it, such as ``browser`` or ``kernel6``; names there are separated by commas.
    found : bool
        Whether it is there.
    reason : str
        What is missing, and how to get it.
    """
    if found:
        return
    if name in os.environ.get("COMFYNB_REQUIRE", "").replace(" ", "").split(","):
        pytest.fail(f"{reason} (COMFYNB_REQUIRE asks for {name!r})", pytrace=False)
    pytest.skip(reason)
