"""The command line as a person or a script meets it: words in, exit code and two streams out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command_line import COMMAND, Command, Done
from worlds import begin_anew

from comfynb.cli.app import run
from comfynb.sandbox import Sandbox


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """Return a sandbox without a past, whose building would take most of the time of a test."""
    return begin_anew(_server, history=0)


@pytest.fixture
def on_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, short_looks: None) -> None:
    """Configure the sandbox as the server, in an empty working directory."""
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.api_key)
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", sandbox.url)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], on_sandbox: None) -> Command:
    """Run a command in this process."""

    def call(*words: str) -> Done:
        capsys.readouterr()
        code = run(list(words))
        told = capsys.readouterr()
        return Done(code, told.out, told.err)

    return call


@pytest.fixture
def shell(on_sandbox: None) -> Command:
    """Run a command in a process of its own."""

    def call(*words: str, **environment: str) -> Done:
        done = subprocess.run(
            [*COMMAND, *words],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call
