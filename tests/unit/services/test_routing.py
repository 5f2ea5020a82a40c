"""Runs go where the rules send them, and that is seen on the server's side."""

from __future__ import annotations

import asyncio
import html
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.warnings import MisroutedRunWarning, RoutingWarning

FOX = {"prompt": "a red fox", "seed": 7}
HOME, OTHER, THIRD = "studio-classic-a", "serverless-a10g", "serverless-h100"


@pytest.fixture
def routed(sandbox: Sandbox) -> Iterator[Any]:
    """Connect with these rules."""
    opened: list[comfynb.Workspace] = []

    def connect(rules: Any = None, **options: Any) -> comfynb.Workspace:
        opened.append(comfynb.connect(sandbox=sandbox, routing=rules, **options))
        return opened[-1]

    yield connect
    for ws in opened:
        ws.close()


def where(sandbox: Sandbox, run: comfynb.Run) -> str:
    """Return the name of the machine on which the server runs it."""
    return sandbox.world.machines[sandbox.world.runs[run.id].machine_id].name


def rule(*machines: str, **more: Any) -> dict[str, Any]:
    """Return rules for text2img."""
    return {"routing_rules": {"text2img": list(machines)}, **more}


def test_a_run_executes_on_the_machine_of_its_rule(routed: Any, sandbox: Sandbox) -> None:
    """With the version that its deployment pins, which is elsewhere; the server would ignore a machine on that."""
    ws = routed(rule(OTHER))
    run = ws.run("text2img", FOX)
    assert where(sandbox, run) == OTHER == ws.machine(run.machine_id).name
    deployment = ws.deployment("text2img")
    known = sandbox.world.runs[run.id]
    assert known.deployment_id is None
    assert known.workflow_version_id == deployment.version_id


def test_a_deployment_that_stands_there_is_used(routed: Any, sandbox: Sandbox) -> None:
    """So that the run is listed under it."""
    ws = routed(rule(HOME))
    prepared = ws.prepare("text2img", FOX)
    assert prepared.deployment is not None
    run = ws.submit("text2img", FOX)
    assert where(sandbox, run) == HOME
    assert sandbox.world.runs[run.id].deployment_id == prepared.deployment.id


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("render-farm-2", "is paused"),
        ("old-box", "is deleted"),
        ("no-such-box", "does not exist"),
        ("wan-builder", "is still being built"),
        ("office-box", "is in an error state"),
    ],
)
def test_a_first_choice_that_cannot_is_passed_over(routed: Any, sandbox: Sandbox, first: str, why: str) -> None:
    """The next one of the rule takes the run, and the route says why."""
    ws = routed(rule(first, OTHER))
    route = ws.routing.route("text2img")
    assert (route.machine_name, route.candidates[0].reason) == (OTHER, f"{first} {why}")
    assert where(sandbox, ws.submit("text2img", FOX)) == OTHER


def test_without_a_rule_it_runs_where_its_deployment_is_or_on_the_default_machine(
    routed: Any, sandbox: Sandbox
) -> None:
    """As the rules say."""
    rules = {"routing_rules": {"inpaint": OTHER}}
    assert where(sandbox, routed(rules).submit("text2img", FOX)) == HOME
    assert where(sandbox, routed({**rules, "default_machine": THIRD}).submit("text2img", FOX)) == THIRD


def test_without_rules_nothing_changes(routed: Any, sandbox: Sandbox, tmp_path: Path, monkeypatch: Any) -> None:
    """Neither the machine nor what is asked of the server."""
    monkeypatch.chdir(tmp_path)
    ws = routed()
    prepared = ws.prepare("text2img", FOX)
    assert prepared.routed is None
    before = sandbox.counters.of("GET /run/")
    assert where(sandbox, ws.submit("text2img", FOX)) == HOME
    assert sandbox.counters.of("GET /run/") == before
    with pytest.raises(comfynb.ConfigurationError, match="There are no routing rules"):
        ws.prepare("text2img", FOX, route=True)
    assert asyncio.run(ws.aio.routing.route("text2img")).decided == "no rule"


def test_a_machine_or_route_false_overrules(routed: Any, sandbox: Sandbox) -> None:
    """A rule is for those who do not say."""
    ws = routed(rule(OTHER))
    assert where(sandbox, ws.submit("text2img", FOX, machine=THIRD)) == THIRD
    assert where(sandbox, ws.submit("text2img", FOX, route=False)) == HOME
    with pytest.raises(comfynb.ConfigurationError, match="Give either machine= or route=True"):
        ws.prepare("text2img", FOX, machine=THIRD, route=True)


