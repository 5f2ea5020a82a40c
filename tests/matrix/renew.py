"""Play the whole matrix, and write the page that shows it: python tests/matrix/renew.py."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]


def main() -> int:
    """Return 1 if a cell goes wrong, which is not written down."""
    from cells import OPERATIONS, Seen
    from page import write
    from playing import play

    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_DATA_HOME"] = folder
        played = {name: play(name, Path(tempfile.mkdtemp(dir=folder))) for name in OPERATIONS}
    wrong = [
        (name, fault, seen) for name, of in played.items() for fault, seen in of.items() if not isinstance(seen, Seen)
    ]
    for name, fault, error in wrong:
        print(f"{name}, {fault}: {error!r}", file=sys.stderr)
    if not wrong:
        print("changed" if write(played) else "as before")  # type: ignore[arg-type]
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
