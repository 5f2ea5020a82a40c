"""Files of rules: where they are found, at which line something stands, and that changes are seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comfynb.errors import ConfigurationError
from comfynb.rules_files import RulesFile, Watched, find_rules_file

NAME = "rules.toml"

TEXT = '''# a comment with key = "value" in it
top = "a"
[names.text2img]
aliases = [
  "makeimage",  # [not a table]
  "text-to-image",
]
note = """
[names.fake]
x = 1
"""

[names."two words"]
a.b = 1
'odd = key' = ["z"]
[[list]]
x = 2
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of a project, with a configuration folder of its own for the user."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    folder = tmp_path / "project"
    (folder / "notebooks" / "deep").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    monkeypatch.chdir(folder / "notebooks" / "deep")
    return folder


def put(path: Path, text: str = "x = 1\n") -> Path:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nearest_file_holds(project: Path, tmp_path: Path) -> None:
    """From the working directory up to the project, `config` beside each; then the user's; none above the project."""
    put(tmp_path / NAME)
    assert find_rules_file(NAME) is None
    user = put(tmp_path / "user" / "comfynb" / NAME)
    for path in (user, project / "config" / NAME, project / NAME, project / "notebooks" / "config" / NAME):
        put(path)
        assert find_rules_file(NAME) == path


def test_a_named_file_has_to_be_there(project: Path) -> None:
    """A default one has not; the message says who named it."""
    put(project / NAME)
    assert find_rules_file(NAME, named=project / NAME) == project / NAME
    with pytest.raises(ConfigurationError, match=r"other\.toml is no file; COMFYNB_RULES names it"):
        find_rules_file(NAME, named="other.toml", by="COMFYNB_RULES")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("top",), 2),
        (("names", "text2img"), 3),
        (("names", "text2img", "aliases"), 4),
        (("names", "text2img", "note"), 8),
        (("names", "text2img", "missing"), 3),
        (("names", "two words"), 13),
        (("names", "two words", "a", "b"), 14),
        (("names", "two words", "odd = key"), 15),
        (("list", "x"), 17),
        (("nothing",), 1),
    ],
)
def test_a_key_is_told_with_its_line(keys: tuple[str, ...], line: int, tmp_path: Path) -> None:
    """Quoted and dotted keys too; nothing in comments and long texts is taken for a key."""
    assert RulesFile.read(put(tmp_path / NAME, TEXT)).line(keys) == line


def test_an_element_of_a_list_is_told_with_its_line(tmp_path: Path) -> None:
    """Of one that is not there, the line of the list."""
    path = put(tmp_path / NAME, TEXT)
    file = RulesFile.read(path)
    keys = ("names", "text2img", "aliases")
    assert [file.line(keys, text) for text in ("makeimage", "text-to-image", "other")] == [5, 6, 4]
    assert file.problem(keys, "it is taken.", "text-to-image") == f"{path}, line 6: it is taken."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = 1\nb = = 2\n", r"line 2: Invalid value"),
        (b"a = 1\na = 2\n", r"line 2: Cannot overwrite a value"),
        (b'a = 1\nb = """', r"line 2: "),
        (b"a = '\xff'", "byte 5 is not UTF-8"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "cannot be read: its lists or tables are nested too deep"),
    ],
)
def test_a_file_that_is_no_toml_is_an_error_with_its_line(content: bytes, said: str, tmp_path: Path) -> None:
    """Where it has one, and with its path."""
    path = tmp_path / NAME
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as caught:
        RulesFile.read(path)
    assert str(path) in str(caught.value)


def test_editors_of_windows_are_understood(tmp_path: Path) -> None:
    """A byte order mark, and their line ends."""
    path = tmp_path / NAME
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    file = RulesFile.read(path)
    assert file.data == {"a": 1, "b": 2}
    assert file.line(["b"]) == 2


def test_a_changed_file_is_read_again(project: Path) -> None:
    """One that came, one that changed, one that broke, and one that went; and no other."""
    made: list[Path | None] = []

    def make(path: Path | None) -> object:
        made.append(path)
        return None if path is None else RulesFile.read(path).data

    watched = Watched(lambda: find_rules_file(NAME), make)
    assert watched.get() is None
    path = put(project / NAME)
    assert watched.get() == watched.get() == {"x": 1}
    put(path, "x = 2\n")
    os.utime(path, ns=(1, 1))
    assert watched.get() == {"x": 2}
    put(path, "x = \n")
    with pytest.raises(ConfigurationError, match="line 1"):
        watched.get()
    path.unlink()
    assert watched.get() is None
    assert made == [None, path, path, path, None]
