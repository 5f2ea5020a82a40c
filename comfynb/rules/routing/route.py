"""Where a workflow would run, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from comfynb.rules.naming import display_name
from comfynb.rules.routing.fleet import Fleet, MachineLike, Spot, WhyNot
from comfynb.rules.text import tidy

if TYPE_CHECKING:
    from comfynb.rules.routing.rules import RoutingRules, Rule

Decided: TypeAlias = Literal["rule", "default", "any-ready", "deployment", "no rule"]
"""What decided: a rule; the default machine; what the rules say for when none of those can take it; or nothing, since
there is neither a rule nor a default."""

_REASONS: dict[WhyNot, str] = {
    "missing": "does not exist",
    "deleted": "is deleted",
    "ambiguous": "is the name of several machines",
    "disabled": "is disabled",
    "paused": "is paused",
    "building": "is still being built",
    "error": "is in an error state",
    "refused": "refused the run",
}
_MOST_TOLD = 5


class DeploymentLike(Protocol):
    """What of a deployment decides."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def environment(self) -> str | None:
        """Where it stands."""

    @property
    def workflow_id(self) -> str | None:
        """Whose it is."""

    @property
    def workflow_version_id(self) -> str | None:
        """What it pins."""

    @property
    def machine_id(self) -> str | None:
        """Where it runs."""

    @property
    def gpu(self) -> str | None:
        """Its own GPU, if it has one."""


class Subject(NamedTuple):
    """A workflow, as far as it decides.

    Parameters
    ----------
    id : str
        Its id.
    name : str
        Its name, for sentences.
    standard : str or None
        Its standard name; None if it has none.
    machine_id : str or None
        Its own machine, for when it has no deployment.
    """

    id: str
    name: str
    standard: str | None
    machine_id: str | None = None


class Candidate(NamedTuple):
    """A machine that was thought of.

    Parameters
    ----------
    wanted : str
        Its name or id, as the rules have it.
    machine : str
        Its name, tidied.
    machine_id : str or None
        Its id; None if there is no such machine, or more than one.
    source : str
        What brought it in: "rule", "default", "any-ready", "deployment" or "no rule".
    why_not : str or None
        "missing", "deleted", "ambiguous", "disabled", "paused", "building", "error", "wrong GPU" or "refused";
        None if it could take the run.
    reason : str
        The same in words; empty if it could.
    """

    wanted: str
    machine: str
    machine_id: str | None
    source: Decided
    why_not: WhyNot | None
    reason: str


