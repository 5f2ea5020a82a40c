"""The official SDK of ComfyDeploy works with the sandbox as it does with the real server."""

from __future__ import annotations

from collections.abc import Iterator

import comfydeploy
import pytest

import comfynb


@pytest.fixture
def slow_sandbox() -> Iterator[comfynb.Sandbox]:
    with comfynb.Sandbox(speed=2.0) as sandbox:
        yield sandbox


def test_the_official_sdk_queues_and_cancels_a_run(slow_sandbox: comfynb.Sandbox) -> None:
    """What it queued is a run of the workspace, and what it cancelled ends as cancelled."""
    with comfynb.connect(slow_sandbox.url, slow_sandbox.api_key) as ws:
        production = ws.deployments(environment="production", workflow="MAKEIMAGE").iloc[0]
        with comfydeploy.ComfyDeploy(bearer=slow_sandbox.api_key, server_url=f"{slow_sandbox.url}/api") as sdk:
            queued = sdk.run.deployment.queue(
                request={"deployment_id": production["id"], "inputs": {"PROMPT": "a red fox"}}
            )
            run_id = queued.create_run_response.run_id
            assert ws.get_run(run_id).inputs == {"PROMPT": "a red fox"}
            sdk.run.cancel(run_id=run_id)
        assert ws.get_run(run_id).status == "cancelled"


def test_the_official_sdk_cannot_read_a_run_here_either(slow_sandbox: comfynb.Sandbox) -> None:
    """It requires a field that the real server does not send, and fails there in the same way."""
    with (
        comfynb.connect(slow_sandbox.url, slow_sandbox.api_key) as ws,
        comfydeploy.ComfyDeploy(bearer=slow_sandbox.api_key, server_url=f"{slow_sandbox.url}/api") as sdk,
    ):
        run = ws.submit("MAKEIMAGE", PROMPT="a red fox")
        with pytest.raises(Exception, match=r"[Vv]alidation") as caught:
            sdk.run.get(run_id=run.id)
        assert "workflow_api" in str(caught.value)
