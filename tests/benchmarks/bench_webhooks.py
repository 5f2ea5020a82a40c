"""How many posts the receiver of webhooks takes, against a bare Starlette route on the same uvicorn.

Run it: `python tests/benchmarks/bench_webhooks.py`. Both are processes of their own on the same core, and whoever posts
is on another; the bare route reads the body and answers 204. Half as many posts a second is twice the time for as many.
"""

from __future__ import annotations

from figures import Figure, medians, show, timed
from pinned_servers import cores, keep_to, server

LIMIT = 2.0
POSTS = 2000


def measure() -> list[Figure]:
    """Post to both in turns."""
    with server("hooks") as ours, server("route") as bare:
        assert ours.answer.startswith(b"HTTP/1.1 204 ")
        assert len(bare.answer) == len(ours.answer)
        keep_to(cores()[1])
        mine, plain = medians(timed(lambda: ours.ask(POSTS)), timed(lambda: bare.ask(POSTS)))
    return [Figure(f"{POSTS:,} webhooks received / posts to a bare Starlette route", mine, plain, LIMIT)]


if __name__ == "__main__":
    show(measure())
