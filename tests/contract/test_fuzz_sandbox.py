"""Whatever a client sends: the sandbox fails only where the real server does, and never by a fault of its own."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from comfynb.sandbox import Sandbox

from . import recorded

WHERE = recorded.folder()
SCHEMA = WHERE / "openapi.json" if WHERE else None
if SCHEMA is None or not SCHEMA.is_file():
    pytest.skip("no openapi.json: set COMFYNB_RECORDINGS to the folder that has it", allow_module_level=True)

import schemathesis  # noqa: E402 - takes a second, and is of no use without the schema
from hypothesis import HealthCheck, settings  # noqa: E402
from schemathesis import Case  # noqa: E402

EXAMPLES = 25
SANDBOX = Sandbox(speed=0, history=20)
"""Asked in this process, without a socket; its machines stand still."""


def _in_scope(method: str, path: str) -> bool:
    """Whether a route is one that the product is about, and is the very one that the sandbox answers with."""
    if not recorded.in_scope(method.upper(), path):
        return False
    match = SANDBOX.app.routes.find(method.upper(), path.removeprefix("/api"))
    return match is not None and match.handler is not None and _bare(match.template) == _bare(path[len("/api") :])


def _bare(template: str) -> str:
    return re.sub(r"{\w+}", "{}", template)


def _schema() -> dict[str, Any]:
    """Return the schema of the routes in scope."""
    content: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    paths = {
        path: {method: each for method, each in methods.items() if _in_scope(method, path)}
        for path, methods in content["paths"].items()
    }
    return {**content, "paths": {path: methods for path, methods in paths.items() if methods}}


CONTENT = _schema()


async def application(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """Answer with the schema, or as the sandbox does."""
    if scope["type"] == "http" and scope["path"] == "/openapi.json":
        body = json.dumps(CONTENT).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await SANDBOX.app(scope, receive, send)


schema = schemathesis.openapi.from_asgi("/openapi.json", application)


# Half of the ids are those of things that are there, else hardly anything would be done.


def _known(name: str, value: Any) -> Any:
    world = SANDBOX.world
    kinds: dict[str, dict[str, Any]] = {
        "workflow_id": world.workflows,
        "deployment_id": world.deployments,
        "machine_id": world.machines,
        "selected_machine_id": world.machines,
        "run_id": world.runs,
        "workflow_version_id": world.versions,
        "version": world.versions,
    }
    ids = list(kinds.get(name, ()))
    if not ids or not isinstance(value, str):
        return value
    number = sum(value.encode("utf-8", "replace"))
    return ids[number // 2 % len(ids)] if number % 2 else value


def _with_known(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    found = {name: _known(name, value) for name, value in values.items()}
    number = found.get("batch_number")
    if isinstance(number, int) and number > 4:
        # As on the real server, so many runs are made; here they would take the test's time.
        found["batch_number"] = number % 4
    return found


@schema.hook
def map_path_parameters(_context: Any, path_parameters: Any) -> Any:
    """Put ids of things that are there into the path."""
    return _with_known(path_parameters)


@schema.hook
def map_query(_context: Any, query: Any) -> Any:
    """Put ids of things that are there into the query."""
    return _with_known(query)


@schema.hook
def map_body(_context: Any, body: Any) -> Any:
    """Put ids of things that are there into the body."""
    return _with_known(body)


# Where the real server answers with 500


def _no_uuid(value: Any) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return True
    return False


def _negative(value: Any) -> bool:
    return str(value).strip().startswith("-")


def _is_documented(case: Case, body: Any) -> bool:
    """Whether the real server answers this with 500, too."""
    label = case.operation.label.replace("/api", "", 1)
    path, query = case.path_parameters or {}, case.query or {}
    sent = case.body if isinstance(case.body, dict) else {}
    ids = [value for name, value in path.items() if name.endswith("_id")]
    if re.match(r"\w+ (/v2)?/workflow/|GET /v2/clickhouse|GET /deployment/.+/runs", label) and any(map(_no_uuid, ids)):
        return True  # an id that the server takes as a text, and its database does not
    if any(_negative(query[name]) for name in ("limit", "offset", "page_size") if name in query):
        return True
    always: dict[str, Callable[[], bool]] = {
        "GET /workflows": lambda: _no_uuid(query.get("machine_id")),
        "GET /v2/workflow/{workflow_id}/runs": lambda: "status" in query,
        "GET /runs/count": lambda: body == {"error": "Internal server error"} and "status" in query,
        "GET /workflow/{workflow_id}/export": lambda: True,  # a machine without a version
        "POST /workflow": lambda: _no_uuid(sent.get("machine_id")),
        "POST /workflow/{workflow_id}/version": lambda: _no_uuid(sent.get("machine_id")),
        "GET /deployment/{deployment_id}": lambda: body == {"detail": "Internal server error"},
        "PATCH /deployment/{deployment_id}": lambda: body == {"detail": "Internal server error"},
        "DELETE /deployment/{deployment_id}": lambda: body == {"detail": "Internal server error"},
        "POST /deployment/{deployment_id}/deactivate": lambda: True,
        "POST /deployment": lambda: str((body or {}).get("detail")).startswith("Internal server error: "),
        "POST /run/{run_id}/cancel": lambda: str((body or {}).get("detail")).startswith("Error cancel function"),
        "POST /run/deployment/queue": lambda: _queue_fails(sent),
        "POST /run/workflow/queue": lambda: _queue_fails(sent),
        "POST /file": lambda: True,
    }
    return label in always and always[label]()


def _queue_fails(sent: dict[str, Any]) -> bool:
    """Whether a submit breaks the server: an unknown origin, a batch or a native run, a machine that is off."""
    if sent.get("origin", "api") not in {"manual", "api", "public-share", "private-share", "public-template"}:
        return True
    if sent.get("batch_number") or sent.get("batch_input_params") or sent.get("is_native_run"):
        return True
    deployment = SANDBOX.world.deployments.get(str(sent.get("deployment_id")))
    machine = SANDBOX.world.machines[deployment.machine_id if deployment else str(sent.get("machine_id"))]
    return machine.status in {"error", "building"}


class _Faults(logging.Handler):
    """Keeps what the sandbox logs of faults of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.told.append(self.format(record))


LAST: list[str] = []


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_the_sandbox(case: Case) -> None:
    """No fault of its own, and no 500 that the real server does not give."""
    if [case.operation.label] != LAST:
        LAST[:] = [case.operation.label]
        SANDBOX.reset()
    faults = _Faults()
    logger = logging.getLogger("comfynb.sandbox")
    logger.addHandler(faults)
    logger.propagate = False
    try:
        response = case.call(headers={"Authorization": f"Bearer {SANDBOX.api_key}"})
    finally:
        logger.removeHandler(faults)
        logger.propagate = True
    assert not faults.told, f"{case.as_curl_command()}\n{faults.told[0]}"
    if response.status_code >= 500:
        text = response.text
        body = json.loads(text) if text.startswith("{") else None
        assert _is_documented(case, body), f"{response.status_code} {text[:300]}\n{case.as_curl_command()}"


def test_the_routes_in_scope_are_tried() -> None:
    """So that an empty selection does not look like success."""
    assert sum(len(methods) for methods in CONTENT["paths"].values()) >= 40
