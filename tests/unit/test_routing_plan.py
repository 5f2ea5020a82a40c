"""The testing plan of routing: it passes, it can fail, and its document changes only when what is seen does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from comfynb.documents import write_document
from comfynb.routing_plan import CASES, Load, PlanResult, measure_load, plan_document, run_on_sandbox, run_on_server
from comfynb.sandbox import Sandbox


@pytest.fixture(scope="module")
def tested() -> PlanResult:
    """Run the whole plan once."""
    return run_on_sandbox()


def test_every_case_passes_on_the_sandbox(tested: PlanResult) -> None:
    """Of every kind that was asked for."""
    assert [f"{each.case.title}: {each.seen}" for each in tested.checked if each.verdict != "passed"] == []
    titles = " ".join(case.title for case in CASES)
    for words in (
        "does not exist",
        "environment without a deployment",
        "does not answer",
        "deleted",
        "paused between routing and submitting",
        "rules that is broken",
        "rules that change",
    ):
        assert words in titles


def test_a_server_that_ignores_machines_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict is about where the server says that a run is, not about what was sent."""
    from comfynb.sandbox.world.world import World

    add = World.add_run

    def at_home(world: World, run: object) -> None:
        run.machine_id = world.machine_named("serverless-h100").id  # type: ignore[attr-defined]
        add(world, run)  # type: ignore[arg-type]

    monkeypatch.setattr(World, "add_run", at_home)
    case = run_on_sandbox(CASES[:1])
    assert (case.failed, case.checked[0].verdict) == (1, "failed")
    assert "on serverless-h100" in case.checked[0].seen


def test_the_document_has_each_case_and_says_the_same_again(tested: PlanResult, tmp_path: Path) -> None:
    """With load in a section of its own, as a table and a plot."""
    path = tmp_path / "docs" / "testing" / "WORKFLOW_ROUTING_TESTS.md"
    assert write_document(path, plan_document(tested))
    again = {each.case.title: each for each in run_on_sandbox(CASES[::4]).checked}
    once_more = tuple(again.get(each.case.title, each) for each in tested.checked)
    assert not write_document(path, plan_document(dataclasses.replace(tested, checked=once_more)))
    text = path.read_text(encoding="utf-8")
    assert text.count("| passed |") == len(CASES)
    assert "## Load" not in text
    loaded = dataclasses.replace(tested, load=(Load("decisions", 8, 1000, 0.5, None, None, 0),))
    write_document(path, plan_document(loaded))
    text = path.read_text(encoding="utf-8")
    assert "## Load" in text
    assert "| decisions | 8 | 1000 | 0.5 | 2000.0 |  |  | 0 |" in text
    assert "](WORKFLOW_ROUTING_TESTS_load.svg)" in text
    assert "2,000" in path.with_name("WORKFLOW_ROUTING_TESTS_load.svg").read_text(encoding="utf-8")


def test_nothing_is_wrong_under_load() -> None:
    """Neither a decision nor a run."""
    load = measure_load()
    assert [each.wrong for each in load] == [0] * len(load)
    assert {each.what for each in load} == {"decisions", "runs"}
    assert max(each.at_once for each in load if each.what == "runs") >= 200


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Sandbox:
    """Return a sandbox that is the server of the environment."""
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.api_key)
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", sandbox.url)
    return sandbox


def test_on_a_server_nothing_runs_unless_it_is_asked_for(configured: Sandbox) -> None:
    """What needs a fault is marked, the rest sees where it would run."""
    tested = run_on_server()
    assert configured.counters.runs_created == 0
    verdicts = {each.case.title: each.verdict for each in tested.checked}
    assert {title for title, verdict in verdicts.items() if verdict == "sandbox only"} == {
        case.title for case in CASES if case.sandbox_only
    }
    assert tested.failed == 0
    assert sum(verdict == "passed" for verdict in verdicts.values()) >= 15
    assert any(each.seen.startswith("would run on") for each in tested.checked)


def test_on_a_server_no_more_runs_than_allowed(configured: Sandbox) -> None:
    """The cases after that are not run, and say so."""
    tested = run_on_server(execute=True, max_runs=2)
    assert configured.counters.runs_created == 2
    assert tested.failed == 0
    left = [each for each in tested.checked if each.verdict == "not run"]
    assert left
    assert all(each.seen == "all runs that were allowed are used up" for each in left)


def test_an_empty_workspace_has_what_no_case_needs(configured: Sandbox) -> None:
    """It says what is missing, and fails nothing."""
    configured.world.workflows.clear()
    configured.world.deployments.clear()
    tested = run_on_server(execute=True)
    assert tested.failed == 0
    assert "the workspace has not a workflow that makes image" in {
        each.seen.split(" with")[0] for each in tested.checked
    }


def test_the_command_writes_it_and_exits_with_1_for_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with 2 for what makes no sense."""
    from comfynb.cli.app import run
    from comfynb.routing_plan import plan

    monkeypatch.setattr(plan.run_on_sandbox, "__defaults__", (CASES[:2], None))
    path = tmp_path / "tests.json"
    assert run(["routing-test", "--no-load", "--out", str(path)]) == 0
    assert "2 of 2 cases passed, 0 failed, on the sandbox." in capsys.readouterr().out
    assert {row["verdict"] for rows in json.loads(path.read_text()).values() for row in rows} == {"passed"}
    wrong = dataclasses.replace(CASES[0], check=lambda stage: ("a", "b"))
    monkeypatch.setattr(plan.run_on_sandbox, "__defaults__", ((wrong,), None))
    assert run(["routing-test", "--no-load"]) == 1
    assert "expected: a" in capsys.readouterr().out
    assert run(["routing-test", "--execute"]) == 2
    assert run(["routing-test", "--out", "x.pdf"]) == 2
