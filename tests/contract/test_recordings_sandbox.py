"""The sandbox answers each recorded request as the real server did."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from comfynb.sandbox import Sandbox

from . import recorded
from .inferring import REFUSED
from .recorded import Recording
from .replica import Harvest, add_run, ask, rebuild, rows_in

WHERE = recorded.folder()
CONTENTS = recorded.load_all(WHERE) if WHERE else {}
IN_SCOPE = [each for each in recorded.exchanges(CONTENTS) if each.in_scope]

STAND_IN = "its machine was a stand-in; a real ComfyUI names no class here, and the time of a failure"
NEWER = (".node_meta.node_class: missing", ".data.timestamp: not in the recording")
ACCEPTS = "its machine was a stand-in; a real ComfyUI accepts an unknown node"
CLOUD = "runs that wait for their result go through machines in the cloud only"


def explained(recording: Recording, found: list[str]) -> str:
    """Return why an answer differs, where a real ComfyUI contradicts the recording or the cloud is needed."""
    if all(
        each.endswith((".node_meta.node_class: missing", ".data.timestamp: not in the recording")) for each in found
    ):
        return STAND_IN
    if REFUSED in str(recording.answer) and found[0].startswith("status 200"):
        return ACCEPTS
    body = recording.body if isinstance(recording.body, dict) else {}
    return CLOUD if body.get("execution_mode") in ("sync", "sync_first_result", "stream") else ""


pytestmark = pytest.mark.skipif(
    not IN_SCOPE, reason="no recordings: set COMFYNB_RECORDINGS to a folder that has recordings/ in it"
)


@pytest.fixture(scope="module")
def harvest() -> Harvest:
    """Everything that the recordings tell about the real workspace."""
    return Harvest(CONTENTS)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox whose machines stand still, so that runs stay where they were brought."""
    with Sandbox(speed=0) as running:
        yield running


@pytest.mark.parametrize("recording", IN_SCOPE, ids=lambda each: each.name)
def test_the_sandbox_answers_as_recorded(
    recording: Recording, sandbox: Sandbox, harvest: Harvest, tally: dict[str, tuple[str, list[str]]]
) -> None:
    """Status, error body, keys at every depth and JSON types are those of the real server."""
    rebuild(sandbox, harvest)
    knobs = copy.deepcopy(sandbox.knobs)
    try:
        prepare(sandbox, recording, harvest)
        found = compare(recording, ask(sandbox, recording))
    finally:
        sandbox.knobs.change(**{name: getattr(knobs, name) for name in ("broken_workflow", "speed", "offline")})
    why = explained(recording, found) if found else ""
    tally[recording.name] = (why, found)
    assert not found or why, "; ".join(found)


def compare(recording: Recording, answer: Any) -> list[str]:
    """Return how our answer differs from the recorded one."""
    if answer.status_code != recording.status:
        return [f"status {answer.status_code} instead of {recording.status}: {answer.text[:200]}"]
    theirs = recording.answer_headers
    found = [
        f"{name}: {answer.headers.get(name)} instead of {theirs.get(name)}"
        for name in ("content-type", "allow")
        if answer.headers.get(name) != theirs.get(name)
    ]
    if isinstance(recording.answer, dict) and "__text__" in recording.answer:
        if recording.status >= 400 and answer.text != recording.answer["__text__"]:
            found.append(f"text {answer.text!r}")
        return found
    body = answer.json()
    if recording.status < 400:
        return found + recorded.differences(recording.answer, body)
    if recording.name == "file_upload_empty_name":
        # The bytes that were sent are echoed, and the recording's are others than ours.
        recording.answer["detail"][0]["input"] = body["detail"][0]["input"]
    return found + recorded.error_differences(recording.answer, body)


# What has to be there before a request


