"""The review of names in JupyterLab: a row is accepted and renamed by hand, and saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labs import Lab

from comfynb.names_files import read_names

if TYPE_CHECKING:
    from playwright.sync_api import Page

CELL = """import comfynb
ws = comfynb.connect(sandbox=True, names=comfynb.example_names())
ws.names.review(["poster_print", "inpainting", "<img src=x onerror=window.hurt=1>"], "names.toml")"""


def test_a_row_is_accepted_renamed_and_saved(
    lab: Lab, page: Page, run_all: Callable[[str], None], errors: list[str]
) -> None:
    """The widget is what is seen, not its twin; names of others are texts in it."""
    from playwright.sync_api import expect

    run_all(lab.write("review.ipynb", CELL))
    output = page.locator(".jp-Notebook .jp-CodeCell .jp-OutputArea-output").first
    row = output.locator(".widget-hbox", has_text="poster print (BROKEN)")
    expect(row).to_be_visible()
    expect(output.get_by_text("<img src=x")).to_be_visible()
    row.locator("input[type=checkbox]").check()
    name = row.locator("input[type=text]")
    name.fill("Poster")
    name.press("Enter")
    expect(output).to_contain_text("'Poster' is no standard name; 'poster' is.")
    name.fill("poster")
    name.press("Enter")
    save = output.get_by_role("button", name="Save")
    expect(save).to_be_enabled()
    save.click()
    expect(output).to_contain_text("Saved names.toml: ")
    assert read_names(lab.folder / "names.toml").standardize("Poster print") == "poster"
    assert page.evaluate("window.hurt") is None
    assert errors == []
