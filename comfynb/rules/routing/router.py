"""Deciding where workflows run: a pure function of the rules and of what stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from comfynb.rules.routing.fleet import Fleet, MachineLike
from comfynb.rules.routing.route import (
    Decided,
    DeploymentLike,
    Route,
    Subject,
    required_gpus,
    thought_of,
    through_with_gpu,
    why_not_here,
)
from comfynb.rules.routing.rules import RoutingRules, Rule
from comfynb.rules.text import tidy

__all__ = ["Router", "Subject", "decide"]

_NOBODY: frozenset[str] = frozenset()


def decide(
    rules: RoutingRules,
    fleet: Fleet,
    subject: Subject,
    home: DeploymentLike | None,
    *,
    environment: str | None = None,
    without: frozenset[str] = _NOBODY,
    other_version: bool = False,
) -> Route:
    """Return where a workflow runs: the first machine that can take it, of those of its rule, then the default one.

    Where there is neither, it runs where its deployment is, as without rules. Where none of those can take it,
    `when_unavailable` decides. A machine can take a run if its status is "ready" or "running", it is neither deleted
    nor disabled, and it has the GPU that is asked for.

    Parameters
    ----------
    rules : RoutingRules
        The rules.
    fleet : Fleet
        The machines.
    subject : Subject
        The workflow.
    home : DeploymentLike or None
        The deployment whose version is meant; None for the newest version, on the workflow's own machine.
    environment : str, optional
        What was asked for, to be told.
    without : frozenset of str
        Ids of machines that refused the run.
    other_version : bool
        Whether another version than that of the deployment is to run, which no deployment can do.

    Returns
    -------
    Route
        Its `machine` is None if no machine can take it.
    """
    route = _chosen(rules, fleet, subject, rules.match(subject.standard), home, environment, without)
    if other_version:
        route.other_version, route.through = True, False
    return route


def _chosen(
    rules: RoutingRules,
    fleet: Fleet,
    subject: Subject,
    rule: Rule | None,
    home: DeploymentLike | None,
    environment: str | None,
    without: frozenset[str],
) -> Route:
    gpus = required_gpus(rules, rule)
    for source, spot in thought_of(rules, fleet, subject, rule, home):
        machine = spot.machine
        if machine is None or why_not_here(spot, gpus, home, without) is not None:
            continue
        there = home is not None and home.machine_id == machine.id
        through = there and (not gpus or through_with_gpu(machine, gpus, home))
        return Route(rules, fleet, subject, environment, rule, home, without, machine, through, source)
    nothing: Decided = "no rule"
    if rules.default_machine:
        nothing = "default"
    if rule is not None and rule.machines:
        nothing = "rule"
    return Route(rules, fleet, subject, environment, rule, home, without, None, False, nothing)


class BrokenLike(Protocol):
    """What is known of a deployment that cannot be read."""

    @property
    def workflow_id(self) -> str | None:
        """Whose it is."""

    @property
    def environment(self) -> str | None:
        """Where it stands."""

    @property
    def problem(self) -> str:
        """What is wrong with it."""


class _Plan(NamedTuple):
    environment: str | None
    source: Decided
    machine: MachineLike | None
    """The first that is named and can take any run; None where more than that decides."""


class Router:
    """Decides for all workflows of a workspace, at one moment of it, and remembers what it decided.

    Parameters
    ----------
    rules : RoutingRules
        The rules.
    fleet : Fleet
        The machines.
    deployments : iterable of DeploymentLike
        The deployments of all workflows.
    broken : iterable of BrokenLike
        Deployments that exist and cannot be read.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> gpu = SimpleNamespace(id="m1", name="gpu-1", status="ready", gpu="A100", disabled=None)
    >>> router = Router(RoutingRules({"routing_rules": {"text2img": "gpu-1"}}), Fleet([gpu]))
    >>> router.route(Subject("w1", "Text2Img", "text2img")).machine_name
    'gpu-1'
    """

    def __init__(
        self,
        rules: RoutingRules,
        fleet: Fleet,
        deployments: Iterable[DeploymentLike] = (),
        *,
        broken: Iterable[BrokenLike] = (),
    ) -> None:
        self.rules = rules
        self.fleet = fleet
        self._deployments: dict[str, dict[str | None, list[DeploymentLike]]] = {}
        for each in deployments:
            self._deployments.setdefault(each.workflow_id or "", {}).setdefault(each.environment, []).append(each)
        self._broken: dict[str, list[BrokenLike]] = {}
        for one in broken:
            self._broken.setdefault(one.workflow_id or "", []).append(one)
        self._find = rules.names.find
        # What of a decision is the same for all workflows of a rule is found out once.
        self._plans = {rule.pattern: self._plan(rule) for rule in rules.rules}
        self._without_rule = self._plan(None)
        self._seen: dict[tuple[Subject, str | None], Route] = {}

    def route(self, subject: Subject, environment: str | None = None) -> Route:
        """Return where a workflow runs.

        Parameters
        ----------
        subject : Subject
            The workflow.
        environment : str, optional
            Whose deployment is meant; else what the rules say, else production's, else the only one.
        """
        key = (subject, environment)
        route = self._seen.get(key)
        if route is None:
            route = self._seen[key] = self._decide(subject, environment)
        return route

    def _plan(self, rule: Rule | None) -> _Plan:
        environment = (rule.environment if rule is not None else None) or self.rules.environment
        for wanted in (*(rule.machines if rule is not None else ()), *self.rules.default_machine):
            spot = self.fleet.find(wanted)
            if spot.machine is not None and spot.why_not is None and not required_gpus(self.rules, rule):
                source: Decided = "rule" if rule is not None and wanted in rule.machines else "default"
                return _Plan(environment, source, spot.machine)
        return _Plan(environment, "no rule", None)

    def _decide(self, subject: Subject, environment: str | None) -> Route:
        standing = self._deployments.get(subject.id)
        standard = subject.standard
        rule = self._find(standard) if standard is not None else None
        planned, source, machine = self._plans[rule.pattern] if rule is not None else self._without_rule
        home: DeploymentLike | None = None
        if subject.id in self._broken:
            trouble = self._cannot_be_read(subject, environment or planned, standing)
            if trouble is not None:
                return self._without_any(subject, environment, trouble)
        if standing is not None:
            if environment is None:
                environment = planned
            here = standing.get(environment or "production")
            if here is None and environment is None and len(standing) == 1:
                (here,) = standing.values()
            if here is None or len(here) != 1:
                return self._unclear(subject, environment, standing, here or [])
            home = here[0]
        elif environment is not None:
            return self._unclear(subject, environment, {}, [])
        if machine is None:
            return _chosen(self.rules, self.fleet, subject, rule, home, environment, _NOBODY)
        through = home is not None and home.machine_id == machine.id
        return Route(self.rules, self.fleet, subject, environment, rule, home, _NOBODY, machine, through, source)

    def _unclear(
        self,
        subject: Subject,
        wanted: str | None,
        standing: Iterable[str | None],
        here: list[DeploymentLike],
    ) -> Route:
        others = ", ".join(sorted(each or "?" for each in standing)) or "none"
        if here:
            why = f"{subject.name!r} has {len(here)} deployments in {wanted or 'production'!r}; say which by its id."
        elif wanted is not None:
            why = f"{subject.name!r} has no deployment in {wanted!r}; it has: {others}."
        else:
            why = f"{subject.name!r} has no production deployment, but several others: {others}; say which."
        return self._without_any(subject, wanted, why)

    def _cannot_be_read(
        self, subject: Subject, wanted: str | None, standing: dict[str | None, list[DeploymentLike]] | None
    ) -> str | None:
        """Say why the deployment that is meant cannot be used, if it is one that the server cannot read."""
        meant = wanted or "production"
        if standing is not None and meant in standing:
            return None
        only = wanted is None and standing is None
        for one in self._broken[subject.id]:
            if only or one.environment in (None, meant):
                which = one.environment or meant
                return f"The {which} deployment of {subject.name!r} cannot be used: {tidy(one.problem, 300)}."
        return None

    def _without_any(self, subject: Subject, environment: str | None, why: str) -> Route:
        rule = self.rules.match(subject.standard)
        return Route(self.rules, self.fleet, subject, environment, rule, None, _NOBODY, None, False, "no rule", why)
