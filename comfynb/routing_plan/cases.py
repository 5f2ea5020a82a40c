"""The cases of the testing plan. Each knows nothing of the workspace but what its stage tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from comfynb.routing_plan.case import Case, Kind, NotHere
from comfynb.routing_plan.stage import Stage, Target

__all__ = ["CASES"]

Check = Callable[[Stage], tuple[str, str]]
_FOUND: list[Case] = []


def _case(kind: Kind, title: str, *, sandbox_only: bool = False) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        _FOUND.append(Case(kind, title, check, sandbox_only))
        return check

    return keep


def _rule(target: Target, *machines: str, **more: Any) -> dict[str, Any]:
    return {**more, "routing_rules": {target.standard: list(machines)}}


# -- workflow types -------------------------------------------------------------------------------------------------


def _elsewhere(stage: Stage, target: Target) -> tuple[str, str]:
    (other,) = stage.others(target)
    stage.rules(_rule(target, other))
    return stage.expect(other, "its version"), stage.run(target)


@_case("workflow types", "one that makes pictures, on a machine where it is not deployed")
def _image(stage: Stage) -> tuple[str, str]:
    return _elsewhere(stage, stage.target("image"))


@_case("workflow types", "one that makes videos, on a machine where it is not deployed")
def _video(stage: Stage) -> tuple[str, str]:
    return _elsewhere(stage, stage.target("video"))


@_case("workflow types", "one on the machine where it is deployed")
def _at_home(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    stage.rules(_rule(target, str(target.home)))
    return stage.expect(target.home, "its deployment"), stage.run(target)


@_case("workflow types", "one without any deployment")
def _without_deployment(stage: Stage) -> tuple[str, str]:
    target = stage.target(deployed=False)
    (other,) = stage.others(target)
    stage.rules(_rule(target, other))
    return stage.expect(other, "its version"), stage.run(target)


@_case("workflow types", "one that takes a picture", sandbox_only=True)
def _takes_a_picture(stage: Stage) -> tuple[str, str]:
    return _elsewhere(stage, next(target for target in stage.targets("image") if target.inputs))


@_case("workflow types", "one that no rule names, without a default machine")
def _no_rule(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules({"routing_rules": {"some_other_workflow": other}})
    return stage.expect(target.home, "its deployment"), stage.run(target)


@_case("workflow types", "one that no rule names, with a default machine")
def _default_machine(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules({"default_machine": other})
    return stage.expect(other, "its version"), stage.run(target)


@_case("workflow types", "several, by one rule with a wildcard")
def _wildcard(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules({"routing_rules": {f"{target.standard[:3]}*": other}})
    return stage.expect(other, "its version"), stage.run(target)


# -- inputs ---------------------------------------------------------------------------------------------------------


@_case("inputs", "inputs that are given reach the run", sandbox_only=True)
def _given(stage: Stage) -> tuple[str, str]:
    target = next(each for each in stage.targets("image") if "prompt" in set(stage.ws.inputs(each.id)["name"]))
    (other,) = stage.others(target)
    stage.rules(_rule(target, other))
    stage.run(target, given={"prompt": "a red fox", "seed": 7})
    run = stage.ws.last_run
    inputs = run.inputs if run is not None else {}
    return "prompt='a red fox', seed=7", ", ".join(f"{name}={value!r}" for name, value in sorted(inputs.items()))


@_case("inputs", "a wrong input is refused, wherever it would run")
def _wrong(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, other))
    return stage.refusal("InputError"), stage.refused(
        lambda: stage.ws.submit(target.id, {**target.inputs, "no such input": 1})
    )


@_case("inputs", "another version than the deployment's, on the deployment's machine")
def _version(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    pinned = stage.ws.deployment(target.id).version
    others = [number for number in stage.ws.versions(target.id)["version"] if number != pinned]
    if not others:
        raise NotHere(f"a second version of {target.name}")
    stage.rules(_rule(target, str(target.home)))
    return stage.expect(target.home, "its version"), stage.run(target, version=int(others[0]))


@_case("inputs", "machine= overrules the rules")
def _machine(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, str(target.home)))
    return stage.expect(other, "its version"), stage.run(target, machine=other)


@_case("inputs", "route=False overrules the rules")
def _no_route(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, other))
    return stage.expect(target.home, "its deployment"), stage.run(target, route=False)


@_case("inputs", "the environment of a rule, whose deployment is elsewhere", sandbox_only=True)
def _environment(stage: Stage) -> tuple[str, str]:
    staged = stage.ws.deployments(environment="staging")
    target = next(each for each in stage.targets() if each.id in set(staged["workflow_id"]))
    row = staged[staged["workflow_id"] == target.id].iloc[0]
    machine = next(name for name in stage.ready() if name != row["machine"])
    stage.rules({"routing_rules": {target.standard: {"machines": [machine], "environment": "staging"}}})
    seen = stage.run(target)
    run = stage.ws.last_run
    version = run.prepared.version.id if run is not None and run.prepared is not None else None
    if version != stage.ws.deployment(target.id, environment="staging").version_id:
        seen = f"{seen}, which is not that of staging"
    return f"success on {machine}, by its version", seen


# -- edge cases -----------------------------------------------------------------------------------------------------


@_case("edge cases", "a workflow that does not exist")
def _no_workflow(stage: Stage) -> tuple[str, str]:
    stage.rules({"default_machine": stage.ready()[0]} if stage.ready() else {})
    return stage.refusal("NotFoundError"), stage.refused(lambda: stage.ws.submit("no such workflow anywhere"))


@_case("edge cases", "an environment without a deployment")
def _no_deployment(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    stage.rules({})
    return stage.refusal("NotFoundError"), stage.refused(
        lambda: stage.ws.submit(target.id, target.inputs, environment="community-share")
    )


@_case("edge cases", "a first choice that does not exist")
def _missing_machine(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, "no such machine", other))
    return stage.expect(other, "its version"), stage.run(target)


@_case("edge cases", "a first choice that is paused")
def _paused_machine(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, stage.named("paused"), other))
    return stage.expect(other, "its version"), stage.run(target)


@_case("edge cases", "a first choice that is in an error state")
def _broken_machine(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, stage.named("error"), other))
    return stage.expect(other, "its version"), stage.run(target)


@_case("edge cases", "a first choice that is deleted", sandbox_only=True)
def _deleted_machine(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    gone, other = stage.others(target, 2)
    stage.machine(gone).deleted = True
    stage.rules(_rule(target, gone, other))
    return stage.expect(other, "its version"), stage.run(target)


@_case("edge cases", "no machine of a rule can take it, and there is no default")
def _nowhere(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    stage.rules(_rule(target, "no such machine", "nor this one"))
    return stage.refusal("RoutingError"), stage.refused(lambda: stage.ws.submit(target.id, target.inputs))


@_case("edge cases", "no machine of a rule can take it: the default one does")
def _then_default(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, "no such machine", default_machine=other))
    return stage.expect(other, "its version"), stage.run(target)


@_case("edge cases", 'when_unavailable = "deployment" is announced, and takes the deployment')
def _then_deployment(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    stage.rules(_rule(target, "no such machine", when_unavailable="deployment"))
    expected = stage.expect(target.home, "its deployment")
    return _announced(stage, expected), _and_warned(stage, stage.run(target))


@_case("edge cases", 'when_unavailable = "any-ready" is announced, and takes one that is ready')
def _then_any(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    stage.rules(_rule(target, "no such machine", when_unavailable="any-ready"))
    expected = stage.expect(target.home, "its deployment")
    return _announced(stage, expected), _and_warned(stage, stage.run(target))


def _announced(stage: Stage, expected: str) -> str:
    return f"{expected}; RoutingWarning" if stage.execute else expected


def _and_warned(stage: Stage, seen: str) -> str:
    return "; ".join([seen, *sorted(set(stage.warned))])


@_case("edge cases", "a GPU that no machine of the rule has")
def _wrong_gpu(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules({"require_gpu": "no such GPU", **_rule(target, other)})
    return stage.refusal("RoutingError"), stage.refused(lambda: stage.ws.submit(target.id, target.inputs))


@_case("edge cases", "a file of rules that is broken names its line")
def _broken_rules(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    stage.rules(f'[routing_rules]\n"{target.standard}" = 3\n')
    seen = stage.refused(lambda: stage.ws.submit(target.id, target.inputs))
    line = "line 2" if "line 2" in stage.error else "no line"
    return f"{stage.refusal('ConfigurationError')}: line 2", f"{seen}: {line}"


@_case("edge cases", "a file of rules that is taken away")
def _no_rules(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    stage.path.unlink()
    return stage.refusal("ConfigurationError"), stage.refused(lambda: stage.ws.submit(target.id, target.inputs))


@_case("edge cases", "rules that change between two runs")
def _changed_rules(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, str(target.home)))
    first = stage.run(target)
    stage.rules(_rule(target, other))
    expected = f"{stage.expect(target.home, 'its deployment')}; then {stage.expect(other, 'its version')}"
    return expected, f"{first}; then {stage.run(target)}"


@_case("edge cases", "a machine that is paused between routing and submitting", sandbox_only=True)
def _paused_meanwhile(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    first, second = stage.others(target, 2)
    stage.rules(_rule(target, first, second))
    routed = stage.ws.routing.route(target.id).machine_name
    stage.machine(first).status = "paused"
    expected = f"routed to {first}; {stage.expect(second, 'its version')}"
    return expected, f"routed to {routed}; {stage.run(target)}"


@_case("edge cases", "a machine that is deleted between routing and submitting", sandbox_only=True)
def _deleted_meanwhile(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    first, second = stage.others(target, 2)
    stage.rules(_rule(target, first, second))
    prepared = stage.ws.prepare(target.id, target.inputs)
    stage.machine(first).deleted = True
    before = stage.submits() or 0
    with stage.collecting():
        run = stage.ws.submit(target.id, prepared.inputs.send)
    stage.wait(run)
    expected = f"prepared for {first}; success on {second}, by its version; 1 run"
    seen = (
        f"prepared for {prepared.machine_name}; {stage.told(run, 'its version')}; {(stage.submits() or 0) - before} run"
    )
    return expected, seen


@_case("edge cases", "a machine that does not answer leaves one failed run, and no second one", sandbox_only=True)
def _offline(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    first, second = stage.others(target, 2)
    stage.rules(_rule(target, first, second))
    stage.sandbox.knobs.change(offline={first})
    before = stage.submits() or 0
    seen = stage.run(target)
    return f"failed on {first}, by its version; 1 run", f"{seen}; {(stage.submits() or 0) - before} run"


@_case("edge cases", "an answer that is lost: its run is found, and not submitted twice", sandbox_only=True)
def _lost_answer(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, other))
    stage.ws.prepare(target.id, target.inputs)
    stage.sandbox.knobs.change(faults_on="POST /run", drop_next=1, drop="after")
    before = stage.submits() or 0
    seen = stage.run(target)
    return f"{stage.expect(other, 'its version')}; 1 run", f"{seen}; {(stage.submits() or 0) - before} run"


@_case("edge cases", "a deployment that moves between routing and submitting", sandbox_only=True)
def _moved_meanwhile(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    stage.rules(_rule(target, str(target.home)))
    deployment = stage.ws.deployment(target.id)
    stage.sandbox.world.deployments[deployment.id].machine_id = stage.machine(other).id
    return stage.expect(target.home, "its version"), stage.run(target)


@_case("edge cases", "two workflows of one standard name keep their own routes", sandbox_only=True)
def _namesakes(stage: Stage) -> tuple[str, str]:
    target = stage.target()
    (other,) = stage.others(target)
    twin = next(each for each in stage.targets() if each.id != target.id)
    stage.sandbox.world.workflows[twin.id].name = target.name.upper() + "!"
    stage.ws.reload()
    stage.rules(_rule(target, other))
    seen = stage.refused(lambda: stage.ws.routing.route(f"{target.standard}?"))
    table = stage.ws.routing.table()
    alike = table[table["standard_name"] == target.standard]
    return "AmbiguousNameError, 0 runs; 2 routes", f"{seen}; {len(alike)} routes"


CASES: Final[tuple[Case, ...]] = tuple(_FOUND)