def prepare(sandbox: Sandbox, recording: Recording, harvest: Harvest) -> None:
    """Bring the sandbox to where the real server was when the request came."""
    world = sandbox.world
    runs = [row for row in rows_in(recording.answer) if {"status", "workflow_version_id", "origin"} <= row.keys()]
    for row in runs:
        add_run(sandbox, row)
    for run_id in _runs_of_request(recording):
        for row in _recorded_runs(run_id):
            add_run(sandbox, row)
        if run_id in harvest.runs:
            add_run(sandbox, harvest.runs[run_id])
    _as_it_turned_out(sandbox, recording)
    action = PREPARE.get(recording.name)
    if action:
        action(sandbox)
    world.now()


def _runs_of_request(recording: Recording) -> list[str]:
    parts = [*recording.path.split("/"), *(str(value) for value in recording.query.values())]
    return [part for part in parts if len(part) == 36]


def _recorded_runs(run_id: str) -> Iterator[dict[str, Any]]:
    for content in CONTENTS.values():
        for row in rows_in(content.get("response_body") if isinstance(content, dict) else None):
            if row["id"] == run_id and {"status", "workflow_version_id", "machine_id"} <= row.keys():
                yield row
                return


def _as_it_turned_out(sandbox: Sandbox, recording: Recording) -> None:
    """Take away what was not found, keep what was deleted, and switch off a machine that did not answer."""
    world, body = sandbox.world, recording.body if isinstance(recording.body, dict) else {}
    last = recording.path.rpartition("/")[2]
    if recording.status == 404:
        for kept in (world.workflows, world.machines, world.assets, world.versions):
            kept.pop(last, None)
    elif recording.status < 300 and last in world.machines:
        world.machines[last].deleted = False
    deployment = world.deployments.get(body.get("deployment_id") or "")
    own_faults = {"batch_number", "batch_input_params", "is_native_run", "origin"} & body.keys()
    if recording.status == 500 and "__text__" in str(recording.answer) and deployment and not own_faults:
        sandbox.knobs.offline = {deployment.machine_id}


def _without(kind: str, row_id: str) -> Callable[[Sandbox], None]:
    def take_away(sandbox: Sandbox) -> None:
        getattr(sandbox.world, kind).pop(row_id, None)

    return take_away


def _null_display_name(sandbox: Sandbox) -> None:
    version = next(iter(sandbox.world.versions.values()))
    version.workflow_api["999"] = {
        "class_type": "ComfyUIDeployExternalText",
        "inputs": {"input_id": "x", "display_name": None},
    }
    for deployment in sandbox.world.deployments.values():
        deployment.workflow_version_id = version.id


def _broken_enum(sandbox: Sandbox) -> None:
    version = next(iter(sandbox.world.versions.values()))
    version.workflow_api["999"] = {
        "class_type": "ComfyUIDeployExternalEnum",
        "inputs": {"input_id": "x", "options": "a, b"},
    }
    for deployment in sandbox.world.deployments.values():
        deployment.workflow_version_id = version.id


def _ties_of_machine(sandbox: Sandbox) -> None:
    """Leave the ties to a machine that it had when somebody tried to delete it, in their order."""
    world, machine = sandbox.world, "f4a54179-c002-4111-b358-b8e6ad3bf06d"
    by_name = {each.name: each for each in world.workflows.values()}
    some = next(iter(world.deployments.values()))
    world.deployments.clear()
    for workflow in world.workflows.values():
        workflow.selected_machine_id = None
    for name in ("Text to Image", "inpaint", "upscale_esrgan"):
        workflow = by_name[name]
        workflow.selected_machine_id = None if name == "inpaint" else machine
        deployment = copy.copy(some)
        deployment.id, deployment.workflow_id, deployment.machine_id = workflow.id, workflow.id, machine
        world.deployments[deployment.id] = deployment
    first = [each.id for each in by_name.values() if each.name == "Text to Image"]
    world.workflows = dict(sorted(world.workflows.items(), key=lambda item: item[0] not in first))


PREPARE: dict[str, Callable[[Sandbox], None]] = {
    "deployment_delete_again": _without("deployments", "985efe9d-9293-4670-aeda-efa326b741db"),
    "machine_delete_in_use_402": _ties_of_machine,
    "deployments_list_with_null_display_name": _null_display_name,
    "deployments_list_broken_by_one_enum_workflow": _broken_enum,
}
