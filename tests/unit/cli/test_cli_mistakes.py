"""Mistakes and misfortunes at the command line: one clear sentence, the right exit code, and nothing submitted."""

from __future__ import annotations

import json
import os
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, Command, Done

import comfynb
from comfynb import __version__, connecting
from comfynb.api.connections import Limits
from comfynb.cli.app import app
from comfynb.sandbox import Sandbox

COMMANDS = ("demo", "api", "catalog", "workflow", "names", "routes", "routing-test", "sandbox", "lab", "app", "health")
HOSTILE = "fox\x1b]0;title\x07\x1b[31m\x9b2J\u202eevil\r\n<b>[red]"
"""What somebody can call a workflow, a machine or an input."""


def clear(done: Done, code: int, words: str) -> None:
    """Check that a command said one clear sentence."""
    assert done.code == code, done
    assert words in done.said
    assert "Traceback" not in done.out + done.err
    assert len(done.err) < 700


# Help


def test_every_command_is_listed(cli: Command) -> None:
    """And no other."""
    done = cli("--help")
    assert done.code == 0
    assert {command.name for command in app.registered_commands} == set(COMMANDS)
    assert all(f"\n  {name} " in done.out for name in COMMANDS)
    assert cli().code == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example_that_names_real_options(cli: Command, command: str) -> None:
    """So that it can be copied."""
    done = cli(command, "--help")
    assert done.code == cli(command, "-h").code == 0
    example = " ".join(done.out.split()).partition("Example: ")[2].partition(" Options:")[0]
    assert f"comfynb {command}" in example
    for word in example.partition(" Arguments:")[0].split():
        assert not word.startswith("--") or f"{word}" in done.out.partition("Options:")[2]


def test_the_version_is_told(cli: Command) -> None:
    """As the package has it."""
    assert cli("--version") == Done(0, f"comfynb {__version__}\n", "")


# Usage


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bogus",), "No such command 'bogus'"),
        (("workflow", "--bogus"), "No such option"),
        (("workflow", "a", "b"), "unexpected extra argument"),
        (("workflow", "-i", "prompt"), "'prompt' has to be NAME=VALUE."),
        (("workflow", "-i", "=x"), "'=x' has to be NAME=VALUE."),
        (("workflow", "-i", "seed=1", "-i", "seed=2"), "'seed' is given twice."),
        (("workflow", "--download", "pictures"), "goes with --execute"),
        (("workflow", "--timeout", "soon"), "Invalid value for '--timeout'"),
        (("workflow", "--timeout", "0", "--execute"), "timeout=0.0 is no number of seconds to wait."),
        (("workflow", "-i", "width=wide", "--execute"), "width: must be a whole number, not 'wide'"),
        (("workflow", "-i", "promt=x", "--execute"), "did you mean 'prompt'"),
        (("sandbox", "--port", "99999"), "65535"),
        (("sandbox", "--speed", "0"), "--speed"),
    ],
)
def test_wrong_usage_exits_with_2_and_submits_nothing(
    cli: Command, sandbox: Sandbox, words: tuple[str, ...], said: str
) -> None:
    """Before anything is paid for."""
    clear(cli(*words), 2, said)
    assert sandbox.counters.runs_created == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope",), "No workflow is called 'nope'"),
        (("text2imgg",), "Nearest: text2img"),
        (("d33786a8-1f8d-4712-97f9-000000000000",), "No workflow is called 'd33786a8-1f8d-4712-97f9-000000000000'"),
        (("text2img", "--machine", "nope"), "No machine is called 'nope'"),
        (("text2img", "--version", "99"), "has no version '99'"),
        (("text2img", "--environment", "prod"), "has no deployment in 'prod'"),
        (("upscale_esrgan",), "The machine 'render-farm-2' is paused"),
    ],
)
def test_what_there_is_not_exits_with_1_and_submits_nothing(
    cli: Command, sandbox: Sandbox, words: tuple[str, ...], said: str
) -> None:
    """With the nearest names, or with what can be chosen."""
    clear(cli("workflow", *words, "--execute"), 1, said)
    assert sandbox.counters.runs_created == 0


# The server


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"html_answers": True}, "No ComfyDeploy API was found"),
        ({"truncate_next": 50}, "cannot be read"),
        ({"fail_next": 50, "fail_status": 500}, "failed on GET"),
    ],
)
@pytest.mark.parametrize("words", [("api",), ("workflow", "text2img", "--execute")])
def test_a_server_that_answers_nonsense(
    cli: Command, sandbox: Sandbox, fault: dict[str, Any], said: str, words: tuple[str, ...]
) -> None:
    """A web page instead of data, a body that is cut off, a fault of its own."""
    sandbox.knobs.change(**fault)
    clear(cli(*words), 1, said)
    assert sandbox.counters.runs_created == 0


