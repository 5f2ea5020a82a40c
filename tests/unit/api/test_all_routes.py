"""The routes that change things for good, or that only few people need."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from faults import run, transport_to

import comfynb.api
from comfynb.api import routes
from comfynb.api.client import ComfyDeployClient
from comfynb.errors import ApiError, NotFoundError
from comfynb.sandbox import Sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> ComfyDeployClient:
    """Return a client of the sandbox."""
    return ComfyDeployClient(transport_to(sandbox.url, sandbox.api_key))


def test_every_route_in_scope_is_called_somewhere() -> None:
    """A route that stands in the table and that nothing calls would be a promise that nobody keeps."""
    every = {name: value for name, value in vars(routes).items() if isinstance(value, routes.Route)}
    names = {name for name, value in every.items() if value.kind is not routes.Kind.SUBMIT}
    called: set[str] = set()
    package = Path(comfynb.api.__file__).parents[1]
    for path in package.rglob("*.py"):
        if "sandbox" not in path.parts:
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            called |= {each.attr for each in nodes if isinstance(each, ast.Attribute)}
    assert names <= called


@pytest.mark.parametrize("route", routes.ROUTES, ids=str)
def test_the_sandbox_answers_every_route_in_scope(route: routes.Route, sandbox: Sandbox) -> None:
    """Each with a handler of its own."""
    match = sandbox.app.routes.find(route.method, route.path)
    assert match is not None
    assert match.handler is not None


def test_a_run_is_queued_in_all_three_forms(client: ComfyDeployClient) -> None:
    """By a deployment; by a version on a machine; by a graph on a machine. Only the first keeps its deployment."""

    async def everything() -> list[tuple[bool, str | None]]:
        standing = next(row for row in await client.deployments() if row.environment == "production")
        version = await client.version(standing.workflow_version_id or "")
        elsewhere = {"machine_id": standing.machine_id, "inputs": {}}
        graphs = {"workflow_api_json": version.workflow_api, "workflow": version.workflow}
        found = []
        for route, body in (
            (routes.QUEUE_DEPLOYMENT, {"deployment_id": standing.id, "inputs": {}}),
            (routes.QUEUE_VERSION, {"workflow_version_id": version.id, **elsewhere}),
            (routes.QUEUE_WORKFLOW, {"workflow_id": standing.workflow_id, **graphs, **elsewhere}),
        ):
            queued = client.queued(await client.queue(route, body), route)
            run_id = queued.run_id or ""
            listed = {row.id: row.deployment_id for row in await client.workflow_runs(standing.workflow_id or "")}
            assert (await client.run(run_id)).machine_id == standing.machine_id
            found.append((listed[run_id] == standing.id, listed[run_id]))
        return found

    through, *elsewhere = run(client, everything())
    assert through[0]
    assert elsewhere == [(False, None), (False, None)]


def test_a_workflow_is_cloned_renamed_pinned_exported_and_deleted(client: ComfyDeployClient) -> None:
    """A pin drops every other change that is sent with it, as the server does."""

    async def everything() -> dict[str, Any]:
        first = next(row for row in await client.workflows() if row.name == "text2img")
        copied = await client.clone_workflow(first.id, "a copy")
        described = await client.update_workflow(copied.id, description="mine")
        pinned = await client.update_workflow(copied.id, pinned=True, name="never seen")
        exported = await client.export_workflow((await client.create_workflow("bare", "{}", "{}")).workflow_id or "")
        gallery = await client.gallery(first.id)
        done = await client.delete_workflow(copied.id)
        with pytest.raises(NotFoundError):
            await client.delete_workflow(copied.id)
        return {
            "copied": copied.name,
            "described": described.description,
            "pinned": (pinned.pinned, pinned.name),
            "exported": "workflow_api" in exported,
            "gallery": gallery,
            "done": done.message,
        }

    assert run(client, everything()) == {
        "copied": "a copy",
        "described": "mine",
        "pinned": (True, "a copy"),
        "exported": True,
        "gallery": [],
        "done": "Workflow deleted successfully",
    }


def test_only_shared_deployments_can_be_deleted(client: ComfyDeployClient) -> None:
    """Production answers 500, and deactivating one on a classic machine, too."""

    async def everything() -> str | None:
        standing = next(row for row in await client.deployments() if row.environment == "production")
        with pytest.raises(ApiError, match="Internal server error"):
            await client.delete_deployment(standing.id)
        with pytest.raises(ApiError, match="Internal Server Error"):
            await client.deactivate_deployment(standing.id)
        shared = await client.create_deployment(
            standing.workflow_id or "", standing.workflow_version_id or "", standing.machine_id or "", "public-share"
        )
        return (await client.delete_deployment(shared.id)).message

    assert run(client, everything())


def test_a_machine_is_made_renamed_and_deleted_and_its_token_is_not_shown(client: ComfyDeployClient) -> None:
    """The server answers with the token in clear; no repr has it."""

    async def everything() -> dict[str, Any]:
        made = await client.create_machine("box", "http://127.0.0.1:9", auth_token="user:pass")
        named = await client.update_machine(made.id, name="box 2", status="error")
        built = await client.create_serverless_machine("cloud box", "A10G")
        busy = next(row for row in await client.machines_all() if row.name == "studio-classic-a")
        with pytest.raises(ApiError, match="still have"):
            await client.delete_machine(busy.id)
        return {
            "shown": repr(made),
            "named": (named.name, named.status),
            "built": built.status,
            "workflows": len(await client.machine_workflows(busy.id)),
            "events": await client.machine_events(busy.id),
            "done": (await client.delete_machine(made.id)).message,
            "forced": (await client.delete_machine(busy.id, force=True)).message,
        }

    found = run(client, everything())
    assert "user:pass" not in found.pop("shown")
    assert found.pop("workflows") > 0
    assert found == {
        "named": ("box 2", "ready"),
        "built": "building",
        "events": [],
        "done": "Machine deleted",
        "forced": "Machine deleted",
    }


def test_runs_are_counted_and_the_newest_is_found(client: ComfyDeployClient, sandbox: Sandbox) -> None:
    """The count is of all tenants."""

    async def everything() -> tuple[Any, ...]:
        first = next(row for row in await client.workflows() if row.name == "text2img")
        listed = await client.workflow_runs_v2(first.id, limit=1)
        return listed[0], await client.latest_run(first.id), await client.run_days(first.id), await client.runs_count()

    newest, latest, day, count = run(client, everything())
    assert latest.id == newest.id
    assert all(row.status and row.created_at.tzinfo for row in day)
    assert count.count == len(sandbox.world.runs)


def test_an_asset_is_uploaded_found_registered_and_deleted(client: ComfyDeployClient) -> None:
    """In one step, or put where the server says and registered afterwards."""

    async def everything() -> tuple[Any, ...]:
        kept = await client.upload_asset("folder/c.png", b"\x89PNG", "image/png")
        target = await client.presign_asset("b.png", "image/png", 100)
        registered = await client.register_asset(target, "b.png", "image/png", 100)
        found = await client.search_assets("c.p")
        listed = await client.assets()
        one = await client.asset(kept.id)
        await client.delete_asset(kept.id)
        with pytest.raises(NotFoundError, match="Asset not found"):
            await client.asset(kept.id)
        run_id = (await client.workflow_runs_v2((await client.workflows())[0].id, limit=1))[0].id
        return kept, registered, found, listed, one, await client.run_file_url(run_id, "a.png", "image/png")

    kept, registered, found, listed, one, output = run(client, everything())
    assert kept.name == "c.png"
    assert [row.id for row in found] == [kept.id] == [one.id]
    assert {row.id for row in listed} >= {kept.id, registered.id}
    assert output.url
    assert output.download_url
