"""Recordings of the lives of runs: looked at again and again, as a table of states, or as a machine posted them.

They are told by their shape, not by their names: new recordings of the same kinds count without a change here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfynb.rules.status import is_terminal

from .posted import Json, MachineRun, hooks
from .recorded import FOLDERS, exchanges
from .run_facts import Known, runs_known

FACTS = ("machine_type", "progress", "live_status", "outputs", "queue_position")
"""What an answer of `GET /run` has, and a row of a list has not."""


@dataclass(frozen=True)
class Life:
    """One run, as the answers of `GET /run/{run_id}` told of it, in their order."""

    name: str
    answers: tuple[Json, ...]
    whole: bool = True
    """Whether the answers stand as they were recorded; else they were put together out of less."""

    @property
    def recording(self) -> str:
        """The recording that it stands in."""
        return self.name.partition(":")[0]

    @property
    def run_id(self) -> str:
        """The run."""
        return str(self.answers[0]["id"])

    @property
    def last(self) -> Json:
        """The last answer."""
        return self.answers[-1]

    @property
    def ended(self) -> bool:
        """Whether the server said that it had ended."""
        return is_terminal(self.last["status"])

    @property
    def serverless(self) -> bool:
        """Whether its machine says when it was queued and started, and can cancel."""
        return "serverless" in (self.last["machine_type"] or "")

    @property
    def statuses(self) -> list[str]:
        """Its statuses, each as often as it came anew."""
        return anew(each["status"] for each in self.answers)

    @property
    def outputs(self) -> list[Json]:
        """What it had made by the last answer."""
        return list(self.last["outputs"])


def anew(values: Iterable[str]) -> list[str]:
    """Return values without those that only repeat the one before."""
    found: list[str] = []
    for value in values:
        if found[-1:] != [value]:
            found.append(value)
    return found


def by_comfyui(where: Path) -> frozenset[str]:
    """Return the names of the recordings whose machines were real ones; the others' follow the same protocol only."""
    return frozenset(path.stem for path in (where / FOLDERS[-1]).glob("*.json"))


def lives(contents: Json) -> list[Life]:
    """Return every recorded life: looked at again and again, as a table of states, or as a machine posted it."""
    about = runs_known(contents)
    found = [
        Life(name, tuple(each["body"] for each in content["distinct_states"] if each["status"] == 200))
        for name, content in contents.items()
        if isinstance(content, dict) and "distinct_states" in content
    ]
    pattern = next((each.last for each in found if each.answers), None)
    for name, content in contents.items():
        if isinstance(content, dict) and "columns" in content and isinstance(content.get("runs"), dict) and pattern:
            for run_id, rows in content["runs"].items():
                states = [dict(zip(content["columns"], row, strict=True)) for row in rows]
                found.append(
                    _of_table(f"{name}:{run_id[:8]}", _blank(pattern, about.get(run_id) or Known(run_id)), states)
                )
    if pattern:
        posted = [each for each in about.values() if each.machine is not None]
        found += [_of_posts(each.machine, _blank(pattern, each), each) for each in posted]
    return [life for life in found if life.answers]


def looks(contents: Json) -> list[Life]:
    """Return every recorded answer of `GET /run` by itself: a run that was never seen to change."""
    return [
        Life(each.name, (each.answer,))
        for each in exchanges(contents)
        if each.method == "GET" and each.status == 200 and each.path.startswith("/api/run") and _is_run(each.answer)
    ]


def told(contents: Json) -> list[Life]:
    """Return the lives of runs as webhooks told them, in the order in which they came; some had been overtaken."""
    about, patterns = runs_known(contents), [life.last for life in lives(contents) if life.whole]
    found = []
    for each in hooks(contents):
        known = about.get(each.run_id)
        if known is None or not patterns:
            continue
        answers = [_blank(patterns[0], known)]
        for body in each.bodies:
            answer = answers[-1] | {name: body[name] for name in ("status", "live_status", "progress")}
            answers.append(answer | {"outputs": body["outputs"] or answers[-1]["outputs"]})
        found.append(Life(each.name, tuple(answers), whole=False))
    return found


def _is_run(answer: Any) -> bool:
    return isinstance(answer, dict) and all(name in answer for name in FACTS)


def _blank(pattern: Json, known: Known) -> Json:
    """Return an answer about a run that nothing has happened to yet."""
    body = copy.deepcopy(pattern)
    body |= {
        "id": known.run_id,
        "status": "not-started",
        "live_status": None,
        "progress": 0.0,
        "outputs": [],
        "ended_at": None,
        "duration": None,
        "run_duration": None,
        "queue_position": None,
        "workflow_inputs": known.sent,
        "machine_type": known.tells("machine_type") or "classic",
        "modal_function_call_id": known.tells("modal_function_call_id"),
    }
    for name in ("workflow_id", "workflow_version_id", "machine_id"):
        body[name] = known.tells(name)
    return body


def _of_table(name: str, blank: Json, states: list[Json]) -> Life:
    answers = []
    for state in states:
        body = blank | {each: state[each] for each in ("status", "live_status", "progress", "queue_position")}
        body["outputs"] = [_output(blank["id"], f"{number}.png") for number in range(state["n_outputs"])]
        if is_terminal(body["status"]):
            body |= {"ended_at": body["updated_at"], "duration": state["t"]}
        answers.append(body)
    return Life(name, tuple(answers), whole=False)


def _output(run_id: str, filename: str) -> Json:
    file = {"url": f"http://127.0.0.1:5555/outputs/runs/{run_id}/{filename}", "filename": filename}
    file |= {"type": "output", "subfolder": "", "is_public": True, "upload_duration": 0.1}
    return {"id": filename, "run_id": run_id, "output_id": None, "data": {"images": [file]}, "node_meta": None}


def _of_posts(machine: MachineRun, blank: Json, known: Known) -> Life:
    """Do with a machine's posts as the server does: an end stays, and outputs are lists."""
    answers = [blank]
    for post in machine.posts:
        body = copy.deepcopy(answers[-1])
        if "live_status" in post:
            body |= {"live_status": post["live_status"], "progress": post["progress"]}
        status = post.get("status")
        if status is not None and not is_terminal(body["status"]):
            body["status"] = status
            if is_terminal(status) and known.refused and status == "success":
                body["status"] = "failed"  # the server had called it that when it answered the submit
            elif is_terminal(status):
                body |= {"ended_at": body["updated_at"], "duration": machine.lasted}
        data = post.get("output_data")
        if isinstance(data, dict) and all(isinstance(each, list) for each in data.values()):
            row = {"id": str(len(answers)), "run_id": machine.run_id, "data": data, "node_meta": post.get("node_meta")}
            body["outputs"] = [*body["outputs"], row | {"output_id": post.get("output_id")}]
        if body != answers[-1]:
            answers.append(body)
    if known.refused and not is_terminal(answers[-1]["status"]):
        answers.append(answers[-1] | {"status": "failed"})
    return Life(machine.name, tuple(answers), whole=False)


def comparable(life: Life, real: frozenset[str]) -> list[Json]:
    """Return its answers without what only machines that were none have said of their files."""
    if life.recording in real:
        return list(life.answers)
    return [answer | {"outputs": [plain(row) for row in answer["outputs"]]} for answer in life.answers]


def plain(row: Json) -> Json:
    """Return an output of files without the class of its node."""
    return row | {"node_meta": {"node_id": row["node_meta"]["node_id"]}}
