"""How long a cold catalog of 500 deployed workflows takes, against bare httpx that makes the same requests.

Run it: `python tests/benchmarks/bench_catalog.py`. The server is a process of its own on loopback. The bare side makes
the same requests in the same concurrency (the pages of one list one after the other, the lists at the same time), and
parses each answer with `json.loads`. Both sides connect anew each time.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any

import httpx
from big_server import API_KEY, DEPLOYMENTS, WORKFLOWS, big_server, requests_since
from figures import Figure, medians, show, timed

import comfynb

LIMIT = 1.5
LIMIT_REQUESTS = 14

# Path, what its page size is called, that size, and what else is asked.
_PAGED: tuple[tuple[str, str, int, dict[str, str]], ...] = (
    ("/api/workflows", "limit", 200, {}),
    ("/api/deployments", "page_size", 250, {}),
    ("/api/deployments", "page_size", 250, {"is_fluid": "true"}),
    ("/api/machines", "limit", 200, {"is_deleted": "false"}),
)


def ours(url: str) -> None:
    """Read the catalog through comfynb, on a new connection."""
    with comfynb.connect(url=url, api_key=API_KEY) as workspace:
        table = workspace.catalog()
    assert len(table) == WORKFLOWS
    assert table["deployments"].map(len).sum() == DEPLOYMENTS
    assert not table["problems"].map(len).any()


async def _bare(url: str, certificates: ssl.SSLContext) -> None:
    async with httpx.AsyncClient(
        base_url=url, verify=certificates, headers={"Authorization": f"Bearer {API_KEY}"}, trust_env=False
    ) as client:

        async def everything(path: str) -> list[Any]:
            answer = await client.get(path)
            return list(json.loads(answer.content))

        async def pages(path: str, size_name: str, size: int, more: dict[str, str]) -> list[Any]:
            rows: list[Any] = []
            while True:
                answer = await client.get(path, params={**more, size_name: str(size), "offset": str(len(rows))})
                page = json.loads(answer.content)
                rows += page
                if len(page) < size:
                    return rows

        workflows, *_ = await asyncio.gather(everything("/api/workflows/all"), *(pages(*asked) for asked in _PAGED))
        assert len(workflows) == WORKFLOWS


def measure() -> list[Figure]:
    """Measure both sides in turns."""
    certificates = httpx.create_ssl_context()  # comfynb, too, loads them once in the life of a process
    with big_server() as url:

        def bare() -> None:
            asyncio.run(_bare(url, certificates))

        requests_since(url)
        ours(url)
        made = requests_since(url)
        bare()
        assert made == requests_since(url), "the two sides do not make the same requests"
        mine, plain = medians(timed(lambda: ours(url)), timed(bare))
    return [
        Figure(f"requests of a catalog, {DEPLOYMENTS:,} deployments", len(made), None, LIMIT_REQUESTS),
        Figure(f"cold catalog, {WORKFLOWS} workflows / bare httpx and json.loads", mine, plain, LIMIT),
    ]


if __name__ == "__main__":
    show(measure())
