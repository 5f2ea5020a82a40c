"""Worlds of a user's own: what may stand in their files, and how mistakes in them are told."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest

import comfynb
from comfynb import ConfigurationError, Sandbox
from comfynb.sandbox import save_world
from comfynb.sandbox.world.graph import Graph

OURS = """
    history = 12

    [[machines]]
    name = "studio"

    [[machines]]
    name = "cloud"
    gpu = "A100"

    [[machines]]
    name = "attic"
    status = "paused"

    [[workflows]]
    name = "product shots"
    description = "One shoe on white"
    machine = "studio"
    pinned = true
    versions = 3
    inputs = [
      "prompt",
      { name = "negative", default = "" },
      { name = "steps", kind = "slider_integer", default = 20, min = 1, max = 60 },
      { name = "style", kind = "enum", options = ["plain", "festive"], label = "Style", description = "The mood" },
      { name = "seed", kind = "seed" },
      { name = "width", kind = "integer", default = 640 },
    ]

    [[workflows]]
    name = "retouch"
    machine = "cloud"
    inputs = [{ name = "photo", kind = "image" }]

    [[deployments]]
    workflow = "product shots"
    environment = "production"
    machine = "cloud"
    version = 2

    [[deployments]]
    workflow = "product shots"
    environment = "staging"
    fluid = true
    gpu = "H100"

    [[deployments]]
    workflow = "retouch"
