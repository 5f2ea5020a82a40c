"""How soon a sandbox answers in a new process, and how long 1,000 looks at a run take it on one core.

Run it: `python tests/benchmarks/bench_sandbox.py`. The looks are measured against a bare uvicorn application that
sends the same bytes; both are processes of their own on the same core, and whoever asks them is on another.
"""

from __future__ import annotations

from bench_import import milliseconds
from figures import Figure, medians, show, timed
from pinned_servers import cores, keep_to, server

LIMIT_START = 1000
"""Milliseconds."""
LIMIT_LOOKS = 2000
"""Milliseconds for 1,000, which is 500 a second."""
LIMIT_RATIO = 1.5
LOOKS = 1000
ROUNDS = 5

START = """
from comfynb import Sandbox
sandbox = Sandbox().start()
import http.client
connection = http.client.HTTPConnection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
connection.request("GET", "/api/workflows", headers={"x-api-key": sandbox.api_key})
answer = connection.getresponse()
assert answer.status == 200 and answer.read().startswith(b"[{")
"""


def measure() -> list[Figure]:
    """Measure the start, then both servers in turns."""
    (start,) = medians(lambda: milliseconds(START), rounds=ROUNDS)
    with server("sandbox") as ours, server("bare", ours.body) as bare:
        assert b'"status":"success"' in ours.body
        assert bare.body == ours.body
        keep_to(cores()[1])
        mine, plain = medians(timed(lambda: ours.ask(LOOKS)), timed(lambda: bare.ask(LOOKS)), rounds=ROUNDS)
    return [
        Figure("import and start of a sandbox until its first answer, ms", start, None, LIMIT_START),
        Figure(f"{LOOKS:,} looks at a run of the sandbox, ms", mine, None, LIMIT_LOOKS),
        Figure(f"{LOOKS:,} looks at a run of the sandbox / bare uvicorn", mine, plain, LIMIT_RATIO),
    ]


if __name__ == "__main__":
    show(measure())
