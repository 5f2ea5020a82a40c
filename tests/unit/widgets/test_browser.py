"""A browser over a workspace: searching, pages that are read when they are shown, and nothing hostile in them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.widgets.browser import WorkspaceBrowser

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202e"


@pytest.fixture
def browser(sandbox: Sandbox) -> Iterator[WorkspaceBrowser]:
    """Open a browser on the sandbox."""
    with comfynb.connect(sandbox=sandbox) as ws:
        browser = ws.browse()
        yield browser
        browser.close()


def page(browser: WorkspaceBrowser) -> Any:
    """Return the page that is shown."""
    return browser._pages.children[browser._pages.selected_index]


def words(widget: Any) -> str:
    """Return the HTML of everything in a widget."""
    return (
        str(getattr(widget, "value", "")) if not hasattr(widget, "children") else "".join(map(words, widget.children))
    )


def test_names_are_found_by_their_words_and_standard_names(browser: WorkspaceBrowser) -> None:
    """In any case; what has none of the words says so."""
    assert browser.search("WAN 2.1") == ["img2vid - wan 2.1"]
    assert browser.search("text to") == ["Text to Image"]
    assert "img2vid - wan 2.1" in browser.search("img2vid_wan")
    assert browser.search("no such name") == []
    assert "No workflow" in browser._found.value
    assert len(browser.search("")) == 8


def test_a_page_is_read_when_it_is_shown_and_once(browser: WorkspaceBrowser, sandbox: Sandbox) -> None:
    """Of the workflow that is chosen."""
    browser.choose("text2img")
    assert "workflow text2img" in words(page(browser))
    assert browser._pages.children[2].children == ()
    browser.choose("text2img", "Runs")
    asked = sandbox.counters.of("GET /workflow/{workflow_id}/runs")
    assert asked == 1
    browser._pages.selected_index = 0
    browser._pages.selected_index = 2
    assert sandbox.counters.of("GET /workflow/{workflow_id}/runs") == asked
    browser.choose("MAKEIMAGE", "Versions")
    assert "version" in words(page(browser))


def test_runs_are_filtered_and_one_is_shown_as_it_goes_on(browser: WorkspaceBrowser, sandbox: Sandbox) -> None:
    """By status; the one that is picked is a live view."""
    sandbox.knobs.change(speed=0.0)
    run = browser._ws.submit("text2img", prompt="a fox", seed=3)
    browser.choose("text2img", "Runs")
    controls, table, picked, view = page(browser).children
    assert "not-started" in table.value
    controls.children[0].value = "success"
    assert "not-started" not in table.value
    controls.children[0].value = "any"
    picked.value = run.id
    (shown,) = view.children
    deadline = time.monotonic() + 10
    while len(browser._ws._core.live) != 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "run of text2img" in words(shown)
    browser.close()
    while len(browser._ws._core.live):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_machines_and_deployments_have_their_status_as_a_dot_and_a_word(browser: WorkspaceBrowser) -> None:
    """Never by a colour alone."""
    browser._top.selected_index = 2
    assert "● paused" in browser._machines.value.replace("</span>", "")
    browser._top.selected_index = 1
    assert "serverless-a10g" in browser._deployments.value
    browser._environment.value = "preview"
    assert "production" not in browser._deployments.value


def test_hostile_names_are_words(sandbox: Sandbox) -> None:
    """In the list, in the pages and in the twins."""
    for workflow in sandbox.world.workflows.values():
        workflow.name = HOSTILE
    for machine in sandbox.world.machines.values():
        machine.name = HOSTILE
    with comfynb.connect(sandbox=sandbox) as ws:
        browser = ws.browse()
        for place in range(3):
            browser._top.selected_index = place
        browser._list.value = browser._list.options[0][1]
        for place in range(3):
            browser._pages.selected_index = place
        bundle = browser._repr_mimebundle_()
        everything = words(browser.box) + bundle["text/html"] + bundle["text/plain"]
        assert "\x1b" not in everything
        assert "<img src=x" not in words(browser.box) + bundle["text/html"]
        browser.close()


def test_an_empty_workspace_and_a_server_that_is_away_are_said(sandbox: Sandbox) -> None:
    """In words, where the rows would be."""
    with comfynb.connect(sandbox=sandbox) as ws:
        sandbox.world.workflows.clear()
        sandbox.world.deployments.clear()
        empty = ws.browse()
        assert "no workflows" in empty._head.value
        empty.close()
    with comfynb.connect("http://127.0.0.1:9", "a-key", retries=0, timeout=1) as away:
        browser = away.browse()
        assert "cnb-bad" in browser._head.value
        browser.close()


def test_twenty_browsers_leave_no_widget_behind(sandbox: Sandbox) -> None:
    """Layouts and styles among them."""
    from ipywidgets.widgets import widget

    with comfynb.connect(sandbox=sandbox) as ws:
        ws.browse().close()
        before = len(widget._instances)
        for _ in range(20):
            browser = ws.browse()
            browser.choose("text2img", "Runs")
            browser.close()
        assert len(widget._instances) <= before
