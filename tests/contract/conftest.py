"""Prints what the comparisons with the recordings have found."""

from __future__ import annotations

from typing import Any

import pytest

TALLY = pytest.StashKey[dict[str, tuple[str, list[str]]]]()
"""By name of a recording: why it is known not to match, and how it differs."""


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing found."""
    config.stash[TALLY] = {}


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> dict[str, tuple[str, list[str]]]:
    """Collect what is found, to print it after the tests."""
    return pytestconfig.stash[TALLY]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the share that matches, and each recording that does not, with why."""
    found = config.stash[TALLY]
    if not found:
        return
    matched = sum(not differences for _, differences in found.values())
    terminalreporter.section("recordings")
    terminalreporter.write_line(f"The sandbox matches {matched} of {len(found)} ({matched / len(found):.1%}).")
    for name, (why, differences) in found.items():
        if differences:
            terminalreporter.write_line(f"{name}: {why or '; '.join(differences[:4])}")
