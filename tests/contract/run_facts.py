"""Everything that the recordings tell of single runs, and of the graphs that they executed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from comfynb.sandbox.world.graph import Graph

from .posted import Json, MachineRun, cases_of, machine_answers, machine_runs
from .recorded import Recording, exchanges
from .replica import rows_in
from .stand_ins import STAND_INS


@dataclass
class Known:
    """All that the recordings tell of one run besides its life."""

    run_id: str
    rows: list[Json] = field(default_factory=list)
    """Rows and answers about it."""
    submit: Recording | None = None
    """The request that made it."""
    machine: MachineRun | None = None
    inputs: Json | None = None
    """What was sent, where only a table tells it."""
    refused: bool = False
    """Whether its submit was answered with an error."""

    def tells(self, name: str) -> Any:
        """Return what the first row that has it says."""
        return next((row[name] for row in self.rows if row.get(name) is not None), None)

    @property
    def body(self) -> Json:
        """The body of the request that made it."""
        return self.submit.body if self.submit is not None and isinstance(self.submit.body, dict) else {}

    @property
    def sent(self) -> Json:
        """Its inputs."""
        for each in (self.tells("workflow_inputs"), self.body.get("inputs"), self.inputs):
            if each is not None:
                return dict(each)
        return {}

    @property
    def webhook(self) -> str | None:
        """Whom the server was to tell of it."""
        return self.tells("webhook") or self.body.get("webhook")

    @property
    def intermediate(self) -> bool:
        """Whether each node was to be told, too."""
        return bool(self.tells("webhook_intermediate_status") or self.body.get("webhook_intermediate_status"))

    @cached_property
    def created(self) -> datetime | None:
        """When it was made, as well as that is known."""
        created = self.tells("created_at")
        if created is not None:
            return moment(created)
        began = self.machine.began if self.machine is not None else None
        if self.submit is None:
            return began
        answered = parsedate_to_datetime(self.submit.answer_headers["date"])
        return min(answered, began) if began is not None else answered

    @property
    def over(self) -> datetime | None:
        """When its machine was done with it, as well as that is known."""
        if self.machine is not None and self.machine.began is not None:
            return self.machine.began + timedelta(seconds=self.machine.lasted)
        ended = self.tells("ended_at")
        return moment(ended) if ended is not None else self.created


def runs_known(contents: Json) -> dict[str, Known]:
    """Return everything that is known of each run, by its id."""
    found: dict[str, Known] = {}

    def about(run_id: str) -> Known:
        return found.setdefault(run_id, Known(run_id))

    for content in contents.values():
        for row in rows_in(content):
            if {"workflow_version_id", "status", "origin"} <= row.keys():
                about(row["id"]).rows.append(row)
    for each in machine_runs(contents):
        about(each.run_id).machine = each
    for submit in submits(contents):
        if isinstance(submit.answer, dict) and "run_id" in submit.answer:
            about(submit.answer["run_id"]).submit = submit
    for content in contents.values():
        if isinstance(cases_of(content), dict):
            _tabulate(list(content["cases"].values()), found)
    _place(contents, found)
    for each in found.values():
        errors = each.machine.data if each.machine is not None else ()
        each.refused = any(isinstance(data, dict) and "error" in data for data in errors)
    return found


def _tabulate(cases: list[Json], found: dict[str, Known]) -> None:
    """Say what was sent for the runs of a table, all of one workflow; a refused one follows the one before it."""
    posted = [each for each in found.values() if each.machine is not None and each.machine.began is not None]
    posted.sort(key=lambda each: each.machine.began)
    ids = [each.run_id for each in posted]
    runs, last = [], -1
    for case in cases:
        run_id = case["queue_body"].get("run_id")
        last = ids.index(run_id) if run_id in ids else last + 1
        if last < len(ids):
            found[ids[last]].inputs = case["inputs"]
            runs.append(found[ids[last]])
    told = next((each.rows[0] for each in runs if each.rows), None)
    for each in runs:
        if told is not None and not each.rows:
            each.rows.append(_where(told))


def _place(contents: Json, found: dict[str, Known]) -> None:
    """Say of runs that have no row which version they executed: that of their deployment."""
    deployments: dict[str, Json] = {}
    for content in contents.values():
        for row in rows_in(content):
            if {"environment", "workflow_version_id", "machine_id"} <= row.keys():
                deployments.setdefault(row["id"], row)
    for known in found.values():
        deployment = deployments.get(known.body.get("deployment_id", ""))
        if deployment is not None and not known.rows:
            known.rows.append(_where(deployment))


def _where(row: Json) -> Json:
    return {name: row[name] for name in ("workflow_id", "workflow_version_id", "machine_id")}


def submits(contents: Json) -> list[Recording]:
    """Return every recorded request that makes a run, answered well or not."""
    return [
        each
        for each in exchanges(contents)
        if each.method == "POST"
        and each.path in ("/api/run", "/api/run/queue", "/api/run/deployment/queue", "/api/run/workflow/queue")
        and isinstance(each.body, dict)
    ]


def graphs(contents: Json) -> dict[str, Json]:
    """Return the graphs of versions: as recorded, else the stand-in for it, else one that a machine's posts fit."""
    found = {
        row["id"]: row["workflow_api"]
        for content in contents.values()
        for row in rows_in(content)
        if {"workflow_api", "workflow", "version", "comment"} <= row.keys() and isinstance(row["workflow_api"], dict)
    }
    loose = [each["graph"] for each in machine_answers(contents)] + [_built(build) for build in STAND_INS.values()]
    for known in runs_known(contents).values():
        version_id = known.tells("workflow_version_id")
        if version_id is None or version_id in found:
            continue
        stand_in = STAND_INS.get(known.body.get("deployment_id", ""))
        fits = [_built(stand_in)] if stand_in is not None else [graph for graph in loose if _fits(graph, known)]
        if fits:
            found[version_id] = fits[0]
    return found


def _built(build: Callable[[Graph], None]) -> Json:
    graph = Graph()
    build(graph)
    return graph.api()


def _fits(graph: Json, known: Known) -> bool:
    """Whether a machine could have posted this about a graph: its classes, their shares, and the names of inputs."""
    executed = known.machine.executed if known.machine is not None else []
    names = {node["inputs"].get("input_id") for node in graph.values()}
    classes = Counter(node["class_type"] for node in graph.values())
    return (
        len(executed) > 1
        and known.sent.keys() <= names
        and Counter(name for name, _ in executed) <= classes
        and abs((executed[-1][1] - executed[0][1]) - (len(executed) - 1) / len(graph)) < 0.02
    )


def old_rows(contents: Json) -> dict[str, Json]:
    """Return runs as the old list shows them, with their errors, by id; else what a machine posted stands for that."""
    found = {}
    for content in contents.values():
        for row in rows_in(content):
            if {"comfy_deploy_cold_start", "outputs", "workflow_inputs"} <= row.keys():
                found[row["id"]] = row
    for known in runs_known(contents).values():
        if known.run_id not in found and known.machine is not None and known.rows:
            outputs = [{"id": str(number), "data": data} for number, data in enumerate(known.machine.data)]
            row = known.rows[0] | {"id": known.run_id, "workflow_inputs": known.sent, "outputs": outputs}
            found[known.run_id] = row
    return found


def moment(text: str) -> datetime:
    """Return a time of an answer; those without a zone are UTC."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
