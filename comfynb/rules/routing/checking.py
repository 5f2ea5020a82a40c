"""What is wrong with rules, given the machines and workflows that there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from comfynb.rules.lookup import nearest
from comfynb.rules.naming import display_name
from comfynb.rules.routing.fleet import Fleet, Spot, WhyNot
from comfynb.rules.routing.patterns import is_glob
from comfynb.rules.routing.route import DeploymentLike, Subject, required_gpus
from comfynb.rules.routing.rules import RoutingRules, Rule
from comfynb.rules.text import tidy

_STATES: dict[WhyNot, str] = {
    "missing": "missing",
    "ambiguous": "the name of several",
    "building": "still being built",
    "error": "in an error state",
}


class _Known(NamedTuple):
    fleet: Fleet
    names: Sequence[str]
    own_gpus: set[tuple[str, str]]
    """Machine and GPU of the deployments that have one of their own."""


class RuleProblem(NamedTuple):
    """Something about a rule that a person should know.

    Parameters
    ----------
    text : str
        The sentence, with file and line in front.
    serious : bool
        Whether it has to be put right: the rule cannot be met, or names a machine that does not exist. What is not
        serious is a rule that no workflow has.
    """

    text: str
    serious: bool


def check_rules(
    rules: RoutingRules,
    fleet: Fleet,
    subjects: Sequence[Subject] = (),
    deployments: Iterable[DeploymentLike] = (),
) -> tuple[RuleProblem, ...]:
    """Return what is wrong with rules now, in the order of the file.

    Parameters
    ----------
    rules : RoutingRules
        The rules.
    fleet : Fleet
        The machines.
    subjects : sequence of Subject
        The workflows; without any, no rule is said to have none.
    deployments : iterable of DeploymentLike
        Their deployments, which may have GPUs of their own.

    Examples
    --------
    >>> rules = RoutingRules({"routing_rules": {"text2img": "gpu-1"}})
    >>> check_rules(rules, Fleet([]))[0].text
    "routing_rules.text2img: No machine is called 'gpu-1'; there are none here."
    """
    found: list[RuleProblem] = []
    known = _Known(
        fleet,
        tuple(display_name(machine.name or machine.id) for machine in fleet.machines),
        {(each.machine_id or "", each.gpu.casefold()) for each in deployments if each.gpu},
    )
    found += _of_machines(rules, rules.default_keys, rules.default_machine, rules.require_gpu, known)
    standards = {subject.standard for subject in subjects if subject.standard}
    matched = {rule.pattern for name in standards if (rule := rules.match(name)) is not None}
    for rule in rules.rules:
        gpus = required_gpus(rules, rule)
        found += _of_machines(rules, rule.keys, rule.machines, gpus, known)
        if subjects and rule.pattern not in matched:
            found.append(RuleProblem(rules.locate(rule.keys, _unused(rule, standards), None), False))
    return tuple(found)


def _of_machines(
    rules: RoutingRules,
    keys: tuple[str, ...],
    machines: tuple[str, ...],
    gpus: tuple[str, ...],
    known: _Known,
) -> Iterable[RuleProblem]:
    unusable: list[str] = []
    wrong = False
    for wanted in machines:
        spot = known.fleet.find(wanted)
        sentence = _not_one(spot, known.names)
        if sentence is not None:
            wrong = True
            yield RuleProblem(rules.locate(keys, sentence, wanted), True)
        state = _state(spot, gpus, known)
        if state is not None:
            unusable.append(f"{tidy(spot.name, 80)!r} is {state}")
    # A machine that is not there has been told already; a second sentence is for what is there, and cannot.
    if machines and len(unusable) == len(machines) and not (wrong and len(machines) == 1):
        yield RuleProblem(rules.locate(keys, f"It cannot be met now: {', '.join(unusable)}.", None), True)


def _not_one(spot: Spot, names: Sequence[str]) -> str | None:
    shown = repr(tidy(spot.wanted, 80))
    if spot.why_not == "deleted":
        return f"The machine {shown} is deleted."
    if spot.why_not == "ambiguous":
        return f"{shown} is the name of several machines; give the id of the one that is meant."
    if spot.why_not != "missing":
        return None
    near = ", ".join(repr(tidy(name, 80)) for name in nearest(spot.wanted, names))
    if near:
        return f"No machine is called {shown}; nearest: {near}."
    listed = ", ".join(repr(tidy(name, 60)) for name in names[:10])
    return f"No machine is called {shown}; there are {listed or 'none here'}."


def _state(spot: Spot, gpus: tuple[str, ...], known: _Known) -> str | None:
    if spot.why_not is not None:
        return _STATES.get(spot.why_not, spot.why_not)
    if spot.machine is None or not gpus:
        return None
    gpu = spot.machine.gpu
    through = any((spot.machine.id, each.casefold()) in known.own_gpus for each in gpus)
    if not through and (gpu or "").casefold() not in {each.casefold() for each in gpus}:
        return f"on {tidy(gpu, 40) if gpu else 'a GPU that is not known'}, not {tidy(' or '.join(gpus), 80)}"
    return None


def _unused(rule: Rule, standards: set[str]) -> str:
    if is_glob(rule.pattern):
        return f"No workflow's name fits {rule.pattern!r}."
    near = ", ".join(nearest(rule.pattern, sorted(standards)))
    return f"No workflow has the standard name {tidy(rule.pattern, 80)!r}{f'; nearest: {near}' if near else ''}."
