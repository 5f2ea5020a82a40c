"""A file of rules to begin with: what holds now, and what else could be said, as comments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from comfynb.rules.naming import display_name
from comfynb.rules.routing.fleet import Fleet, MachineLike
from comfynb.rules.routing.route import DeploymentLike, Route
from comfynb.rules.text import tidy

_HEAD: Final = """\
Which workflow runs on which machine.

comfynb looks for this file from the working directory upwards to the project's folder (there also in config/), then in
the user's configuration folder; COMFYNB_ROUTING or comfynb.connect(routing=...) name another. It is read anew when it
changes. `comfynb routes` shows where everything would run, `comfynb routes --check` what of it cannot be met.

As written, it changes nothing: every rule names the machine on which the workflow runs now."""
_SETTINGS: Final = """\
For workflows without a rule, and for those whose own machines cannot take a run: a machine, or a list of them.
default_machine = {machine}

What is done when no machine that is named can take a run: "fail" is an error, "deployment" takes the machine of the
deployment, "any-ready" any machine that is ready. Both are announced."""
_RULES: Final = """\
The standard name of a workflow, or a glob such as "upscale_*", and its machine by name or id; a list is tried in its
order. A table says more:
inpaint = {{ machines = [{machine}], require_gpu = "A100", environment = "staging", when_unavailable = "any-ready" }}"""


def rules_template(routes: Sequence[Route], fleet: Fleet, deployments: Iterable[DeploymentLike]) -> str:
    """Return a file of rules that changes nothing, with comments.

    Parameters
    ----------
    routes : sequence of Route
        Where everything runs without rules.
    fleet : Fleet
        The machines.
    deployments : iterable of DeploymentLike
        All of them: a workflow that is deployed on several machines gets no rule.

    Returns
    -------
    str
        TOML.
    """
    import tomlkit

    homes: dict[str, set[str]] = {}
    for each in deployments:
        homes.setdefault(each.workflow_id or "", set()).add(each.machine_id or "")
    names = Counter((machine.name or "").casefold() for machine in fleet.machines)

    def called(machine: MachineLike) -> str:
        """Return its name, or its id where a name is not enough."""
        alone = (
            (machine.name or "").isprintable() and bool(machine.name) and names[(machine.name or "").casefold()] == 1
        )
        return (machine.name or "") if alone and fleet.find(machine.name or "").machine is machine else machine.id

    first = fleet.ready[0].machine if fleet.ready else next(iter(fleet.machines), None)
    some = tomlkit.string(called(first) if first is not None else "a machine").as_string()
    lines = [*_comment(_HEAD), "", *_comment("Machines:")]
    for one in sorted(fleet.machines, key=lambda each: (display_name(each.name).casefold(), each.id)):
        facts = ", ".join(tidy(fact, 40) for fact in (one.gpu, one.status or "status not known") if fact)
        lines.append(f"#   {tomlkit.string(called(one)).as_string()}: {facts}")
    lines += ["", *_comment(_SETTINGS.format(machine=some)), 'when_unavailable = "fail"', ""]
    lines += [*_comment(_RULES.format(machine=some)), "[routing_rules]"]
    by_name: dict[str, list[Route]] = {}
    for route in routes:
        if route.subject.standard is not None:
            by_name.setdefault(route.subject.standard, []).append(route)
    for standard, alike in sorted(by_name.items()):
        places = {place for route in alike for place in homes.get(route.subject.id, {route.machine_id or ""})}
        machine = alike[0].machine
        why_not = _why_not(alike, len(places))
        key = tomlkit.key(standard).as_string()
        if machine is not None and why_not is None:
            lines.append(f"{key} = {tomlkit.string(called(machine)).as_string()}")
        else:
            meant = tomlkit.string(called(machine)).as_string() if machine is not None else some
            lines.append(f"# {key} = {meant}  # {tidy(why_not, 200)}")
    return "\n".join(lines).encode("utf-8", "replace").decode() + "\n"


def _why_not(alike: Sequence[Route], places: int) -> str | None:
    if len(alike) > 1:
        return f"{len(alike)} workflows have this standard name: {', '.join(route.name for route in alike)}"
    if places > 1:
        return f"deployed on {places} machines; a rule would send all of its runs to one"
    return None if alike[0].ok else alike[0].sentence


def _comment(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in text.splitlines()]
