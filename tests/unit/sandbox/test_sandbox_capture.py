"""A sandbox that is like a workspace: what is copied of it, and what is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from sandbox_client import Client

import comfynb
from comfynb import Sandbox
from comfynb.api.opening import open_client
from comfynb.cli import sandbox as command
from comfynb.cli.app import run as run_command
from comfynb.sandbox import save_world
from comfynb.sandbox.world.records import Deployment
from comfynb.services.capturing import capture_world
from comfynb.warnings import PartialResultWarning, SchemaDriftWarning


@pytest.fixture
def real() -> Iterator[Sandbox]:
    """Run what stands for a real workspace."""
    with Sandbox(seed=99, speed=0, history=5) as sandbox:
        yield sandbox


def capture(sandbox: Sandbox) -> dict[str, Any]:
    """Copy a workspace."""

    async def copy() -> dict[str, Any]:
        async with comfynb.WorkflowsService(open_client(sandbox.url, sandbox.api_key)) as service:
            return await capture_world(service)

    return asyncio.run(copy())


def catalog(sandbox: Sandbox) -> pd.DataFrame:
    """Return what a workspace says of itself, without ids."""
    with comfynb.connect(sandbox=sandbox) as ws:
        table = ws.catalog()
    table["deployments"] = [tuple(name for name, _ in cell) for cell in table["deployments"]]
    return table.drop(columns=["id", "machine_id"])


def test_a_copy_has_the_same_catalog(real: Sandbox, tmp_path: Path) -> None:
    """Names, inputs, environments, machines, notes: also when it was written into a file and has another seed."""
    before = catalog(real)
    world = capture(real)
    path = save_world(world, tmp_path / "my.toml")
    for source in (world, path):
        with Sandbox(world=source, seed=3, speed=0) as copied:
            pd.testing.assert_frame_equal(catalog(copied), before)
            with comfynb.connect(sandbox=real) as ws, comfynb.connect(sandbox=copied) as other:
                for table in ("machines", "deployments"):
                    columns = ["name", "environment", "version", "machine", "type", "gpu", "status"]
                    first, second = getattr(ws, table)(), getattr(other, table)()
                    kept = [column for column in columns if column in first]
                    pd.testing.assert_frame_equal(second[kept], first[kept])


def test_a_copy_can_be_copied(real: Sandbox) -> None:
    """And is the same then: nothing is lost on the way."""
    world = capture(real)
    with Sandbox(world=world, seed=5, speed=0) as copied:
        again = capture(copied)
    text = json.dumps(world).replace(real.url, "")
    assert json.loads(json.dumps(again).replace(real.url, "")) == json.loads(text)


def test_only_gets_are_sent(real: Sandbox) -> None:
    """And each of them is answered well."""
    capture(real)
    assert all(key.startswith("GET ") for key in real.counters.requests)
    assert set(real.counters.statuses) == {200}


PLANTED = (
    "hf_QWERTYuiopASDFghjkl12345",
    "sk-proj-0123456789abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoicGxhbnRlZCJ9.c2ln",
    "plainpassword",
    "machine-token-1",
    "lora-bearer-1",
    "widget-bearer-1",
    "hunter2",
    "ada.planted@example.com",
    "Planted Person",
    "user_2planted000000000001",
    "AKIAABCDEFGHIJKLMNOP",
    "X-Amz-Signature",
    "T0001/B0001/planted",
    "extra-secret-1",
    "property-secret-1",
    "key-in-a-default",
)


def plant(real: Sandbox) -> None:
    """Put secrets and people wherever a workspace may have them."""
    world = real.world
    tenant = next(iter(world.tenants.values()))
    tenant.user_name = "Planted Person"
    for rows in (world.machines, world.workflows, world.versions, world.deployments):
        for row in rows.values():
            row.user_id = "user_2planted000000000001"
    tenant.user_id = "user_2planted000000000001"
    machine = world.machine_named("studio-classic-a")
    machine.endpoint, machine.auth_token = "https://ada:plainpassword@box.example.com:8188", "machine-token-1"
    workflow = world.workflow_named("text2img")
    workflow.description = "By Planted Person <ada.planted@example.com>, key AKIAABCDEFGHIJKLMNOP"
    workflow.cover_image = "https://files.example.com/a.png?X-Amz-Signature=1"
    for version in workflow.versions:
        version.comment = "token: hunter2, planted person said"
        version.workflow_api |= {
            "90": {
                "class_type": "ComfyUIDeployExternalLora",
                "inputs": {"input_id": "lora", "bearer_token": "lora-bearer-1", "default_lora_name": "a.safetensors"},
                "extra": "extra-secret-1",
            },
            "91": {
                "class_type": "TeamUploader",
                "inputs": {
                    "apiKey": "plainpassword",
                    "webhook_url": "https://hooks.slack.com/services/T0001/B0001/planted",
                    "target": "https://hooks.slack.com/services/T0001/B0001/planted",
                    "address": "s3://ada:plainpassword@bucket/folder",
                    "header": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoicGxhbnRlZCJ9.c2ln",
                    "rows": {"on": True, "secret": "plainpassword", "text": ["hf_QWERTYuiopASDFghjkl12345"]},
                },
                "_meta": {"title": "for ada.planted@example.com", "extra": "extra-secret-1"},
            },
            "92": {
                "class_type": "ComfyUIDeployExternalText",
                "inputs": {"input_id": "civitai_api_key", "default_value": "key-in-a-default", "display_name": "Key"},
            },
            "93": {
                "class_type": "ComfyUIDeployExternalImage",
                "inputs": {
                    "input_id": "start",
                    "default_value_url": "https://ada:plainpassword@files.example.com/a.png?X-Amz-Signature=1",
                },
            },
        }
        version.workflow["nodes"] += [
            {"id": 900, "type": "Note", "widgets_values": ["use sk-proj-0123456789abcdefghij, ask Planted Person"]},
            {
                "id": 901,
                "type": "ComfyUIDeployExternalLora",
                "widgets_values": ["lora", "a", "widget-bearer-1"],
                "properties": {"cd": "property-secret-1"},
            },
        ]
        version.workflow["extra"] = {"author": "extra-secret-1"}


def test_secrets_and_people_stay_where_they_are(real: Sandbox, tmp_path: Path) -> None:
    """Keys, tokens, endpoints, addresses with users, signatures, webhooks, names, mails, ids; in files, too."""
    plant(real)
    assert all(planted in _everything(real) for planted in PLANTED), "all of them are really there"
    world = capture(real)
    save_world(world, tmp_path / "my.toml")
    texts = [json.dumps(world), *(path.read_text() for path in tmp_path.rglob("*") if path.is_file())]
    for planted in (*PLANTED, real.api_key, "studio-a.sandbox.invalid", *real.world.workflows, *real.world.machines):
        assert not any(planted.lower() in text.lower() for text in texts), planted


def _everything(sandbox: Sandbox) -> str:
    world = sandbox.world
    rows = [*world.tenants.values(), *world.machines.values(), *world.workflows.values(), *world.versions.values()]
    return "".join(map(repr, rows))


def test_a_copy_without_its_secrets_still_runs(real: Sandbox) -> None:
    """The inputs that had them are there, without a default."""
    plant(real)
    with Sandbox(world=capture(real), speed=1000) as copied, comfynb.connect(sandbox=copied) as ws:
        inputs = ws.inputs("text2img").set_index("name")
        assert {"prompt", "lora", "civitai_api_key", "start"} <= set(inputs.index)
        assert ws.run("text2img", prompt="a fox", civitai_api_key="mine").status == "success"


def test_names_that_are_there_twice_stay_so(real: Sandbox) -> None:
    """Workflows and machines of one name are copied as two."""
    with Client(real) as client:
        for _ in range(2):
            client.post("/machine/custom", json={"name": "m", "type": "classic", "endpoint": "x", "auth_token": None})
            client.post("/workflow", json={"name": "w", "workflow_json": "{}", "workflow_api": "{}"})
    world = capture(real)
    with Sandbox(world=world) as copied:
        assert [each.name for each in copied.world.machines.values()].count("m") == 2
        assert [each.name for each in copied.world.workflows.values()].count("w") == 2


def test_a_deleted_machine_comes_along_where_something_is_on_it(real: Sandbox) -> None:
    """As deleted; one that nothing names does not come."""
    machine = real.world.machine_named("studio-classic-b (RTX 4090)")
    machine.deleted = True
    names = {row["name"]: row for row in capture(real)["machines"]}
    assert names[machine.name]["deleted"] is True
    assert "old-box" not in names


def test_what_cannot_be_copied_is_told(real: Sandbox) -> None:
    """A deployment that the server cannot list, an environment and a type that nobody knows; the rest is copied."""
    real.knobs.broken_workflow = True
    guess = "of 'style transfer \\(wip\\)', is in the copy in staging, as version 1 on 'studio-classic-b"
    with pytest.warns(PartialResultWarning, match=guess):
        world = capture(real)
    assert "style transfer (wip)" in [row["name"] for row in world["workflows"]]
    assert len(world["deployments"]) == 21
    real.knobs.broken_workflow = False
    some: Deployment = next(iter(real.world.deployments.values()))
    some.environment = "moonbase"
    with pytest.warns(PartialResultWarning, match="moonbase"):
        assert len(capture(real)["deployments"]) == 19
    some.environment = "production"
    real.world.machine_named("office-box").type = "quantum"
    with pytest.warns(SchemaDriftWarning, match="'quantum', which the sandbox does not know"):
        world = capture(real)
    Sandbox(world=world)


def test_versions_come_as_far_as_they_can_be_read(real: Sandbox) -> None:
    """All of them; the newest where their list fails, and those that are deployed; what lacks is told."""
    numbers = {row["name"]: [each["number"] for each in row["versions"]] for row in capture(real)["workflows"]}
    assert numbers["text2img"] == [1, 2, 3]
    real.knobs.change(faults_on="/versions", error_rate=1.0)
    with pytest.warns(PartialResultWarning) as told:
        world = capture(real)
    assert sum("Only the newest version of 'text2img' is in the copy" in str(each.message) for each in told) == 1
    numbers = {row["name"]: [each["number"] for each in row["versions"]] for row in world["workflows"]}
    assert numbers["text2img"] == [2, 3], "the first one is not deployed"
    assert len(world["deployments"]) == 20


def test_of_very_many_versions_the_newest_come() -> None:
    """A hundred, and those that are deployed."""
    world = {
        "machines": [{"name": "m"}],
        "workflows": [{"name": "w", "machine": "m", "versions": 130}],
        "deployments": [{"workflow": "w", "version": 7}],
    }
    with Sandbox(world=world) as sandbox, pytest.warns(PartialResultWarning, match="versions of 'w', the newest 100"):
        rows = capture(sandbox)["workflows"][0]["versions"]
    assert [row["number"] for row in rows] == [7, *range(31, 131)]


def test_deployments_come_one_workflow_after_the_other_where_their_list_fails(real: Sandbox) -> None:
    """The server has another route for them."""
    real.knobs.change(faults_on="GET /api/deployments", error_rate=1.0)
    with pytest.warns(PartialResultWarning, match="cannot be listed, so they are read one by one"):
        assert len(capture(real)["deployments"]) == 20


def test_details_that_cannot_be_read_are_left_out(real: Sandbox) -> None:
    """A machine comes without its limits then."""
    real.world.machine_named("studio-classic-a").run_timeout = 77
    assert capture(real)["machines"][0]["run_timeout"] == 77
    real.knobs.change(faults_on="GET /api/machine/", error_rate=1.0)
    assert "run_timeout" not in capture(real)["machines"][0]


def test_a_machine_that_is_nobodys_is_a_deleted_one(real: Sandbox) -> None:
    """What is on it is copied, and has no machine there either."""
    some: Deployment = next(iter(real.world.deployments.values()))
    some.machine_id = "5f0c8a3e-0000-4000-8000-000000000001"
    world = capture(real)
    assert len(world["deployments"]) == 20
    assert {"name": "not there", "type": "classic", "status": "ready", "deleted": True} in world["machines"]


# The command


def test_the_command_copies_and_writes(
    real: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It serves what it copied, with the key from the environment; the file can be served again."""
    monkeypatch.setattr(command, "threading", SimpleNamespace(Event=Interrupted))
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", real.api_key)
    path = tmp_path / "my.toml"
    assert run_command(["sandbox", "--port", "0", "--like", real.url, "--save", str(path)]) == 130
    said = capsys.readouterr().out
    assert "Copied 8 workflows, 20 deployments, 8 machines, without secrets." in said
    assert f"Wrote {path}" in said
    assert run_command(["sandbox", "--port", "0", "--world", str(path)]) == 130
    assert "A ComfyDeploy sandbox serves at http://127.0.0.1:" in capsys.readouterr().out


class Interrupted:
    """An event that is waited for until Ctrl-C."""

    def wait(self) -> None:
        """Press it."""
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--world", "none.toml"), "none.toml cannot be read"),
        (("--world", "a.toml", "--like", "http://127.0.0.1:9"), "not both"),
        (("--save", "a.toml"), "--save goes with --like"),
        (("--like", "http://127.0.0.1:9"), "COMFY_DEPLOY_API_KEY"),
        (("--like", "http://127.0.0.1:9", "--save", "there.toml"), "is there already"),
    ],
)
def test_the_command_says_what_is_wrong(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a sentence, before anything is asked of a server."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.toml").touch()
    assert run_command(["sandbox", *words]) == 2
    assert said in capsys.readouterr().err
