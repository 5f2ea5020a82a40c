"""Prints what the comparisons with the recordings have found, in whichever process of the tests it was."""

from __future__ import annotations

from typing import Any

import pytest

TALLY = pytest.StashKey[dict[str, tuple[str, list[str]]]]()
"""By name of a recording: why it is known not to match, and how it differs."""


class Tally:
    """Collects what is found; with several processes, from all of them."""

    def __init__(self, config: pytest.Config) -> None:
        self.found: dict[str, tuple[str, list[str]]] = {}
        config.stash[TALLY] = self.found

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand it to the process that prints."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["recordings"] = self.found

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what another process has found."""
        self.found.update(getattr(node, "workeroutput", {}).get("recordings", {}))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the share that matches, and each recording that does not, with why."""
        if not self.found:
            return
        matched = sum(not differences for _, differences in self.found.values())
        terminalreporter.section("recordings")
        terminalreporter.write_line(
            f"The sandbox matches {matched} of {len(self.found)} ({matched / len(self.found):.1%})."
        )
        for name, (why, differences) in self.found.items():
            if differences:
                terminalreporter.write_line(f"{name}: {why or '; '.join(differences[:4])}")
