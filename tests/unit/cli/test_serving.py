"""Servers that a command runs end with it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

CHILD = "import time; print('serving', flush=True); time.sleep(60)"
COMMAND = f"""
import os, sys
from comfynb.cli.serving import serve
raise SystemExit(serve([sys.executable, "-c", {CHILD!r}], dict(os.environ)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_told_to_end_leaves_no_server_behind(how: signal.Signals) -> None:
    """The server holds the other end of the pipe: while it lives, the reading does not end."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"serving\n"
        command.send_signal(how)
        rest, _ = command.communicate(timeout=20)
    assert rest == b""
    assert command.returncode != 0
