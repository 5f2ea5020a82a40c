"""Files of names: which one holds, what is wrong with one, and writing into one."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path

import pytest

import comfynb
from comfynb.errors import ConfigurationError
from comfynb.names_files import NamesInUse, example_names_text, read_names, sample_database, save_names
from comfynb.rules.names_table import NO_NAMES, NameRow


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of a project, with a configuration folder of its own for the user."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_problems_name_file_line_and_what_is_wrong(tmp_path: Path) -> None:
    """All of them, in the order of the lines."""
    path = tmp_path / "names.toml"
    path.write_text(
        "title = 1\n[names.a]\naliases = [\n  'x',\n  'y',\n]\n"
        "[names.b]\naliases = ['Y']\n[names.'C c']\nalias = ['z']\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        read_names(path)
    assert str(caught.value).splitlines() == [
        f"{path}, line 1: 'title' is unknown; a file of names has tables like [names.text2img].",
        f"{path}, line 8: [names.b] 'Y' means 'a' already; a name can mean one thing only.",
        f"{path}, line 9: [names.C c] 'C c' is no standard name; 'c_c' is.",
        f"{path}, line 10: [names.C c] 'alias' is none of aliases, api, database; aliases is meant, perhaps.",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("names = 1\n", "line 1: it has to be a table: [names.text2img]."),
        ("[names.a]\naliases = ['x'\n", "line 3:"),
        ("[names.a]\naliases = ['b']\n[names.b]\naliases = ['a']\n", "line 2: [names.a] 'b' goes round: b → a → b;"),
        ("# nothing\n\n[names.a]\n", "line 3: [names.a] it says nothing"),
        ("[names.a]\naliases = ['x']\n[names.a]\n", "line 3:"),
    ],
)
def test_a_wrong_file_is_an_error_with_the_line(tmp_path: Path, text: str, told: str) -> None:
    """Also where it is no TOML."""
    path = tmp_path / "names.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_names(path)
    assert f"{path}, {told}" in str(caught.value)


def test_a_file_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    """A template that nobody filled in yet, say."""
    path = tmp_path / "names.toml"
    path.write_text("# [names.text2img]\n")
    assert len(read_names(path)) == 0


def test_ten_thousand_rows_are_read_in_well_under_a_second(tmp_path: Path) -> None:
    """And one problem among them is told with its line as soon."""
    path = tmp_path / "names.toml"
    text = "".join(f'[names.workflow_{n}]\naliases = ["Alias {n} a", "other-{n}"]\n' for n in range(10_000))
    path.write_text(text)
    begun = time.thread_time()
    assert read_names(path).standardize("OTHER 9999") == "workflow_9999"
    path.write_text(text + '[names.x]\naliases = ["Other 77"]\n')
    with pytest.raises(ConfigurationError, match=r"line 20002: \[names.x\] 'Other 77' means 'workflow_77' already"):
        read_names(path)
    assert time.thread_time() - begun < 3.0  # both take less than half a second where nothing else runs


def test_the_nearest_file_holds_and_is_read_again(project: Path) -> None:
    """One that appears, changes or goes is seen at the next use; a broken one is an error until it is mended."""
    names = NamesInUse(None)
    assert names.get() is NO_NAMES
    assert names.path is None
    path = project / "config" / "workflow-names.toml"
    path.parent.mkdir()
    path.write_text("[names.a]\naliases = ['x']\n")
    assert names.get().standardize("X") == "a"
    assert names.get() is names.get()
    assert names.path == path
    path.write_text("[names.bb]\naliases = ['x']\n")
    assert names.get().standardize("X") == "bb"
    path.write_text("[names.bb\n")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="line 1"):
            names.get()
    path.unlink()
    assert names.get().standardize("X") == "x"


def test_what_is_named_goes_before_what_is_found(project: Path) -> None:
    """A file by an argument, one by the variable, a table, or none at all."""
    (project / "workflow-names.toml").write_text("[names.found]\naliases = ['x']\n")
    other = project / "other.toml"
    other.write_text("[names.other]\naliases = ['x']\n")
    assert NamesInUse(None).get().standardize("x") == "found"
    assert NamesInUse(None, variable=str(other)).get().standardize("x") == "other"
    assert NamesInUse(other, variable="nowhere.toml").get().standardize("x") == "other"
    assert NamesInUse(comfynb.NamesTable({"t": ["x"]}), variable=str(other)).get().standardize("x") == "t"
    assert NamesInUse(False, variable=str(other)).get().standardize("x") == "x"
    with pytest.raises(ConfigurationError, match=r"nowhere.toml is no file; COMFYNB_NAMES names it"):
        NamesInUse(None, variable="nowhere.toml").get()
    with pytest.raises(ConfigurationError, match=r"nowhere.toml is no file; names= names it"):
        NamesInUse("nowhere.toml").get()
    with pytest.raises(ConfigurationError, match="names=True is no file, no NamesTable"):
        NamesInUse(True)  # type: ignore[arg-type]


def test_the_example_has_the_names_that_are_common(tmp_path: Path) -> None:
    """And its file is the same table, with comments."""
    names = comfynb.example_names()
    known = {
        "makeimage": "text2img",
        "text-to-image": "text2img",
        "train": "lora_train",
        "tooncraft": "toon",
        "video": "img2vid",
        "inpainting": "inpaint",
        "image-to-image": "img2img",
        "super-resolution": "upscale",
        "upscale_esrgan": "upscale",
    }
    assert {name: names.standardize(name) for name in known} == known
    path = tmp_path / "names.toml"
    path.write_text(example_names_text(), encoding="utf-8")
    assert read_names(path) == names
    assert sample_database().is_file()


def test_rows_are_put_into_a_file_and_comments_stay(tmp_path: Path) -> None:
    """Only what changes is touched."""
    path = tmp_path / "names.toml"
    path.write_text(
        "# ours\n[names.text2img]\naliases = [\n  'makeimage', # the old bot\n]\ndatabase = 't2i'\n\n"
        "[names.toon] # keep\naliases = ['tooncraft']\n",
        encoding="utf-8",
    )
    rows = {
        "text2img": NameRow(("makeimage",), "Text to Image", "t2i"),
        "größe": NameRow(api='a "name"'),
        "toon": NameRow(("tooncraft",)),
    }
    assert save_names(path, rows) == path
    text = path.read_text(encoding="utf-8")
    assert read_names(path).rows == rows
    for kept in ("# ours\n", "'makeimage', # the old bot", "[names.toon] # keep\naliases = ['tooncraft']\n"):
        assert kept in text
    stamp = path.stat()
    save_names(path, rows)
    assert path.stat().st_mtime_ns == stamp.st_mtime_ns
    assert [each.name for each in tmp_path.iterdir()] == ["names.toml"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "# only a comment\n",
        "[names]\na = ['x']\n",
        "names.a.aliases = ['x']\n",
        "[names.a]\naliases = ['x']\n",
        "[names]\na = {aliases = ['x']}\n",
    ],
)
def test_rows_can_be_put_into_whatever_toml_allows(tmp_path: Path, text: str | None) -> None:
    """Also where there is no file, and no folder, yet."""
    path = tmp_path / "config" / "names.toml"
    if text is not None:
        path.parent.mkdir()
        path.write_text(text)
    save_names(path, {"a": NameRow(("x",), database="d"), "b": NameRow(api="B!")})
    assert read_names(path).rows == {"a": NameRow(("x",), database="d"), "b": NameRow(api="B!")}


def test_a_bad_table_is_not_written(tmp_path: Path) -> None:
    """Nor is a file that was bad before; both stay as they were."""
    path = tmp_path / "names.toml"
    path.write_text("[names.a]\naliases = ['x']\n")
    with pytest.raises(ConfigurationError, match="'x' means 'a' already"):
        save_names(path, {"b": NameRow(("x",))})
    assert tomllib.loads(path.read_text()) == {"names": {"a": {"aliases": ["x"]}}}
    path.write_text("[names.a\n")
    with pytest.raises(ConfigurationError, match="line 1"):
        save_names(path, {"b": NameRow(("x",))})
    assert path.read_text() == "[names.a\n"
