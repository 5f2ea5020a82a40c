"""A table of names: which names, beside their standard spelling, mean one standard name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from comfynb.errors import ConfigurationError, InputError
from comfynb.rules.lookup import nearest
from comfynb.rules.naming import display_name, standardize_all, standardize_workflow_name
from comfynb.rules.text import tidy

__all__ = [
    "MOST_TOLD",
    "NO_NAMES",
    "SOURCES",
    "NameRow",
    "NamesTable",
    "Problem",
    "Source",
    "checked_names",
    "told_problems",
    "toml_key",
    "toml_text",
]

Source: TypeAlias = Literal["api", "database"]
SOURCES: Final[tuple[Source, ...]] = ("api", "database")
"""Where names come from: the API, and whatever else lists workflows."""

_KEYS: Final = ("aliases", *SOURCES)
MOST_TOLD: Final = 20
"""Problems that one message tells; nobody reads more before they put some right."""
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class NameRow:
    """What a table says about one standard name.

    Parameters
    ----------
    aliases : tuple of str
        Other names that mean it.
    api, database : str or None
        What it is called there; these mean it, too.
    """

    aliases: tuple[str, ...] = ()
    api: str | None = None
    database: str | None = None

    def names(self) -> tuple[str, ...]:
        """Return every name that means it."""
        return (*self.aliases, *(name for name in (self.api, self.database) if name is not None))


class Problem(NamedTuple):
    """What is wrong with a table.

    Parameters
    ----------
    keys : tuple of str
        The path of the key that it is about, such as ``("names", "text2img", "aliases")``.
    what : str
        A sentence.
    text : str or None
        The element of a list that it is about.
    """

    keys: tuple[str, ...]
    what: str
    text: str | None = None


class NamesTable:
    """Standard names, and the names that mean them. Case and separators of all of these do not matter.

    Parameters
    ----------
    rows : mapping
        By standard name, either the aliases, or a mapping that has `aliases`, and `api` and `database` for what it is
        called there.

    Raises
    ------
    ConfigurationError
        With every problem at once: a name that is not standard, an alias of two names, an alias that is a standard name
        of the table itself, a cycle of these, a row that says nothing.

    Examples
    --------
    >>> names = NamesTable({"text2img": ["makeimage"], "upscale": {"aliases": ["Super-Resolution"], "database": "up"}})
    >>> names.standardize("MakeImage"), names.standardize("super resolution"), names.standardize("Any Other Name")
    ('text2img', 'upscale', 'any_other_name')
    >>> names.source_name("upscale", "database")
    'up'
    """

    __slots__ = ("__weakref__", "_meaning", "_rows")

    def __init__(self, rows: Mapping[str, Iterable[str] | Mapping[str, Any] | NameRow] | None = None) -> None:
        read, meaning, problems = _read(rows or {}, ())
        if problems:
            raise ConfigurationError(told_problems([f"{'.'.join(p.keys)}: {p.what}" for p in problems]))
        self._rows, self._meaning = read, meaning

    @property
    def rows(self) -> Mapping[str, NameRow]:
        """Its rows, by standard name, in their order."""
        return MappingProxyType(self._rows)

    def standardize(self, name: str) -> str:
        """Return the standard name: what the table says, else what the rule makes of it.

        Raises
        ------
        InputError
            For a name with neither a letter nor a digit that is no alias.
        """
        try:
            by_rule = standardize_workflow_name(name)
        except InputError:
            meant = self._meaning.get(display_name(name))
            if meant is None:
                raise
            return meant
        return self._meaning.get(by_rule, by_rule)

    def standardize_all(self, names: Sequence[str]) -> list[str | None]:
        """Return the standard names of many names, and None for those that have none."""
        found = standardize_all(names)
        if not self._meaning:
            return found
        return [
            self._meaning.get(display_name(name)) if standard is None else self._meaning.get(standard, standard)
            for name, standard in zip(names, found, strict=True)
        ]

    def renames(self, name: str) -> bool:
        """Whether the table, and not the rule, decides what is the standard name of this."""
        try:
            return self.standardize(name) != standardize_workflow_name(name)
        except InputError:
            return display_name(name) in self._meaning

    def source_name(self, standard: str, source: Source) -> str | None:
        """Return what a standard name is called in the API or the database, or None if the table does not say."""
        row = self._rows.get(standard)
        return None if row is None else getattr(row, source)

    def toml(self) -> str:
        """Return it as the text of a file.

        Examples
        --------
        >>> print(NamesTable({"text2img": ["makeimage"]}).toml(), end="")
        [names.text2img]
        aliases = ["makeimage"]
        """
        return "\n".join(_row_toml(name, row) for name, row in self._rows.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamesTable) and (self is other or self._rows == other._rows)

    def __hash__(self) -> int:
        return hash(tuple(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, standard: object) -> bool:
        return standard in self._rows

    def __repr__(self) -> str:
        if not self._rows:
            return "NamesTable: no rows; names become standard by the rule alone."
        lines = [
            f"  {tidy(name)}: {', '.join(tidy(alias, 60) for alias in dict.fromkeys(row.names()))}"
            for name, row in list(self._rows.items())[:MOST_TOLD]
        ]
        more = [f"  … and {len(self) - MOST_TOLD} more"] if len(self) > MOST_TOLD else []
        return "\n".join([f"NamesTable of {len(self)} standard names, and what means them:", *lines, *more])


def checked_names(
    rows: Mapping[str, Any], keys: tuple[str, ...] = ("names",)
) -> tuple[NamesTable | None, list[Problem]]:
    """Return a table and no problems, or None and every problem.

    Parameters
    ----------
    rows : mapping
        As `NamesTable` takes them; may be anything that a file says.
    keys : tuple of str
        The path of the rows, which the paths of the problems begin with.
    """
    read, meaning, problems = _read(rows, keys)
    if problems:
        return None, problems
    table = NamesTable()
    table._rows, table._meaning = read, meaning
    return table, []


def told_problems(lines: list[str]) -> str:
    """Return the message for problems: one a line, and how many more there are."""
    more = [f"… and {len(lines) - MOST_TOLD} more problems."] if len(lines) > MOST_TOLD else []
    return "\n".join([*lines[:MOST_TOLD], *more])


def toml_text(text: str) -> str:
    r"""Return a text as TOML writes it, on one line and with everything that cannot be seen written out.

    Examples
    --------
    >>> print(toml_text('a "b"\n'))
    "a \"b\"\u000A"
    """
    return '"' + "".join(_toml_character(character) for character in text) + '"'


def _toml_character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "�"  # half a character, which no file can hold
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def toml_key(text: str) -> str:
    """Return a key as TOML writes it."""
    return text if _BARE_KEY.fullmatch(text) else toml_text(text)


def _row_toml(name: str, row: NameRow) -> str:
    lines = [f"[names.{toml_key(name)}]"]
    if row.aliases:
        lines.append(f"aliases = [{', '.join(map(toml_text, row.aliases))}]")
    for source in SOURCES:
        called = getattr(row, source)
        if called is not None:
            lines.append(f"{source} = {toml_text(called)}")
    return "\n".join(lines) + "\n"


def _read(rows: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[dict[str, NameRow], dict[str, str], list[Problem]]:
    """Return the rows, the standard name of everything that means one, and the problems."""
    problems: list[Problem] = []
    read: dict[str, NameRow] = {}
    for name, row in rows.items():
        problems += _problems_of_name(name, (*keys, str(name)))
        read[name] = _read_row(row, (*keys, str(name)), problems)
    meaning: dict[str, str] = {}
    crossed: dict[str, tuple[str, Problem]] = {}
    for name, row in read.items():
        for key, called in _called(row):
            spelled = _spelled(called)
            path = (*keys, str(name), key)
            if not spelled:
                problems.append(Problem(path, "a name is empty.", called))
            elif spelled != name and spelled in read:
                what = f"{_shown(called)} is a standard name of the table itself; one of the two has to go."
                crossed.setdefault(spelled, (name, Problem(path, what, called)))
            elif meaning.setdefault(spelled, name) != name:
                what = f"{_shown(called)} means {_shown(meaning[spelled])} already; a name can mean one thing only."
                problems.append(Problem(path, what, called))
    problems += _crossed_problems(crossed)
    return read, meaning, problems


def _called(row: NameRow) -> Iterator[tuple[str, str]]:
    for alias in row.aliases:
        yield "aliases", alias
    for source in SOURCES:
        called = getattr(row, source)
        if called is not None:
            yield source, called


def _spelled(name: str) -> str:
    """Return the spelling under which a name is looked for: by the rule, or its own where the rule has none."""
    try:
        return standardize_workflow_name(name)
    except InputError:
        return display_name(name)


def _problems_of_name(name: Any, path: tuple[str, ...]) -> Iterator[Problem]:
    try:
        standard = standardize_workflow_name(name)
    except InputError:
        yield Problem(path, f"{_shown(name)} is no standard name: it has neither a letter nor a digit.")
        return
    if standard != name:
        yield Problem(path, f"{_shown(name)} is no standard name; {_shown(standard)} is.")


def _read_row(row: Any, path: tuple[str, ...], problems: list[Problem]) -> NameRow:
    if isinstance(row, list | tuple | set | frozenset):
        row = {"aliases": row}
    if isinstance(row, NameRow):
        row = {"aliases": row.aliases, "api": row.api, "database": row.database}
    if not isinstance(row, Mapping):
        problems.append(Problem(path, "it has to be a table that has aliases."))
        return NameRow()
    for key in row:
        if key not in _KEYS:
            meant = nearest(str(key), _KEYS, limit=1)
            hint = f"; {meant[0]} is meant, perhaps" if meant else ""
            problems.append(Problem((*path, str(key)), f"{_shown(key)} is none of {', '.join(_KEYS)}{hint}."))
    aliases = row.get("aliases", ())
    if isinstance(aliases, str) or not isinstance(aliases, list | tuple | set | frozenset):
        problems.append(Problem((*path, "aliases"), 'the aliases have to be a list of names: aliases = ["a", "b"].'))
        aliases = ()
    kept: list[str] = []
    for alias in sorted(aliases) if isinstance(aliases, set | frozenset) else aliases:
        if isinstance(alias, str):
            kept.append(alias)
        else:
            problems.append(Problem((*path, "aliases"), f"{_shown(alias)} is no text."))
    sources: dict[str, str] = {}
    for source in SOURCES:
        called = row.get(source)
        if isinstance(called, str):
            sources[source] = called
        elif called is not None:
            problems.append(Problem((*path, source), f"{_shown(called)} is no text."))
    if not any(row.values()) and row.keys() <= {"aliases"}:
        problems.append(Problem(path, "it says nothing; give aliases, or what it is called in api or database."))
    return NameRow(tuple(kept), **sources)


def _crossed_problems(crossed: dict[str, tuple[str, Problem]]) -> Iterator[Problem]:
    """Yield the problems of aliases that are standard names of the table; those that go round are one problem."""
    done: set[str] = set()
    for start in crossed:
        trail: list[str] = []
        name = start
        while name in crossed and name not in done and name not in trail:
            trail.append(name)
            name = crossed[name][0]
        cycle = trail[trail.index(name) :] if name in trail else []
        for each in trail:
            if each not in cycle:
                yield crossed[each][1]
        if cycle:
            last = crossed[cycle[0]][1]
            around = " → ".join(tidy(each, 40) for each in (*cycle, cycle[0]))
            what = f"{_shown(last.text)} goes round: {around}; one of them has to be the standard name."
            yield Problem(last.keys, what, last.text)
        done.update(trail)


def _shown(value: object) -> str:
    return repr(tidy(value, 60)) if isinstance(value, str) else repr(value)[:60]


NO_NAMES: Final = NamesTable()
"""A table that says nothing: the rule alone."""
