"""What all comparisons with the recordings share."""

from __future__ import annotations

import pytest
from recordings_tally import TALLY


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> dict[str, tuple[str, list[str]]]:
    """Collect what is found, to print it after the tests."""
    return pytestconfig.stash[TALLY]
