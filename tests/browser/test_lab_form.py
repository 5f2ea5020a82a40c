"""A form in JupyterLab: fill it in, press Run, see the run go on and its picture; cancel; read the code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labs import Lab

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = "import comfynb\nsandbox = comfynb.Sandbox(speed=1.0).start()\nws = comfynb.connect(sandbox=sandbox)"
WATCH = """
window.seen = new Set();
new MutationObserver(() => document.querySelectorAll(".cnb-status").forEach(each => window.seen.add(each.textContent)))
  .observe(document, {subtree: true, childList: true, characterData: true});
"""
HOSTILE = '<img src=x onerror="window.hacked=1">'
RUN_THIRD = """() => {
  window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2;
  return window.jupyterapp.commands.execute("notebook:run-cell");
}"""
DARK = """() => window.jupyterapp.commands.execute("apputils:change-theme", {theme: "JupyterLab Dark"})"""


def cell(page: Page, number: int) -> Any:
    """Return a cell."""
    return page.locator(".jp-Notebook .jp-CodeCell").nth(number)


def test_a_form_runs_shows_the_run_and_gives_its_code(
    lab: Lab, page: Page, run_all: Callable[[str], None], errors: list[str]
) -> None:
    """While another cell runs; hostile words in a prompt stay words."""
    from playwright.sync_api import expect

    page.add_init_script(WATCH)
    run_all(lab.write("form.ipynb", START, "form = ws.form('text2img')\nform", "import time\nlen(ws.machines())"))
    form = cell(page, 1)
    prompt = form.locator("textarea").first
    prompt.fill(f"a red fox {HOSTILE}")
    form.get_by_role("button", name="Run").click()
    page.evaluate(RUN_THIRD)
    expect(form).to_contain_text("finished")
    assert len(page.evaluate("[...window.seen]")) >= 3
    picture = form.locator(".comfynb img[alt]").first
    expect(picture).to_be_visible()
    picture.evaluate("image => image.decode()")
    form.get_by_role("button", name="Code").click()
    expect(form.locator("pre", has_text="ws.run(").first).to_be_visible()
    width = form.locator("input[type=text]").nth(0)
    width.fill("wide")
    expect(form).to_contain_text("must be a whole number")
    expect(form.get_by_role("button", name="Run")).to_be_disabled()
    form.get_by_role("button", name="Reset").click()
    expect(form.get_by_role("button", name="Run")).to_be_enabled()
    assert page.evaluate("window.hacked") is None
    page.evaluate(DARK)
    expect(form).to_be_visible()
    assert errors == []


def test_a_run_is_cancelled_and_the_form_says_what_came_of_it(
    lab: Lab, page: Page, run_all: Callable[[str], None]
) -> None:
    """On a machine that can, and on one that cannot."""
    from playwright.sync_api import expect

    run_all(
        lab.write("cancel.ipynb", START, "sandbox.knobs.change(speed=0.2)\nws.form('MAKEIMAGE')", "ws.form('text2img')")
    )
    for number, words in ((1, "was cancelled"), (2, "cannot cancel")):
        form = cell(page, number)
        form.get_by_role("button", name="Run").click()
        expect(form.locator(".cnb-status").last).to_be_visible()
        form.get_by_role("button", name="Cancel").click()
        expect(form).to_contain_text(words)
