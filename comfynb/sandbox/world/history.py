"""Runs of the last thirty days."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from comfynb.rules.graph_nodes import nodes_of
from comfynb.sandbox import failure
from comfynb.sandbox.engine import Engine, Submit
from comfynb.sandbox.plan import State
from comfynb.sandbox.world.records import Deployment, Tenant
from comfynb.sandbox.world.run import Run

__all__ = ["DAYS", "add_history"]

DAYS = 30

PROMPTS = (
    "a lighthouse in the evening sun",
    "a red fox in fresh snow",
    "portrait of a beekeeper, golden hour",
    "isometric library, warm light",
    "a glass teapot on slate",
    "harbour at dawn, oil painting",
    "paper-cut mountains",
    "macro photo of moss",
    "a market square in the rain",
    "an astronaut's kitchen garden",
)

ENDS = ("success",) * 80 + ("failed",) * 9 + ("cancelled",) * 5 + ("timeout",) * 3 + ("stuck",) * 3
"""How runs ended, as often as it stands here; the seed chooses one for each run."""


def add_history(engine: Engine) -> None:
    """Give a world its past; without the machines having anything to do any more."""
    world = engine.world
    tenant = next(iter(world.tenants.values()))
    deployments = list(world.deployments.values())
    weights = [_weight(engine, each) for each in deployments]
    start = world.knobs.start - timedelta(days=DAYS)
    count = world.knobs.history if deployments else 0
    for number in range(count):
        share = (number + world.ids.fraction("when", number)) / count
        moment = start + (timedelta(days=DAYS) - timedelta(hours=2)) * share
        deployment = _choose(deployments, weights, world.ids.fraction("which", number))
        end = ENDS[int(world.ids.fraction("end", number) * len(ENDS))]
        inputs = _inputs(engine, deployment, number)
        words = frozenset({"__fail__"}) if end == "failed" else frozenset[str]()
        asked = _ask(engine, tenant, deployment, inputs)
        _end(engine.remember(asked, moment, world.ids.uuid_of("past run", number), words), end)


def _weight(engine: Engine, deployment: Deployment) -> float:
    """Return how often a deployment is used: production most, what never works hardly ever."""
    works = "BROKEN" not in engine.world.workflows[deployment.workflow_id].name
    return (4.0 if deployment.environment == "production" else 1.0) * (1.0 if works else 0.2)


def _choose(deployments: list[Deployment], weights: list[float], fraction: float) -> Deployment:
    place = fraction * sum(weights)
    for deployment, weight in zip(deployments, weights, strict=True):
        place -= weight
        if place < 0:
            return deployment
    return deployments[-1]


def _ask(engine: Engine, tenant: Tenant, deployment: Deployment, inputs: dict[str, Any]) -> Submit:
    version = engine.world.versions[deployment.workflow_version_id]
    return Submit(
        tenant=tenant,
        machine=engine.world.machines[deployment.machine_id],
        workflow_id=deployment.workflow_id,
        workflow_api=version.workflow_api,
        workflow=version.workflow,
        inputs=inputs,
        version=version,
        deployment=deployment,
    )


def _inputs(engine: Engine, deployment: Deployment, number: int) -> dict[str, Any]:
    """Return what somebody may have sent: a prompt mostly, a seed often, other things now and then."""
    world = engine.world
    api = world.versions[deployment.workflow_version_id].workflow_api
    inputs: dict[str, Any] = {}
    for _, node in nodes_of(api):
        settings = node.get("inputs")
        name = settings.get("input_id") if isinstance(settings, dict) else None
        if not isinstance(name, str) or not isinstance(settings, dict):
            continue
        kind = str(node.get("class_type")).removeprefix("ComfyUIDeployExternal")
        chance = world.ids.fraction("input", number, str(name))
        if kind in {"Text", "TextAny"} and "egative" not in str(name):
            inputs[name] = PROMPTS[int(chance * len(PROMPTS))]
        elif kind == "Seed" and chance < 0.7:
            inputs[name] = int(chance * 4_000_000_000) + 1
        elif kind == "NumberInt" and name == "seed" and chance < 0.7:
            inputs[name] = int(chance * 1_000_000)
        elif kind == "NumberInt" and name in {"width", "height"} and chance < 0.5:
            inputs[name] = (512, 640, 768)[int(chance * 6) % 3]
        elif kind == "NumberSlider" and chance < 0.3:
            low, high = failure.number(settings.get("min_value"), 0), failure.number(settings.get("max_value"), 1)
            inputs[name] = round(low + chance * (high - low), 2)
    return inputs


def _end(run: Run, end: str) -> None:
    """Let a run of the past have ended in this way, where it did not fail by itself."""
    plan = run.plan
    states = plan.states
    last = states[-1]
    if last.status != "success" or end == "success":
        return
    middle = states[max(1, len(states) // 2)]
    if end == "cancelled" and run.modal_function_call_id:
        final = replace(middle, at=middle.at + 0.25, status="cancelled", ended=True, event="status")
        run.replan(replace(plan, states=[*_until(states, middle), final], outputs=[]), settled=True)
    elif end == "timeout" and run.modal_function_call_id:
        final = replace(middle, at=middle.at + 300.0, status="timeout", ended=True, event="status")
        run.replan(replace(plan, states=[*_until(states, middle), final], outputs=[]), settled=True)
    elif not run.modal_function_call_id:
        # The machine was switched off: the row says running for ever, and the server computes a timeout on read.
        run.replan(replace(plan, states=_until(states, middle), outputs=[]), settled=True)


def _until(states: list[State], last: State) -> list[State]:
    return [replace(state, outputs=0) for state in states if state.at <= last.at]
