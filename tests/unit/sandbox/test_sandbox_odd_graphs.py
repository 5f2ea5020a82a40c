"""Graphs that nobody would draw: a machine may refuse or fail them, the sandbox itself never does."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comfynb.sandbox import Sandbox
from comfynb.sandbox.engine import Submit
from comfynb.sandbox.input_types import BrokenWorkflowError, input_types, output_types
from comfynb.sandbox.installed import installed_for
from comfynb.sandbox.run_views import run_one, run_v1
from comfynb.sandbox.world.graph import GivenGraph

WORLD = Sandbox(speed=0, history=0).world
GRAPHS = {version.comment + version.id: version.workflow_api for version in WORLD.versions.values()}
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "x", "1", "-1", "[", "null", "[1]", "nan", "http://x/a.png"])
    | st.sampled_from([["1", 0], ["1", -1], ["99", 0], [1, 0], ["1", 10**9]]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "1"]), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def odd_graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a graph of the built-in world in which some things are something else."""
    graph: dict[str, Any] = copy.deepcopy(GRAPHS[draw(st.sampled_from(sorted(GRAPHS)))])
    for node_id in draw(st.lists(st.sampled_from(sorted(graph)), min_size=1, max_size=3)):
        node = graph[node_id]
        if not isinstance(node, dict) or not isinstance(node.get("inputs"), dict):
            continue
        names = [*node["inputs"], "min_value", "max_value", "default_value", "seed", "output_id", "options"]
        for name in draw(st.lists(st.sampled_from(names), max_size=3)):
            node["inputs"][name] = draw(ODD)
        if draw(st.integers(0, 9)) == 0:
            node[draw(st.sampled_from(["inputs", "class_type", "_meta"]))] = draw(ODD)
        elif draw(st.integers(0, 19)) == 0:
            graph[node_id] = draw(ODD)
    return graph


@given(odd_graphs(), st.dictionaries(st.sampled_from(["prompt", "seed", "Steps", "width", "image"]), ODD, max_size=3))
@settings(max_examples=250, deadline=None, database=None, derandomize=True)
def test_any_graph_can_be_run_and_told_of(graph: dict[str, Any], inputs: dict[str, Any]) -> None:
    """From the submit to the last state, on a classic and on a serverless machine; and drawn."""
    sandbox = Sandbox(speed=0, history=0)
    world, engine = sandbox.world, sandbox.app.engine
    sent = {name: value for name, value in inputs.items() if isinstance(value, str | int | float | list)}
    tenant = next(iter(world.tenants.values()))
    workflow = world.workflow_named("text2img")
    for name in ("studio-classic-a", "serverless-a10g"):
        machine = world.machine_named(name)
        run = engine.submit(Submit(tenant, machine, workflow.id, graph, None, dict(sent)))
        for state in run.plan.states:
            run_one(run, state, state.status)
            run_v1(run, state, None, workflow, with_outputs=True, with_inputs=True)
    GivenGraph(graph).ui()
    installed_for([graph])
    with suppress(BrokenWorkflowError):  # as the real server fails on it
        input_types(graph)
        output_types(graph)


def test_a_world_with_an_odd_graph_has_a_past() -> None:
    """Nodes that are none, inputs that are none, limits that are no numbers."""
    graph = {
        "1": None,
        "2": {"class_type": "ComfyUIDeployExternalNumberSlider", "inputs": {"input_id": "x", "min_value": ["1", 0]}},
        "3": {"class_type": "SaveImage"},
        "4": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": ["1", 0]}},
    }
    world = {
        "machines": [{"name": "m"}],
        "workflows": [{"name": "w", "machine": "m", "workflow_api": graph}],
        "deployments": [{"workflow": "w"}],
    }
    assert len(Sandbox(world=world, history=30).world.runs) == 30
