"""A server that answers GETs as the real one did when it was recorded."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from . import recorded
from .recorded import Recording
from .replica import rows_in

Json = dict[str, Any]

JSON = "application/json"
PAGING = frozenset({"limit", "offset", "page_size"})
NOT_FOUND = {"detail": "Not Found"}
NOBODY = "00000000-0000-4000-8000-000000000000"
NIL = "00000000-0000-0000-0000-000000000000"
LISTS = ("/api/workflows", "/api/workflows/all", "/api/machines", "/api/machines/all", "/api/deployments")


class Recorded:
    """The workspace that was recorded, as far as GETs tell of it.

    Of each list the longest recording is taken, since the workspace was empty first; pages and filters are cut out of
    it. What single routes answered comes as it was. A workflow and its versions that were not asked for singly are put
    together from their rows in lists.

    Parameters
    ----------
    contents : dict
        The recordings by name.
    """

    def __init__(self, contents: dict[str, Any]) -> None:
        own = [
            each
            for each in recorded.exchanges(contents)
            if each.method == "GET"
            and isinstance(each.answer, dict | list)
            and ("<API_KEY>" in each.auth or not each.path.startswith("/api"))
        ]
        self.lists = {path: _longest(own, path) for path in LISTS}
        self.fluid = _longest(own, "/api/deployments", is_fluid="true")
        self.deleted = {row["id"] for row in _longest(own, "/api/machines", is_deleted="true")}
        self.single: dict[str, Recording] = {}
        for each in own:
            if each.path not in LISTS and not each.query.keys() - PAGING:
                kept = self.single.get(each.path)
                if self._is_of_the_lists(each) and (kept is None or len(str(each.answer)) > len(str(kept.answer))):
                    self.single[each.path] = each
        self.versions: dict[str, dict[int, Json]] = {}
        for each in own:
            for row in rows_in(each.answer):
                if {"workflow_api", "workflow_id", "version", "comment"} <= row.keys():
                    self.versions.setdefault(row["workflow_id"], {}).setdefault(row["version"], row)

    def _is_of_the_lists(self, one: Recording) -> bool:
        """Whether a machine was asked for when it was as the lists have it."""
        row = one.answer if one.path.startswith("/api/machine/") and isinstance(one.answer, dict) else {}
        listed = next((each for each in self.lists["/api/machines"] if each["id"] == row.get("id")), row)
        return all(row.get(name) == listed.get(name) for name in ("name", "type", "status", "gpu", "comfyui_version"))

    @property
    def coherent(self) -> bool:
        """Whether there is a workspace to walk through: workflows, machines, and deployments of both."""
        workflows = {row["id"] for row in self.lists["/api/workflows"]}
        machines = {row["id"] for row in self.lists["/api/machines"]}
        deployed = self.lists["/api/deployments"]
        return bool(deployed) and all(
            row["workflow_id"] in workflows and row["machine_id"] in machines for row in deployed
        )

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, str, Any]:
        """Return status, content type and body."""
        path = path.replace(NIL, NOBODY)
        found = self._found(path, query)
        if found is not None:
            return 200, JSON, found
        one = self.single.get(path)
        if one is None:
            return 404, JSON, NOT_FOUND
        kind = next((value for name, value in one.answer_headers.items() if name.lower() == "content-type"), JSON)
        return one.status, kind, _page(one.answer, query) if isinstance(one.answer, list) else one.answer

    def _found(self, path: str, query: dict[str, str]) -> Any:
        """Return what is in the lists, or is put together from them."""
        if path in LISTS:
            return self._list(path, query)
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "workflow"] and parts[3:] in ([], ["versions"]):
            found = self._workflow(parts[2], versions=bool(parts[3:]))
            return _page(found, query) if isinstance(found, list) else found
        if parts[:2] == ["api", "deployment"] and len(parts) == 3:
            rows = [*self.lists["/api/deployments"], *self.fluid]
            return next((row for row in rows if row["id"] == parts[2]), None)
        return None

    def _list(self, path: str, query: dict[str, str]) -> list[Json]:
        rows = self.lists[path]
        if path == "/api/deployments":
            rows = self.fluid if query.get("is_fluid") == "true" else rows
            rows = [row for row in rows if query.get("environment", row["environment"]) == row["environment"]]
            # This route knows no `limit`, and passes over an offset without a size.
            query = {"limit": query["page_size"], "offset": query.get("offset", "0")} if "page_size" in query else {}
        elif path == "/api/machines" and "is_deleted" in query:
            rows = [row for row in rows if (row["id"] in self.deleted) == (query["is_deleted"] == "true")]
        elif path == "/api/machines/all":
            rows = [row for row in rows if row["id"] not in self.deleted]
        return _page(rows, query)

    def _workflow(self, workflow_id: str, *, versions: bool) -> Any:
        row = next((row for row in self.lists["/api/workflows"] if row["id"] == workflow_id), None)
        if row is None:
            return None
        found = sorted(self.versions.get(workflow_id, {}).values(), key=lambda each: each["version"], reverse=True)
        return found if versions else {**row, "versions": found[:1] or [None]}


def _longest(own: list[Recording], path: str, **filters: str) -> list[Json]:
    """Return the longest answer of a list with these filters and no other."""
    rows = [
        each.answer
        for each in own
        if each.path == path
        and each.status == 200
        and {name: str(value).lower() for name, value in each.query.items() if name not in PAGING} == filters
    ]
    return max(rows, key=len, default=[])


def _page(rows: list[Json], query: dict[str, str]) -> list[Json]:
    offset = int(query.get("offset", 0))
    return rows[offset : offset + int(query.get("limit", len(rows)))]


@contextmanager
def serving(workspace: Recorded) -> Iterator[str]:
    """Serve it on a port of this machine while this is entered; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, kind, body = workspace.answer(parts.path, dict(parse_qsl(parts.query)))
            plain = isinstance(body, dict) and list(body) == ["__text__"]
            content = body["__text__"].encode() if plain else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            # As the real server does after an error that it does not handle.
            self.close_connection = plain and status == 500

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
