"""Recordings of a real server: where they are, which of them count, and how two answers are compared."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDERS = ("recordings", "recordings_comfyui")

IN_SCOPE = tuple(
    re.compile(pattern)
    for pattern in (
        r"GET /",
        r"\w+ (/api|/v2|/api/v1|/api/v2|/api/api)?/(workflows|nope)(/.*)?",
        r"\w+ /api/workflow(/.*)?",
        r"GET /api/workflow-version/.*",
        r"\w+ /api/(machine|machines)(/.*)?",
        r"\w+ /api/(deployment|deployments)(/.*)?",
        r"\w+ (/api)?/run(/.*)?",
        r"GET /api/runs(/count)?",
        r"GET /api/v2/(runs|workflow/.*)",
        r"POST /api/(file|file/upload)",
        r"GET /api/(file-upload|file/upload-url|upload-url)",
        r"\w+ /api/assets(/.*)?",
        r"GET /api/openapi.json",
        r"GET /api/platform/gpu-pricing",
    )
)
"""Requests that the product makes, or whose errors tell how the server is reached."""

OUT_OF_SCOPE = tuple(
    re.compile(pattern)
    for pattern in (
        r".*/v0-ui-spec",  # generates source code for the official web app
        r".*/(sync|stream)",  # always go through machines in the cloud
    )
)

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
        request = f"{self.method} {self.path}"
        if any(pattern.fullmatch(request) for pattern in OUT_OF_SCOPE):
            return False
        return any(pattern.fullmatch(request) for pattern in IN_SCOPE)


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
        best = min((differences(element, other, f"{at}[]") for other in ours), key=len)
        found += [each for each in best if each not in found]
    return found


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
