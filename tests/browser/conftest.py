"""A real JupyterLab, and a real browser: the system's Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from labs import Lab, running_lab
from requirements_gate import require

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE = 60_000
"""Milliseconds for anything on a page."""


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


@pytest.fixture(scope="module")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run JupyterLab."""
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Start the browser; while it is there, this thread counts as one with a running event loop."""
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
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    context = browser.new_context(viewport={"width": 1280, "height": 1600})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
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
