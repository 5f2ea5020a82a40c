"""Runs that are found again, and runs that are made again."""

from __future__ import annotations

import pytest

import comfynb
from comfynb.sandbox import Sandbox


def sent(sandbox: Sandbox, run: comfynb.Run) -> tuple[str | None, str, str | None, dict[str, object]]:
    """Return version, machine, deployment and inputs of a run, as the server knows them."""
    seen = sandbox.world.runs[run.id]
    return seen.workflow_version_id, seen.machine_id, seen.deployment_id, dict(seen.inputs)


# Found again


def test_the_id_alone_makes_the_handle_again(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """After a restart of the kernel: status, inputs, outputs, machine, name."""
    run = ws.run("text2img", prompt="a red fox", seed=7)
    with comfynb.connect(sandbox=sandbox) as later:
        later.workflows()
        again = later.get_run(run.id)
        assert (again.status, again.inputs, again.machine_id) == (run.status, run.inputs, run.machine_id)
        assert [output.url for output in again.outputs] == [output.url for output in run.outputs]
        assert (again.name, again.prepared, again.trouble) == ("text2img", None, None)
        assert later.last_run is None
        assert again.wait().images()[0].size == (512, 512)


def test_a_run_that_goes_on_can_be_waited_for_after_a_restart(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Nothing of it is lost with the kernel that started it."""
    sandbox.knobs.speed = 0
    identifier = ws.submit("text2img", prompt="__fail__").id
    with comfynb.connect(sandbox=sandbox) as later:
        run = later.get_run(identifier)
        assert not run.ended
        sandbox.advance(100)
        with pytest.raises(comfynb.RunFailed, match="failed at KSampler"):
            run.wait()


def test_a_handle_made_again_shows_names_and_not_only_ids(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Of its workflow, its version and its machine, which the run itself does not tell."""
    run = ws.run("text2img")
    with comfynb.connect(sandbox=sandbox) as later:
        again = later.get_run(run.id)
        assert (again.name, again.machine, again.seconds) == (run.name, "studio-classic-a", run.seconds)
        for part in ("run of text2img", "version  2", "studio-classic-a"):
            assert part in repr(again)


def test_a_handle_is_made_again_although_names_cannot_be_read(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """They are a nicety; then ids stand for them."""
    run = ws.run("text2img")
    sandbox.knobs.change(fail_next=100, fail_status=500, faults_on="GET /api/workflow")
    with comfynb.connect(sandbox=sandbox) as later:
        again = later.get_run(run.id)
        assert again.status == "success"
        assert (again.name, again.machine) == (sandbox.world.runs[run.id].workflow_id, run.machine_id)


# Made again


def test_a_rerun_sends_the_same_with_changes(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The seed that was drawn is sent again."""
    run = ws.run("text2img", prompt="a red fox", width=256)
    again = run.rerun()
    assert again.id != run.id
    assert sent(sandbox, again) == sent(sandbox, run)
    assert again.wait().images()[0].tobytes() == run.images()[0].tobytes()
    other = run.rerun(seed=8, inputs={"prompt": "a blue fox"})
    assert sent(sandbox, other)[3] == {**run.inputs, "seed": 8, "prompt": "a blue fox"}
    assert ws.last_run is other


def test_a_rerun_may_go_to_another_machine(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The same version and inputs, really elsewhere."""
    run = ws.run("text2img", prompt="x")
    again = run.rerun(machine="serverless-a10g")
    version, machine, deployment, inputs = sent(sandbox, again)
    assert (version, inputs) == (sent(sandbox, run)[0], run.inputs)
    assert (machine, deployment) == (sandbox.world.machine_named("serverless-a10g").id, None)
    assert again.machine == "serverless-a10g"


def test_a_rerun_with_a_random_seed_draws_a_new_one(ws: comfynb.Workspace) -> None:
    """-1 is never sent."""
    run = ws.run("text2img", prompt="x")
    again = run.rerun(seed=-1)
    assert again.inputs["seed"] not in (-1, run.inputs["seed"])


def test_a_rerun_is_checked_like_any_submit(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """All problems at once, and nothing is sent."""
    run = ws.run("text2img", prompt="x")
    before = sandbox.counters.runs_created
    with pytest.raises(comfynb.InputError) as caught:
        run.rerun(width="wide", colour="red")
    assert caught.value.problems.keys() == {"width", "colour"}
    with pytest.raises(comfynb.InputError, match="Given twice"):
        run.rerun({"seed": 1}, seed=2)
    assert sandbox.counters.runs_created == before


def test_a_rerun_stays_on_the_machine_that_was_chosen(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Also after a restart, when only the server knows which one it was."""
    run = ws.run("text2img", prompt="x", machine="serverless-h100", version=1)
    assert sent(sandbox, run.rerun()) == sent(sandbox, run)
    with comfynb.connect(sandbox=sandbox) as later:
        assert sent(sandbox, later.get_run(run.id).rerun()) == sent(sandbox, run)


@pytest.mark.parametrize("environment", ["production", "staging", "preview"])
def test_a_rerun_goes_through_the_same_deployment(ws: comfynb.Workspace, sandbox: Sandbox, environment: str) -> None:
    """After a restart, when the server does not tell which, through one that does the same."""
    run = ws.run("text2img", prompt="x", environment=environment)
    assert sent(sandbox, run.rerun()) == sent(sandbox, run)
    with comfynb.connect(sandbox=sandbox) as later:
        assert sent(sandbox, later.get_run(run.id).rerun()) == sent(sandbox, run)


def test_a_rerun_needs_no_deployment_in_production(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Several others do not make it unclear what is meant."""
    for environment in ("staging", "preview"):
        ws.create_deployment("wallpaper of the day", machine="studio-classic-a", environment=environment)
    run = ws.run("wallpaper of the day", environment="preview", machine="serverless-a10g")
    with comfynb.connect(sandbox=sandbox) as later:
        assert sent(sandbox, later.get_run(run.id).rerun()) == sent(sandbox, run)


def test_a_rerun_of_an_older_version_stays_with_it(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Although the deployment has moved on since."""
    run = ws.run("text2img", prompt="x")
    ws.update_deployment("text2img", version=3, replace=True)
    again = run.rerun()
    assert sent(sandbox, again)[:2] == sent(sandbox, run)[:2]
    assert sent(sandbox, again)[3] == sent(sandbox, run)[3]


def test_a_webhook_is_the_same_again(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Also none, where the connection has one."""
    with comfynb.connect(sandbox=sandbox, webhook="http://127.0.0.1:9/hook") as hooked:
        run = hooked.run("text2img", webhook=False)
        assert sandbox.world.runs[run.rerun().id].webhook is None
        loud = hooked.run("text2img")
        assert sandbox.world.runs[loud.rerun().id].webhook == "http://127.0.0.1:9/hook"
