"""Servers of others that a command runs."""

from __future__ import annotations

import signal
import subprocess

__all__ = ["serve"]


def serve(command: list[str], environment: dict[str, str]) -> int:
    """Run a server until it ends, and return its exit code, as a shell counts them.

    It ends with this process: by Ctrl-C, and where this process is told to end.

    Parameters
    ----------
    command : list of str
        What to run.
    environment : dict of str to str
        Its environment.
    """
    with subprocess.Popen(command, env=environment) as server:  # noqa: S603 - our own words
        before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        try:
            code = server.wait()
        finally:
            signal.signal(signal.SIGTERM, before)
            server.terminate()
    return code if code >= 0 else 128 - code
