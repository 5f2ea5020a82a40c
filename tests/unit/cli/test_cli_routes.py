"""`comfynb routes`, and how `comfynb workflow` is routed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Command

from comfynb.sandbox import Sandbox

RULES = Path("workflow-machine-routing.toml")


def test_a_first_file_is_written_and_can_be_met(cli: Command) -> None:
    """With comments; and it is not written over."""
    done = cli("routes", "--init")
    assert (done.code, done.out) == (0, f"Wrote {RULES}\n")
    assert "# Machines:" in RULES.read_text(encoding="utf-8")
    assert cli("routes", "--check").out == "Every rule can be met.\n"
    again = cli("routes", "--init")
    assert again.code == 2
    assert f"{RULES} is there already, and is left as it is; --out names another." in again.said
    assert cli("routes", "--init", "--out", "other.toml").code == 0
    assert Path("other.toml").read_bytes() == RULES.read_bytes()


def test_a_first_file_can_be_had_beside_one_that_is_broken(cli: Command) -> None:
    """It may be what one wants to compare with."""
    RULES.write_text("default_machine = 3\n", encoding="utf-8")
    assert cli("routes", "--init", "--out", "other.toml").code == 0
    for words in (("routes",), ("routes", "--check"), ("workflow",)):
        done = cli(*words)
        assert done.code == 2
        assert f"{RULES}, line 1: A machine is a name in quotes" in done.said


def test_the_check_exits_with_1_when_a_rule_cannot_be_met(cli: Command) -> None:
    """And says which, at its line; a rule that no workflow has is no failure."""
    RULES.write_text('[routing_rules]\nnobody = "serverless-a10g"\n', encoding="utf-8")
    done = cli("routes", "--check")
    assert done.code == 0
    assert "line 2: No workflow has the standard name 'nobody'" in done.out
    RULES.write_text('[routing_rules]\ntext2img = "render-farm-2"\n', encoding="utf-8")
    done = cli("routes", "--check")
    assert done.code == 1
    assert "line 2: It cannot be met now: 'render-farm-2' is paused." in done.out
    found = json.loads(cli("routes", "--check", "--json").out)
    assert [row["serious"] for row in found] == [True]


def test_without_rules_there_is_nothing_to_check(cli: Command) -> None:
    """It says how to get some; a file that is named and not there is an error, too."""
    done = cli("routes", "--check")
    assert done.code == 2
    assert "There are no routing rules to check; comfynb routes --init writes a first file." in done.said


def test_a_file_that_is_named_has_to_be_there(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run would go where nobody wanted it."""
    monkeypatch.setenv("COMFYNB_ROUTING", "gone.toml")
    done = cli("workflow", "text2img", "--execute")
    assert done.code == 2
    assert "gone.toml is no file; COMFYNB_ROUTING names it." in done.said


def test_the_table_says_where_everything_runs(cli: Command) -> None:
    """As text and as JSON."""
    assert "There are no routing rules: every workflow runs where its deployment is." in cli("routes").out
    RULES.write_text('[routing_rules]\ntext2img = "serverless-h100"\n', encoding="utf-8")
    done = cli("routes")
    assert done.code == 0
    assert "1 rule of" in done.out
    assert "upscale_esrgan" in done.out
    rows = {row["name"]: row for row in json.loads(cli("routes", "--json").out)}
    assert (rows["text2img"]["machine"], rows["text2img"]["by"]) == ("serverless-h100", "version")


def test_a_workflow_is_routed_and_says_so_before(cli: Command, sandbox: Sandbox) -> None:
    """Unless --no-route says otherwise."""
    RULES.write_text('[routing_rules]\ntext2img = "serverless-h100"\n', encoding="utf-8")
    shown = cli("workflow", "text2img")
    assert "the rule 'text2img' says so" in " ".join(shown.out.split())
    done = cli("workflow", "text2img", "--execute", "--json")
    said, _, _ = done.err.partition("run ")
    assert said.startswith("text2img runs on serverless-h100, by version and machine")
    ended = json.loads(done.out)
    assert ended["machine_id"] == sandbox.world.machine_named("serverless-h100").id
    done = cli("workflow", "text2img", "--execute", "--json", "--no-route")
    assert json.loads(done.out)["machine_id"] == sandbox.world.machine_named("studio-classic-a").id


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--init", "--check"), "goes without --check"),
        (("--out", "x.toml"), "goes with --init"),
        (("--environment", "prod"), "There is no environment 'prod'"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Command, words: tuple[str, ...], said: str) -> None:
    """With the way it does."""
    done = cli("routes", *words)
    assert done.code == 2
    assert said in done.said
