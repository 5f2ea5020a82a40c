"""Files of names: the one that holds here, what is wrong with one, and those that come with comfynb."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from comfynb.errors import ConfigurationError
from comfynb.rules.names_table import (
    MOST_TOLD,
    NO_NAMES,
    SOURCES,
    NameRow,
    NamesTable,
    Problem,
    checked_names,
    told_problems,
)
from comfynb.rules.text import tidy
from comfynb.rules_files import RulesFile, Watched, find_rules_file, replace_file

NAMES_FILE: Final = "workflow-names.toml"
"""What a file of names is called by default."""
NAMES_VARIABLE: Final = "COMFYNB_NAMES"

_DATA: Final = Path(__file__).parent / "data"

NamesOption: TypeAlias = str | Path | NamesTable | Literal[False] | None
"""What `connect(names=…)` takes."""


class NamesInUse:
    """The table of names that holds, read again when its file changes or another file holds.

    Parameters
    ----------
    names : str, pathlib.Path, NamesTable, False or None
        A file, which has to be there; a table; False for none. None looks for one.
    variable : str or None
        The file that `COMFYNB_NAMES` names; goes before looking for one.
    """

    def __init__(self, names: NamesOption = False, variable: str | None = None) -> None:
        if names is not None and names is not False and not isinstance(names, str | Path | NamesTable):
            raise ConfigurationError(f"names={names!r} is no file, no NamesTable, and not False.")
        self._table = names if isinstance(names, NamesTable) else NO_NAMES if names is False else None
        self._named = names if isinstance(names, str | Path) and names else variable
        self._by = "names=" if isinstance(names, str | Path) and names else NAMES_VARIABLE
        self._watched = Watched(self._find, _make)

    def get(self) -> NamesTable:
        """Return the table that holds now.

        Raises
        ------
        ConfigurationError
            If its file cannot be used: with each problem, its file and line.
        """
        return self._table if self._table is not None else self._watched.get()

    @property
    def path(self) -> Path | None:
        """The file that holds now, or None where there is none."""
        return None if self._table is not None else self._find()

    def _find(self) -> Path | None:
        return find_rules_file(NAMES_FILE, named=self._named, by=self._by)


def read_names(path: str | Path) -> NamesTable:
    """Read a file of names.

    Raises
    ------
    ConfigurationError
        With each problem, its file and its line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "workflow-names.toml"
    >>> written = path.write_text(example_names_text(), encoding="utf-8")
    >>> read_names(path).standardize("Super Resolution")
    'upscale'
    """
    file = RulesFile.read(path)
    problems = [
        Problem((key,), f"{key!r} is unknown; a file of names has tables like [names.text2img].")
        for key in file.data
        if key != "names"
    ]
    rows: Any = file.data.get("names", {})
    if not isinstance(rows, dict):
        problems.append(Problem(("names",), "it has to be a table: [names.text2img]."))
        rows = {}
    table, more = checked_names(rows)
    problems += more
    if table is None or problems:
        placed = sorted((file.line(p.keys, p.text), number, p) for number, p in enumerate(problems[:MOST_TOLD]))
        lines = [f"{file.path}, line {line}: {_about(p)}{p.what}" for line, _, p in placed]
        # The others are only counted.
        raise ConfigurationError(told_problems(lines + [""] * (len(problems) - len(lines))))
    return table


def save_names(path: str | Path, rows: Mapping[str, NameRow]) -> Path:
    """Write rows into a file of names; comments, and rows that are not among these, stay as they are.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, which need not be there yet.
    rows : mapping of str to NameRow
        By standard name, all that the file is to say of it.

    Returns
    -------
    pathlib.Path
        The file. It was not written if it said all that before.

    Raises
    ------
    ConfigurationError
        If the file that is there, or what would come of it, is no good file of names; it stays as it was.
    """
    import tomlkit

    path = Path(path).expanduser().resolve()
    standing = read_names(path).rows if path.exists() else {}
    changed = {name: row for name, row in rows.items() if standing.get(name) != row}
    if not changed:
        return path
    wanted = NamesTable({**standing, **rows})  # what is wrong with it is told before anything is written
    document = tomlkit.parse(path.read_text(encoding="utf-8-sig") if path.exists() else "")
    if "names" not in document:
        document.append("names", tomlkit.table(is_super_table=True))
    tables: Any = document["names"]
    for name, row in changed.items():
        content: dict[str, Any] = {"aliases": list(row.aliases)} if row.aliases else {}
        content.update({source: called for source in SOURCES if (called := getattr(row, source)) is not None})
        if isinstance(tables.get(name), dict):
            for key in [key for key in tables[name] if key not in content]:
                del tables[name][key]
            for key, value in content.items():
                if tables[name].get(key) != value:
                    tables[name][key] = value
        else:
            tables[name] = content
    text = tomlkit.dumps(document)
    if checked_names(tomllib.loads(text).get("names", {}))[0] != wanted:
        raise ConfigurationError(f"{path.name} is written in a way that cannot be added to; put the rows in by hand.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be written: {error.strerror}.") from None
    return path


def example_names() -> NamesTable:
    """Return the example of a table: names that are common for the same kinds of workflows.

    It is never used unless it is asked for: ``comfynb.connect(names=comfynb.example_names())``. The command
    ``comfynb names --init`` writes it down as a file to start from.

    Returns
    -------
    NamesTable
        Seven standard names with their aliases.

    Examples
    --------
    >>> example_names().standardize("MAKEIMAGE"), example_names().standardize("image-to-image")
    ('text2img', 'img2img')
    """
    return read_names(_DATA / "workflow-names.example.toml")


def example_names_text() -> str:
    """Return the file of the example, with its comments."""
    return (_DATA / "workflow-names.example.toml").read_text(encoding="utf-8")


def sample_database() -> Path:
    """Return a small CSV file of workflows as a database may list them, to try comparisons on.

    Examples
    --------
    >>> sample_database().name
    'sample_database_names.csv'
    """
    return _DATA / "sample_database_names.csv"


def _make(path: Path | None) -> NamesTable:
    return NO_NAMES if path is None else read_names(path)


def _about(problem: Problem) -> str:
    """Return which table a problem is in, for problems that do not say so themselves."""
    return f"[{tidy('.'.join(problem.keys[:2]), 60)}] " if len(problem.keys) > 1 else ""