@pytest.mark.parametrize("words", [("api",), ("workflow", "text2img", "--execute", "--json")])
def test_a_server_that_is_not_there(cli: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    """It is tried again, and then told."""
    monkeypatch.setattr(connecting, "Limits", partial(Limits, first_wait=0.0, longest_wait=0.0))
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", "http://127.0.0.1:9")
    clear(cli(*words), 1, "nothing answers there (connection refused)")


@pytest.mark.parametrize("words", [("api",), ("workflow", "text2img", "--execute", "--json")])
def test_a_key_that_is_refused(
    cli: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """What to check is said once, without a word about partial results."""
    for key in (sandbox.revoked_api_key, "some-wrong-key"):
        monkeypatch.setenv("COMFY_DEPLOY_API_KEY", key)
        done = cli(*words)
        clear(done, 1, "refused the API key")
        assert "Note:" not in done.err
        assert key not in done.out + done.err


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("COMFY_DEPLOY_API_KEY", "", "No API key: set COMFY_DEPLOY_API_KEY"),
        ("COMFY_DEPLOY_API_KEY", "a key", "characters that no key has"),
        ("COMFY_DEPLOY_API_URL", "nonsense://", "is not the address of a server"),
        ("COMFYNB_SANDBOX", "perhaps", "COMFYNB_SANDBOX cannot be read"),
    ],
)
def test_a_configuration_that_cannot_work_exits_with_2(
    cli: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """It names the variable."""
    monkeypatch.setenv(name, value)
    clear(cli("api"), 2, said)


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_paid_for(
    cli: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    """It is made first."""
    (tmp_path / "file").write_text("")
    clear(cli("workflow", "--execute", "--download", "file/pictures"), 2, "file/pictures cannot be the folder")
    assert sandbox.counters.runs_created == 0


def test_a_disk_that_fails_is_told_with_the_run(
    cli: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is not lost: its id stands there."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "pictures/x.png")

    monkeypatch.setattr(Path, "open", full)
    done = cli("workflow", "--execute", "--download", "pictures")
    clear(done, 1, "could not be saved in 'pictures': No space left on device.")
    (run_id,) = sandbox.world.runs
    assert f"run {run_id}" in done.err


@pytest.mark.parametrize("words", ["api", "workflow", "workflow --json"])
def test_a_reader_that_has_seen_enough_is_no_error(on_sandbox: None, words: str) -> None:
    """As in `comfynb api | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(
            [*COMMAND, *words.split()], stdout=nobody, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")


# Hostile names


@pytest.fixture
def hostile(sandbox: Sandbox) -> str:
    """Let a workflow, a machine and their texts be named by somebody who means no good."""
    graph = {
        "1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": HOSTILE, "default_value": "x"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    with comfynb.connect(sandbox=sandbox) as ws:
        created = ws.upload_workflow("plain", {"nodes": []}, graph, machine="studio-classic-a")
    workflow = next(each for each in sandbox.world.workflows.values() if each.name == "plain")
    workflow.name = HOSTILE
    sandbox.world.machine_named("studio-classic-a").name = HOSTILE
    return created.workflow_id  # type: ignore[union-attr, return-value]


@pytest.mark.parametrize("options", [(), ("--json",), ("--execute",), ("--execute", "--json")])
def test_hostile_names_do_not_reach_the_terminal(cli: Command, hostile: str, options: tuple[str, ...]) -> None:
    """No escape sequence, no control character, no turned direction, and nothing that cannot be written."""
    first = cli("workflow", hostile, *options)
    assert first.code == 0
    for done in (first, cli("api"), cli("workflow", "foxy"), cli("workflow", f"{HOSTILE}\udc00")):
        written = done.out + done.err
        assert written.replace("\n", "").isprintable(), [c for c in written if not c.isprintable()]
        written.encode()
    if "--json" in options:
        assert json.loads(first.out)


def test_hostile_inputs_do_not_reach_the_terminal(cli: Command) -> None:
    """A prompt is somebody else's text as soon as it is copied."""
    for words in (("-i", f"prompt={HOSTILE}"), ("-i", f"{HOSTILE}=x"), ("-i", f"prompt={HOSTILE}", "--execute")):
        done = cli("workflow", *words)
        assert (done.out + done.err).replace("\n", "").isprintable()
