"""What somebody sees who opens a notebook in JupyterLab and runs all of its cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labs import Lab

if TYPE_CHECKING:
    from playwright.sync_api import Page

CELLS = (
    "import comfynb\nws = comfynb.connect(sandbox=True)\nws",
    "ws.catalog()[['name', 'output_kind', 'uses_lora']]",
    "run = ws.run('text2img', prompt='a red fox', seed=7)",
    "run",
    "run.images()[0]",
    "len(await ws.aio.workflows())",
)

ALL_RAN_OR_ONE_FAILED = """() => {
  const prompts = [...document.querySelectorAll(".jp-Notebook .jp-CodeCell .jp-InputArea-prompt")];
  const failed = document.querySelector("[data-mime-type='application/vnd.jupyter.error']");
  return failed || prompts.every(prompt => /\\d/.test(prompt.textContent));
}"""


def test_all_cells_run_at_once_show_table_and_picture(
    lab: Lab, page: Page, run_all: Callable[[str], None], errors: list[str]
) -> None:
    """No cell is lost, the table, the bar and the picture are there, and no script on the page failed."""
    from playwright.sync_api import expect

    run_all(lab.write("look.ipynb", *CELLS))
    page.wait_for_function(ALL_RAN_OR_ONE_FAILED)
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    prompts = [text.strip() for text in cells.locator(".jp-InputArea-prompt").all_inner_texts()]
    expected = [f"[{number}]:" for number in range(1, len(CELLS) + 1)]
    assert prompts == expected, page.locator(".jp-Notebook").inner_text()
    outputs = [cells.nth(number).locator(".jp-OutputArea-output") for number in range(len(CELLS))]
    expect(page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
    expect(outputs[0].first).to_contain_text("sandbox")
    expect(outputs[1].locator("table td", has_text="text2img").first).to_be_visible()
    expect(outputs[2].locator(".widget-hprogress")).to_be_visible()
    expect(outputs[2]).to_contain_text("finished")
    expect(outputs[3].first).to_contain_text("finished")
    for picture in (outputs[3].locator("img"), outputs[4].locator("img")):
        expect(picture).to_be_visible()
        picture.evaluate("image => image.decode()")  # fails where it is no picture
    expect(outputs[5].first).to_have_text("8")
    assert errors == []
