"""The table that sums up a workspace."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from comfynb.api.models import Deployment, Machine, Version, Workflow
from comfynb.frames import catalog_frame
from comfynb.services.isolation import BrokenDeployment, DeploymentList

GRAPH: dict[str, Any] = {
    "1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "prompt"}},
    "2": {"class_type": "ComfyUIDeployExternalNumberInt", "inputs": {"input_id": "steps", "default_value": 20}},
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "positive": ["1", 0], "steps": ["2", 0]}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}
TEXT_GRAPH: dict[str, Any] = {
    "1": {"class_type": "LoraLoader", "inputs": {"lora_name": "ink"}},
    "2": {"class_type": "ComfyDeployOutputText", "inputs": {"text": ["1", 0]}},
}
DRAWN = {"nodes": [{"id": 9, "type": "Note", "widgets_values": ["Draws  a\nfox."]}]}
READY = Machine(id="m1", name="box", status="ready")


def deployed(environment: str | None, graph: Any = GRAPH, **fields: Any) -> Deployment:
    """Return a deployment of the workflow w1 on the machine m1."""
    version = Version(id="v1", workflow_id="w1", workflow_api=graph, workflow=fields.pop("drawn", None))
    values = {"id": f"d-{environment}", "workflow_id": "w1", "machine_id": "m1", "workflow_version_id": "v1"}
    return Deployment(**{**values, "environment": environment, "version": version, **fields})


def only(
    *deployments: Deployment,
    broken: tuple[BrokenDeployment, ...] = (),
    machines: list[Machine] | None = None,
    versions: dict[str, Version | None] | None = None,
    **fields: Any,
) -> pd.Series:
    """Return the row of the workflow w1."""
    workflow = Workflow(**{"id": "w1", "name": "Text to Image", **fields})
    listed = DeploymentList(deployments, broken)
    return catalog_frame([workflow], listed, [READY] if machines is None else machines, versions).iloc[0]


def test_a_deployed_workflow_is_described_by_its_graph() -> None:
    """Inputs, output, LoRAs and the first thing to fill in come from the graph."""
    row = only(deployed("production"))
    assert row["standard_name"] == "text_to_image"
    assert row["deployments"] == (("production", "d-production"),)
    assert (row["required_inputs"], row["optional_inputs"]) == (("prompt",), ("steps",))
    assert (row["output_kind"], row["uses_lora"], row["primary_input"]) == ("image", False, "prompt")
    assert (row["machine"], row["machine_id"]) == ("box", "m1")
    assert row["problems"] == ()


def test_production_is_the_main_deployment() -> None:
    """Whatever the order of the list, production decides; its siblings are listed too."""
    row = only(deployed("staging"), deployed("production", TEXT_GRAPH, machine_id="m2"), deployed("preview"))
    assert (row["output_kind"], row["uses_lora"], row["machine_id"]) == ("text", True, "m2")
    assert [environment for environment, _ in row["deployments"]] == ["preview", "production", "staging"]


def test_without_production_the_first_environment_decides() -> None:
    """Staging comes before preview, and an unknown environment last."""
    row = only(deployed("brand-new"), deployed("preview"), deployed("staging", TEXT_GRAPH))
    assert row["output_kind"] == "text"
    assert only(deployed("brand-new"), deployed("preview", TEXT_GRAPH))["output_kind"] == "text"


def test_without_a_deployment_the_newest_version_decides() -> None:
    """Such a workflow is described on its own machine, and has no problem for that."""
    row = only(versions={"w1": Version(id="v2", workflow_api=GRAPH)}, selected_machine_id="m1")
    assert (row["deployments"], row["required_inputs"]) == ((), ("prompt",))
    assert row["machine"] == "box"
    assert "it has no deployment" in row["remarks"][0]
    assert row["problems"] == ()


def test_a_workflow_without_a_version_is_a_problem() -> None:
    """Nothing is guessed of a graph that does not exist."""
    row = only(versions={"w1": None})
    assert row[["required_inputs", "optional_inputs", "output_kind", "uses_lora", "primary_input"]].isna().all()
    assert row["problems"] == ("it has no version yet",)


def test_a_graph_that_was_not_read_is_not_called_missing() -> None:
    """A workflow may have a version that nobody gave us."""
    assert only()["problems"] == ("its graph is not known",)


def test_a_deployment_without_its_graph_takes_the_version_that_it_pins() -> None:
    """Only when the ids agree: the newest version may be another one."""
    bare = deployed("production", None)
    assert only(bare, versions={"w1": Version(id="v1", workflow_api=GRAPH)})["output_kind"] == "image"
    assert pd.isna(only(bare, versions={"w1": Version(id="v2", workflow_api=GRAPH)})["output_kind"])


def test_the_server_s_list_alone_gives_the_inputs() -> None:
    """Where the graph is not known, what the server says of the inputs is used."""
    listed = [{"input_id": "prompt", "class_type": "ComfyUIDeployExternalText", "type": "string"}]
    row = only(deployed("production", None, input_types=listed))
    assert row["required_inputs"] == ("prompt",)


def test_the_description_is_the_author_s_else_the_notes() -> None:
    """Both stand on one line; the notes are there as they are, too."""
    row = only(deployed("production", drawn=DRAWN))
    assert (row["description"], row["notes"]) == ("Draws a fox.", ("Draws  a\nfox.",))
    assert only(deployed("production", drawn=DRAWN), description="Mine\n")["description"] == "Mine"


def test_seeds_that_no_input_controls_are_remarked() -> None:
    """A result cannot be repeated then, which is no problem of the workflow."""
    assert only(deployed("production"))["remarks"] == (
        "no input controls the seed of KSampler 3: a result cannot be repeated from the inputs alone",
    )


def test_broken_deployments_are_problems() -> None:
    """With the environment where it is known, and beside those that work."""
    broken = (BrokenDeployment("w1", "staging", "cannot be read"), BrokenDeployment("w1", None, "cannot be read"))
    row = only(deployed("production"), broken=(*broken, BrokenDeployment(None, "preview", "whose?")))
    assert row["problems"] == ("staging deployment: cannot be read", "a deployment: cannot be read")
    assert row["output_kind"] == "image"


@pytest.mark.parametrize(
    ("machines", "problem"),
    [
        ([], "production deployment: its machine is missing or deleted"),
        (
            [Machine(id="m1", name="old\nbox", status="paused")],
            "production deployment: its machine 'old box' has the status paused",
        ),
        (
            [Machine(id="m1", name=None, status="error")],
            "production deployment: its machine '' has the status error",
        ),
    ],
)
def test_machines_that_cannot_take_a_run_are_problems(machines: list[Machine], problem: str) -> None:
    """The server would queue the run all the same."""
    assert only(deployed("production"), machines=machines)["problems"] == (problem,)


def test_machines_that_were_not_read_are_no_problem() -> None:
    """Without the list of machines nothing is said of them."""
    table = catalog_frame([Workflow(id="w1", name="a")], DeploymentList((deployed("production"),)))
    assert table.loc[0, "problems"] == ()
    assert pd.isna(table.loc[0, "machine"])
    assert table.loc[0, "machine_id"] == "m1"


def test_mistakes_in_the_inputs_are_problems() -> None:
    """Two inputs of one name, and options that are no list."""
    graph = {
        **GRAPH,
        "5": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "prompt"}},
        "6": {"class_type": "ComfyUIDeployExternalEnum", "inputs": {"input_id": "mode", "options": "a, b"}},
    }
    problems = only(deployed("production", graph))["problems"]
    assert len(problems) == 2
    assert problems[0].startswith("input 'prompt': two nodes")
    assert problems[1].startswith("input 'mode': its options")


def test_a_graph_that_saves_nothing_is_a_problem() -> None:
    """A preview is not uploaded."""
    graph = {"1": {"class_type": "PreviewImage", "inputs": {}}}
    assert only(deployed("production", graph))["problems"][0].startswith("no node saves a file")


def test_namesakes_are_reported_and_never_merged() -> None:
    """Two workflows with one standard name stay two rows, and each names the other."""
    table = catalog_frame(
        [
            Workflow(id="w1", name="Text to Image"),
            Workflow(id="w2", name="text-to\nimage"),
            Workflow(id="w3", name="inpaint"),
        ],
        DeploymentList(()),
    )
    assert len(table) == 3
    assert table.loc[0, "problems"][0] == "it shares its standard name with 'text-to image' (w2)"
    assert table.loc[1, "problems"][0] == "it shares its standard name with 'Text to Image' (w1)"
    assert not any("shares" in problem for problem in table.loc[2, "problems"])


@pytest.mark.parametrize("name", [None, "", "???", "🦊", "\x1b[\n"])
def test_a_name_without_letters_has_no_standard_name(name: str | None) -> None:
    """Such a workflow is a row with a problem, and shares nothing with its like."""
    table = catalog_frame([Workflow(id="w1", name=name), Workflow(id="w2", name=name)], DeploymentList(()))
    assert table["standard_name"].isna().all()
    assert table.loc[0, "problems"][0] == "its name has neither a letter nor a digit, so it has no standard name"
    assert not any("shares" in problem for problem in table.loc[0, "problems"])


@pytest.mark.parametrize("graph", [[], "text", 7, {"1": None}, {"1": {"class_type": 3}}, {"nodes": []}])
def test_a_graph_of_any_shape_gives_a_row(graph: Any) -> None:
    """One odd workflow does not take the catalog down."""
    assert len(only(deployed("production", graph, drawn=graph))["problems"]) == 1


def test_things_without_ids_stay_apart() -> None:
    """A deployment without a workflow belongs to none."""
    table = catalog_frame([Workflow()], DeploymentList((Deployment(),)), [Machine()])
    assert table.loc[0, "deployments"] == ()
    assert pd.isna(table.loc[0, "id"])
