"""Names, texts and files of others, who are not to be trusted, in JupyterLab: all of it is text, and stays short."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hostile import LOOK, START, VIEWS
from labs import Lab

if TYPE_CHECKING:
    from playwright.sync_api import Page

LAST = "from IPython.display import HTML\ndisplay(HTML('<p>$x$</p>'), form.runs)"
AGAIN = """() => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = notebook.widgets.length - 1;
  return window.jupyterapp.commands.execute("notebook:run-cell");
}"""
RAN = """count => [...document.querySelectorAll(".jp-Notebook .jp-CodeCell .jp-InputArea-prompt")]
  .filter(prompt => /\\d/.test(prompt.textContent)).length === count"""


def test_nothing_that_others_wrote_is_more_than_text(
    lab: Lab, page: Page, run_all: Callable[[str], None], errors: list[str]
) -> None:
    """In no view is a script run, an element made, a link to a script, a dialog; none shows a megabyte."""
    from playwright.sync_api import expect

    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_viewport_size({"width": 1280, "height": 20_000})
    cells = (START, *VIEWS.values(), LAST)
    run_all(lab.write("hostile.ipynb", *cells))
    page.wait_for_function(RAN, arg=len(cells))
    form = page.locator(".comfynb-form").filter(has=page.locator(".cnb-title", has_text="run runs")).first
    form.locator("button", has_text="Run").click()
    expect(form).to_contain_text("finished")
    page.evaluate(AGAIN)
    expect(page.locator("table.dataframe").last.locator("tbody tr")).to_have_count(1)
    # Whatever is a formula is drawn by now, since this one is.
    page.locator("mjx-container", has_text="x").last.wait_for(state="attached")
    begun = time.monotonic()
    found = page.evaluate(LOOK)
    assert time.monotonic() - begun < 5.0
    assert found.pop("outputs") > len(VIEWS)
    assert found.pop("formulas") == ["x"]
    assert found == {what: [] for what in found}
    assert (page.evaluate("window.__pwned"), dialogs, errors) == (None, [], [])
