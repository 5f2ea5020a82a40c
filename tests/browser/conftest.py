"""A real JupyterLab on a free port, and a real browser, the system's Chromium."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import nbformat
import pytest
from requirements_gate import require

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE = 60.0
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
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)
        return f"{self.url}/lab/tree/{name}?reset&token={self.token}"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Find the browser, and what drives it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    missing = [name for name in ("playwright", "jupyterlab") if find_spec(name) is None]
    if path is None:
        missing.append("Chromium (apt-get install chromium)")
    require("browser", not missing, f"There is no {' and no '.join(missing)}")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run JupyterLab with settings of its own, without news and without looking for updates."""
    home = tmp_path_factory.mktemp("lab")
    folders = {name: home / name for name in ("notebooks", "config", "data", "runtime", "ipython", "settings", "spaces")}
    for folder in folders.values():
        folder.mkdir()
    quiet = folders["settings"] / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text(QUIET, encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COMFY", "WEBHOOK", "JUPYTER"))},
        "JUPYTER_PLATFORM_DIRS": "1",
        "JUPYTER_CONFIG_DIR": str(folders["config"]),
        "JUPYTER_DATA_DIR": str(folders["data"]),
        "JUPYTER_RUNTIME_DIR": str(folders["runtime"]),
        "IPYTHONDIR": str(folders["ipython"]),
        "JUPYTERLAB_SETTINGS_DIR": str(folders["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(folders["spaces"]),
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
    with running.log.open("wb") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        try:
            _wait_for(running, server)
            yield running
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait_for(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < deadline:
            if server.poll() is not None:
                break
            try:
                if client.get(f"{lab.url}/api/status", params={"token": lab.token}).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{lab.log.read_text(encoding='utf-8', errors='replace')}")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Start the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


@pytest.fixture
def errors() -> list[str]:
    """Collect the errors of scripts on the page."""
    return []


@pytest.fixture
def page(browser: Browser, errors: list[str], tmp_path: Path) -> Iterator[Page]:
    """Open an empty page; what it shows at the end of the test is kept in the test's folder."""
    context = browser.new_context(viewport={"width": 1280, "height": 1600})
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.screenshot(path=tmp_path / "page.png")
    context.close()


RUN_ALL = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  const panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  return await app.commands.execute("notebook:run-all-cells");
}"""


@pytest.fixture
def run_all(page: Page) -> Callable[[str], None]:
    """Open a notebook and run all of its cells, as the menu does, once its kernel is there."""

    def run(address: str) -> None:
        page.goto(address)
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        page.evaluate(RUN_ALL)

    return run
