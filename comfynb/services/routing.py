"""Where runs go: the rules that hold now, brought together with the workflows, deployments and machines that stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from comfynb.api.models import Deployment, Machine, Workflow
from comfynb.errors import ApiError, ComfyError, ConfigurationError, RateLimitError, TransportError
from comfynb.names_files import NamesInUse
from comfynb.rules.naming import display_name
from comfynb.rules.routing import Fleet, Route, Router, RoutingRules, RuleProblem, Subject, check_rules, decide
from comfynb.rules_files import RulesFile, Watched, find_rules_file
from comfynb.services.cache import Entry, together
from comfynb.services.catalogue.deployments import Deployments
from comfynb.services.catalogue.machines import Machines
from comfynb.services.catalogue.source import Source
from comfynb.services.catalogue.workflows import Workflows
from comfynb.services.isolation import DeploymentList

__all__ = ["ROUTING_FILE", "Routing", "RulesGiven", "RulesSource"]

ROUTING_FILE: Final = "workflow-machine-routing.toml"
"""What a file of routing rules is called by default."""
FRESH: Final = 15.0
"""Seconds that the status of a machine may be old when a run is routed to it."""

RulesGiven: TypeAlias = str | Path | Mapping[str, Any] | bool | None
"""How rules can be given: a file, what a file would say, False for none, None (or True) for the file that is found."""


class RulesSource:
    """Where the rules are from, and what they say now.

    Parameters
    ----------
    given : str, pathlib.Path, mapping, bool or None
        A file, or what it would say; False for no rules. None takes the named file, else searches one.
    named : str, optional
        A file that the environment names.

    Raises
    ------
    ConfigurationError
        If a named file is not there.
    """

    def __init__(self, given: RulesGiven = None, *, named: str | None = None) -> None:
        self._given = given
        start = Path.cwd()
        path = given if isinstance(given, str | Path) else named
        by = "routing=" if isinstance(given, str | Path) else "COMFYNB_ROUTING"
        # A named file stays the same one when the working directory changes.
        absolute = None if path is None else start / Path(path).expanduser()
        self._find: Callable[[], Path | None] = lambda: find_rules_file(
            ROUTING_FILE, named=absolute, by=by, start=start
        )
        if given is False or isinstance(given, Mapping):
            self._find = lambda: None
        self._file = Watched(self._find, lambda path: None if path is None else RulesFile.read(path))
        self._find()

    @property
    def path(self) -> Path | None:
        """The file that holds now; None without one."""
        return self._find()

    def read(self) -> RulesFile | Mapping[str, Any] | None:
        """Return what the rules say now, the same object as long as nothing changed; None without rules."""
        return self._given if isinstance(self._given, Mapping) else self._file.get()


class Routing:
    """Routes the workflows of one workspace.

    Parameters
    ----------
    source : Source
        What is asked.
    workflows, deployments, machines
        The parts of the catalogue.
    rules : RulesSource
        The rules.
    names : NamesInUse
        The names that mean others, in the rules and of workflows.
    """

    def __init__(
        self,
        source: Source,
        workflows: Workflows,
        deployments: Deployments,
        machines: Machines,
        rules: RulesSource,
        names: NamesInUse,
    ) -> None:
        self._source = source
        self._workflows = workflows
        self._deployments = deployments
        self._machines = machines
        self.origin = rules
        self._names = names
        self._rules: tuple[object, object, RoutingRules] | None = None
        self._fleet: tuple[object, Fleet] | None = None
        self._router: tuple[object, Router] | None = None

    # -- what holds ---------------------------------------------------------------------------------------------

    def rules(self) -> RoutingRules | None:
        """Return the rules that hold now, or None if there are none.

        Raises
        ------
        ConfigurationError
            With the file, the line and the problem of everything that is wrong with them.
        """
        said = self.origin.read()
        if said is None:
            return None
        names = self._names.get()
        kept = self._rules
        if kept is None or kept[0] is not said or kept[1] is not names:
            if isinstance(said, RulesFile):
                rules = RoutingRules(said.data, standardize=names.standardize, locate=said.problem)
            else:
                rules = RoutingRules(said, standardize=names.standardize)
            kept = self._rules = (said, names, rules)
        return kept[2]

    def asked(self, route: bool | None, machine: Any) -> RoutingRules | None:
        """Return the rules by which a run is routed, given what its call says; None if it is not routed.

        Raises
        ------
        ConfigurationError
            If `route` is True, and there is no rule, or a machine is named, too.
        """
        if route is not None and not isinstance(route, bool):
            raise ConfigurationError(f"route={route!r:.60} is neither True, False nor None.")
        if route is False:
            return None
        if machine is not None:
            if route:
                raise ConfigurationError("Give either machine= or route=True: a machine that is named overrules rules.")
            return None
        rules = self.rules()
        if rules is None and route:
            raise ConfigurationError(
                f"There are no routing rules: no file {ROUTING_FILE} was found. `comfynb routes --init` writes one."
            )
        return rules

    async def fleet(self, rules: RoutingRules, *, newest: bool = False) -> Fleet:
        """Return the machines; those of them that are deleted are asked for when the rules name what is not there.

        Parameters
        ----------
        rules : RoutingRules
            Which machines are named.
        newest : bool
            Whether their status must not be older than 15 seconds, however long it is kept otherwise.
        """
        entry = await self._machines.entry()
        if newest and self._source.cache.age(entry) > FRESH:
            entry = await self._machines.entry(refresh=True)
        key: tuple[object, ...] = (rules, entry.number)
        kept = self._fleet  # another thread may replace it meanwhile
        if kept is None or kept[0] != key:
            fleet = Fleet(*_apart(entry.value))
            if any(fleet.find(wanted).why_not == "missing" for wanted in _named(rules)):
                fleet = Fleet(*_apart([*entry.value, *await self._deleted()]))
            kept = self._fleet = (key, fleet)
        return kept[1]

    async def _deleted(self) -> list[Machine]:
        async def read() -> list[Machine]:
            try:
                return await self._source.client.machines(is_deleted=True)
            except (ApiError, TransportError):
                return []  # they only tell "deleted" from "never there"

        found = (await self._source.get("machines:deleted", read, tags=["machines"])).value
        return [machine.model_copy(update={"deleted": True}) for machine in found]

    async def router(self, rules: RoutingRules) -> Router:
        """Return what decides for all workflows as they stand now."""
        listed, _, _ = await together(self._deployments.entry(), self._machines.entry(), self._workflows.entry())
        fleet = await self.fleet(rules)
        key = (rules, fleet, listed.number)
        kept = self._router
        if kept is None or kept[0] != key:
            value: DeploymentList = listed.value
            kept = self._router = (key, Router(rules, fleet, value.deployments, broken=value.broken))
        return kept[1]

    # -- deciding -----------------------------------------------------------------------------------------------

    def subject(self, workflow: Workflow) -> Subject:
        """Return what of a workflow decides."""
        name = workflow.name or workflow.id
        return Subject(workflow.id, display_name(name), self._standard(workflow.name), workflow.selected_machine_id)

    def _standard(self, name: str | None) -> str | None:
        try:
            return self._names.get().standardize(name or "")
        except ComfyError:
            return None

    async def environment(self, rules: RoutingRules, workflow: Workflow, asked: str | None) -> str | None:
        """Return the environment that is meant: what was asked for, else what the rules say for what is deployed."""
        if asked is not None:
            return asked
        rule = rules.match(self._standard(workflow.name))
        wanted = (rule.environment if rule is not None else None) or rules.environment
        if wanted is None:
            return None
        standing = await self._deployments.of_workflow(workflow.id)
        return wanted if standing.deployments or standing.broken else None

    async def decide(
        self,
        rules: RoutingRules,
        workflow: Workflow,
        deployment: Deployment | None,
        *,
        environment: str | None = None,
        without: frozenset[str] = frozenset(),
        other_version: bool = False,
        newest: bool = False,
    ) -> Route:
        """Return where a run goes; see `comfynb.rules.routing.decide`."""
        return decide(
            rules,
            await self.fleet(rules, newest=newest),
            self.subject(workflow),
            deployment,
            environment=environment,
            without=without,
            other_version=other_version,
        )

    async def route(self, workflow: Any, *, environment: str | None = None) -> Route:
        """Return where a workflow or a deployment runs now, by the rules, or as without rules if there are none."""
        rules = self.rules() or _NONE
        deployment = await self._deployments.given(workflow)
        if deployment is not None and deployment.workflow_id is not None:
            owners = {w.id: w for w in await self._workflows.all()}
            name = deployment.workflow.name if deployment.workflow is not None else None
            owner = owners.get(deployment.workflow_id) or Workflow(id=deployment.workflow_id, name=name)
            return await self.decide(rules, owner, deployment, environment=deployment.environment)
        owner = await self._workflows.find(workflow)
        try:
            router = await self.router(rules)
        except RateLimitError:
            raise
        except ApiError:
            # The list of all deployments fails, and single ones do not.
            environment = await self.environment(rules, owner, environment)
            home = await self._deployments.choose(owner, environment)
            return await self.decide(rules, owner, home, environment=environment)
        return router.route(self.subject(owner), environment)

    async def all(self, *, environment: str | None = None) -> tuple[list[Route], tuple[Entry[Any], ...]]:
        """Return the routes of all workflows, and the answers that they follow from."""
        rules = self.rules() or _NONE
        workflows, listed, machines = await together(
            self._workflows.entry(), self._deployments.entry(), self._machines.entry()
        )
        router = await self.router(rules)
        routes = [router.route(self.subject(workflow), environment) for workflow in workflows.value]
        return routes, (workflows, listed, machines)

    async def without_rules(self) -> list[Route]:
        """Return where all workflows run as long as there are no rules."""
        router = await self.router(_NONE)
        return [router.route(self.subject(workflow)) for workflow in await self._workflows.all()]

    async def check(self) -> tuple[RuleProblem, ...]:
        """Return what is wrong with the rules now, in the order of the file; nothing without rules."""
        rules = self.rules()
        if rules is None:
            return ()
        workflows, listed = await together(self._workflows.all(), self._deployments.entry())
        fleet = await self.fleet(rules)
        return check_rules(rules, fleet, [self.subject(each) for each in workflows], listed.value.deployments)


_NONE = RoutingRules()


def _apart(machines: list[Machine]) -> tuple[list[Machine], list[Machine]]:
    return [m for m in machines if not m.deleted], [m for m in machines if m.deleted]


def _named(rules: RoutingRules) -> set[str]:
    return {*rules.default_machine, *(machine for rule in rules.rules for machine in rule.machines)}
