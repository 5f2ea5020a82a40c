"""`prepare` and `submit`: what is meant, what is sent, and what is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.sandbox.world.run import Run as ServerRun

SUBMITS = "POST /run"


def server_run(sandbox: Sandbox, run: comfynb.Run) -> ServerRun:
    """Return a run as the server knows it, whatever the client says about it."""
    return sandbox.world.runs[run.id]


def machine_id(sandbox: Sandbox, name: str) -> str:
    """Return the id of a machine."""
    return sandbox.world.machine_named(name).id


# What is sent


def test_only_given_inputs_and_drawn_seeds_are_sent(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The server's defaults stay the server's."""
    run = ws.submit("text2img", prompt="a red fox")
    assert run.inputs.keys() == {"prompt", "seed"}
    assert server_run(sandbox, run).inputs == run.inputs
    assert 1 <= run.inputs["seed"] <= 4294967295


def test_a_given_seed_is_sent_and_none_is_drawn(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """A seed that was given is the one that is used."""
    assert server_run(sandbox, ws.submit("text2img", prompt="x", seed=7)).inputs == {"prompt": "x", "seed": 7}


@pytest.mark.parametrize("seed", [-1, None])
def test_a_random_seed_is_drawn_here_and_recorded(ws: comfynb.Workspace, sandbox: Sandbox, seed: int | None) -> None:
    """So that the run can be repeated."""
    run = ws.submit("text2img", seed=seed)
    assert server_run(sandbox, run).inputs["seed"] == run.inputs["seed"] > 0


def test_values_are_sent_as_real_json_types(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """A number that was written as text is a number on its way."""
    run = ws.submit("text2img", width="640", height=448.0, seed="9")
    assert server_run(sandbox, run).inputs == {"width": 640, "height": 448, "seed": 9}


def test_unknown_keywords_are_inputs(ws: comfynb.Workspace) -> None:
    """And an input that there is not is a problem, with the nearest names."""
    with pytest.raises(comfynb.InputError, match="did you mean 'prompt'") as caught:
        ws.submit("text2img", promt="x")
    assert caught.value.problems.keys() == {"promt"}


def test_names_that_are_no_identifiers_go_into_inputs(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Capitals and spaces arrive as they are."""
    run = ws.submit("Text to Image", inputs={"Negative Prompt": "fog"}, Prompt="a pier")
    assert server_run(sandbox, run).inputs == {"Negative Prompt": "fog", "Prompt": "a pier"}


def test_an_input_that_has_an_options_name_goes_into_inputs(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """`version` as a keyword is the option, in `inputs=` it is the input."""
    graph = {
        "1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "version", "default_value": "a"}},
        "2": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "inputs", "default_value": "b"}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    ws.upload_workflow("options", {"nodes": []}, graph, machine="studio-classic-a")
    run = ws.submit("options", {"version": "noir", "inputs": "many"}, version=1)
    assert server_run(sandbox, run).inputs == {"version": "noir", "inputs": "many"}
    with pytest.raises(comfynb.NotFoundError, match="no version 'noir'"):
        ws.submit("options", version="noir")


def test_an_input_given_twice_is_an_error(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Even with the same value: nobody says which one was meant."""
    with pytest.raises(comfynb.InputError, match="Given twice") as caught:
        ws.submit("text2img", {"prompt": "x"}, prompt="x")
    assert caught.value.problems.keys() == {"prompt"}
    assert sandbox.counters.total == 0


def test_inputs_have_to_be_a_mapping(ws: comfynb.Workspace) -> None:
    """A bare prompt in the place of the inputs is told apart."""
    with pytest.raises(comfynb.InputError, match="mapping from input name to value, not a str"):
        ws.submit("text2img", "a red fox")  # type: ignore[arg-type]


def test_every_problem_is_told_at_once_and_nothing_is_submitted(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """A person corrects them in one go."""
    with pytest.raises(comfynb.InputError) as caught:
        ws.submit("inpaint", denoise=2.0, grow_mask=-3, seed="abc", colour="red")
    assert caught.value.problems.keys() == {"denoise", "grow_mask", "seed", "colour", "mask_image"}
    assert sandbox.counters.of(SUBMITS) == 0


def test_prepare_submits_nothing_and_says_what_would_be_sent(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Inputs, problems, deployment, version, machine, route."""
    prepared = ws.prepare("text2img", prompt="x", width="wide")
    assert (prepared.environment, prepared.version.version, prepared.machine_name) == (
        "production",
        2,
        "studio-classic-a",
    )
    assert prepared.problems.keys() == {"width"}
    assert not prepared.ok
    for part in ("cannot be submitted", "must be a whole number", "studio-classic-a", "drawn"):
        assert part in repr(prepared)
    assert sandbox.counters.of(SUBMITS) == 0
    assert sandbox.counters.runs_created == 0


def test_prepare_tells_the_price_where_the_server_does(ws: comfynb.Workspace) -> None:
    """Of the GPU it would run on, which a deployment may choose; unknown is unknown."""
    assert ws.prepare("MAKEIMAGE").price == pytest.approx(0.001389)
    assert ws.prepare("MAKEIMAGE", environment="staging").gpu == "L40S"
    assert ws.prepare("text2img").price is None


# Which deployment, version and machine


def test_production_is_meant_unless_told_otherwise(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Through the deployment, so that the run is listed under it."""
    of_production = server_run(sandbox, ws.submit("text2img"))
    of_staging = server_run(sandbox, ws.submit("text2img", environment="staging"))
    assert of_production.deployment_id == ws.deployment("text2img").id
    assert of_staging.deployment_id == ws.deployment("text2img", environment="staging").id
    assert of_staging.machine_id == machine_id(sandbox, "serverless-a10g")


def test_the_only_deployment_is_meant_when_there_is_none_in_production(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Whatever its environment."""
    made = ws.create_deployment("wallpaper of the day", machine="studio-classic-b (RTX 4090)", environment="staging")
    assert server_run(sandbox, ws.submit("wallpaper of the day")).deployment_id == made.id


def test_several_deployments_without_production_are_listed(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """With their ids, each of which can be given instead."""
    made = [
        ws.create_deployment("wallpaper of the day", machine="studio-classic-a", environment=environment)
        for environment in ("staging", "preview")
    ]
    with pytest.raises(comfynb.AmbiguousNameError, match="none of them is the one in production") as caught:
        ws.submit("wallpaper of the day")
    assert {identifier for _, identifier in caught.value.candidates} == {each.id for each in made}
    assert all(each.id in str(caught.value) for each in made)
    assert server_run(sandbox, ws.submit(made[1].id)).deployment_id == made[1].id


def test_an_environment_that_there_is_not_names_those_that_there_are(ws: comfynb.Workspace) -> None:
    """Instead of running something else."""
    with pytest.raises(comfynb.NotFoundError, match="it has: preview, production, public-share, staging"):
        ws.submit("text2img", environment="community-share")


def test_without_a_deployment_the_newest_version_runs_on_the_workflows_own_machine(
    ws: comfynb.Workspace, sandbox: Sandbox
) -> None:
    """And that is announced."""
    prepared = ws.prepare("wallpaper of the day")
    assert "no deployment" in prepared.route
    assert any("has no deployment: its newest version 1 is sent to a machine" in note for note in prepared.notes)
    run = server_run(sandbox, ws.submit("wallpaper of the day"))
    assert (run.deployment_id, run.machine_id) == (None, machine_id(sandbox, "studio-classic-a"))


def test_another_machine_is_really_used(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The server ignores a machine on a deployment's run, so the run has no deployment."""
    run = ws.run("text2img", machine="serverless-h100", prompt="x")
    seen = server_run(sandbox, run)
    assert run.machine_id == seen.machine_id == machine_id(sandbox, "serverless-h100")
    assert seen.deployment_id is None
    assert seen.workflow_version_id == ws.deployment("text2img").version_id
    assert sandbox.counters.prompts == {"serverless-h100": 1}
    assert sandbox.counters.requests["POST /run"] == 1


def test_the_deployments_own_machine_goes_through_the_deployment(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """To name it changes nothing."""
    assert server_run(sandbox, ws.submit("text2img", machine="studio-classic-a")).deployment_id is not None


@pytest.mark.parametrize("version", [3, "3", "v3"])
def test_another_version_runs_on_the_deployments_machine(
    ws: comfynb.Workspace, sandbox: Sandbox, version: int | str
) -> None:
    """By its number, also as text, or by its id."""
    identifier = ws.versions("text2img").loc[0, "id"]
    for given in (version, identifier):
        run = server_run(sandbox, ws.submit("text2img", version=given))
        assert (run.workflow_version_id, run.deployment_id) == (identifier, None)
        assert run.machine_id == machine_id(sandbox, "studio-classic-a")


@pytest.mark.parametrize(
    ("machine", "reason"),
    [("render-farm-2", "is paused"), ("office-box", "is in an error state"), ("wan-builder", "is still being built")],
)
def test_a_machine_that_cannot_take_a_run_is_refused_before_anything_is_sent(
    ws: comfynb.Workspace, sandbox: Sandbox, machine: str, reason: str
) -> None:
    """The server would try all the same, and the run would be paid for or lost."""
    with pytest.raises(comfynb.RoutingError, match=reason) as caught:
        ws.submit("text2img", machine=machine)
    assert "'studio-classic-a'" in str(caught.value)
    assert "'office-box'" not in str(caught.value).partition("Choose")[2]
    assert sandbox.counters.of(SUBMITS) == 0


def test_a_deleted_machine_is_not_found(ws: comfynb.Workspace) -> None:
    """Although the server lists it to those who do not say otherwise."""
    with pytest.raises(comfynb.NotFoundError, match="No machine is called 'old-box'"):
        ws.submit("text2img", machine="old-box")


def test_a_deployment_whose_machine_was_deleted_says_so(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """And another machine can be named."""
    sandbox.world.machine_named("studio-classic-a").deleted = True
    with pytest.raises(comfynb.RoutingError, match="does not exist, or is deleted"):
        ws.submit("text2img")
    assert ws.run("text2img", machine="serverless-a10g").status == "success"


# Webhooks


@pytest.mark.parametrize(
    ("connected", "asked", "sent"),
    [
        (None, None, None),
        ("http://127.0.0.1:9/hook", None, "http://127.0.0.1:9/hook"),
        ("http://127.0.0.1:9/hook", True, "http://127.0.0.1:9/hook"),
        ("http://127.0.0.1:9/hook", False, None),
        ("http://127.0.0.1:9/hook", "http://127.0.0.1:9/other", "http://127.0.0.1:9/other"),
    ],
)
def test_the_webhook_of_the_environment_is_sent_unless_overruled(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, connected: str | None, asked: Any, sent: str | None
) -> None:
    """`webhook=False` or another URL overrules `WEBHOOK_URL`."""
    if connected is not None:
        monkeypatch.setenv("WEBHOOK_URL", connected)
    with comfynb.connect(sandbox=sandbox) as ws:
        assert server_run(sandbox, ws.submit("text2img", webhook=asked)).webhook == sent


def test_asking_for_a_webhook_without_a_url_is_an_error(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """`True` means the connection's, and there is none."""
    with pytest.raises(comfynb.InputError, match="WEBHOOK_URL"):
        ws.submit("text2img", webhook=True)
    assert sandbox.counters.of(SUBMITS) == 0


# Refusals that leave nothing behind


@pytest.mark.parametrize(
    "call",
    [
        lambda ws: ws.run("nope", prompt="x"),
        lambda ws: ws.run("text2img", promt="x"),
        lambda ws: ws.run("text2img", machine="nope"),
        lambda ws: ws.run("text2img", version=99),
        lambda ws: ws.run("text2img", timeout=0),
        lambda ws: ws.run("text2img", stall=-1),
        lambda ws: ws.run("text2img", timeout="soon"),
        lambda ws: ws.run("d33786a8"),
        lambda ws: ws.run(""),
        lambda ws: ws.run(None),
        lambda ws: ws.run(7),
    ],
)
def test_a_mistake_costs_nothing(
    ws: comfynb.Workspace, sandbox: Sandbox, call: Callable[[comfynb.Workspace], Any]
) -> None:
    """Whatever is wrong is found before the submit; it is one of our errors, and short."""
    with pytest.raises(comfynb.ComfyError) as caught:
        call(ws)
    assert len(str(caught.value)) < 400
    assert sandbox.counters.of(SUBMITS) == 0
    assert ws.last_run is None


@pytest.mark.meets("offline")
def test_a_machine_that_is_down_leaves_a_run_that_is_known(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The server answers 500 and names no run, yet there is one: it is found, and nothing is sent again."""
    sandbox.knobs.offline = {"studio-classic-a"}
    with pytest.warns(comfynb.warnings.RecoveredSubmitWarning, match="was found in the run list"):
        run = ws.submit("text2img", prompt="x")
    assert sandbox.counters.runs_created == sandbox.counters.of("POST /run/deployment/queue") == 1
    assert run.id in sandbox.world.runs
    assert "500" in (run.trouble or "")
