"""The table that sums up a workspace: what each workflow does, takes and lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pandas as pd

from comfynb.api.models import Deployment, ListedRun, Machine, Version, Workflow
from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.frames.workflows import standard_name_or_none
from comfynb.rules.environments import ENVIRONMENTS
from comfynb.rules.graph import GraphFacts, describe_graph
from comfynb.rules.inputs import InputDefinition, input_definitions
from comfynb.rules.names_table import NO_NAMES, NamesTable
from comfynb.rules.naming import display_name
from comfynb.rules.status import is_terminal
from comfynb.rules.text import tidy
from comfynb.services.isolation import BrokenDeployment, DeploymentList

__all__ = ["catalog_frame", "catalog_runs_frame"]

_BAD_STATUSES: Final = frozenset({"paused", "error"})
_PLACES: Final = {environment: place for place, environment in enumerate(ENVIRONMENTS)}


def catalog_frame(
    workflows: Iterable[Workflow],
    listed: DeploymentList,
    machines: Iterable[Machine] | None = None,
    versions: Mapping[str, Version | None] | None = None,
    *,
    names: NamesTable = NO_NAMES,
    source: str = "",
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """Return one row per workflow, in the given order.

    A workflow is described by its main graph: that of its production deployment; else of its first deployment; else
    its newest version.

    Parameters
    ----------
    workflows : iterable of Workflow
        The rows.
    listed : DeploymentList
        All deployments, and what is known of those that cannot be read.
    machines : iterable of Machine, optional
        All machines that are not deleted. Without them nothing is said of machines but their ids.
    versions : mapping of workflow id to Version or None, optional
        The newest versions of workflows that have no deployment; None for a workflow without any version.
    names : NamesTable
        The names that mean others.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["catalog"]` declares them. Two workflows with one standard name are two rows, and both say
        so among their problems.

    Examples
    --------
    >>> graph = {"1": {"class_type": "SaveImage", "inputs": {}}}
    >>> pinned = Deployment(id="d1", workflow_id="w1", environment="production", version=Version(workflow_api=graph))
    >>> table = catalog_frame([Workflow(id="w1", name="Text to Image")], DeploymentList((pinned,)))
    >>> table.loc[0, ["output_kind", "deployments"]].tolist()
    ['image', (('production', 'd1'),)]
    """
    rows = list(workflows)
    standing: dict[str | None, list[Deployment]] = {}
    for deployment in listed.deployments:
        standing.setdefault(deployment.workflow_id, []).append(deployment)
    broken: dict[str | None, list[BrokenDeployment]] = {}
    for unreadable in listed.broken:
        broken.setdefault(unreadable.workflow_id, []).append(unreadable)
    places = None if machines is None else {machine.id: machine for machine in machines}
    standard_names = [standard_name_or_none(row.name, names) for row in rows]
    namesakes = _namesakes(rows, standard_names)
    entries = [
        _entry(
            row,
            sorted(standing.get(row.id, ()), key=_place),
            broken.get(row.id, ()),
            namesakes.get(standard_name or "", ()),
            places,
            versions or {},
        )
        for row, standard_name in zip(rows, standard_names, strict=True)
    ]
    facts = [entry.facts for entry in entries]
    return frame(
        TABLES["catalog"],
        {
            "name": [row.name for row in rows],
            "id": [row.id or None for row in rows],
            "standard_name": standard_names,
            "display_name": [display_name(row.name) or None for row in rows],
            "deployments": [entry.deployments for entry in entries],
            "required_inputs": [entry.input_names(required=True) for entry in entries],
            "optional_inputs": [entry.input_names(required=False) for entry in entries],
            "output_kind": [fact.output_kind for fact in facts],
            "uses_lora": [None if fact.unknown else fact.uses_lora for fact in facts],
            "primary_input": [fact.primary_input for fact in facts],
            "machine": [None if entry.machine is None else entry.machine.name for entry in entries],
            "machine_id": [entry.machine_id for entry in entries],
            "description": [
                tidy(row.description, None) or tidy(" ".join(fact.notes), None) or None
                for row, fact in zip(rows, facts, strict=True)
            ],
            "notes": [fact.notes for fact in facts],
            "remarks": [entry.remarks for entry in entries],
            "problems": [entry.problems for entry in entries],
        },
        source=source,
        as_of=as_of,
    )


def catalog_runs_frame(catalog: pd.DataFrame, runs: Mapping[str, Sequence[ListedRun]]) -> pd.DataFrame:
    """Return a catalog with how the newest runs of each workflow ended.

    Parameters
    ----------
    catalog : pandas.DataFrame
        As `catalog_frame` makes it.
    runs : mapping of workflow id to sequence of ListedRun
        The newest runs of each; one that is missing is not known.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["catalog_runs"]` declares them.

    Examples
    --------
    >>> table = catalog_frame([Workflow(id="w1", name="a")], DeploymentList(()))
    >>> runs = [ListedRun(status="running"), ListedRun(status="failed"), ListedRun(status="success")]
    >>> catalog_runs_frame(table, {"w1": runs})[["last_status", "success_rate"]].to_dict("records")
    [{'last_status': 'running', 'success_rate': 0.5}]
    """
    ids = catalog["id"].tolist()
    newest = [max(rows, key=_made) if (rows := runs.get(each)) else None for each in ids]
    ended = [None if (rows := runs.get(each)) is None else [r for r in rows if is_terminal(r.status)] for each in ids]
    made = frame(
        TABLES["catalog_runs"],
        {
            **{name: catalog[name].tolist() for name in TABLES["catalog"].names()},
            "last_run": [run.created_at if run is not None else None for run in newest],
            "last_status": [run.status if run is not None else None for run in newest],
            "ended_runs": [None if rows is None else len(rows) for rows in ended],
            "success_rate": [
                sum(row.status == "success" for row in rows) / len(rows) if rows else None for rows in ended
            ],
        },
    )
    made.attrs = {**catalog.attrs, "kind": "catalog_runs"}
    return made


def _made(run: ListedRun) -> datetime:
    return run.created_at or datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the catalog says of one workflow, beyond what the workflow itself has."""

    deployments: tuple[tuple[str, str], ...]
    definitions: tuple[InputDefinition, ...] | None
    facts: GraphFacts
    machine: Machine | None
    machine_id: str | None
    remarks: tuple[str, ...]
    problems: tuple[str, ...]

    def input_names(self, *, required: bool) -> tuple[str, ...] | None:
        if self.definitions is None:
            return None
        return tuple([definition.name for definition in self.definitions if definition.required is required])