"""


def written(folder: Path, text: str, name: str = "my.toml") -> Path:
    """Write a file with the indentation taken off."""
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def refused(world: Any) -> str:
    """Return what is said of a world that cannot be used."""
    with pytest.raises(ConfigurationError) as caught:
        Sandbox(world=world)
    return str(caught.value)


def test_a_world_has_the_names_of_its_file(tmp_path: Path) -> None:
    """Machines, workflows and deployments, with versions, descriptions and inputs, and nothing of the built-in ones."""
    with Sandbox(world=written(tmp_path, OURS), speed=1000) as sandbox, comfynb.connect(sandbox=sandbox) as ws:
        machines = ws.machines().set_index("name")
        assert set(machines.index) == {"studio", "cloud", "attic"}
        assert machines.loc["cloud", ["type", "gpu", "status"]].tolist() == [
            "comfy-deploy-serverless",
            "A100",
            "ready",
        ]
        assert machines.loc["attic", ["type", "status"]].tolist() == ["classic", "paused"]
        assert ws.workflows()["name"].tolist() == ["product shots", "retouch"], "the pinned one comes first"
        assert ws.versions("product shots")["version"].tolist() == [3, 2, 1]
        deployments = ws.deployments()
        found = set(zip(deployments["name"], deployments["environment"], deployments["version"], strict=True))
        assert found == {
            ("product shots", "production", 2),
            ("product shots", "staging", 3),
            ("retouch", "production", 1),
        }
        inputs = ws.inputs("product shots").set_index("name")
        assert set(inputs.index) == {"prompt", "negative", "steps", "style", "seed", "width"}
        assert inputs.loc["steps", ["minimum", "maximum", "default"]].tolist() == [1, 60, 20]
        assert ws.workflow("product shots").description == "One shoe on white"
        assert len(sandbox.world.runs) == 12


def test_runs_of_it_use_their_inputs(tmp_path: Path) -> None:
    """They succeed, and what is given reaches the nodes that are called so; a picture is required where one is."""
    with Sandbox(world=written(tmp_path, OURS), speed=1000) as sandbox, comfynb.connect(sandbox=sandbox) as ws:
        run = ws.run("product shots", prompt="a red shoe", seed=5, width=320)
        assert run.status == "success"
        assert run.images()[0].size[0] == 320
        assert run.used_inputs()["seed"] == 5
        with pytest.raises(comfynb.InputError, match="photo"):
            ws.run("retouch")
        assert ws.run("retouch", photo=f"{sandbox.url}/files/samples/room.png").status == "success"


def test_ids_follow_from_the_seed_and_the_names(tmp_path: Path) -> None:
    """Two sandboxes of one seed have the same, those of another seed have others; a reset changes nothing."""
    path = written(tmp_path, OURS)
    first, second, other = Sandbox(world=path), Sandbox(world=str(path)), Sandbox(world=path, seed=8)
    ids = [[*each.world.workflows, *each.world.deployments, *each.world.machines] for each in (first, second, other)]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    second.reset()
    assert [*second.world.workflows, *second.world.deployments, *second.world.machines] == ids[0]


def test_the_history_of_a_file_gives_way_to_the_one_that_is_asked_for(tmp_path: Path) -> None:
    """And a world without deployments has none."""
    path = written(tmp_path, OURS)
    assert len(Sandbox(world=path, history=3).world.runs) == 3
    assert not Sandbox(world={"machines": [{"name": "studio"}]}).world.runs
    assert not Sandbox(world={}).world.workflows


def api_graph() -> dict[str, Any]:
    """Return a graph as ComfyUI exports it, with nodes that the sandbox does not know."""
    graph = Graph()
    text = graph.external("Text", "prompt", default_value="a fox")
    sampler = graph.add("TeamSampler", text=text[0])
    graph.add("TeamImageSaver", images=sampler[0], filename_prefix="team")
    return graph.api()


def test_exported_graphs_are_used_as_they_are(tmp_path: Path) -> None:
    """Beside the file, by relative paths; their own nodes are installed, and what they save is there in the end."""
    graph = api_graph()
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "api.json").write_text(json.dumps(graph))
    drawn = {"nodes": [{"id": 9, "type": "Note", "widgets_values": ["Ask the team."]}], "links": []}
    (tmp_path / "graphs" / "drawn.json").write_text(json.dumps(drawn))
    (tmp_path / "both.json").write_text(json.dumps({**drawn, "workflow_api": graph, "environment": {}}))
    path = written(
        tmp_path,
        """
        [[machines]]
        name = "studio"

        [[workflows]]
        name = "own"
        machine = "studio"
        workflow_api = "graphs/api.json"
        workflow = "graphs/drawn.json"

        [[workflows]]
        name = "exported"
        workflow = "both.json"

        [[workflows]]
        name = "versions"
        machine = "studio"

        [[workflows.versions]]
        number = 4
        comment = "by name"
        inputs = ["prompt"]

        [[workflows.versions]]
        number = 7
        workflow_api = "graphs/api.json"

        [[deployments]]
        workflow = "own"

        [[deployments]]
        workflow = "versions"
        version = 4
        """,
    )
    with Sandbox(world=path, speed=1000) as sandbox, comfynb.connect(sandbox=sandbox) as ws:
        assert ws.run("own", prompt="a hen").images()
        assert ws.workflow("own").description == "Ask the team."
        assert ws.inputs("exported")["name"].tolist() == ["prompt"]
        assert ws.versions("versions")["version"].tolist() == [7, 4]
        assert ws.deployment("versions").version == 4
        version = sandbox.world.workflow_named("versions").versions[-1]
        assert {node["type"] for node in version.workflow["nodes"]} == {each["class_type"] for each in graph.values()}
        # The next version that is made gets the next number.
        made = httpx.post(
            f"{sandbox.url}/api/workflow/{version.workflow_id}/version",
            headers={"authorization": f"Bearer {sandbox.api_key}"},
            json={"workflow": {}, "workflow_api": graph},
        )
        assert made.json()["version"] == 8


def test_two_of_one_name_are_told_apart_by_their_keys() -> None:
    """Their names are the same for clients."""
    world = {
        "machines": [{"name": "gpu", "key": "one"}, {"name": "gpu", "key": "two", "status": "error"}],
        "workflows": [
            {"name": "shots", "machine": "one", "inputs": ["prompt"]},
            {"name": "shots", "key": "other", "machine": "two", "inputs": ["text"]},
        ],
        "deployments": [{"workflow": "shots"}, {"workflow": "other", "machine": "one"}],
    }
    sandbox = Sandbox(world=world)
    assert [each.name for each in sandbox.world.workflows.values()] == ["shots", "shots"]
    assert len({each.machine_id for each in sandbox.world.deployments.values()}) == 1


def test_the_broken_workflow_comes_and_goes_in_any_world() -> None:
    """On one of its machines; without a machine it has no deployment."""
    with Sandbox(world={"machines": [{"name": "m"}]}, broken_workflow=True) as sandbox:
        with comfynb.connect(sandbox=sandbox) as ws:
            assert ws.deployments()["problem"].notna().sum() == 1
        sandbox.knobs.broken_workflow = False
        sandbox.world.follow_knobs()
        assert not sandbox.world.workflows
        assert not sandbox.world.deployments
    empty = Sandbox(world={}, broken_workflow=True)
    empty.world.follow_knobs()
    assert not empty.world.deployments


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[machines]\nname = 1", "at line 1, column 11"),
        ("[[machines]]\n", "machines[1].name: it is missing"),
        (
            "[[machines]]\nname = 'm'\ngpus = 'A100'",
            "machines[1] ('m').gpus: there is no such setting; did you mean 'gpu'",
        ),
        ("[[machines]]\nname = 'm'\ntype = 'clasic'", "there is no 'clasic'; did you mean 'classic'?"),
        ("[[machines]]\nname = 'm'\n[[machines]]\nname = 'm'", "machines: 'm' stands there 2 times; give each a key"),
        ("[[workflow]]\nname = 'w'", "workflow: there is no such setting; did you mean 'workflows'?"),
        ("[[workflows]]\nname = 'w'\nmachine = 'm'", "workflows[1] ('w').machine: there is no machine 'm'"),
        ("[[workflows]]\nname = 'w'\nversions = 'x'", "versions has to be a number, or a list of tables"),
        ("[[workflows]]\nname = 'w'\nworkflow_api = 'no.json'", "no.json cannot be read: No such file"),
        (
            "[[workflows]]\nname = 'w'\nworkflow_api = 'bad.json'",
            "bad.json is no JSON: Expecting value: line 1 column 1",
        ),
        ("[[workflows]]\nname = 'w'\nworkflow_api = 'drawn.json'", "it is a graph of the editor"),
        ("[[workflows]]\nname = 'w'\nworkflow = 'drawn.json'", "use ComfyUI's Export (API)"),
        ("[[workflows]]\nname = 'w'\ninputs = [{name='a', kind='enum'}]", "'a' is an enum and has no options"),
        ("[[workflows]]\nname = 'w'\ninputs = ['a', 'a']", ".inputs: 'a' stands there 2 times"),
        (
            "[[workflows]]\nname = 'w'\ninputs = [{name='a', min='1'}]",
            "inputs[1] ('a').min: input should be a valid number",
        ),
        ("[[workflows]]\nname = 'w'\n[[workflows.versions]]\nnumber = 2\n[[workflows.versions]]\nnumber = 1", "grow"),
        ("[[deployments]]\nworkflow = 'w'", "deployments[1].workflow: there is no workflow 'w'"),
        ("[[workflows]]\nname = 'w'\n[[deployments]]\nworkflow = 'w'", "'w' has no machine of its own"),
        (
            "[[machines]]\nname='m'\n[[workflows]]\nname = 'w'\nmachine='m'"
            "\n[[deployments]]\nworkflow = 'w'\nversion = 2",
            "'w' has no version 2; it has 1",
        ),
        (
            "[[machines]]\nname='m'\n[[workflows]]\nname = 'w'\nmachine='m'" + "\n[[deployments]]\nworkflow = 'w'" * 2,
            "deployments: 'w in production' stands there 2 times",
        ),
        (
            "[[deployments]]\nworkflow = 'w'\nenvironment = 'prodution'",
            "there is no 'prodution'; did you mean 'production'?",
        ),
        ("history = -1", "history: input should be greater than or equal to 0, and is -1"),
    ],
)
def test_a_mistake_is_told_with_the_file_and_the_place(tmp_path: Path, text: str, said: str) -> None:
    """In one error of ours, whatever it is."""
    (tmp_path / "bad.json").write_text("nonsense")
    (tmp_path / "drawn.json").write_text('{"nodes": [], "links": []}')
    path = written(tmp_path, text)
    told = refused(path)
    assert said in told
    assert str(path) in told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """One a line."""
    text = "[[machines]]\nname = 'm'\nstatus = 'redy'\n[[workflows]]\nname = 'w'\ninputs = [{name='a', kind='txt'}]"
    told = refused(written(tmp_path, text)).splitlines()
    assert len(told) == 3
    assert "'redy'; did you mean 'ready'?" in told[1]
    assert "'txt'; did you mean 'text'?" in told[2]


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    """One that is not there, a folder, and one that is no text."""
    assert "cannot be read: No such file" in refused(tmp_path / "none.toml")
    assert "cannot be read: Is a directory" in refused(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    assert "is no text in UTF-8" in refused(tmp_path / "bytes.toml")


def test_a_world_can_be_written_and_read_again(tmp_path: Path) -> None:
    """With every character that a name may have; a file that stands is not written over."""
    name = 'a "quoted"\\ name\twith \x7f, \u2028 and 🦊'
    world = {
        "machines": [{"name": name, "gpu": "A100"}],
        "workflows": [
            {"name": name, "machine": name, "versions": [{"number": 3, "workflow_api": api_graph()}]},
            {"name": "listed", "inputs": ["prompt", {"name": "n", "kind": "integer", "default": 3}]},
        ],
        "deployments": [{"workflow": name, "environment": "staging"}],
    }
    path = save_world(world, tmp_path / "deep" / "my.toml")
    again, given = Sandbox(world=path).world, Sandbox(world=world).world
    assert [each.name for each in again.machines.values()] == [name]
    assert {key: each.workflow_api for key, each in again.versions.items()} == {
        key: each.workflow_api for key, each in given.versions.items()
    }
    assert again.deployments.keys() == given.deployments.keys()
    with pytest.raises(ConfigurationError, match="is there already"):
        save_world(world, path)


def test_everything_of_a_large_world_is_older_than_its_start() -> None:
    """And in the order of the file, however many versions a workflow has."""
    world = {
        "machines": [{"name": f"machine {number}"} for number in range(150)],
        "workflows": [{"name": f"workflow {number}", "versions": 9} for number in range(60)],
    }
    sandbox = Sandbox(world=world)
    machines, workflows = list(sandbox.world.machines.values()), list(sandbox.world.workflows.values())
    times = [each.updated_at for each in (*machines, *workflows)]
    assert times == sorted(set(times))
    assert times[-1] < sandbox.knobs.start


def test_what_has_no_name_needs_a_key() -> None:
    """Servers have such things, and others have to name them."""
    said = refused({"machines": [{"name": ""}], "workflows": [{"name": "", "key": ""}]})
    assert "machines[1] (''): its name is empty; give it one, or a key" in said
    assert "workflows[1] ('').key" in said
    world = Sandbox(
        world={"machines": [{"name": "", "key": "m"}], "workflows": [{"name": "", "key": "w", "machine": "m"}]}
    )
    assert [each.name for each in (*world.world.machines.values(), *world.world.workflows.values())] == ["", ""]


def test_a_graph_that_is_none_is_taken_where_that_is_said() -> None:
    """It breaks the list of deployments, as on the real server."""
    version = {"workflow_api": {"nodes": None}, "workflow": {"nodes": []}}
    world = {
        "machines": [{"name": "m"}],
        "workflows": [{"name": "w", "machine": "m", "versions": [version]}],
        "deployments": [{"workflow": "w"}],
    }
    assert "none of its nodes has a class_type" in refused(world)
    version["as_is"] = True
    with Sandbox(world=world) as sandbox:
        key = {"authorization": f"Bearer {sandbox.api_key}"}
        assert httpx.get(f"{sandbox.url}/api/deployments", headers=key).status_code == 500
        assert httpx.get(f"{sandbox.url}/api/workflows", headers=key).status_code == 200


def test_two_deployments_in_one_environment_need_a_key() -> None:
    """A server may have them, though it makes only one."""
    world = {
        "machines": [{"name": "m"}],
        "workflows": [{"name": "w", "machine": "m"}],
        "deployments": [{"workflow": "w"}, {"workflow": "w", "keep_warm": 3}],
    }
    assert "'w in production' stands there 2 times" in refused(world)
    world["deployments"][1]["key"] = "another"
    assert [each.keep_warm for each in Sandbox(world=world).world.deployments.values()] == [0, 3]


def test_limits_and_places_of_a_world_are_used() -> None:
    """Of machines, and of versions that were made elsewhere, or nowhere."""
    versions = [{}, {"machine": "n"}, {"machine": ""}]
    world = {
        "machines": [
            {"name": "m", "run_timeout": 9, "comfyui_version": "1"},
            {"name": "n", "gpu": "T4", "idle_timeout": 0},
        ],
        "workflows": [{"name": "w", "machine": "m", "versions": versions, "cover_image": "https://x.example/a.png"}],
    }
    found = Sandbox(world=world).world
    first, second = found.machines.values()
    assert (first.run_timeout, first.comfyui_version, second.idle_timeout) == (9, "1", 0)
    assert second.comfyui_version, "a serverless machine has one"
    workflow = found.workflow_named("w")
    assert workflow.cover_image == "https://x.example/a.png"
    assert [each.machine_id for each in workflow.versions] == [first.id, second.id, None]
    assert "there is no machine 'x'" in refused({"workflows": [{"name": "w", "versions": [{"machine": "x"}]}]})
