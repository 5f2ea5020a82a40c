"""What runs made, shown and saved: by widget, in HTML, and in plain text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from forms import until

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.widgets.gallery import Gallery


@pytest.fixture
def ws(sandbox: Sandbox) -> Any:
    """Connect to the sandbox."""
    with comfynb.connect(sandbox=sandbox) as ws:
        yield ws


def parts(widget: Any) -> list[Any]:
    """Return a widget and all that are in it."""
    return [widget, *(each for child in getattr(widget, "children", ()) for each in parts(child))]


def button(gallery: Gallery, label: str) -> Any:
    """Return the button of that label."""
    (found,) = [each for each in parts(gallery.box) if getattr(each, "description", None) == label]
    return found


def texts(gallery: Gallery) -> str:
    """Return all HTML in a gallery."""
    return "\n".join(each.value for each in parts(gallery.box) if isinstance(each, ipywidgets.HTML))


def test_a_gallery_shows_what_a_run_made(ws: comfynb.Workspace) -> None:
    """With its twin in text; it can be looked at after it was closed, too."""
    run = ws.run("text2img", prompt="a red fox", width=64, height=64)
    gallery = run.gallery()
    assert [output.filename for output in gallery.outputs] == [run.outputs[0].filename]
    bundle = gallery._repr_mimebundle_()
    assert bundle["text/plain"].startswith("1 output – of text2img")
    assert str(run.outputs[0].url) in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] in texts(gallery)
    gallery.close()
    assert gallery._repr_mimebundle_().keys() == {"text/plain", "text/html"}


def test_several_runs_are_told_apart(ws: comfynb.Workspace) -> None:
    """By the run that made each."""
    runs = [ws.run("text2img", prompt="x", width=64, height=64) for _ in range(2)]
    text = repr(comfynb.Gallery(runs))
    assert text.startswith("2 outputs – of 2 runs")
    assert all(f"text2img, run {run.id[:8]}" in text for run in runs)
    assert repr(comfynb.Gallery([])).startswith("no outputs – of no runs")
    assert comfynb.Gallery([]).download() == []
    with pytest.raises(comfynb.InputError, match=r"A gallery takes runs, .* not a str"):
        comfynb.Gallery(["r1"])  # type: ignore[list-item]


def test_a_run_that_goes_on_can_be_looked_at_again(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """What it has made by then, by a call or by the button."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", width=64, height=64)
    gallery = run.gallery()
    assert "nothing to show so far" in texts(gallery)
    assert button(gallery, "Download").disabled
    sandbox.advance(100)
    button(gallery, "Refresh").click()
    until(lambda: "<img" in texts(gallery))
    until(lambda: not button(gallery, "Download").disabled)
    assert len(gallery.refresh().outputs) == 1


def test_the_button_saves_everything_and_says_where(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """While the kernel is free; a second press meanwhile does nothing."""
    run = ws.run("text2img", width=64, height=64)
    gallery = run.gallery()
    _ = gallery.box
    gallery._folder.value = str(tmp_path / "new")
    for _ in range(3):
        button(gallery, "Download").click()
    until(lambda: "1 file saved" in texts(gallery))
    assert str(tmp_path / "new") in texts(gallery)
    saved = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert saved == sorted([f"{run.id[:8]}_{run.outputs[0].filename}", "manifest.json"])
    assert json.loads((tmp_path / "new" / "manifest.json").read_text())["runs"][0]["run_id"] == run.id
    assert run.outputs[0].path == tmp_path / "new" / f"{run.id[:8]}_{run.outputs[0].filename}"


def test_what_cannot_be_saved_is_said(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """Beside the button, and it can be pressed again."""
    (tmp_path / "file").write_text("x")
    gallery = ws.run("text2img", width=64, height=64).gallery()
    _ = gallery.box
    gallery._folder.value = str(tmp_path / "file")
    button(gallery, "Download").click()
    until(lambda: "cannot be the folder for the outputs" in texts(gallery))
    until(lambda: not button(gallery, "Download").disabled)


def test_a_link_that_has_expired_is_renewed_by_refreshing(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """A gallery of yesterday shows its pictures again."""
    sandbox.knobs.private_files = True
    run = ws.run("text2img", width=64, height=64)
    gallery = run.gallery()
    before = gallery.outputs[0].url
    sandbox.advance(7200)
    after = gallery.refresh().outputs[0].url
    assert after != before
    assert str(after).partition("?")[0] in texts(gallery)