def test_when_no_named_machine_can_take_it_nothing_is_sent(routed: Any, sandbox: Sandbox) -> None:
    """Unless the rules say what then; that is announced."""
    paused = rule("render-farm-2", default_machine="office-box")
    with pytest.raises(comfynb.RoutingError, match="render-farm-2 is paused, office-box is in an error state"):
        routed(paused).submit("text2img", FOX)
    assert sandbox.counters.runs_created == 0
    with pytest.warns(RoutingWarning, match="no machine that the rules name can take it"):
        run = routed({**paused, "when_unavailable": "deployment"}).submit("text2img", FOX)
    assert where(sandbox, run) == HOME
    with pytest.warns(RoutingWarning, match="goes to one that is ready"):
        routed({**paused, "when_unavailable": "any-ready"}).submit("text2img", FOX)


def test_a_required_gpu_decides(routed: Any, sandbox: Sandbox) -> None:
    """A machine without it is passed over; one whose GPU is not known, too."""
    ws = routed(rule(HOME, OTHER, THIRD, require_gpu="H100"))
    route = ws.routing.route("text2img")
    assert [each.why_not for each in route.candidates] == ["wrong GPU", "wrong GPU", None]
    assert where(sandbox, ws.submit("text2img", FOX)) == THIRD


def test_the_environment_of_a_rule_chooses_the_version(routed: Any, sandbox: Sandbox) -> None:
    """Unless the call says another; a workflow without any deployment runs its newest version all the same."""
    ws = routed({"environment": "staging", "default_machine": OTHER})
    staging, production = (ws.deployment("text2img", environment=each) for each in ("staging", "production"))
    assert ws.prepare("text2img", FOX).version.id == staging.version_id
    assert ws.prepare("text2img", FOX, environment="production").version.id == production.version_id
    bare = ws.deployments()
    without = next(row.name for row in ws.workflows().itertuples() if row.id not in set(bare["workflow_id"]))
    assert ws.prepare(without).machine_name == OTHER


def test_another_version_goes_to_the_machine_of_the_rule(routed: Any, sandbox: Sandbox) -> None:
    """Also where the deployment stands, which would run its own version."""
    ws = routed(rule(HOME))
    run = ws.submit("text2img", FOX, version=1)
    known = sandbox.world.runs[run.id]
    assert (where(sandbox, run), known.deployment_id) == (HOME, None)
    assert sandbox.world.versions[known.workflow_version_id].number == 1
    assert "pins another version" in ws.prepare("text2img", FOX, version=1).routed.sentence


def test_a_deployments_id_is_routed_too(routed: Any, sandbox: Sandbox) -> None:
    """Its version goes to the machine of the rule: it is its workflow that has the rule."""
    ws = routed(rule(OTHER))
    staging = ws.deployment("text2img", environment="staging")
    run = ws.submit(staging.id, FOX)
    assert where(sandbox, run) == OTHER
    assert sandbox.world.runs[run.id].workflow_version_id == staging.version_id


