"""`comfynb app`: the browser over a workspace as a web page under Voilà, without code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from requirements_gate import require

if TYPE_CHECKING:
    from playwright.sync_api import Page


CUT = """() => {
  const edge = document.querySelector(".widget-tab").getBoundingClientRect().right;
  return [...document.querySelectorAll(".widget-tab .comfynb")]
    .filter(card => card.getClientRects().length && card.getBoundingClientRect().right > edge)
    .map(card => card.textContent.slice(0, 100));
}"""
"""Cards that are wider than the place for them, which cuts them; a card that fits scrolls in itself."""


@pytest.fixture
def served(chromium: str, tmp_path: Path) -> Iterator[str]:
    """Serve the sandbox, and return where."""
    require("browser", find_spec("voila") is not None, "There is no voila")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COMFY", "WEBHOOK", "JUPYTER"))}
    command = [sys.executable, "-c", "from comfynb.cli import main; main()", "app", f"--port={port}", "--no-browser"]
    with (tmp_path / "voila.log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=clean, stdout=log, stderr=subprocess.STDOUT)
        address = f"http://127.0.0.1:{port}/"
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    httpx.get(f"{address}voila/static/", timeout=5)
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            process.wait(20)
            with pytest.raises(httpx.TransportError):  # Voilà has ended with it
                httpx.get(address, timeout=5)


def test_it_is_a_page_without_code(served: str, page: Page) -> None:
    """Workflows can be searched and run, runs looked at, machines seen; no cell and no key is on it."""
    from playwright.sync_api import expect

    page.goto(served)
    expect(page.get_by_text("8 workflows on")).to_be_visible()
    expect(page.get_by_text("deployed (production", exact=False).first).to_be_visible()
    page.get_by_placeholder("search names").fill("wan")
    expect(page.locator("select[size] option")).to_have_count(1)
    page.get_by_placeholder("search names").fill("text2img")
    page.get_by_role("tab", name="Run", exact=True).click()
    page.get_by_title("Prompt", exact=True).fill("a red fox")
    page.locator(".comfynb-form button", has_text="Run").click()
    page.locator(".comfynb-form img[alt]").evaluate("image => image.decode()")
    page.get_by_text("Runs", exact=True).click()
    expect(page.locator("td", has_text="success").first).to_be_visible()
    page.set_viewport_size({"width": 900, "height": 1600})
    page.get_by_text("Versions", exact=True).click()
    expect(page.locator("td", has_text="first version").last).to_be_visible()
    for tab in ("Overview", "Runs", "Versions"):
        page.get_by_text(tab, exact=True).click()
        assert page.evaluate(CUT) == [], tab
    page.get_by_text("Machines", exact=True).click()
    expect(page.get_by_text("render-farm-2")).to_be_visible()
    assert page.get_by_text("comfynb.connect").count() == 0
    assert "import comfynb" not in page.content()
