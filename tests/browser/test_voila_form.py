"""Voilà: a notebook as a web page, with a form that runs, and nothing of others that does more than be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from hostile import LOOK, VIEWS
from hostile import START as HOSTILE
from labs import WATCH, Voila, running_voila
from requirements_gate import require

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = "import comfynb\nws = comfynb.connect(sandbox=comfynb.Sandbox(speed=4.0).start())"
FORM = "ws.form('text2img', environment='staging')"


@pytest.fixture(scope="module")
def voila(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voila]:
    """Run Voilà."""
    require("browser", find_spec("voila") is not None, "There is no voila")
    with running_voila(tmp_path_factory.mktemp("voila")) as voila:
        yield voila


def press(page: Page, label: str) -> None:
    """Press a button of the form."""
    page.locator(".comfynb-form button", has_text=re.compile(f"^{label}$")).click()


def run_with(page: Page, prompt: str) -> Any:
    """Fill in the prompt, press Run, and return where the run is shown."""
    page.get_by_title("Prompt", exact=True).fill(prompt)
    press(page, "Run")
    return page.locator(".comfynb-form .comfynb").last


def test_a_form_runs_cancels_and_tells_why_a_run_failed(voila: Voila, page: Page, errors: list[str]) -> None:
    """Without any cell: progress moves, the picture appears, Cancel cancels, and a failed node has its say."""
    from playwright.sync_api import expect

    page.add_init_script(WATCH)
    page.goto(voila.write("form.ipynb", START, FORM))
    shown = run_with(page, "a red fox")
    expect(shown).to_contain_text("finished")
    seen = page.evaluate("[...window.seen]")
    assert len(seen) >= 4, seen
    assert any(re.search(r"running: Executing \w+, \d+%", words) for words in seen), seen
    picture = page.locator(".comfynb-form img[alt]")
    expect(picture).to_be_visible()
    picture.evaluate("image => image.decode()")
    shown = run_with(page, "a red fox __slow__")
    expect(shown).to_contain_text("running")
    press(page, "Cancel")
    expect(shown).to_contain_text("cancelled")
    shown = run_with(page, "a red fox __fail__")
    expect(shown).to_contain_text("failed at KSampler")
    expect(shown).to_contain_text("CUDA out of memory")
    assert "import comfynb" not in page.content()
    assert errors == []


def test_nothing_that_others_wrote_is_more_than_text_on_a_page(voila: Voila, page: Page, errors: list[str]) -> None:
    """All views that JupyterLab shows, under Voilà."""
    from playwright.sync_api import expect

    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(voila.write("hostile.ipynb", HOSTILE, *VIEWS.values(), "print('the end')"))
    expect(page.get_by_text("the end")).to_be_visible()
    expect(page.get_by_text("Loading widget")).to_have_count(0)
    found = page.evaluate(LOOK)
    assert found.pop("outputs") > len(VIEWS)
    assert found == {what: [] for what in found}
    assert (page.evaluate("window.__pwned"), dialogs, errors) == (None, [], [])
