"""What would be sent is decided, checked and said before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from faults import run, service_for

from comfynb.api import routes
from comfynb.errors import AmbiguousNameError, InputError, NotFoundError, RoutingError
from comfynb.sandbox import Sandbox
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.prepared import Prepared

FOX = {"prompt": "a red fox", "seed": 7}


def sent(prepared: Prepared) -> tuple[str, dict[str, Any]]:
    """Return route and body of what would be sent."""
    route, body = prepared.request
    return str(route), body


def submits(sandbox: Sandbox) -> int:
    """Return how many submits reached the sandbox."""
    return sandbox.counters.of("POST /run")


def test_a_deployment_is_run_by_its_id(service: ComfyUIService, sandbox: Sandbox) -> None:
    """Only the given inputs go; the server's defaults stay the server's; a machine's id is not sent."""
    prepared = run(service, service.prepare("text2img", FOX))
    deployment = run(service, service.workflows.find_deployment("text2img"))
    assert sent(prepared) == ("POST /run/deployment/queue", {"deployment_id": deployment.id, "inputs": FOX})
    assert prepared.ok
    assert (prepared.name, prepared.environment, prepared.machine_name) == (
        "text2img",
        "production",
        "studio-classic-a",
    )
    assert prepared.route == "studio-classic-a, by the production deployment"
    assert prepared.inputs.effective["width"] == 512
    assert submits(sandbox) == 0


@pytest.mark.parametrize("how", ["name", "id", "deployment", "deployment id", "row"])
def test_what_runs_may_be_given_in_any_form(service: ComfyUIService, how: str) -> None:
    """A workflow, a deployment, their ids, or a row of a table."""
    deployment = run(service, service.workflows.find_deployment("text2img", environment="staging"))
    given: Any = {
        "name": "TEXT2IMG",
        "id": deployment.workflow_id,
        "deployment": deployment,
        "deployment id": deployment.id,
        "row": {"id": deployment.id, "workflow_id": deployment.workflow_id, "environment": "staging"},
    }[how]
    prepared = run(service, service.prepare(given, FOX))
    assert prepared.environment == ("production" if how in ("name", "id") else "staging")


def test_another_machine_gets_the_version_and_not_the_deployment(service: ComfyUIService, sandbox: Sandbox) -> None:
    """The server ignores a machine on a deployment's run, so the deployment is passed by, and that is said."""
    prepared = run(service, service.prepare("text2img", FOX, machine="serverless-a10g"))
    machine = sandbox.world.machine_named("serverless-a10g")
    pinned = sandbox.world.workflow_named("text2img").versions[1]
    body = {"workflow_version_id": pinned.id, "machine_id": machine.id, "inputs": FOX}
    assert sent(prepared) == ("POST /run", body)
    assert any("The deployment is passed by" in note for note in prepared.notes)
    assert prepared.route == "serverless-a10g, by version and machine (no deployment)"
    assert (prepared.gpu, prepared.price is not None) == ("A10G", True)


def test_the_deployments_own_machine_changes_nothing(service: ComfyUIService) -> None:
    """Asking for what is so already goes through the deployment."""
    prepared = run(service, service.prepare("text2img", FOX, machine="studio-classic-a", version=2))
    assert prepared.deployment is not None
    assert prepared.request[0] is routes.QUEUE_DEPLOYMENT


def test_another_version_goes_to_the_deployments_machine(service: ComfyUIService, sandbox: Sandbox) -> None:
    """By number or id."""
    versions = sandbox.world.workflow_named("text2img").versions
    for given in (1, versions[0].id):
        prepared = run(service, service.prepare("text2img", FOX, version=given))
        assert prepared.request[1]["workflow_version_id"] == versions[0].id
        assert prepared.machine_name == "studio-classic-a"


def test_a_workflow_without_a_deployment_runs_its_newest_version(service: ComfyUIService, sandbox: Sandbox) -> None:
    """On its own machine, and that is said."""
    prepared = run(service, service.prepare("wallpaper of the day"))
    assert prepared.deployment is None
    assert prepared.machine_id == sandbox.world.machine_named("studio-classic-a").id
    assert any("has no deployment: its newest version 1" in note for note in prepared.notes)
    assert "deployment_id" not in prepared.request[1]


@pytest.mark.parametrize(
    "ask",
    [
        {"workflow": "text2img"},
        {"workflow": "text2img", "machine": "serverless-a10g"},
        {"workflow": "text2img", "machine": "studio-classic-a"},
        {"workflow": "text2img", "version": 1},
        {"workflow": "text2img", "environment": "staging", "machine": "Serverless A100", "version": 3},
        {"workflow": "wallpaper of the day"},
        {"workflow": "wallpaper of the day", "machine": "serverless-a10g"},
    ],
)
def test_no_submit_holds_a_machine_and_a_deployment(service: ComfyUIService, ask: dict[str, Any]) -> None:
    """The server would ignore one of them, silently."""
    body = run(service, service.prepare(**ask)).request[1]
    assert ("deployment_id" in body) != ("machine_id" in body)
    assert ("workflow_version_id" in body) == ("machine_id" in body)


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("render-farm-2", "paused", "is paused"),
        ("office-box", "error", "error state"),
        ("wan-builder", "building", "built"),
    ],
)
def test_a_machine_that_cannot_take_it_is_said_before(
    service: ComfyUIService, sandbox: Sandbox, name: str, status: str, words: str
) -> None:
    """The server would try all the same; nothing is sent, and the machines that are ready are named."""
    assert sandbox.world.machine_named(name).status == status
    prepared = run(service, service.prepare("text2img", FOX, machine=name))
    assert not prepared.ok
    with pytest.raises(
        RoutingError, match=rf"was not submitted: The machine '{name}' .*{words}.*Choose another .*'serv"
    ):
        run(service, service.submit(prepared))
    assert submits(sandbox) == 0


