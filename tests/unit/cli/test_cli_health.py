"""`comfynb health`, once and again and again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_line import Command

from comfynb.sandbox import Sandbox

LIMITS = Path("comfynb-health.toml")


def test_it_shows_every_check_and_exits_with_1_when_something_is_bad(cli: Command) -> None:
    """The sandbox has a machine that is in an error state."""
    done = cli("health")
    assert done.code == 1
    assert "ok    server" in done.out
    assert "bad   machine office-box" in done.out
    assert "machine render-farm-2: Resume it" in done.out
    rows = json.loads(cli("health", "--json").out)
    assert rows[0] == {**rows[0], "check": "server", "state": "ok", "advice": ""}


def test_a_server_that_is_down_is_no_error(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what the command is for."""
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", "http://127.0.0.1:9")
    done = cli("health")
    assert (done.code, done.err) == (1, "")
    assert "bad   server" in done.out


def test_what_is_well_exits_with_0(cli: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings among it; the sandbox is given this machine's time first."""
    sandbox.knobs.change(start=datetime.now(UTC), speed=1.0)
    sandbox.reset()
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.other_api_key)
    done = cli("health")
    assert done.code == 0
    assert "warn  machines" in done.out


def test_a_watch_tells_what_changes(cli: Command) -> None:
    """Once an incident, after so many looks as the file says."""
    LIMITS.write_text("[alerts]\nafter = 2\n", encoding="utf-8")
    done = cli("health", "--watch", "--every", "0.02", "--looks", "4")
    assert done.code == 1
    assert done.out.count("UTC machine office-box is bad: error") == 1
    assert cli("health", "--watch", "--looks", "1").out.count("is bad") == 0


def test_a_first_file_is_written(cli: Command) -> None:
    """Once; it changes nothing."""
    before = cli("health", "--json").out
    done = cli("health", "--init")
    assert (done.code, done.out) == (0, f"Wrote {LIMITS}\n")
    assert [row["state"] for row in json.loads(cli("health", "--json").out)] == [
        row["state"] for row in json.loads(before)
    ]
    again = cli("health", "--init")
    assert again.code == 2
    assert "is there already" in again.said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--init", "--watch"), "--init goes alone."),
        (("--looks", "3"), "--looks goes with --watch."),
        (("--watch", "--json"), "--json goes without --watch."),
        (("--config", "nope.toml"), "nope.toml is no file"),
    ],
)
def test_wrong_usage_is_a_sentence(cli: Command, words: tuple[str, ...], said: str) -> None:
    """With exit code 2."""
    done = cli("health", *words)
    assert done.code == 2
    assert said in done.said
