"""Documents: what they say, that nothing in them is executed, and that writing them again changes nothing."""

from __future__ import annotations

import json
import os
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import comfynb
from comfynb.documents import ENDINGS, Document, Section, names_document, write_document
from comfynb.errors import ConfigurationError, InputError
from comfynb.warnings import PartialResultWarning

HOSTILE = "</td><script>alert(1)</script> | [x](javascript:alert(1)) `a` \x1b[31m\u202e\nline\ud800"


def document(*names: str) -> Document:
    """Return a document with a table of names."""
    table = pd.DataFrame({"name": list(names), "ids": [("a", "b")] * len(names), "last": [pd.NA] * len(names)})
    return Document("Names & such", (Section("All", ("What `ws` has.",), table, {"name": "Workflow name"}),))


@pytest.mark.parametrize("ending", ENDINGS)
def test_writing_again_changes_no_byte(tmp_path: Path, ending: str) -> None:
    """Not even the time of the file; another content replaces it as a whole, and leaves nothing else behind."""
    path = tmp_path / "deep" / f"names{ending}"
    assert write_document(path, document("fox", HOSTILE))
    os.utime(path, (1, 1))
    before = path.read_bytes()
    assert not write_document(path, document("fox", HOSTILE))
    assert (path.read_bytes(), path.stat().st_mtime) == (before, 1)
    assert write_document(path, document("hare"))
    assert list(path.parent.iterdir()) == [path]
    assert b"\r" not in before


def test_markdown_has_the_heads_for_people_and_lists_in_cells(tmp_path: Path) -> None:
    """And what is not known is empty."""
    path = tmp_path / "names.md"
    write_document(path, document("fox"))
    assert path.read_text(encoding="utf-8") == (
        "# Names & such\n\n## All\n\nWhat `ws` has.\n\n| Workflow name | ids | last |\n| --- | --- | --- |\n"
        "| fox | a, b |  |\n"
    )
    write_document(path, document())
    assert "None." in path.read_text(encoding="utf-8")


def test_hostile_names_stay_in_their_cells_in_markdown(tmp_path: Path) -> None:
    """On one line, with every sign that means something escaped."""
    path = tmp_path / "names.md"
    write_document(path, document(HOSTILE))
    row = path.read_text(encoding="utf-8").splitlines()[-1]
    assert "<script" not in row
    assert "\\|" in row
    assert row.replace("\\|", "").count("|") == 4
    assert "\x1b" not in row
    assert "\\[x\\](" in row


def test_hostile_names_are_text_in_html(tmp_path: Path) -> None:
    """A browser finds no element that is not ours."""
    path = tmp_path / "names.html"
    write_document(path, document(HOSTILE))
    found: set[str] = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.add(tag)

    Tags().feed(path.read_text(encoding="utf-8"))
    assert "script" not in found
    assert {"table", "td", "code", "h1"} <= found


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+cmd", "@sum", "-x", " =1", "\t=1"])
def test_a_spreadsheet_executes_nothing(tmp_path: Path, name: str) -> None:
    """A text that it would take for a formula begins with an apostrophe; numbers stay."""
    path = tmp_path / "names.csv"
    write_document(path, document(name, "-5", "a,b"))
    read = pd.read_csv(path)
    assert read["name"].iloc[0].startswith("'")
    assert read["name"].tolist()[1:] == ["-5", "a,b"]
    assert read["ids"].iloc[0] == "a, b"


def test_json_keeps_lists_and_what_is_not_known(tmp_path: Path) -> None:
    """And the names as they are, under the names of the columns."""
    path = tmp_path / "names.json"
    write_document(path, document("=fox|"))
    assert json.loads(path.read_text(encoding="utf-8")) == [{"name": "=fox|", "ids": ["a", "b"], "last": None}]


def test_an_unknown_ending_lists_those_that_there_are(tmp_path: Path) -> None:
    """Before anything is read or written."""
    with pytest.raises(InputError, match=r"names\.docx ends in \.docx; a document ends in \.md, \.csv, \.json, \.html"):
        write_document(tmp_path / "names.docx", document())
    with pytest.raises(InputError, match="ends in nothing"):
        write_document(tmp_path / "names", document())


def test_what_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """And leaves what was there."""
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ConfigurationError, match=r"names\.md cannot be written: "):
        write_document(tmp_path / "file" / "names.md", document("fox"))
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(ConfigurationError, match=r"folder\.md cannot be written: Is a directory\."):
        write_document(tmp_path / "folder.md", document("fox"))


# The document of names


def test_the_document_of_names_has_what_was_compared(tmp_path: Path, ws: comfynb.Workspace) -> None:
    """Name here, name there, standard name and differences; then collisions, and what was left out."""
    path = tmp_path / "WORKFLOW_NAME_MAPPING.md"
    ws.upload_workflow("Text2Img", {"nodes": []}, {"1": {"class_type": "SaveImage", "inputs": {}}})
    with pytest.warns(PartialResultWarning):
        compared = ws.names.compare(["In Paint", "text2img", None, "a|b <b>"])
    assert write_document(path, names_document(compared))
    text = path.read_text(encoding="utf-8")
    assert "| API workflow name | Database workflow name | Standardized name | Match | Likeness | Notes" in text
    assert "| inpaint | In Paint | inpaint | fuzzy | 93.3 | case, separators |" in text
    assert "a\\|b &lt;b&gt;" in text
    assert "## Collisions" in text
    assert "## Remarks" in text
    assert "1 of 4 cells is empty: cell 3" in text
    with pytest.warns(PartialResultWarning):
        again = ws.names.compare(["a|b <b>", "text2img", None, "In Paint"])
    again.attrs["remarks"] = compared.attrs["remarks"]
    assert not write_document(path, names_document(again))


def test_the_document_of_names_without_a_database(tmp_path: Path, ws: comfynb.Workspace) -> None:
    """Has the workflows with their standard names."""
    path = tmp_path / "names.csv"
    write_document(path, names_document(ws.names.table()))
    assert path.read_text(encoding="utf-8").splitlines()[:2] == [
        "name,database_name,standard_name,origin,notes",
        "img2vid - wan 2.1,,img2vid_wan_2_1,rule,",
    ]
