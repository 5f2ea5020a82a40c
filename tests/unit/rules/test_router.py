"""Deciding where runs go: one decision, and many at once, which have to be the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.display.route import route_html, route_text
from comfynb.rules.routing import Fleet, Router, RoutingRules, Subject, decide

STATUSES = ("ready", "running", "paused", "building", "error", "brand-new", None)
GPUS = ("A100", "H100", None)
WHEN = ("any-ready", "deployment", "fail")
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e|`"


def machine(id: str, name: str | None = None, status: str | None = "ready", gpu: str | None = None, **more: Any) -> Any:
    """Return a machine."""
    return SimpleNamespace(id=id, name=name or id, status=status, gpu=gpu, disabled=more.get("disabled"))


def deployment(workflow: str, machine_id: str | None, environment: str = "production", gpu: str | None = None) -> Any:
    """Return a deployment."""
    return SimpleNamespace(
        id=f"{workflow}-{environment}",
        environment=environment,
        workflow_id=workflow,
        workflow_version_id=f"v-{workflow}-{environment}",
        machine_id=machine_id,
        gpu=gpu,
    )


World = tuple[RoutingRules, Fleet, list[Any], list[Subject]]
SUBJECT = Subject("w1", "Text2Img", "text2img")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw rules, machines, deployments and workflows."""
    ids = [f"m{number}" for number in range(draw(st.integers(0, 4)))]
    machines = [
        machine(
            each,
            draw(st.sampled_from(["gpu", "box", each])),
            draw(st.sampled_from(STATUSES)),
            draw(st.sampled_from(GPUS)),
        )
        for each in ids
    ]
    places = st.sampled_from([*ids, "gpu", "box", "nowhere"])
    content: dict[str, Any] = {"routing_rules": {}}
    for key in draw(st.lists(st.sampled_from(["a", "b", "a*", "*", "?b"]), unique=True, max_size=3)):
        rule: dict[str, Any] = {"machines": draw(st.lists(places, min_size=1, max_size=3))}
        if draw(st.booleans()):
            rule["require_gpu"] = draw(st.sampled_from(["A100", "h100"]))
        if draw(st.booleans()):
            rule["environment"] = "staging"
        if draw(st.booleans()):
            rule["when_unavailable"] = draw(st.sampled_from(WHEN))
        content["routing_rules"][key] = rule
    if draw(st.booleans()):
        content["default_machine"] = draw(places)
    if draw(st.booleans()):
        content["when_unavailable"] = draw(st.sampled_from(WHEN))
    subjects = [
        Subject("w1", "a", "a", draw(st.sampled_from([*ids, None]))),
        Subject("w2", "bb", "bb"),
        Subject("w3", "?", None),
    ]
    deployments = [
        deployment(workflow, draw(st.sampled_from([*ids, "gone", None])), environment, draw(st.sampled_from(GPUS)))
        for workflow in ("w1", "w2")
        for environment in draw(st.lists(st.sampled_from(["production", "staging", "preview"]), unique=True))
    ]
    return RoutingRules(content), Fleet(machines), deployments, subjects


@given(worlds())
def test_many_decisions_are_what_each_alone_would_be(
    world: tuple[RoutingRules, Fleet, list[Any], list[Subject]],
) -> None:
    """A router decides as the plain function does, and never for a machine that cannot take the run."""
    rules, fleet, deployments, subjects = world
    router = Router(rules, fleet, deployments)
    for subject in subjects:
        route = router.route(subject)
        assert router.route(subject) is route
        if route.trouble is not None:
            assert not route.ok
            continue
        alone = decide(rules, fleet, subject, route.home, environment=route.environment)
        assert (route.machine_id, route.through, route.decided) == (alone.machine_id, alone.through, alone.decided)
        assert route.candidates == alone.candidates
        assert route.sentence == alone.sentence
        taken = [candidate for candidate in route.candidates if candidate.why_not is None]
        assert route.machine_id == (taken[0].machine_id if taken else None)
        if route.machine is not None:
            assert route.machine.status not in ("paused", "building", "error")
        if route.through:
            assert route.home is not None
            assert route.home.machine_id == route.machine_id
        assert route_text(route)
        assert "<script" not in route_html(route)


