"""How the tests call the command line, and what they get back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

COMMAND = (sys.executable, "-c", "from comfynb.cli import main; main()")
"""The console script, in a process of its own."""


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """What it wrote to standard error, on one line."""
        return " ".join(self.err.split())


Command = Callable[..., Done]
