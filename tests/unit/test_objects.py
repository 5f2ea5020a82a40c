"""Workflows, deployments and machines as objects that explain themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from comfynb.api import models
from comfynb.objects import Deployment, DeploymentInfo, Machine, VersionInfo, WorkflowObject
from comfynb.rules.inputs import input_definitions
from comfynb.services.references import is_deployment, reference

WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
GRAPH = {
    "1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "prompt", "display_name": "Prompt"}},
    "2": {
        "class_type": "ComfyUIDeployExternalNumberSliderInt",
        "inputs": {"input_id": "steps", "default_value": 20, "min_value": 1, "max_value": 50},
    },
    "3": {"class_type": "LoraLoader", "inputs": {"lora_name": "ink", "text": ["1", 0], "steps": ["2", 0]}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}
DRAWN = {"nodes": [{"type": "Note", "widgets_values": ["Best at 512."]}]}
OLD = models.Version(id="v-1", workflow_id="w-1", version=1)
NEW = models.Version(
    id="v-2", workflow_id="w-1", version=2, comment=" more\nsteps ", created_at=WHEN, workflow=DRAWN, workflow_api=GRAPH
)
GPU = models.Machine(id="m-1", name="gpu-1", type="comfy-deploy-serverless", status="ready", gpu="A10G")
PAUSED = models.Machine(id="m-2", name="old one", type="classic", status="paused", endpoint="http://10.0.0.3:8188")
OWNER = models.Workflow(id="w-1", name="Text  to Image", selected_machine_id="m-1", created_at=WHEN, updated_at=WHEN)
PRODUCTION = models.Deployment(
    id="d-1",
    workflow_id="w-1",
    workflow_version_id="v-2",
    machine_id="m-1",
    environment="production",
    run_timeout=300,
    modal_image_id="im-1",
    created_at=WHEN,
    input_types=[{"input_id": "prompt", "class_type": "ComfyUIDeployExternalText"}],
)
STAGING = models.Deployment(
    id="d-2", workflow_id="w-1", workflow_version_id="v-1", machine_id="m-2", environment="staging"
)


@pytest.fixture
def workflow() -> WorkflowObject:
    return WorkflowObject.build(OWNER, [OLD, NEW], [STAGING, PRODUCTION], [GPU, PAUSED], NEW)


@pytest.fixture
def deployment() -> Deployment:
    return Deployment.build(PRODUCTION, NEW, input_definitions(None, GRAPH), [OWNER], [GPU])


def test_a_workflow_knows_its_versions_and_deployments(workflow: WorkflowObject) -> None:
    """Newest version first, production first, each with its machine."""
    assert workflow.versions == (VersionInfo(2, "v-2", "more steps", WHEN), VersionInfo(1, "v-1"))
    assert workflow.deployments == (
        DeploymentInfo("Text to Image", "production", "d-1", "w-1", 2, "gpu-1", "m-1", "ready"),
        DeploymentInfo("Text to Image", "staging", "d-2", "w-1", 1, "old one", "m-2", "paused"),
    )


def test_a_workflow_tells_what_its_graph_tells(workflow: WorkflowObject) -> None:
    """Its inputs, what it makes, whether it uses LoRAs, and its notes, which describe it if nobody else does."""
    assert (workflow.name, workflow.display_name, workflow.standard_name) == (
        "Text  to Image",
        "Text to Image",
        "text_to_image",
    )
    assert [definition.name for definition in workflow.inputs] == ["prompt", "steps"]
    assert workflow.inputs[0].listed
    assert (workflow.output_kind, workflow.uses_lora, workflow.notes) == ("image", True, ("Best at 512.",))
    assert workflow.description == "Best at 512."
    assert (workflow.machine, workflow.machine_id, workflow.version) == ("gpu-1", "m-1", 2)


def test_the_owners_description_comes_before_the_notes() -> None:
    """Notes are a substitute."""
    owner = models.Workflow(id="w-1", name="x", description=" Pictures. ")
    assert WorkflowObject.build(owner, [NEW], [], [], NEW).description == "Pictures."


def test_a_workflow_of_which_nothing_is_known_is_no_error() -> None:
    """Unknown is None, and nothing is guessed."""
    bare = WorkflowObject.build(models.Workflow(id="w-9", name=None), [], [], [], None)
    assert (bare.name, bare.display_name, bare.standard_name) == ("w-9", "w-9", None)
    assert (bare.description, bare.output_kind, bare.uses_lora) == (None, None, None)
    assert repr(bare).startswith("has no version – workflow w-9")
    assert "ws.run(" not in repr(bare)


def test_displaying_a_workflow_lists_what_it_has(workflow: WorkflowObject) -> None:
    """Inputs with types, ranges and defaults; deployments; versions; and what to try."""
    text = repr(workflow)
    assert text.startswith("deployed (production, staging) – workflow Text to Image")
    for part in (
        "integer 1–50",
        "required",
        "gpu-1, ready",
        "old one, paused",
        "more steps",
        "2026-05-04 03:02:01 UTC",
    ):
        assert part in text
    assert 'ws.run("w-1", prompt="…")' in text  # the name has two spaces, and would be copied with one
    assert 'ws.versions("w-1")' in text


@pytest.mark.parametrize(
    ("deployments", "machines", "head"),
    [
        ([], [GPU], "not deployed"),
        ([STAGING], [PAUSED], "deployed (staging), but no machine of it is ready"),
        ([STAGING], [], "deployed (staging), but no machine of it is ready"),
    ],
)
def test_a_workflow_says_when_it_cannot_be_run(
    deployments: list[models.Deployment], machines: list[models.Machine], head: str
) -> None:
    """As its status, before everything else."""
    assert repr(WorkflowObject.build(OWNER, [NEW], deployments, machines, NEW)).startswith(f"{head} – ")


def test_a_deployment_tells_what_runs_where(deployment: Deployment) -> None:
    """Its GPU is that of its machine, unless it has its own."""
    assert (deployment.name, deployment.environment, deployment.version, deployment.version_id) == (
        "Text to Image",
        "production",
        2,
        "v-2",
    )
    assert (deployment.machine, deployment.machine_status, deployment.gpu) == ("gpu-1", "ready", "A10G")
    assert (deployment.fluid, deployment.run_timeout, deployment.output_kind) == (True, 300, "image")


def test_a_deployment_stands_for_itself_its_workflow_and_its_machine(deployment: Deployment) -> None:
    """Wherever one of them is asked for."""
    assert is_deployment(deployment)
    assert reference(deployment, "deployment") == "d-1"
    assert reference(deployment, "workflow") == "w-1"
    assert reference(deployment, "machine") == "m-1"


def test_a_workflow_and_a_machine_stand_for_themselves(workflow: WorkflowObject) -> None:
    """And a workflow is no deployment."""
    machine = Machine.build(GPU, [], [])
    assert not is_deployment(workflow)
    assert not is_deployment(machine)
    assert reference(workflow, "workflow") == "w-1"
    assert reference(machine, "machine") == "m-1"
    assert reference(workflow.deployments[0], "deployment") == "d-1"


def test_displaying_a_deployment_is_its_manual(deployment: Deployment) -> None:
    """Inputs with types, ranges and defaults, and the call that runs it."""
    text = repr(deployment)
    assert text.startswith("ready – production deployment of Text to Image")
    for part in ("text", "required", "integer 1–50", "20", "gpu-1 (m-1), ready", "a run: 300 s"):
        assert part in text
    assert text.splitlines()[-1] == '  ws.run("Text to Image", prompt="…")'


def test_a_deployment_elsewhere_than_in_production_is_called_with_its_environment() -> None:
    """Without a machine that is ready, preparing is advised and running is not."""
    staging = Deployment.build(STAGING, OLD, [], [OWNER], [PAUSED])
    assert repr(staging).startswith("machine paused – staging deployment")
    assert 'ws.prepare("Text to Image", environment="staging", machine="…")' in repr(staging)
    assert "ws.run(" not in repr(staging)


def test_a_deployment_whose_machine_is_deleted_says_so() -> None:
    """Its id is all that is left of it."""
    text = repr(Deployment.build(STAGING, OLD, [], [], []))
    assert text.startswith("its machine does not exist – staging deployment of w-1")
    assert "m-2, which does not exist" in text


def test_a_machine_tells_how_it_is_and_what_is_deployed_on_it() -> None:
    """Its status comes first."""
    machine = Machine.build(PAUSED, [PRODUCTION, STAGING], [OWNER])
    assert [(info.name, info.environment) for info in machine.deployments] == [("Text to Image", "staging")]
    assert (machine.can_cancel, machine.endpoint) == (False, "http://10.0.0.3:8188")
    assert repr(machine).startswith("paused – machine old one")
    assert "runs would be queued on it all the same" in repr(machine)


@pytest.mark.parametrize(
    ("kind", "can_cancel"),
    [
        ("comfy-deploy-serverless", True),
        ("modal-serverless", True),
        ("classic", False),
        ("brand-new", None),
        (None, None),
    ],
)
def test_whether_runs_can_be_cancelled_is_never_guessed(kind: str | None, can_cancel: bool | None) -> None:
    """Types that are not known are called so."""
    machine = Machine.build(models.Machine(id="m", type=kind), [], [])
    assert machine.can_cancel is can_cancel
    assert {True: "yes", False: "no", None: "not known"}[can_cancel] in repr(machine)


@pytest.mark.parametrize(
    "endpoint", ["https://user:planted@host", "https://planted@host/", "https://host/?token=planted", "planted", None]
)
def test_an_endpoint_with_credentials_is_not_kept(endpoint: str | None) -> None:
    """Nor is the machine's token, anywhere."""
    found = models.Machine.model_validate({"id": "m", "endpoint": endpoint, "auth_token": "planted"})
    machine = Machine.build(found, [], [])
    assert machine.endpoint is None
    assert "planted" not in repr(machine) + machine._repr_html_()
    assert not hasattr(machine, "auth_token")


def test_objects_do_not_change(deployment: Deployment) -> None:
    """They are what the server said at one time."""
    with pytest.raises(AttributeError):
        deployment.name = "x"  # type: ignore[misc]