def test_the_status_of_machines_is_at_most_15_seconds_old(
    routed: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it is kept otherwise: one that was paused meanwhile gets no run."""
    ws = routed(rule(OTHER, THIRD), machines_ttl=3600.0)
    assert ws.routing.route("text2img").machine_name == OTHER
    sandbox.world.machine_named(OTHER).status = "paused"
    assert ws.routing.route("text2img").machine_name == OTHER
    later = time.time() + 16
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.warns(RoutingWarning, match="serverless-a10g is paused"):
        run = ws.submit("text2img", FOX)
    assert where(sandbox, run) == THIRD
    assert run.facts().machine == THIRD


def test_a_machine_deleted_between_routing_and_submitting_is_passed_over(routed: Any, sandbox: Sandbox) -> None:
    """The server refuses it before it writes a run down, so the next one is tried; there is one run, not two."""
    ws = routed(rule(OTHER, THIRD))
    ws.prepare("text2img", FOX)
    sandbox.world.machine_named(OTHER).deleted = True
    with pytest.warns(RoutingWarning, match=THIRD):
        run = ws.submit("text2img", FOX)
    assert where(sandbox, run) == THIRD
    assert sandbox.counters.runs_created == 1
    sandbox.world.machine_named(THIRD).deleted = True
    with pytest.raises(comfynb.RoutingError, match=r"No machine can take text2img"):
        ws.submit("text2img", FOX)
    assert sandbox.counters.runs_created == 1


def test_a_machine_that_does_not_answer_has_its_failed_run_and_no_second_one(routed: Any, sandbox: Sandbox) -> None:
    """A run was created, so no other machine is tried; the machines are asked for again."""
    sandbox.knobs.change(offline={OTHER})
    ws = routed(rule(OTHER, THIRD))
    asked = sandbox.counters.of("GET /machines")
    with pytest.warns(comfynb.warnings.RecoveredSubmitWarning):
        run = ws.submit("text2img", FOX)
    assert where(sandbox, run) == OTHER
    assert sandbox.counters.runs_created == 1
    assert sandbox.counters.of("GET /machines") >= asked


def test_a_deployment_that_moved_meanwhile_is_passed_by(routed: Any, sandbox: Sandbox) -> None:
    """It would run elsewhere now, so its version is sent to the machine of the rule."""
    ws = routed(rule(HOME))
    deployment = ws.deployment("text2img")
    known = sandbox.world.deployments[deployment.id]
    known.machine_id = sandbox.world.machine_named(THIRD).id
    run = ws.submit("text2img", FOX)
    assert where(sandbox, run) == HOME


def test_a_run_elsewhere_than_its_route_is_told(routed: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may do what no known one does."""
    from comfynb.sandbox.world.world import World

    ws = routed(rule(OTHER))
    add = World.add_run

    def elsewhere(world: World, run: Any) -> None:
        run.machine_id = world.machine_named(THIRD).id
        add(world, run)

    monkeypatch.setattr(World, "add_run", elsewhere)
    with pytest.warns(
        MisroutedRunWarning, match="was sent to serverless-a10g, and the server runs it on serverless-h1"
    ):
        ws.submit("text2img", FOX)


def test_rules_are_read_again_when_their_file_changes(routed: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    """At the next call, broken or not."""
    path = tmp_path / "rules.toml"
    path.write_text(f'[routing_rules]\ntext2img = "{OTHER}"\n', encoding="utf-8")
    ws = routed(path)
    assert ws.routing.route("text2img").machine_name == OTHER
    path.write_text(f'[routing_rules]\ntext2img = ["{THIRD}"]\n', encoding="utf-8")
    assert ws.routing.route("text2img").machine_name == THIRD
    path.write_text("[routing_rules]\ntext2img = 3\n", encoding="utf-8")
    with pytest.raises(comfynb.ConfigurationError, match=r"rules\.toml, line 2: A machine is a name in quotes"):
        ws.submit("text2img", FOX)
    assert sandbox.counters.runs_created == 0
    assert "line 2" in repr(ws.routing)
    path.unlink()
    with pytest.raises(comfynb.ConfigurationError, match="is no file; routing= names it"):
        ws.prepare("text2img", FOX)


def test_the_nearest_file_holds_and_a_named_one_before_it(
    routed: Any, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels run in notebooks/, files stand in config/ of the project."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "config").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "config" / "workflow-machine-routing.toml").write_text(f'default_machine = "{OTHER}"\n')
    other = tmp_path / "other.toml"
    other.write_text(f'default_machine = "{THIRD}"\n')
    monkeypatch.chdir(tmp_path / "notebooks")
    assert routed().routing.route("text2img").machine_name == OTHER
    monkeypatch.setenv("COMFYNB_ROUTING", os.fspath(other))
    assert routed().routing.route("text2img").machine_name == THIRD
    assert routed(False).routing.rules() is None
    monkeypatch.setenv("COMFYNB_ROUTING", "gone.toml")
    with pytest.raises(comfynb.ConfigurationError, match="COMFYNB_ROUTING names it"):
        routed()


def test_the_machine_of_a_workflow_is_what_the_rules_say(routed: Any, sandbox: Sandbox) -> None:
    """By the method of the service; without rules its deployment's."""
    named = sandbox.world.machine_named
    ws = routed({"routing_rules": {"text2img": "render-farm-2", "inpaint": OTHER}})
    service = ws.workflows_service
    ask = ws._face.call
    assert ask(lambda: service.get_machine_for_workflow("Inpaint")) == named(OTHER).id
    with pytest.raises(comfynb.RoutingError, match="render-farm-2 is paused"):
        ask(lambda: service.get_machine_for_workflow("text2img"))
    bare = routed(False)
    assert bare._face.call(lambda: bare.workflows_service.get_machine_for_workflow("text2img")) == named(HOME).id


def test_the_table_has_every_workflow_with_where_and_why(routed: Any, sandbox: Sandbox) -> None:
    """And agrees with the route of each."""
    sandbox.knobs.change(broken_workflow=True)
    ws = routed({"routing_rules": {"text2img": ["render-farm-2", OTHER], "up*": "old-box"}})
    table = ws.routing.table()
    assert len(table) == len(ws.workflows())
    assert table.attrs["kind"] == "routes"
    for row in table.itertuples():
        route = ws.routing.route(row.id)
        assert (row.sentence, row.ok) == (route.sentence, route.ok)
        assert (row.machine_id if row.ok else None) == route.machine_id
    by_name = table.set_index("name")
    assert by_name.loc["text2img", "passed_over"] == ("render-farm-2 is paused",)
    assert "old-box is deleted" in by_name.loc["upscale_esrgan", "sentence"]
    assert any("cannot be used" in sentence for sentence in table["sentence"])


def test_the_check_tells_what_cannot_be_met_against_the_live_machines(routed: Any, tmp_path: Path) -> None:
    """With file, line and the nearest name."""
    path = tmp_path / "rules.toml"
    path.write_text(
        'default_machine = "serverles-a10g"\n[routing_rules]\ntext2img = "render-farm-2"\nnobody = "old-box"\n'
    )
    problems = routed(path).routing.check()
    texts = problems["problem"].tolist()
    first = f"{path}, line 1: No machine is called 'serverles-a10g'; nearest: 'serverless-a10g'"
    assert any(text.startswith(first) for text in texts)
    assert any(text.startswith(f"{path}, line 3: It cannot be met now") for text in texts)
    assert f"{path}, line 4: The machine 'old-box' is deleted." in texts
    assert any("No workflow has the standard name 'nobody'" in text for text in texts)
    assert problems["serious"].tolist().count(False) == 1
    assert routed(False).routing.check().empty


def test_the_file_to_begin_with_changes_nothing(routed: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    """Its rules can be met, and every workflow runs where it ran without."""
    path = tmp_path / "first.toml"
    bare = routed(False)
    path.write_text(bare.routing.template(), encoding="utf-8")
    ws = routed(path)
    assert ws.routing.rules().rules
    assert not ws.routing.check()["serious"].any()
    columns = ["name", "machine", "by", "ok"]
    assert ws.routing.table()[columns].equals(bare.routing.table()[columns])


def test_the_route_is_shown_before_the_submit(routed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """And in what is prepared."""
    ws = routed(rule("render-farm-2", OTHER))
    sentence = ws.routing.route("text2img").sentence
    prepared = ws.prepare("text2img", FOX)
    assert sentence in " ".join(repr(prepared).split())
    assert html.escape(sentence) in prepared._repr_html_()
    ws.submit("text2img", FOX)
    assert capsys.readouterr().err.strip() == sentence


def test_two_workflows_of_one_standard_name_have_one_rule_and_two_routes(routed: Any, sandbox: Sandbox) -> None:
    """They are never taken for one another."""
    workflow = sandbox.world.workflow_named("inpaint")
    workflow.name = "Text2IMG"
    ws = routed(rule(OTHER))
    table = ws.routing.table()
    alike = table[table["standard_name"] == "text2img"]
    assert set(alike["name"]) == {"text2img", "Text2IMG"}
    assert set(alike["machine"]) == {OTHER}
    assert ws.routing.route("Text2IMG").subject.id == workflow.id
    assert "2 workflows have this standard name" in ws.routing.template()


HOSTILE = (
    "<script>alert(1)</script>",
    "a\x1b[31m\u202eb",
    "line\nbreak \"quote\" 'single'",
    "half\ud800",
    "# x = [",
    "日本語 🦊",
    "",
)


def test_hostile_names_make_a_file_that_can_be_read_and_changes_nothing(
    routed: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Whatever machines and workflows are called."""
    world = sandbox.world
    for name, machine in zip(HOSTILE, world.machines.values(), strict=False):
        machine.name = name
    for name, workflow in zip(HOSTILE[::-1], world.workflows.values(), strict=False):
        workflow.name = name
    bare = routed(False)
    path = tmp_path / "rules.toml"
    path.write_text(bare.routing.template(), encoding="utf-8")
    ws = routed(path)
    columns = ["id", "machine_id", "by", "ok"]
    assert ws.routing.table()[columns].equals(bare.routing.table()[columns])
    assert ws.routing.check().empty
    for workflow_id in ws.routing.table()["id"]:
        route = ws.routing.route(workflow_id)
        assert "<script" not in route._repr_html_()
        assert "\x1b" not in repr(route) + route.sentence


def test_threads_and_changing_rules_never_send_a_run_where_no_rule_did(
    routed: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Each run is on a machine that some rules named, and its handle says which."""
    path = tmp_path / "rules.toml"

    def write(machine: str) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(f'[routing_rules]\ntext2img = "{machine}"\n', encoding="utf-8")
        fresh.replace(path)

    write(OTHER)
    ws = routed(path)
    runs: list[comfynb.Run] = []

    def submit(number: int) -> None:
        runs.extend(ws.submit("text2img", prompt="a fox", seed=100 * number + count + 1) for count in range(6))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        write(THIRD)
        time.sleep(0.02)
        write(OTHER)
        time.sleep(0.02)
    assert len(runs) == sandbox.counters.runs_created == 36
    for run in runs:
        assert where(sandbox, run) in (OTHER, THIRD)
        assert run.prepared is not None
        assert run.prepared.machine_name == where(sandbox, run)
