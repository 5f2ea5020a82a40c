"""`comfynb names`: standard names and comparisons in a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Command

from comfynb.names_files import read_names, sample_database
from comfynb.sandbox import Sandbox


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the working directory a project, so that no file of names above it holds, nor one of the user's."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))


def test_it_shows_all_workflows_with_their_standard_names(cli: Command) -> None:
    """And that there is no table of names."""
    done = cli("names")
    assert done.code == 0
    assert "img2vid_wan_2_1" in done.out
    assert "table of names: none; comfynb names --init" in done.out


def test_init_writes_a_table_that_holds_at_once(cli: Command, tmp_path: Path) -> None:
    """And never writes over one."""
    assert "Wrote workflow-names.toml" in cli("names", "--init").out
    path = tmp_path / "workflow-names.toml"
    assert read_names(path).standardize("train") == "lora_train"
    shown = cli("names")
    assert "MAKEIMAGE, Text to Image" in shown.out
    path.write_text("# mine\n")
    done = cli("names", "--init")
    assert (done.code, done.said) == (2, "workflow-names.toml is there already; it is not written over.")
    assert path.read_text() == "# mine\n"


def test_it_compares_with_a_database(cli: Command, tmp_path: Path) -> None:
    """And counts the matches."""
    cli("names", "--init")
    done = cli("names", "--database", str(sample_database()))
    assert done.code == 0
    assert "Names of workflows and of column 'name' of sample_database_names.csv" in done.out
    assert "2 alias, 1 case, 1 exact, 2 fuzzy, 4 none, 1 rule" in done.out
    (tmp_path / "names.csv").write_text("a,title\ninpaint,text2img\n")
    assert "1 exact" in cli("names", "--database", "names.csv", "--column", "title").out


def test_json_is_all_that_stands_on_standard_output(cli: Command, tmp_path: Path) -> None:
    """With null for what is not known."""
    (tmp_path / "names.json").write_text('["inpaint", "\\ud800", "", "only here"]')
    done = cli("names", "--database", "names.json", "--json")
    rows = {row["database_name"]: row for row in json.loads(done.out)}
    assert rows["inpaint"]["match"] == "exact"
    assert (rows["only here"]["name"], rows["only here"]["notes"]) == (None, ["only on one side"])
    assert "Note: Cells of the database without a name are left out: 1 of 4 cells is blank: cell 3." in done.said
    assert json.loads(cli("names", "--json").out)[0].keys() >= {"name", "standard_name", "collides_with"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--init", "--json"), "--init goes alone."),
        (("--column", "x"), "--column goes with --database."),
        (("--database", "nowhere.csv"), "There is no file 'nowhere.csv'."),
        (("--database", "names.txt"), "'names.txt' is no CSV, JSON or Parquet file"),
    ],
)
def test_wrong_usage_is_one_sentence(cli: Command, words: tuple[str, ...], said: str) -> None:
    """On standard error, with exit code 2."""
    done = cli("names", *words)
    assert done.code == 2
    assert done.said.startswith(said)


def test_a_wrong_table_of_names_is_told_with_its_lines(cli: Command, tmp_path: Path, sandbox: Sandbox) -> None:
    """By every command, before anything is asked."""
    (tmp_path / "workflow-names.toml").write_text("[names.a]\nalias = ['x']\n[names.b]\n")
    for command in ("names", "workflow"):
        done = cli(command)
        assert done.code == 2
        assert "workflow-names.toml, line 2: [names.a] 'alias' is none of" in done.err
        assert "workflow-names.toml, line 3: [names.b] it says nothing" in done.err
    assert sandbox.counters.of("GET") == 0


@pytest.mark.parametrize("ending", ["md", "csv", "json", "html"])
def test_the_document_is_written_once(cli: Command, tmp_path: Path, ending: str) -> None:
    """Again only when a name has changed."""
    words = ("names", "--database", str(sample_database()), "--out", f"docs/NAMES.{ending}")
    done = cli(*words)
    assert (done.code, done.out) == (0, f"Wrote docs/NAMES.{ending}\n")
    path = tmp_path / "docs" / f"NAMES.{ending}"
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert "says so already; nothing was written" in cli(*words).out
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert b"127.0.0.1" not in before[0]
    cli("names", "--init")
    assert "Wrote" in cli(*words).out
    assert json.loads(cli(*words, "--json").out)


def test_a_document_of_another_kind_is_refused_before_anything_is_asked(cli: Command, sandbox: Sandbox) -> None:
    """With what can be written."""
    done = cli("names", "--out", "names.docx")
    assert (done.code, sandbox.counters.of("GET")) == (2, 0)
    assert ".md, .csv, .json, .html" in done.said
