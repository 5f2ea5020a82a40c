"""What a run made, out of the server's output rows."""

from __future__ import annotations

from typing import Any

import pytest

from comfynb.api.models import Output
from comfynb.services.results import ResultFile, result_files

RUN = "r1"


def row(data: Any, node_id: Any = "9", **more: Any) -> dict[str, Any]:
    """Return an output row as real machines post it: without the class of the node."""
    return {"data": data, "node_meta": {"node_id": node_id}, **more}


def one(data: Any, **more: Any) -> ResultFile:
    """Return the only thing in an output row."""
    (file,) = result_files([row(data, **more)], RUN)
    return file


@pytest.mark.parametrize(
    ("key", "name", "kind"),
    [
        ("images", "a.png", "image"),
        ("images", "a.WEBP", "image"),
        ("gifs", "a.mp4", "video"),
        ("gifs", "a.gif", "image"),
        ("videos", "clip", "video"),
        ("audio", "a.flac", "audio"),
        ("audio", "voice", "audio"),
        ("mesh", "a.glb", "3d"),
        ("files", "a.txt", "text"),
        ("files", "a.safetensors", "file"),
        ("text_file", "notes", "file"),
        ("brand_new", "a.png", "image"),
        ("brand_new", "a.xyz", "file"),
    ],
)
def test_the_kind_follows_from_the_ending_else_from_the_key(key: str, name: str, kind: str) -> None:
    """The words of nodes are an open set, so an unknown one still gives its files."""
    assert one({key: [{"filename": name, "url": f"https://h/{name}"}]}).kind == kind


def test_everything_that_is_known_of_a_file_is_kept() -> None:
    """Name, URL, node, output name, folder, run."""
    data = {"images": [{"filename": "a.png", "url": "https://h/a.png", "subfolder": "x", "type": "output"}]}
    assert one(data, output_id="cover") == ResultFile(
        "image", "a.png", "https://h/a.png", None, "9", None, "cover", RUN, "x"
    )


def test_the_class_of_a_node_comes_from_the_graph_where_the_row_lacks_it() -> None:
    """Real machines tell it for texts only."""
    rows = [row({"images": [{"filename": "a.png"}]}), {"data": {"text": ["x"]}, "node_meta": {"node_class": "Show"}}]
    assert [file.node_class for file in result_files(rows, RUN, {"9": "SaveImage"})] == ["SaveImage", "Show"]


def test_models_and_plain_rows_are_the_same() -> None:
    """The run's own outputs are models, those of the lists are not."""
    plain = row({"images": [{"filename": "a.png", "url": "https://h/a.png"}]})
    assert result_files([Output(**plain)], RUN) == result_files([plain], RUN)


def test_texts_that_come_with_the_answer_are_kept_as_they_are() -> None:
    """In a list or alone; an output's name becomes that of the text."""
    files = result_files([row({"text": ["a", "b"]}), row({"string": "c"}, output_id="caption")], RUN)
    assert [(file.kind, file.filename, file.text, file.url) for file in files] == [
        ("text", "text_9.txt", "a", None),
        ("text", "text_9.txt", "b", None),
        ("text", "caption.txt", "c", None),
    ]


def test_a_bare_url_is_a_file() -> None:
    """Its name is the last part of the path, unescaped."""
    file = one({"images": ["https://h/some%20path/a%20b.png?signature=x"]})
    assert (file.filename, file.kind) == ("a b.png", "image")


@pytest.mark.parametrize(
    "outputs",
    [
        None,
        [],
        [row(None)],
        [row([{"node": "9", "seconds": 0.1}])],
        [row({"exception_message": "no", "node_id": "9", "text": ["x"]})],
        [row({"animated": [True], "images": []})],
        [row({"images": [None, 7, "no url", {}, {"type": "output"}]})],
        ["text", None, 7],
    ],
)
def test_what_is_no_output_is_passed_over(outputs: Any) -> None:
    """Node timings, errors, flags, and what makes no sense."""
    assert result_files(outputs, RUN) == ()


def test_a_file_that_is_listed_twice_is_one_file() -> None:
    """The URL of a private one is signed anew for each answer, so it does not tell files apart."""
    rows = [row({"images": [{"filename": "a.png", "url": f"https://h/a.png?signature={n}"}]}) for n in range(2)]
    assert len(result_files(rows, RUN)) == 1
    other = [row({"images": [{"filename": "a.png", "subfolder": folder}]}) for folder in ("", "b")]
    assert len(result_files(other, RUN)) == 2


def test_a_batch_keeps_its_order() -> None:
    """Three pictures in one row."""
    names = ["c.webp", "a.webp", "b.webp"]
    files = result_files([row({"images": [{"filename": name} for name in names]})], RUN)
    assert [file.filename for file in files] == names
