"""One coroutine per route, against a whole server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from faults import run, transport_to

from comfynb.api import routes
from comfynb.api.client import ComfyDeployClient
from comfynb.errors import ApiError, NotFoundError, PermissionDeniedError
from comfynb.sandbox import Sandbox

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def client(sandbox: Sandbox) -> ComfyDeployClient:
    """Return a client of the sandbox."""
    return ComfyDeployClient(transport_to(sandbox.url, sandbox.api_key))


def test_workflows_are_read_in_all_their_forms(client: ComfyDeployClient, sandbox: Sandbox) -> None:
    """The list, the list with descriptions, one, its versions, one by number, one by id."""

    async def everything() -> dict[str, Any]:
        listed = await client.workflows()
        first = next(row for row in listed if row.name == "text2img")
        versions = await client.versions(first.id)
        return {
            "listed": {row.name for row in listed},
            "described": {row.name for row in await client.workflows_all() if row.description},
            "one": await client.workflow(first.id, versions=2),
            "numbers": [version.version for version in versions],
            "first": (await client.version_number(first.id, 1)).id,
            "by id": (await client.version(versions[-1].id)).id,
            "searched": [row.name for row in await client.workflows(search="UPSCALE")],
        }

    found = run(client, everything())
    assert found["listed"] == {each.name for each in sandbox.world.workflows.values()}
    assert found["described"] == {each.name for each in sandbox.world.workflows.values() if each.description}
    assert found["numbers"] == sorted(found["numbers"], reverse=True)
    assert len(found["one"].versions) == 2
    assert isinstance(found["one"].versions[0].workflow_api, dict)
    assert found["one"].created_at.tzinfo is not None
    assert found["first"] == found["by id"]
    assert found["searched"] == ["upscale_esrgan"]


def test_machines_and_deployments_are_read(client: ComfyDeployClient, sandbox: Sandbox) -> None:
    """Deleted machines only where they are asked for; deployments with version, graph and input types."""

    async def everything() -> tuple[Any, ...]:
        machines = await client.machines(is_deleted=False)
        deployments = await client.deployments(is_fluid=False)
        one = await client.deployment(deployments[0].id)
        return (
            machines,
            await client.machines(),
            await client.machine(machines[0].id),
            deployments,
            await client.deployments_page(size=3, offset=1),
            one,
            await client.workflow_deployments(one.workflow_id or ""),
            await client.deployment_runs(one.id, limit=5),
        )

    machines, also_deleted, machine, deployments, page, one, standing, through = run(client, everything())
    assert len(also_deleted) == len(machines) + 1 == len(sandbox.world.machines)
    assert machine.endpoint
    assert [row.id for row in page] == [row.id for row in deployments[1:4]]
    assert one.version.workflow_api
    assert one.input_types
    assert one.id in {row.id for row in standing}
    assert all(row.deployment_id in (None, one.id) for row in through)


def test_a_run_is_queued_read_and_listed(client: ComfyDeployClient) -> None:
    """By deployment; then alone, with its place in the queue, and in three lists."""

    async def everything() -> tuple[Any, ...]:
        deployment = (await client.deployments(environment="production", is_fluid=False))[0]
        body = {"deployment_id": deployment.id, "inputs": {"prompt": "a red fox"}}
        queued = client.queued(await client.queue(routes.QUEUE_DEPLOYMENT, body), routes.QUEUE_DEPLOYMENT)
        workflow_id = deployment.workflow_id or ""
        return (
            queued.run_id,
            await client.run(queued.run_id or "", queue_position=True),
            await client.workflow_runs(workflow_id, limit=5),
            await client.workflow_runs_v2(workflow_id, limit=5),
            await client.deployment_runs(deployment.id),
        )

    run_id, one, v1, v2, through = run(client, everything())
    assert one.id == run_id
    assert one.workflow_inputs == {"prompt": "a red fox"}
    assert [rows[0].id for rows in (v1, v2, through)] == [run_id] * 3
    assert v1[0].workflow_inputs == {"prompt": "a red fox"}
    assert v2[0].workflow_inputs is None


def test_workflows_and_deployments_are_made_and_changed(client: ComfyDeployClient, sandbox: Sandbox) -> None:
    """The graphs of a new workflow go as text, those of a new version as objects; a file goes up."""
    graph = {"1": {"class_type": "SaveImage", "inputs": {}}}

    async def everything() -> tuple[Any, ...]:
        machine = (await client.machines(is_deleted=False))[0]
        made = await client.create_workflow("brand new", "{}", json.dumps(graph))
        version = await client.create_version(made.workflow_id or "", {}, graph, comment="second")
        deployed = await client.create_deployment(made.workflow_id or "", version.id, machine.id, "staging")
        changed = await client.update_deployment(deployed.id, gpu="A10G")
        uploaded = await client.upload("../x/picture.png", b"\x89PNG", "image/png")
        return made, version, deployed, changed, uploaded

    made, version, deployed, changed, uploaded = run(client, everything())
    assert version.version == 2
    assert version.created_at is not None, "the invalid time shape of this very answer is read"
    assert deployed.workflow_id == made.workflow_id
    assert changed.id == deployed.id
    assert uploaded.file_url.startswith(sandbox.url)


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (NotFoundError, "Run not found", lambda client: client.run(UNKNOWN)),
        (NotFoundError, "Machine not found", lambda client: client.machine(UNKNOWN)),
        (NotFoundError, "not found", lambda client: client.workflow(UNKNOWN)),
        (NotFoundError, "not found", lambda client: client.version(UNKNOWN)),
        (NotFoundError, "GET /workflow/{workflow_id}/deployments", lambda client: client.workflow_deployments(UNKNOWN)),
        (ApiError, "Internal server error", lambda client: client.deployment(UNKNOWN)),
        (ApiError, "modal function call", lambda client: client.cancel(UNKNOWN)),
        (ApiError, r"rejected .* \(422\)", lambda client: client.run("malformed")),
        (ApiError, "Internal Server Error", lambda client: client.workflow("malformed")),
        (ApiError, "Unsupported file type", lambda client: client.upload("notes.txt", b"x")),
    ],
)
def test_what_is_unknown_or_malformed_is_an_error(
    client: ComfyDeployClient, kind: type[ApiError], words: str, call: Any
) -> None:
    """With the server's own words, as they come for each route."""
    with pytest.raises(kind, match=words):
        run(client, call(client))


def test_another_tenant_sees_nothing(client: ComfyDeployClient, sandbox: Sandbox) -> None:
    """A key of somebody else lists nothing and may not read a run."""
    other = ComfyDeployClient(transport_to(sandbox.url, sandbox.other_api_key))
    run_id = next(iter(sandbox.world.runs))
    assert run(other, other.workflows()) == []
    with pytest.raises(PermissionDeniedError, match="not authorized"):
        run(other, other.run(run_id))


def test_prices_come_as_they_are(client: ComfyDeployClient) -> None:
    """Their shape is documented nowhere, so no model stands for it."""
    assert run(client, client.gpu_pricing())


def test_a_new_field_everywhere_changes_nothing(client: ComfyDeployClient, sandbox: Sandbox) -> None:
    """Every object of the server has a field that no client knows."""
    sandbox.knobs.change(extra_fields=True)

    async def everything() -> None:
        workflow = (await client.workflows())[0]
        await client.workflow(workflow.id)
        await client.machines()
        await client.deployments()
        rows = await client.workflow_runs(workflow.id)
        await client.run(rows[0].id)

    run(client, everything())
