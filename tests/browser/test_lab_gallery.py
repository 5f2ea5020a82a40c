"""A gallery in JupyterLab: its pictures are seen, grow when they are clicked, and are saved by a button."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labs import Lab

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = "import comfynb\nws = comfynb.connect(sandbox=comfynb.Sandbox(speed=60).start())"
RUN = "run = ws.run('text2img', prompt='a red fox', seed=7, width=640, height=480)\nother = run.rerun(seed=8).wait()"
SHOW = "gallery = comfynb.Gallery([run, other])\ngallery"


def test_a_picture_grows_when_it_is_clicked_and_all_are_saved_by_a_button(
    lab: Lab, page: Page, run_all: Callable[[str], None], errors: list[str]
) -> None:
    """Without a word of code."""
    from playwright.sync_api import expect

    run_all(lab.write("gallery.ipynb", START, RUN, SHOW))
    shown = page.locator(".jp-Notebook .jp-CodeCell").nth(2).locator(".jp-OutputArea-output")
    pictures = shown.locator(".cnb-large img")
    expect(pictures).to_have_count(2)
    for number in (0, 1):
        expect(pictures.nth(number)).to_be_visible()
        pictures.nth(number).evaluate("image => image.decode()")
    small = pictures.first.bounding_box()
    pictures.first.click()
    page.wait_for_function("() => document.querySelector('.cnb-large img').getBoundingClientRect().width > 600")
    assert small is not None
    assert small["width"] <= 240
    pictures.first.click()
    page.wait_for_function("() => document.querySelector('.cnb-large img').getBoundingClientRect().width <= 240")
    shown.locator("button", has_text="Download").click()
    expect(shown).to_contain_text("2 files saved")
    saved = sorted(path.name for path in (lab.folder / "comfynb-outputs").iterdir())
    assert len(saved) == 3
    assert "manifest.json" in saved
    assert errors == []
