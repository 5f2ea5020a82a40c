"""Recordings of a real server: where they are, which of them count, and how two answers are compared."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comfynb.api.routes import ALIASES, ROUTES

FOLDERS = ("recordings", "recordings_comfyui")

PREFIXES = ("", "/v1", "/v2", "/api", "/api/v1", "/api/v2", "/api/api")
"""Where a client may look for the API; all but one of them are wrong."""

NO_ROUTES = ("/", "/nope", "/runs", "/file", "/file/upload-url", "/upload-url", "/openapi.json")
"""Paths that clients try and that are no route of ours: what the server says to them counts, too."""

CLOUD_ONLY = re.compile(r"\w+ /api/run/(.*/)?(sync|stream)|\w+ /openapi.json")
"""Runs that are waited for always go through machines in the cloud."""


def _under(path: str) -> re.Pattern[str]:
    return re.compile(rf"\w+ ({'|'.join(PREFIXES)})" + re.sub(r"{\w+}", "[^/]+", path) + "/?")


IN_SCOPE = tuple(_under(path) for path in (*(route.path for route in ROUTES), *ALIASES, *NO_ROUTES))
"""Requests with any method to the routes in scope, which stand in `comfynb.api.routes`, and to what is none."""


def in_scope(method: str, path: str) -> bool:
    """Whether the sandbox has to answer a request as the server does."""
    request = f"{method} {path}"
    return not CLOUD_ONLY.fullmatch(request) and any(pattern.fullmatch(request) for pattern in IN_SCOPE)


OPAQUE = frozenset({"workflow_api", "workflow_inputs", "current_inputs", "nodes", "workflow_api_raw", "inputs"})
"""Below these keys stands what users wrote, not what the server decides."""


@dataclass(frozen=True)
class Recording:
    """One exchange with a real server."""

    name: str
    method: str
    path: str
    query: dict[str, Any]
    headers: dict[str, str]
    auth: str
    body: Any
    status: int
    answer_headers: dict[str, str]
    answer: Any

    @property
    def in_scope(self) -> bool:
        """Whether the sandbox has to answer the same."""
        return in_scope(self.method, self.path)


of_the_usual_set = pytest.mark.skipif(
    bool(os.environ.get("COMFYNB_RECORDINGS")), reason="COMFYNB_RECORDINGS names another set, which may have less in it"
)
"""Marks tests of how much there is to compare."""


def folder() -> Path | None:
    """Return where recordings are, if there are any."""
    named = os.environ.get("COMFYNB_RECORDINGS")
    if named:
        return Path(named)
    beside = Path(__file__).resolve().parents[3] / "shared" / "reference"
    return beside if any((beside / each).is_dir() for each in FOLDERS) else None


def load_all(where: Path) -> dict[str, Any]:
    """Return the content of every recording by its name."""
    found: dict[str, Any] = {}
    for each in FOLDERS:
        for path in sorted((where / each).glob("*.json")):
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
    return found


def exchanges(contents: dict[str, Any]) -> list[Recording]:
    """Return the recordings that are one plain exchange."""
    found = []
    for name, content in contents.items():
        if not isinstance(content, dict) or "status" not in content or "response_body" not in content:
            continue
        request = content["request"]
        found.append(
            Recording(
                name,
                request["method"],
                request["path"],
                request.get("query") or {},
                request.get("headers") or {},
                request.get("auth") or "none",
                request.get("body"),
                content["status"],
                content["response_headers"],
                content["response_body"],
            )
        )
    return found


def kind(value: Any) -> str:
    """Return the JSON type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}[type(value)]


def differences(recorded: Any, ours: Any, at: str = "") -> list[str]:
    """Return how two answers differ in keys and JSON types, at every depth; null matches anything."""
    if recorded is None or ours is None:
        return []
    if kind(recorded) != kind(ours):
        return [f"{at or 'body'}: {kind(ours)} instead of {kind(recorded)}"]
    if isinstance(recorded, dict):
        return _object(recorded, ours, at)
    if isinstance(recorded, list) and recorded and ours:
        return _array(recorded, ours, at)
    return []


def _object(recorded: dict[str, Any], ours: dict[str, Any], at: str) -> list[str]:
    found = [f"{at}.{name}: missing" for name in recorded if name not in ours]
    found += [f"{at}.{name}: not in the recording" for name in ours if name not in recorded]
    for name in recorded:
        if name in ours and name not in OPAQUE and not _is_graph(recorded[name]):
            found += differences(recorded[name], ours[name], f"{at}.{name}")
    return found


def _is_graph(value: Any) -> bool:
    return isinstance(value, dict) and "nodes" in value and "links" in value


def _array(recorded: list[Any], ours: list[Any], at: str) -> list[str]:
    """Each recorded element must have one of ours that is made the same."""
    found: list[str] = []
    seen: set[str] = set()
    for element in recorded:
        shape = json.dumps(_shape(element), sort_keys=True)
        if shape in seen:
            continue
        seen.add(shape)
        best = min((differences(element, other, f"{at}[]") for other in ours), key=_weight)
        found += [each for each in best if each not in found]
    return found


def _weight(found: list[str]) -> tuple[int, int]:
    """Return how far apart two elements are; of equally many differences, those in type weigh more."""
    return len(found), sum("instead of" in each for each in found)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: kind(inner) if name in OPAQUE or _is_graph(inner) else _shape(inner) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [json.loads(each) for each in sorted({json.dumps(_shape(inner), sort_keys=True) for inner in value})]
    return kind(value)


def error_differences(recorded: Any, ours: Any) -> list[str]:
    """Return how two error bodies differ; of a database's own words only the beginning counts."""
    first, second = _words(recorded), _words(ours)
    return [] if first == second else [f"error body: {second!r} instead of {first!r}"]


def _words(body: Any) -> str:
    return json.dumps(body, sort_keys=True).partition("\\n[SQL")[0]
