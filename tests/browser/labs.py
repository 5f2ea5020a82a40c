"""A JupyterLab or a Voilà of its own on a free port, and notebooks in it."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import nbformat

PATIENCE = 60.0
"""Seconds for a server to start."""
WATCH = """
window.seen = new Set();
new MutationObserver(() => document.querySelectorAll(".cnb-status").forEach(each => window.seen.add(each.textContent)))
  .observe(document, {subtree: true, childList: true, characterData: true});
"""
"""A script that collects what runs were said to do, in `window.seen`."""
QUIET = '{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}'


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs.

    Attributes
    ----------
    url, token : str
        Where it is, and what opens it.
    folder : pathlib.Path
        Its notebooks are there.
    log : pathlib.Path
        What it wrote.
    """

    url: str
    token: str
    folder: Path
    log: Path

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook that was never run, and return the address that opens it."""
        _write(self.folder / name, cells)
        return f"{self.url}/lab/tree/{name}?reset&token={self.token}"


@dataclass(frozen=True)
class Voila:
    """A Voilà that runs.

    Attributes
    ----------
    url : str
        Where it is.
    folder : pathlib.Path
        Its notebooks are there.
    """

    url: str
    folder: Path

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook, and return the address that runs it and shows its outputs."""
        _write(self.folder / name, cells)
        return f"{self.url}/voila/render/{name}"


@contextmanager
def running_lab(home: Path) -> Iterator[Lab]:
    """Run JupyterLab with settings of its own in an empty folder, without news and without looking for updates."""
    folders = {
        name: home / name for name in ("notebooks", "config", "data", "runtime", "ipython", "settings", "spaces")
    }
    for folder in folders.values():
        folder.mkdir()
    quiet = folders["settings"] / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text(QUIET, encoding="utf-8")
    environment = {
        **_plain_environment(),
        "JUPYTER_PLATFORM_DIRS": "1",
        "JUPYTER_CONFIG_DIR": str(folders["config"]),
        "JUPYTER_DATA_DIR": str(folders["data"]),
        "JUPYTER_RUNTIME_DIR": str(folders["runtime"]),
        "IPYTHONDIR": str(folders["ipython"]),
        "JUPYTERLAB_SETTINGS_DIR": str(folders["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(folders["spaces"]),
    }
    port = _free_port()
    running = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(8), folders["notebooks"], home / "lab.log")
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={running.folder}",
        f"--IdentityProvider.token={running.token}",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        "--expose-app-in-browser",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    with _serving(command, environment, f"{running.url}/api/status?token={running.token}", running.log):
        yield running


@contextmanager
def running_voila(home: Path) -> Iterator[Voila]:
    """Run Voilà over an empty folder, as `comfynb app` does over one notebook."""
    port = _free_port()
    running = Voila(f"http://127.0.0.1:{port}", home)
    command = [sys.executable, "-m", "voila", str(home), f"--port={port}", "--Voila.ip=127.0.0.1", "--no-browser"]
    with _serving(command, _plain_environment(), f"{running.url}/voila/static/", home / "voila.log"):
        yield running


def _write(path: Path, cells: tuple[str, ...]) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


def _plain_environment() -> dict[str, str]:
    """Return the environment without settings of comfynb or Jupyter."""
    settings = ("COMFY", "WEBHOOK", "JUPYTER")
    return {name: value for name, value in os.environ.items() if not name.startswith(settings)}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _serving(command: list[str], environment: dict[str, str], address: str, log: Path) -> Iterator[None]:
    with log.open("wb") as file, subprocess.Popen(command, env=environment, stdout=file, stderr=file) as server:
        try:
            _wait_for(address, server, log)
            yield
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < deadline:
            if server.poll() is not None:
                break
            try:
                if client.get(address).status_code < 500:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise RuntimeError(f"It did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")
