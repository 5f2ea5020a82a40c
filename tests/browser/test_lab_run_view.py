"""A run as it goes on, in JupyterLab: it moves while other cells run, and shows its picture or its error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from labs import WATCH, Lab

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = "import comfynb\nws = comfynb.connect(sandbox=comfynb.Sandbox(speed=1.0).start())"
HOSTILE = '<img src=x onerror="window.hacked=1"> javascript:alert(1) \x1b[31m \u202eevil'
SAVE = """() => window.jupyterapp.commands.execute("docmanager:save")"""
DARK = """() => window.jupyterapp.commands.execute("apputils:change-theme", {theme: "JupyterLab Dark"})"""


@pytest.fixture
def outputs(page: Page) -> Callable[[int], Any]:
    """Return the outputs of a cell."""
    return lambda number: page.locator(".jp-Notebook .jp-CodeCell").nth(number).locator(".jp-OutputArea-output")


def test_it_moves_while_another_cell_runs_and_ends_with_its_picture(
    lab: Lab, page: Page, run_all: Callable[[str], None], outputs: Callable[[int], Any], errors: list[str]
) -> None:
    """At least three different words are seen, and hostile words in the prompt stay words."""
    from playwright.sync_api import expect

    cells = (START, f"ws.submit('text2img', prompt={HOSTILE!r}, seed=7)", "import time\ntime.sleep(6)\n'slept'")
    page.add_init_script(WATCH)
    run_all(lab.write("view.ipynb", *cells))
    shown = outputs(1)
    expect(shown).to_contain_text("finished")
    assert len(page.evaluate("[...window.seen]")) >= 3
    expect(shown.locator("img[alt]")).to_be_visible()
    shown.locator("img[alt]").evaluate("image => image.decode()")
    expect(outputs(2).first).to_have_text("'slept'")
    assert page.evaluate("window.hacked") is None
    page.evaluate(DARK)
    expect(shown).to_be_visible()
    assert errors == []


def test_a_failed_run_shows_the_message_of_its_node(
    lab: Lab, page: Page, run_all: Callable[[str], None], outputs: Callable[[int], Any]
) -> None:
    """Without being asked why."""
    from playwright.sync_api import expect

    run_all(lab.write("failed.ipynb", START, "ws.submit('poster print (BROKEN)')"))
    expect(outputs(1)).to_contain_text("failed at")
    expect(outputs(1).locator(".cnb-bad").first).to_be_visible()


def test_a_page_that_is_loaded_again_shows_the_run_as_it_goes_on(
    lab: Lab, page: Page, run_all: Callable[[str], None], outputs: Callable[[int], Any], errors: list[str]
) -> None:
    """Its kernel never stopped looking."""
    from playwright.sync_api import expect

    run_all(lab.write("again.ipynb", START.replace("1.0", "2.0"), "ws.submit('text2img', prompt='a red fox', seed=7)"))
    expect(outputs(1)).to_contain_text("running")
    page.evaluate(SAVE)
    page.reload()
    expect(outputs(1)).to_contain_text("finished")
    expect(outputs(1).locator("img[alt]")).to_be_visible()
    assert errors == []
