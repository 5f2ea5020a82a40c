"""A server of a big workspace, in a process of its own, for the benchmarks.

It sends prebuilt bytes in the shapes of a ComfyDeploy server, honours the paging and the filters that comfynb asks
for, and tells which requests came. As a program it prints its port and serves on loopback until it is stopped.
"""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl
from uuid import UUID

import httpx
import uvicorn
from big_graphs import drawn_graph, executed_graph, input_types

WORKFLOWS = 500
DEPLOYMENTS = 2 * WORKFLOWS
MACHINES = 12
FLUID_EVERY = 10
API_KEY = "key-of-the-big-workspace"
USER = "user_2bigWorkspaceAda000000001"

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

_draw = random.Random(11)


def _id() -> str:
    return str(UUID(int=_draw.getrandbits(128), version=4))


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _moment(number: int) -> datetime:
    # Without a zone, as most times are sent; they are UTC.
    return datetime(2026, 9, 1, 9, 0) + timedelta(minutes=97 * number, microseconds=7919 * number)


def _workflow(number: int, machine_id: str) -> dict[str, Any]:
    made = _moment(number)
    kind = _draw.choice(("Text to Image", "portrait", "product shot", "poster", "upscale", "in the style of"))
    return {
        "id": _id(),
        "user_id": USER,
        "name": f"{kind} {number}",
        "selected_machine_id": machine_id,
        "created_at": made.isoformat(),
        "updated_at": made.isoformat(),
        "pinned": number < 3,
        "cover_image": None,
    }


def _machine(number: int) -> dict[str, Any]:
    made = _moment(number).isoformat()
    return {
        "id": _id(),
        "user_id": USER,
        "name": f"render farm {number}",
        "created_at": made,
        "updated_at": made,
        "type": "classic" if number % 2 else "comfy-deploy-serverless",
        "org_id": None,
        "status": "ready",
        "gpu": "A10G",
        "machine_version": None,
        "machine_builder_version": "4",
        "comfyui_version": None,
        "import_failed_logs": None,
        "machine_version_id": None,
        "is_workspace": False,
    }


def _deployment(workflow: dict[str, Any], number: int, environment: str) -> dict[str, Any]:
    executed = executed_graph(number)
    made = _moment(number).isoformat(timespec="milliseconds")
    version_id, machine_id = _id(), workflow["selected_machine_id"]
    return {
        "id": _id(),
        "user_id": USER,
        "org_id": None,
        "workflow_version_id": version_id,
        "workflow_id": workflow["id"],
        "machine_id": machine_id,
        "share_slug": None,
        "description": None,
        "share_options": None,
        "showcase_media": None,
        "environment": environment,
        "created_at": made + "000Z",
        "updated_at": made + "000Z",
        "workflow": {"id": workflow["id"], "name": workflow["name"], "cover_url": None},
        "version": {
            "id": version_id,
            "workflow_id": workflow["id"],
            "workflow": drawn_graph(executed, number),
            "workflow_api": executed,
            "comment": "better hands",
            "version": 2 + number % 2,
            "dependencies": None,
            "snapshot": None,
            "comfyui_snapshot": None,
            "machine_id": machine_id,
            "machine_version_id": None,
            "user_id": USER,
            "created_at": made + "Z",
            "updated_at": made + "Z",
        },
        "machine": None,
        "input_types": input_types(executed),
        "output_types": [],
        "gpu": None,
        "machine_version_id": None,
        "modal_image_id": None,
        "concurrency_limit": 2,
        "run_timeout": 300,
        "idle_timeout": 60,
        "keep_warm": 0,
        "activated_at": None,
    }


def rows_of_lists() -> dict[str, list[bytes]]:
    """Return every row of every list as the bytes in which it is sent."""
    machines = [_machine(number) for number in range(MACHINES)]
    workflows = [_workflow(number, machines[number % MACHINES]["id"]) for number in range(WORKFLOWS)]
    found: dict[str, list[bytes]] = {"machines": [_dump(machine) for machine in machines], "plain": [], "fluid": []}
    found["workflows"] = [
        _dump(
            {
                **workflow,
                "created_at": workflow["created_at"].replace("T", " "),
                "updated_at": workflow["updated_at"].replace("T", " "),
                "user_name": "Ada Example",
                "user_icon": "https://img.example.com/ada.png",
            }
        )
        for workflow in workflows
    ]
    found["workflows/all"] = [
        _dump({**workflow, "org_id": None, "deleted": False, "description": f"Page {number} of the catalogue."})
        for number, workflow in enumerate(workflows)
    ]
    for number, workflow in enumerate(workflows):
        found["plain"].append(_dump(_deployment(workflow, 2 * number, "production")))
        staging = "plain" if number % FLUID_EVERY else "fluid"
        found[staging].append(_dump(_deployment(workflow, 2 * number + 1, "staging")))
    return found


LISTS: dict[str, tuple[str, str | None, int | None]] = {
    "/api/workflows": ("workflows", "limit", 100),
    "/api/workflows/all": ("workflows/all", None, None),
    "/api/machines": ("machines", "limit", 100),
    "/api/deployments": ("plain", "page_size", None),
}
"""By path: the rows, what the size of a page is called, and the usual size."""


def make_app() -> App:
    """Return the server, which keeps the requests that came until it is asked for them."""
    rows = rows_of_lists()
    seen: list[str] = []

    @cache
    def page(name: str, offset: int, limit: int | None) -> bytes:
        return b"[" + b",".join(rows[name][offset : None if limit is None else offset + limit]) + b"]"

    def answer(path: str, query: str, headers: dict[bytes, bytes]) -> tuple[int, bytes]:
        if path == "/requests":
            told = _dump(seen)
            seen.clear()
            return 200, told
        seen.append(f"{path}?{query}")
        if headers.get(b"authorization") != f"Bearer {API_KEY}".encode():
            return 401, _dump({"detail": "Invalid or missing token"})
        if path not in LISTS:
            return 404, _dump({"detail": "Not Found"})
        name, size_name, usual = LISTS[path]
        asked = dict(parse_qsl(query))
        if asked.get("is_fluid") == "true":
            name = "fluid"
        limit = asked.get(size_name or "")
        # A server of deployments passes over an offset without a size.
        offset = int(asked.get("offset", 0)) if limit or usual else 0
        return 200, page(name, offset, int(limit) if limit else usual)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            status, body = answer(scope["path"], scope["query_string"].decode(), dict(scope["headers"]))
            headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


@contextmanager
def big_server() -> Iterator[str]:
    """Serve in another process; give the URL."""
    process = subprocess.Popen([sys.executable, str(Path(__file__))], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def requests_since(url: str) -> list[str]:
    """Return the requests that came since this was asked last, sorted."""
    with httpx.Client(trust_env=False) as client:
        return sorted(client.get(f"{url}/requests").json())


def main() -> None:
    """Serve until stopped."""
    # The protocol is named because asyncio switches Nagle's algorithm off only where it is; an answer would wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    app = make_app()
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False, server_header=True)).run(
        [listener]
    )


if __name__ == "__main__":
    main()
