"""The tables of workflows, deployments, machines, versions, inputs, outputs and changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from comfynb.api.models import Deployment, Machine, NamedRef, Version, Workflow
from comfynb.frames import (
    deployments_frame,
    inputs_frame,
    machines_frame,
    outputs_frame,
    timeline_frame,
    versions_frame,
    workflows_frame,
)
from comfynb.rules.inputs import input_definitions
from comfynb.services.isolation import BrokenDeployment, DeploymentList
from comfynb.services.results import result_files

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
GRAPH: dict[str, Any] = {
    "1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "Negative Prompt"}},
    "2": {"class_type": "ComfyUIDeployExternalSeed", "inputs": {"input_id": "seed", "default_value": -1}},
    "3": {"class_type": "KSampler", "inputs": {"seed": ["2", 0], "negative": ["1", 0]}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}
HOSTILE = ["two\nlines", "\x1b[2J", "🦊", "<script>", ""]


def test_a_deployment_tells_its_version_machine_and_inputs() -> None:
    """One row has what a person needs to choose a deployment."""
    deployment = Deployment(
        id="d1",
        workflow_id="w1",
        workflow_version_id="v1",
        machine_id="m1",
        environment="production",
        concurrency_limit=2,
        run_timeout=300,
        version=Version(id="v1", version=4, workflow_api=GRAPH),
    )
    row = deployments_frame(
        DeploymentList((deployment,)),
        [Workflow(id="w1", name="Text to Image")],
        [Machine(id="m1", name="box", status="paused", gpu="L4")],
    ).iloc[0]
    assert (row["name"], row["version"], row["version_id"]) == ("Text to Image", 4, "v1")
    assert (row["machine"], row["machine_status"], row["gpu"]) == ("box", "paused", "L4")
    assert (row["inputs"], row["required"]) == (("Negative Prompt", "seed"), ("Negative Prompt",))
    assert (row["concurrency_limit"], row["run_timeout"], row["fluid"]) == (2, 300, False)
    assert pd.isna(row["problem"])


def test_a_deployment_keeps_the_id_of_a_machine_that_is_gone() -> None:
    """The name and the status of such a machine are not known."""
    row = deployments_frame(DeploymentList((Deployment(id="d1", machine_id="gone", gpu="H100"),)), [], []).iloc[0]
    assert (row["machine_id"], row["gpu"]) == ("gone", "H100")
    assert row[["machine", "machine_status"]].isna().all()


def test_a_deployment_s_own_names_serve_where_the_lists_do_not() -> None:
    """The server embeds the workflow's name and sometimes nothing but the version's id."""
    deployment = Deployment(
        id="d1", workflow_id="w1", workflow=NamedRef(id="w1", name="inner"), version=Version(id="v9")
    )
    row = deployments_frame(DeploymentList((deployment,))).iloc[0]
    assert (row["name"], row["version_id"]) == ("inner", "v9")


def test_inputs_that_nobody_tells_are_not_none() -> None:
    """A deployment without list and graph has unknown inputs; one with an empty list has none."""
    table = deployments_frame(DeploymentList((Deployment(id="d1"), Deployment(id="d2", input_types=[]))))
    assert pd.isna(table.loc[0, "inputs"])
    assert table.loc[1, "inputs"] == ()


def test_deployments_of_one_version_have_its_inputs() -> None:
    """Two environments that pin one version show the same, and a third its own."""
    version = Version(id="v1", workflow_api=GRAPH)
    other = Version(id="v2", workflow_api={})
    rows = tuple(
        Deployment(id=str(place), workflow_version_id=v.id, version=v)
        for place, v in enumerate([version, other, version])
    )
    inputs = deployments_frame(DeploymentList(rows))["inputs"].tolist()
    assert inputs == [("Negative Prompt", "seed"), (), ("Negative Prompt", "seed")]


def test_deployments_whose_versions_have_no_id_are_told_apart() -> None:
    """A missing id is not an id that they share."""
    rows = tuple(Deployment(id=str(place), version=Version(workflow_api=g)) for place, g in enumerate([GRAPH, {}]))
    assert deployments_frame(DeploymentList(rows))["inputs"].tolist() == [("Negative Prompt", "seed"), ()]


def test_a_fluid_deployment_has_an_image() -> None:
    """It is built on an image of its own."""
    assert deployments_frame(DeploymentList((Deployment(id="d1", modal_image_id="im-1"),))).loc[0, "fluid"]


def test_broken_deployments_come_last_without_an_id() -> None:
    """What is known of them is shown, and everything else is NA."""
    table = deployments_frame(
        DeploymentList(
            (Deployment(id="d1"),), (BrokenDeployment("w1", "staging", "no"), BrokenDeployment(None, None, "nor"))
        ),
        [Workflow(id="w1", name="enum")],
    )
    assert table["id"].isna().tolist() == [False, True, True]
    assert table.loc[1, ["name", "environment", "workflow_id", "problem"]].tolist() == ["enum", "staging", "w1", "no"]
    assert table.loc[2].drop("problem").isna().all()
    assert str(table["version"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("machine_type", "can_cancel"),
    [
        ("comfy-deploy-serverless", True),
        ("modal-serverless", True),
        ("runpod-serverless", False),
        ("classic", False),
    ],
)
def test_only_some_machines_can_cancel(machine_type: str, can_cancel: bool) -> None:
    """On the others the server refuses, and the run goes on."""
    assert machines_frame([Machine(id="m1", type=machine_type)]).loc[0, "can_cancel"] == can_cancel


@pytest.mark.parametrize("machine_type", ["workspace", "brand-new", None])
def test_whether_other_machines_can_cancel_is_not_known(machine_type: str | None) -> None:
    """An unknown type is not guessed about."""
    assert machines_frame([Machine(id="m1", type=machine_type)])["can_cancel"].isna().all()


def test_versions_tell_what_stands_in_their_graphs() -> None:
    """Inputs, output and size; nothing for a version without a graph."""
    table = versions_frame(
        [
            Version(id="v2", workflow_id="w1", version=2, comment="tuned", workflow_api=GRAPH, created_at=NOON),
            Version(id="v1", workflow_id="w1", version=1),
        ],
        [Workflow(id="w1", name="inpaint")],
    )
    full, bare = table.iloc[0], table.iloc[1]
    assert (full["name"], full["version"], full["comment"]) == ("inpaint", 2, "tuned")
    assert (full["inputs"], full["output_kind"], full["node_count"]) == (("Negative Prompt", "seed"), "image", 4)
    assert not full["uses_lora"]
    assert bare[["inputs", "output_kind", "node_count", "uses_lora"]].isna().all()


def test_inputs_show_limits_options_and_defaults() -> None:
    """One row per definition, with real values."""
    graph = {
        "1": {
            "class_type": "ComfyUIDeployExternalNumberSliderInt",
            "inputs": {"input_id": "steps", "default_value": 4, "min_value": 1, "max_value": 8},
            "_meta": {"cd_input_group_id": "g1", "cd_group_name": "Quality"},
        },
        "2": {
            "class_type": "ComfyUIDeployExternalEnum",
            "inputs": {"input_id": "mode", "default_value": "a", "options": '["a", "b"]'},
        },
        "3": {
            "class_type": "ComfyUIDeployExternalImageBatch",
            "inputs": {"input_id": "pics", "images": '["http://h/a"]'},
        },
        "4": {"class_type": "ComfyUIDeployExternalImage", "inputs": {"input_id": "photo"}},
        "5": {"class_type": "Any", "inputs": {"a": ["1", 0], "b": ["2", 0], "c": ["3", 0], "d": ["4", 0]}},
    }
    table = inputs_frame(input_definitions(None, graph)).set_index("name")
    steps = table.loc["steps"]
    assert (steps["default"], steps["minimum"], steps["maximum"], steps["step"]) == (4, 1.0, 8.0, 1.0)
    assert (steps["group"], steps["listed"]) == ("Quality", False)
    assert table.loc["mode", "options"] == ("a", "b")
    assert table.loc["pics", "default"] == ("http://h/a",)
    assert table.loc["photo", "required"]
    assert pd.isna(table.loc["photo", "default"])


def test_a_default_of_false_is_a_default() -> None:
    """False and nought are values."""
    graph = {
        "1": {"class_type": "ComfyUIDeployExternalBoolean", "inputs": {"input_id": "hires", "default_value": False}}
    }
    assert inputs_frame(input_definitions(None, graph)).loc[0, "default"] is False


def test_outputs_are_files_and_texts() -> None:
    """A text has no URL, a file no text."""
    rows = [
        {"data": {"images": [{"url": "http://h/a.png", "filename": "a.png"}]}, "node_meta": {"node_id": "9"}},
        {"data": {"text": ["hello"]}, "output_id": "caption"},
    ]
    table = outputs_frame(result_files(rows, "r1", {"9": "SaveImage"}))
    assert table["kind"].tolist() == ["image", "text"]
    assert table["run_id"].tolist() == ["r1", "r1"]
    assert (table.loc[0, "name"], table.loc[0, "node_class"]) == ("a.png", "SaveImage")
    assert (table.loc[1, "text"], table.loc[1, "output_id"]) == ("hello", "caption")
    assert pd.isna(table.loc[1, "url"])
    assert pd.isna(table.loc[0, "text"])


def test_changes_are_rows() -> None:
    """What was not told at that time is NA."""

    @dataclass(frozen=True)
    class Seen:
        at: datetime
        status: str
        live_status: str | None = None
        progress: float | None = None
        queue_position: int | None = None
        outputs: int | None = None

    table = timeline_frame([Seen(NOON, "queued", queue_position=3), Seen(NOON, "running", "Executing", 0.5, outputs=1)])
    assert table["status"].tolist() == ["queued", "running"]
    assert table["queue_position"].isna().tolist() == [False, True]
    assert table.loc[1, ["progress", "outputs"]].tolist() == [0.5, 1]


def test_source_and_time_reach_every_table() -> None:
    """Each function hands them on."""
    tables = [
        workflows_frame([], source="s", as_of=NOON),
        deployments_frame(DeploymentList(()), source="s", as_of=NOON),
        machines_frame([], source="s", as_of=NOON),
        versions_frame([], source="s", as_of=NOON),
        inputs_frame([], source="s", as_of=NOON),
        outputs_frame([], source="s", as_of=NOON),
        timeline_frame([], source="s", as_of=NOON),
    ]
    assert {(table.attrs["source"], table.attrs["as_of"]) for table in tables} == {("s", "2026-05-01T12:00:00+00:00")}