class Route:
    """Where a workflow would run, and why. Displaying it says all of it.

    Attributes
    ----------
    subject : Subject
        The workflow.
    environment : str or None
        The environment that was asked for, by a call or by the rules.
    rules : RoutingRules
        The rules.
    rule : Rule or None
        The one that holds for it.
    home : DeploymentLike or None
        The deployment whose version is meant.
    machine : MachineLike or None
        Where it would run; None if it cannot.
    through : bool
        Whether it goes through that deployment; else its version is sent to the machine.
    decided : str
        What decided: "rule", "default", "any-ready", "deployment" or "no rule".
    trouble : str or None
        Why not even the deployment is clear; None if it is.
    other_version : bool
        Whether another version than the deployment's is asked for, so that it cannot go through that.
    """

    __slots__ = (
        "_fleet",
        "_without",
        "decided",
        "environment",
        "home",
        "machine",
        "other_version",
        "rule",
        "rules",
        "subject",
        "through",
        "trouble",
    )

    def __init__(
        self,
        rules: RoutingRules,
        fleet: Fleet,
        subject: Subject,
        environment: str | None,
        rule: Rule | None,
        home: DeploymentLike | None,
        without: frozenset[str],
        machine: MachineLike | None,
        through: bool,
        decided: Decided,
        trouble: str | None = None,
    ) -> None:
        # Many are made and few are looked at, so what explains it is made when it is asked for.
        self.rules = rules
        self._fleet = fleet
        self._without = without
        self.subject = subject
        self.environment = environment
        self.rule = rule
        self.home = home
        self.machine = machine
        self.through = through
        self.decided = decided
        self.trouble = trouble
        self.other_version = False

    @property
    def ok(self) -> bool:
        """Whether it can run."""
        return self.machine is not None

    @property
    def name(self) -> str:
        """The workflow's name, tidied."""
        return display_name(self.subject.name) or self.subject.id

    @property
    def machine_id(self) -> str | None:
        """The id of the machine where it would run."""
        return self.machine.id if self.machine is not None else None

    @property
    def machine_name(self) -> str | None:
        """The name of the machine where it would run."""
        return display_name(self.machine.name or self.machine.id) if self.machine is not None else None

    @property
    def deployment(self) -> DeploymentLike | None:
        """The deployment that it goes through; None if its version is sent to the machine, or it cannot run."""
        return self.home if self.through else None

    @property
    def version_id(self) -> str | None:
        """The id of the version that is meant; None for the newest, where there is no deployment."""
        return self.home.workflow_version_id if self.home is not None else None

    @property
    def gpu(self) -> str | None:
        """The GPU that it would run on, where that is known."""
        own = self.home.gpu if self.through and self.home is not None else None
        return own or (self.machine.gpu if self.machine is not None else None)

    @property
    def require_gpu(self) -> tuple[str, ...]:
        """The GPUs of which the machine has to have one; empty where any will do."""
        return required_gpus(self.rules, self.rule)

    @property
    def announced(self) -> bool:
        """Whether it goes where no rule sends it, which is not to happen in silence."""
        return self.machine is not None and self.decided in ("any-ready", "deployment")

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All machines that were thought of, in their order, each with why it could not take the run."""
        if self.trouble is not None:
            return ()
        found = []
        for source, spot in thought_of(self.rules, self._fleet, self.subject, self.rule, self.home):
            reason = why_not_here(spot, self.require_gpu, self.home, self._without)
            machine_id = spot.machine.id if spot.machine is not None else None
            words = "" if reason is None else self._words(spot, reason)
            found.append(Candidate(spot.wanted, tidy(spot.name, 80), machine_id, source, reason, words))
        return tuple(found)

    @property
    def how(self) -> str:
        """In words: how it gets there."""
        if self.machine is None:
            return "not at all"
        if self.home is None:
            return "by version and machine, since it has no deployment"
        environment = self.home.environment or "own"
        if self.through:
            return f"by its {environment} deployment, which is there"
        if self.home.machine_id == self.machine.id and self.other_version:
            return f"by version and machine, since its {environment} deployment pins another version"
        if self.home.machine_id == self.machine.id:
            return f"by version and machine, since its {environment} deployment has a GPU of its own"
        return f"by version and machine, since its {environment} deployment is elsewhere"

    @property
    def sentence(self) -> str:
        """Where it would run, how it gets there, and why."""
        if self.trouble is not None:
            return self.trouble
        passed = self._some_passed()
        told = f": {', '.join(passed)}" if passed else ""
        if self.machine is None:
            return f"No machine can take {tidy(self.name, 80)}{told or ': it has none'}."
        begun = f"{tidy(self.name, 80)} runs on {tidy(self.machine_name, 80)}, {self.how}"
        if self.decided == "rule" and self.rule is not None:
            return f"{begun}; the rule {tidy(self.rule.pattern, 80)!r} says so{_after(passed)}."
        if self.decided == "default":
            first = "its rule could not be met" if self.rule and self.rule.machines else "no rule names it"
            return f"{begun}; it is the default machine, and {first}{told}."
        if self.decided == "no rule":
            return f"{begun}; no rule names it, and there is no default machine."
        last = "goes to one that is ready" if self.decided == "any-ready" else "stays with its deployment"
        return f"{begun}; no machine that the rules name can take it{_after(passed)}, so it {last}."

    @property
    def passed_over(self) -> tuple[str, ...]:
        """Why each machine before the chosen one could not take it, in words."""
        passed = []
        for candidate in self.candidates:
            if candidate.why_not is None:
                if self.machine is not None:
                    break
                continue
            passed.append(candidate.reason)
        return tuple(passed)

    def _some_passed(self) -> list[str]:
        passed = list(self.passed_over)
        if len(passed) > _MOST_TOLD:
            passed[_MOST_TOLD:] = [f"and {len(passed) - _MOST_TOLD} more"]
        return passed

    def _words(self, spot: Spot, reason: WhyNot) -> str:
        name = tidy(spot.name, 80)
        if reason == "wrong GPU":
            gpu = spot.machine.gpu if spot.machine is not None else None
            has = f"has the GPU {tidy(gpu, 40)}" if gpu else "has a GPU that is not known"
            return f"{name} {has}, not {tidy(' or '.join(self.require_gpu), 120)}"
        return f"{name} {_REASONS[reason]}"

    def __repr__(self) -> str:
        from comfynb.display.route import route_text

        return route_text(self)

    def _repr_html_(self) -> str:
        from comfynb.display.route import route_html

        return route_html(self)


def required_gpus(rules: RoutingRules, rule: Rule | None) -> tuple[str, ...]:
    """Return the GPUs of which a machine has to have one: what the rule says, else the rules as a whole."""
    return (rule.require_gpu if rule is not None else ()) or rules.require_gpu


def thought_of(
    rules: RoutingRules, fleet: Fleet, subject: Subject, rule: Rule | None, home: DeploymentLike | None
) -> Iterator[tuple[Decided, Spot]]:
    """Yield the machines in the order in which they are tried, each with what brought it in."""
    named = False
    if rule is not None:
        for wanted in rule.machines:
            named = True
            yield "rule", fleet.find(wanted)
    for wanted in rules.default_machine:
        named = True
        yield "default", fleet.find(wanted)
    own = fleet.of_id(home.machine_id if home is not None else subject.machine_id)
    if not named and own is not None:
        yield "no rule", own
    when = (rule.when_unavailable if rule is not None else None) or rules.when_unavailable
    if when == "deployment" and named and own is not None:
        yield "deployment", own
    if when == "any-ready":
        names = (*(rule.machines if rule is not None else ()), *rules.default_machine)
        before = {machine.id for wanted in names if (machine := fleet.find(wanted).machine) is not None}
        if own is not None and own.machine is not None:
            if named and own.why_not is None and own.machine.id not in before:
                yield "any-ready", own
            before.add(own.machine.id)
        for spot in fleet.ready:
            if spot.machine is not None and spot.machine.id not in before:
                yield "any-ready", spot


def why_not_here(
    spot: Spot, gpus: tuple[str, ...], home: DeploymentLike | None, without: frozenset[str]
) -> WhyNot | None:
    """Return why a machine cannot take a run of this deployment; None if it can."""
    if spot.why_not is not None or spot.machine is None:
        return spot.why_not or "missing"
    if without and spot.machine.id in without:
        return "refused"
    if gpus and not has_gpu(spot.machine, gpus) and not through_with_gpu(spot.machine, gpus, home):
        return "wrong GPU"
    return None


def has_gpu(machine: MachineLike, gpus: tuple[str, ...]) -> bool:
    """Whether a machine's own GPU is one of these."""
    return _one_of(machine.gpu, gpus)


def through_with_gpu(machine: MachineLike, gpus: tuple[str, ...], home: DeploymentLike | None) -> bool:
    """Whether a run through the deployment that is on this machine would have one of these GPUs."""
    return home is not None and home.machine_id == machine.id and _one_of(home.gpu or machine.gpu, gpus)


def _one_of(gpu: str | None, gpus: tuple[str, ...]) -> bool:
    return gpu is not None and gpu.casefold() in {each.casefold() for each in gpus}


def _after(passed: list[str]) -> str:
    return f" ({', '.join(passed)})" if passed else ""
