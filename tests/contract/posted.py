"""Recordings of what was posted: by machines to the server, and by the server to webhooks.

They are told by their shape, not by their names: new recordings of the same kinds count without a change here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class MachineRun:
    """What a machine posted about one run, in the order in which the server answered."""

    name: str
    run_id: str
    posts: tuple[Json, ...]
    began: datetime | None = None
    lasted: float = 0.0

    @property
    def executed(self) -> list[tuple[str, float]]:
        """Class of each node that was begun, with the progress then, by that progress."""
        told = [(str(post["live_status"]), float(post["progress"])) for post in self.posts if "live_status" in post]
        return sorted(
            ((live.removeprefix("Executing "), progress) for live, progress in told), key=lambda each: each[1]
        )

    @property
    def kept(self) -> list[str]:
        """Nodes whose results were left from the run before."""
        events = [post["ws_event"] for post in self.posts if isinstance(post.get("ws_event"), dict)]
        return next((event["data"]["nodes"] for event in events if event["event"] == "execution_cached"), [])

    @property
    def won_by_a_hair(self) -> bool:
        """Whether it ended well although all its files were there from the start: one upload took a little longer."""
        files = [
            post["node_meta"]["node_id"]
            for post in self.posts
            if isinstance(post.get("output_data"), dict) and {"images", "files"} & post["output_data"].keys()
        ]
        return bool(files and self.executed) and set(files) <= set(self.kept) and "success" in self.statuses

    @property
    def statuses(self) -> list[str]:
        """The statuses that it posted."""
        return [post["status"] for post in self.posts if "status" in post]

    @property
    def data(self) -> list[Any]:
        """What it posted as outputs: files and texts, errors, and times of nodes."""
        return [post["output_data"] for post in self.posts if post.get("output_data") is not None]

    @property
    def failure(self) -> Json | None:
        """The error that a node raised."""
        return next((each for each in self.data if isinstance(each, dict) and "exception_message" in each), None)


@dataclass(frozen=True)
class Hooks:
    """The webhooks of one run, in the order in which they came."""

    name: str
    path: str
    headers: Json
    bodies: tuple[Json, ...]

    @property
    def run_id(self) -> str:
        """The run."""
        return str(self.bodies[0]["run_id"])


def machine_runs(contents: Json) -> list[MachineRun]:
    """Return what machines posted, run by run."""
    found = []
    for name, content in contents.items():
        runs = content.get("runs") if isinstance(content, dict) else None
        if isinstance(runs, dict) and "columns" not in content:
            found += [each for key, calls in runs.items() for each in _posted(f"{name}:{key}", calls)]
        elif isinstance(content, list) and content and "ev" in content[0]:
            calls = [
                {"body": each["body"], "t_sent": each["t"], "t_answered": each["t"]}
                for each in content
                if each["ev"] == "callback"
            ]
            found += _posted(name, calls)
    return found


def _posted(name: str, calls: list[Json]) -> Iterator[MachineRun]:
    bodies = [call["body"] for call in sorted(calls, key=lambda call: call["t_answered"])]
    posts = tuple(body for body in bodies if isinstance(body, dict) and "run_id" in body)
    if not posts:
        return
    stamps = [_stamp(call) for call in calls]
    began = min((each for each in stamps if each is not None), default=None)
    lasted = max(call["t_answered"] for call in calls) - min(call["t_sent"] for call in calls)
    yield MachineRun(name, posts[0]["run_id"], posts, began, lasted)


def _stamp(call: Json) -> datetime | None:
    body = call["body"]
    event = body.get("ws_event") if isinstance(body, dict) else None
    at = (event or {}).get("data", {}).get("timestamp") if isinstance(event, dict) else None
    return datetime.fromtimestamp(at / 1000, tz=UTC) if at else None


def machine_answers(contents: Json) -> list[Json]:
    """Return what machines answered to whole graphs: the graph, the status, and the body."""
    found = []
    for content in contents.values():
        for each in content.get("exchanges", ()) if isinstance(content, dict) else ():
            graph = (each["request"].get("body") or {}).get("workflow_api_raw")
            if isinstance(graph, dict):
                found.append({"graph": graph, "status": each["status"], "answer": each["response_body"]})
    return found


def hooks(contents: Json) -> list[Hooks]:
    """Return the webhooks that arrived, case by case."""
    found = []
    for name, content in contents.items():
        cases = cases_of(content)
        if isinstance(cases, list):
            groups = {case["case"]: case["hooks"] for case in cases}
        elif isinstance(content, dict) and all(_are_hooks(each) for each in content.values()):
            groups = content
        else:
            continue
        for case, posts in groups.items():
            bodies = tuple(post["body"] for post in posts)
            found.append(Hooks(f"{name}:{case}", posts[0]["path"], posts[0]["headers"], bodies))
    return found


def _are_hooks(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and "event_type" in value[0].get("body", ())
    )


def cases_of(content: Any) -> Any:
    """Return the cases of a recording that has some: a table by name, or a list."""
    return content.get("cases") if isinstance(content, dict) else None