def _entry(
    workflow: Workflow,
    deployments: Sequence[Deployment],
    broken: Sequence[BrokenDeployment],
    namesakes: Sequence[Workflow],
    machines: Mapping[str, Machine] | None,
    versions: Mapping[str, Version | None],
) -> _Entry:
    main = deployments[0] if deployments else None
    version = versions.get(workflow.id) if main is None else _version(main, versions.get(workflow.id))
    graph = None if version is None else version.workflow_api
    facts = describe_graph(graph, None if version is None else version.workflow)
    input_types = None if main is None else main.input_types
    definitions = None if facts.unknown and input_types is None else input_definitions(input_types, graph)
    machine_id = workflow.selected_machine_id if main is None else main.machine_id
    unversioned = version is None and workflow.id in versions
    return _Entry(
        deployments=tuple(sorted((d.environment or "", d.id) for d in deployments)),
        definitions=definitions,
        facts=facts,
        machine=(machines or {}).get(machine_id or ""),
        machine_id=machine_id,
        remarks=tuple(_remarks(deployments, broken, facts)),
        problems=(
            *_name_problems(workflow, namesakes),
            *(f"{_of(b.environment)}: {b.problem}" for b in broken),
            *_machine_problems(workflow, deployments, machines),
            *_graph_problems(facts, definitions, unversioned=unversioned),
        ),
    )


def _place(deployment: Deployment) -> tuple[int, str]:
    environment = deployment.environment or ""
    return _PLACES.get(environment, len(_PLACES)), environment


def _version(deployment: Deployment, newest: Version | None) -> Version | None:
    """Return the version that a deployment pins, with its graphs if they are to be had."""
    embedded = deployment.version
    if embedded is not None and embedded.workflow_api is not None:
        return embedded
    return newest if newest is not None and newest.id == deployment.workflow_version_id else embedded


def _namesakes(rows: Sequence[Workflow], standard_names: Sequence[str | None]) -> dict[str, list[Workflow]]:
    sharing: dict[str, list[Workflow]] = {}
    for row, standard_name in zip(rows, standard_names, strict=True):
        if standard_name is not None:
            sharing.setdefault(standard_name, []).append(row)
    return sharing


def _remarks(deployments: Sequence[Deployment], broken: Sequence[BrokenDeployment], facts: GraphFacts) -> Iterable[str]:
    if not deployments and not broken:
        yield "it has no deployment: it runs by version, on a machine that is given"
    if facts.uncontrolled_seeds:
        nodes = ", ".join(f"{tidy(name)} {tidy(node_id)}" for node_id, name in facts.uncontrolled_seeds)
        yield f"no input controls the seed of {nodes}: a result cannot be repeated from the inputs alone"


def _name_problems(workflow: Workflow, namesakes: Sequence[Workflow]) -> Iterable[str]:
    if not namesakes:  # not even itself
        yield "its name has neither a letter nor a digit, so it has no standard name"
    others = [f"{display_name(other.name)!r} ({other.id})" for other in namesakes if other.id != workflow.id]
    if others:
        yield f"it shares its standard name with {', '.join(others)}"


def _machine_problems(
    workflow: Workflow, deployments: Sequence[Deployment], machines: Mapping[str, Machine] | None
) -> Iterable[str]:
    if machines is None:
        return
    used: list[tuple[str, str | None]] = [(_of(d.environment), d.machine_id) for d in deployments]
    if not deployments and workflow.selected_machine_id:
        used = [("workflow", workflow.selected_machine_id)]
    for what, machine_id in used:
        machine = machines.get(machine_id or "")
        if machine is None:
            yield f"{what}: it has no machine" if not machine_id else f"{what}: its machine is missing or deleted"
        elif machine.status in _BAD_STATUSES:
            yield f"{what}: its machine {display_name(machine.name)!r} has the status {machine.status}"


def _graph_problems(
    facts: GraphFacts, definitions: Sequence[InputDefinition] | None, *, unversioned: bool
) -> Iterable[str]:
    if facts.unknown:
        yield "it has no version yet" if unversioned else "its graph is not known"
    elif not facts.saves_outputs:
        yield "no node saves a file: a run may not end on a classic machine"
    for definition in definitions or ():
        if definition.problem:
            yield f"input {definition.name!r}: {definition.problem}"


def _of(environment: str | None) -> str:
    return f"{environment} deployment" if environment else "a deployment"
