"""The command line: the same workspace from a shell."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; exit 0 if all went well, 1 for a failed run or an API error, 2 for wrong usage."""
    from comfynb.cli.app import run

    sys.exit(run())


__all__ = ["main"]