def test_a_machine_that_was_deleted_is_said_before(service: ComfyUIService, sandbox: Sandbox) -> None:
    """The deployment still names it."""
    sandbox.world.machine_named("studio-classic-a").deleted = True
    prepared = run(service, service.prepare("text2img", FOX))
    with pytest.raises(RoutingError, match=r"does not exist, or is deleted\. Choose another with machine="):
        run(service, service.submit(prepared))
    assert submits(sandbox) == 0


def test_a_workflow_without_any_machine_is_said_before(service: ComfyUIService, sandbox: Sandbox) -> None:
    """Neither a deployment nor a machine of its own."""
    sandbox.world.workflow_named("wallpaper of the day").selected_machine_id = None
    prepared = run(service, service.prepare("wallpaper of the day"))
    with pytest.raises(RoutingError, match="has no machine"):
        run(service, service.submit(prepared))
    assert submits(sandbox) == 0


def test_wrong_inputs_are_all_said_and_nothing_is_sent(service: ComfyUIService, sandbox: Sandbox) -> None:
    """`prepare` shows the problems, `submit` raises them."""
    prepared = run(service, service.prepare("text2img", {"promt": "x", "width": -5}))
    assert set(prepared.problems) == {"promt", "width"}
    with pytest.raises(InputError, match="2 inputs of text2img cannot be sent"):
        run(service, service.submit(prepared))
    assert submits(sandbox) == 0


def test_the_webhook_of_the_connection_goes_along(sandbox: Sandbox) -> None:
    """Unless another one, or none, is asked for."""
    service = service_for(sandbox.url, sandbox.api_key)
    service.webhook = "https://hooks.example/a"
    for asked, found in [(None, service.webhook), (True, service.webhook), (False, None), ("https://b", "https://b")]:
        assert run(service, service.prepare("text2img", FOX, webhook=asked)).request[1].get("webhook") == found
    service.webhook = None
    with pytest.raises(InputError, match="webhook=True needs a URL"):
        run(service, service.prepare("text2img", FOX, webhook=True))


def test_names_that_are_not_clear_raise_at_once(service: ComfyUIService) -> None:
    """There is nothing to show for them."""
    for ask, kind in [
        ({"workflow": "text2vid"}, NotFoundError),
        ({"workflow": "text2img", "environment": "moon"}, NotFoundError),
        ({"workflow": "text2img", "machine": "moon"}, NotFoundError),
        ({"workflow": "text2img", "version": 99}, NotFoundError),
    ]:
        with pytest.raises(kind):
            run(service, service.prepare(**ask))


def test_several_deployments_without_production_are_ambiguous(service: ComfyUIService, sandbox: Sandbox) -> None:
    """Nothing is chosen by chance."""
    world = sandbox.world
    del world.deployments[run(service, service.workflows.find_deployment("inpaint")).id]
    service.workflows.invalidate_cache()
    with pytest.raises(AmbiguousNameError, match="Say which with environment="):
        run(service, service.prepare("inpaint"))


# In one step


def test_submit_request_runs_a_deployment(service: ComfyUIService, sandbox: Sandbox) -> None:
    """By its id; the run stands under it."""
    deployment = run(service, service.workflows.find_deployment("text2img"))
    run_id = run(service, service.submit_request(deployment_id=deployment.id, inputs=FOX))
    made = sandbox.world.runs[run_id]
    assert (made.deployment_id, made.machine_id, made.inputs) == (deployment.id, deployment.machine_id, FOX)


@pytest.mark.parametrize("own", [True, False])
def test_submit_request_really_runs_on_the_machine_that_it_names(
    service: ComfyUIService, sandbox: Sandbox, own: bool
) -> None:
    """On another one than the deployment's its version runs there; on its own the deployment does."""
    deployment = run(service, service.workflows.find_deployment("text2img"))
    machine = sandbox.world.machine_named("studio-classic-a" if own else "serverless-a10g")
    asked = service.submit_request(deployment_id=deployment.id, machine_id=machine.id, inputs=FOX)
    made = sandbox.world.runs[run(service, asked)]
    assert made.machine_id == machine.id
    assert made.deployment_id == (deployment.id if own else None)
    assert made.workflow_version_id == deployment.workflow_version_id
    assert sandbox.counters.prompts[machine.name] == 1


def test_submit_request_wants_one_thing_to_run(service: ComfyUIService, sandbox: Sandbox) -> None:
    """Neither or both is an error, and so is an unknown id."""
    for ask in ({}, {"deployment_id": "d", "workflow": "text2img"}):
        with pytest.raises(InputError, match="Give either deployment_id= or workflow="):
            run(service, service.submit_request(**ask))
    with pytest.raises(NotFoundError, match="No deployment has the id"):
        run(service, service.submit_request(deployment_id="malformed"))
    assert submits(sandbox) == 0
