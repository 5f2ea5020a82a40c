"""The pytest plugin gives a test a ComfyDeploy of its own."""

from __future__ import annotations

import subprocess
import sys

import comfynb
from comfynb.sandbox import Sandbox


def test_a_plain_connect_goes_to_the_sandbox_of_the_fixture(comfynb_sandbox: Sandbox) -> None:
    """So code under test needs no argument for it, and the test can count what it did."""
    with comfynb.connect() as ws:
        assert ws.url == comfynb_sandbox.url
        assert ws.run("text2img", prompt="a red fox", seed=7).status == "success"
    assert comfynb_sandbox.counters.requests["POST /run/deployment/queue"] == 1


def test_processes_that_a_test_starts_go_there_too(comfynb_sandbox: Sandbox) -> None:
    """A notebook's kernel, say."""
    code = "import comfynb; print(comfynb.connect().url)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == comfynb_sandbox.url
