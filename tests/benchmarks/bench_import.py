"""How long `import comfynb` takes, and with a `connect`, against importing httpx and pydantic.

Run it: `python tests/benchmarks/bench_import.py`. Each measurement is a new interpreter that times its own imports, so
that its start does not count; they take turns. To see where time goes: `python -X importtime -c "import comfynb"`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from figures import Figure, medians, show

LIMIT_IMPORT = 1.3
LIMIT_CONNECT = 2.5
ROUNDS = 11

BARE = "import httpx, pydantic"
IMPORT = "import comfynb"
CONNECT = "import comfynb; comfynb.connect(url='http://127.0.0.1:9', api_key='key-of-a-benchmark')"

_TIMED = """
import time
begun = time.perf_counter()
{work}
print((time.perf_counter() - begun) * 1000)
"""
_OURS = ("COMFY_DEPLOY_API_KEY", "COMFY_DEPLOY_API_URL", "WEBHOOK_URL", "COMFYNB_SANDBOX")


def milliseconds(work: str) -> float:
    """Return how long some statements take in a new interpreter, without settings of the user's."""
    # Byte code is kept, as it is of every installed package.
    left_out = {*_OURS, "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", _TIMED.format(work=work)],
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
            env=environment,
        )
    return float(done.stdout)


def measure() -> list[Figure]:
    """Measure the three in turns."""
    bare, imported, connected = medians(
        lambda: milliseconds(BARE), lambda: milliseconds(IMPORT), lambda: milliseconds(CONNECT), rounds=ROUNDS
    )
    return [
        Figure(f"{IMPORT} / {BARE}", imported, bare, LIMIT_IMPORT),
        Figure(f"{IMPORT} and connect / {BARE}", connected, bare, LIMIT_CONNECT),
    ]


if __name__ == "__main__":
    show(measure())