def test_a_deployment_that_cannot_be_read_is_trouble_and_no_other_is_taken_for_it() -> None:
    """Unless another environment is meant."""
    broken = SimpleNamespace(workflow_id="w1", environment="production", problem="the server cannot read it")
    staged = deployment("w1", "m1", "staging")
    router = Router(RoutingRules(), Fleet([machine("m1")]), [staged], broken=[broken])
    assert router.route(SUBJECT).sentence == (
        "The production deployment of 'Text2Img' cannot be used: the server cannot read it."
    )
    assert router.route(SUBJECT, "staging").machine_id == "m1"


@pytest.mark.parametrize(
    ("environments", "asked", "said"),
    [
        (["staging", "preview"], None, "has no production deployment, but several others: preview, staging; say which"),
        (["staging", "preview"], "production", "has no deployment in 'production'; it has: preview, staging"),
        ([], "staging", "has no deployment in 'staging'; it has: none"),
        (["staging"], None, ""),
    ],
)
def test_which_deployment_is_meant_has_to_be_clear(environments: list[str], asked: str | None, said: str) -> None:
    """Production's, else the only one there is."""
    deployments = [deployment("w1", "m1", each) for each in environments]
    route = Router(RoutingRules(), Fleet([machine("m1")]), deployments).route(SUBJECT, asked)
    assert said in (route.trouble or "")
    assert route.ok is not bool(said)


def test_a_machine_is_found_by_id_name_case_and_standard_name() -> None:
    """In this order; a name of several is none."""
    fleet = Fleet([machine("m1", "GPU 1"), machine("m2", "gpu 1"), machine("m3", "box"), machine("box", "Other")])
    assert [fleet.find(each).machine and fleet.find(each).machine.id for each in ("m1", "GPU 1", "gpu 1", "box")] == [
        "m1",
        "m1",
        "m2",
        "box",
    ]
    assert fleet.find("Gpu 1").why_not == "ambiguous"
    assert fleet.find("other!").machine is not None
    assert Fleet([], [machine("m9", "old")]).find("OLD").why_not == "deleted"


def test_a_machine_that_is_switched_off_takes_nothing() -> None:
    """Whatever its status says; a status that is not known stops nobody who named it, and draws nobody else there."""
    off, new = machine("m1", disabled=True), machine("m2", status="brand-new")
    fleet = Fleet([off, new])
    assert (fleet.find("m1").why_not, fleet.find("m2").why_not) == ("disabled", None)
    rules = RoutingRules({"routing_rules": {"text2img": "m1"}, "when_unavailable": "any-ready"})
    route = decide(rules, fleet, SUBJECT, None)
    assert (route.machine_id, route.sentence) == (None, "No machine can take Text2Img: m1 is disabled.")


def test_the_gpu_of_a_deployment_counts_where_it_is_used() -> None:
    """It has a GPU of its own, which its version on the machine would not have."""
    fleet = Fleet([machine("m1", gpu="A10G")])
    home = deployment("w1", "m1", gpu="H100")
    rules = RoutingRules({"routing_rules": {"text2img": "m1"}, "require_gpu": "h100"})
    route = decide(rules, fleet, SUBJECT, home)
    assert (route.through, route.gpu) == (True, "H100")
    plain = RoutingRules({"routing_rules": {"text2img": "m1"}, "require_gpu": "A10G"})
    route = decide(plain, fleet, SUBJECT, home)
    assert (route.through, route.gpu) == (False, "A10G")
    assert "has a GPU of its own" in route.sentence


def test_nothing_hostile_comes_through() -> None:
    """Names of machines and workflows come from other people."""
    fleet = Fleet([machine("m1", HOSTILE, "paused")])
    rules = RoutingRules({"default_machine": "m1"})
    route = decide(rules, fleet, Subject("w1", HOSTILE, None), None)
    assert "\x1b" not in route.sentence + route_text(route) + route_html(route)
    assert "<script" not in route_html(route)
