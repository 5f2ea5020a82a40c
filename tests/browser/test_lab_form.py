"""A form in JupyterLab: a person fills it in, presses Run, and sees the picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from labs import Lab
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = "import comfynb\nws = comfynb.connect(sandbox=comfynb.Sandbox(speed=5.0).start())"
FOLDER = str(Path(__file__).parents[1] / "unit" / "widgets")
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
EVERY = f"""
import sys
sys.path.insert(0, {FOLDER!r})
from comfynb.rules.input_classes import INPUT_CLASSES
from forms import external, form_of
nodes = []
for place, name in enumerate([*INPUT_CLASSES, "ComfyUIDeployExternalOfTomorrow"]):
    node = external(name, f"{{name}}", display_name=f"{{name}} " + "with a long name " * 6, description={HOSTILE!r},
                    options='["{{}}", "b"]')
    if place % 2:
        node["_meta"] = {{"cd_input_group_id": "g", "cd_group_name": {HOSTILE!r}}}
    nodes.append(node)
form = form_of(ws, *nodes, values={{"ComfyUIDeployExternalText": {HOSTILE!r}}})
form
"""
DARK = """() => window.jupyterapp.commands.execute("apputils:change-theme", {theme: "JupyterLab Dark"})"""


@pytest.fixture
def outputs(page: Page) -> Callable[[int], Any]:
    """Return the outputs of a cell."""
    return lambda number: page.locator(".jp-Notebook .jp-CodeCell").nth(number).locator(".jp-OutputArea-output")


def test_a_person_runs_a_workflow_and_gets_the_picture_and_the_code(
    lab: Lab,
    page: Page,
    run_all: Callable[[str], None],
    outputs: Callable[[int], Any],
    errors: list[str],
    tmp_path: Path,
) -> None:
    """Without writing any; a double click submits once."""
    from playwright.sync_api import expect

    run_all(lab.write("form.ipynb", START, "form = ws.form('text2img')\nform", "1 + 1"))
    form = outputs(1)
    expect(form).to_contain_text("Negative prompt")
    expect(outputs(2).first).to_have_text("2")
    form.get_by_title("Prompt", exact=True).fill("a red fox")
    form.get_by_title("Width", exact=True).fill("5o")
    expect(form).to_contain_text("Width must be a whole number, not '5o'")
    run = form.locator("button", has_text="Run")
    expect(run).to_be_disabled()
    form.get_by_title("Width", exact=True).fill("256")
    expect(run).to_be_enabled()
    run.dblclick()
    expect(form).to_contain_text("finished")
    expect(form).to_contain_text("The last run drew")
    form.locator("img[alt]").first.evaluate("image => image.decode()")
    form.locator("button", has_text="Code").click()
    expect(form.locator("pre").first).to_contain_text('run = ws.run("text2img", prompt="a red fox", width=256)')
    page.screenshot(path=tmp_path / "light.png")
    expect(form.locator(".cnb-title", has_text="run of text2img")).to_have_count(1)
    assert errors == []


def test_every_class_of_input_is_shown_in_full_in_both_themes(
    lab: Lab, page: Page, run_all: Callable[[str], None], outputs: Callable[[int], Any], tmp_path: Path
) -> None:
    """No label is cut, nothing is wider than its place, and nothing hostile is executed."""
    from playwright.sync_api import expect

    page.set_viewport_size({"width": 1280, "height": 5200})
    run_all(lab.write("every.ipynb", START, EVERY))
    form = outputs(1)
    expect(form).to_contain_text("OfTomorrow")
    for theme in ("light", "dark"):
        if theme == "dark":
            page.evaluate(DARK)
            page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
            page.locator("#jupyterlab-splash").wait_for(state="detached")
        page.screenshot(path=tmp_path / f"{theme}.png")
        cut = form.locator(".cnb-label, .cnb-help, .widget-button, .widget-upload").evaluate_all(
            "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.textContent)"
        )
        assert cut == []
    assert page.evaluate("window.hacked") is None
    Image.new("RGB", (64, 32), "red").save(tmp_path / "fox.png")
    with page.expect_file_chooser() as chosen:
        form.locator("button", has_text="Upload").first.click()
    chosen.value.set_files(tmp_path / "fox.png")
    expect(form).to_contain_text("fox.png (")
    expect(form.locator('img[src^="data:image/png"]').first).to_be_visible()
    page.screenshot(path=tmp_path / "uploaded.png")
