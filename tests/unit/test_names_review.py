"""The review of a suggested table of names, with and without its widget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from worlds import begin_anew

import comfynb
from comfynb.errors import ConfigurationError, InputError
from comfynb.names_files import read_names
from comfynb.sandbox import Sandbox
from comfynb.widgets.names_review import NamesReview

SAMPLE = ["text2img", "inpainting", "poster_print", "train"]


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """Return a sandbox without a past, whose building would take most of the time of a test."""
    return begin_anew(_server, history=0)


@pytest.fixture
def named(sandbox: Sandbox) -> Iterator[comfynb.Workspace]:
    """Connect with the example of a table of names."""
    with comfynb.connect(sandbox=sandbox, names=comfynb.example_names()) as ws:
        yield ws


@pytest.fixture
def review(named: comfynb.Workspace, tmp_path: Path) -> NamesReview:
    """Review a small database, into a file that is not there yet."""
    return named.names.review(SAMPLE, tmp_path / "names.toml")


def parts(widget: Any, kind: type) -> list[Any]:
    """Return all widgets of a kind inside another one, in their order."""
    found = [widget] if isinstance(widget, kind) else []
    return found + [each for child in getattr(widget, "children", ()) for each in parts(child, kind)]


def test_what_is_sure_is_accepted_and_the_rest_is_not(review: NamesReview, tmp_path: Path) -> None:
    """Until a person says so; what is to be decided comes first."""
    assert review.table.source_name("inpaint", "database") == "inpainting"
    assert "poster_print_broken" not in review.table
    first = next(line for line in repr(review).splitlines() if line.strip().startswith("1 "))
    assert " no " in first
    assert not (tmp_path / "names.toml").exists()


def test_rows_are_accepted_changed_and_rejected(review: NamesReview) -> None:
    """By any of their names, or by their number; then the file is saved, and says that."""
    review.accept("poster_print", standard="poster").reject("train")
    path = review.save()
    names = read_names(path)
    assert names == review.table
    assert names.standardize("Poster print broken") == "poster"
    assert names.source_name("lora_train", "database") is None
    assert names.standardize("train") == "lora_train"
    assert review.accept(1).reject(1).problem == ""


def test_a_file_in_use_is_added_to(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its comments stay."""
    path = tmp_path / "names.toml"
    path.write_text("# ours\n[names.fill] # more\naliases = ['inpaint']\n")
    with comfynb.connect(sandbox=sandbox, names=path) as ws:
        review = ws.names.review(["Fill"])
        assert review.path == path
        review.save()
        assert path.read_text().startswith("# ours\n[names.fill] # more\naliases = ['inpaint']\n")
        assert ws.names.source_name("inpaint", "database") == "Fill"


def test_what_does_not_go_together_is_not_saved(review: NamesReview) -> None:
    """Two workflows of one standard name, a name that is not standard; the problem is told, and mended."""
    review.accept("MAKEIMAGE")
    review.accept("Text to Image")
    assert "would stand for two names of the api" in review.problem
    with pytest.raises(ConfigurationError):
        review.save()
    assert not review.path.exists()
    review.reject("Text to Image").accept("poster_print", standard="Poster Print")
    assert "'Poster Print' is no standard name; 'poster_print' is." in review.problem
    assert review.problem in repr(review)
    assert review.accept("poster_print", standard="poster").problem == ""


@pytest.mark.parametrize(
    ("which", "told"), [("nothing", "No row has"), (99, "no row 99"), (0, "no row 0"), ("text2img", "3 rows")]
)
def test_a_row_that_is_not_told_apart_is_an_error(review: NamesReview, which: Any, told: str) -> None:
    """That says what to give."""
    with pytest.raises(InputError, match=told):
        review.accept(which)


def test_the_widget_does_the_same(review: NamesReview, tmp_path: Path) -> None:
    """A box is ticked, a name is changed, and the button saves."""
    widget = review.widget
    (save,) = parts(widget, ipywidgets.Button)
    (row,) = [
        box
        for box in parts(widget, ipywidgets.HBox)
        if any("poster_print" in each.value for each in parts(box, ipywidgets.HTML))
    ]
    (accepted,), (standard,) = parts(row, ipywidgets.Checkbox), parts(row, ipywidgets.Text)
    assert (accepted.value, standard.value) == (False, "poster_print_broken")
    accepted.value = True
    standard.value = "Poster"
    assert save.disabled
    assert "is no standard name" in widget.children[-1].value
    standard.value = "poster"
    assert not save.disabled
    save.click()
    assert "Saved names.toml: " in widget.children[-1].value
    assert read_names(tmp_path / "names.toml").standardize("poster print") == "poster"


def test_what_methods_do_is_seen_in_the_widget(review: NamesReview) -> None:
    """Both are one state."""
    widget = review.widget
    review.accept("poster_print", standard="poster")
    assert [each.value for each in parts(widget, ipywidgets.Text)].count("poster") == 1


def test_a_long_review_has_pages(named: comfynb.Workspace) -> None:
    """Only the rows of one are widgets."""
    names = [f"qq {number}" for number in range(90)]
    rows = len(named.names.suggest(names).rows)
    review = named.names.review(names)
    widget = review.widget
    (page,) = parts(widget, ipywidgets.BoundedIntText)
    assert len(parts(widget, ipywidgets.Checkbox)) == 25
    page.value = page.max
    assert len(parts(widget, ipywidgets.Checkbox)) == rows % 25
    assert f"… and {rows - 50} more" in repr(review)


def test_names_of_others_are_escaped(named: comfynb.Workspace, tmp_path: Path) -> None:
    """In every text of the widget and of its twins."""
    hostile = "<img src=x onerror=alert(1)>"
    review = named.names.review([hostile], tmp_path / "<b>.toml")
    shown = review._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    review.accept(hostile).save()
    texts = [each.value for each in parts(review.widget, ipywidgets.HTML)]
    for text in (*texts, shown["text/html"]):
        assert "<img" not in text
    assert any("&lt;img" in text for text in texts)
