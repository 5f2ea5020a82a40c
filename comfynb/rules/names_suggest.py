"""A table of names that is proposed: what is sure, and what a person has to decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from comfynb.errors import ConfigurationError
from comfynb.rules.lookup import Candidate
from comfynb.rules.names_compare import Match, NamePair
from comfynb.rules.names_table import NO_NAMES, NameRow, NamesTable, toml_key, toml_text

__all__ = ["Accepted", "NamesSuggestion", "SuggestedName", "merged"]

_WHY: Final[Mapping[Match, str]] = {
    "exact": "the same name",
    "case": "the same but for case",
    "rule": "the same standard name",
    "alias": "the table of names says so",
    "none": "no partner",
}


class Accepted(NamedTuple):
    """A standard name, and what it is called on each side.

    Parameters
    ----------
    standard : str
        The standard name.
    api, database : str or None
        Its names.
    """

    standard: str
    api: str | None = None
    database: str | None = None


@dataclass(frozen=True, slots=True)
class SuggestedName:
    """One row of a suggestion.

    Parameters
    ----------
    standard : str or None
        The standard name that is proposed.
    api : Candidate or None
        The workflow.
    database : str or None
        What the database calls it.
    why : str
        How they were found to belong together.
    sure : bool
        Whether nothing is left to decide.
    notes : tuple of str
        In what the two names differ.
    """

    standard: str | None
    api: Candidate | None
    database: str | None
    why: str
    sure: bool
    notes: tuple[str, ...] = ()

    def reason(self) -> str:
        """Return how they were found to belong together, and in what they differ."""
        differ = ", ".join(note for note in self.notes if note not in ("collision", "only on one side"))
        return "; ".join(filter(None, (self.why, differ and f"differ in: {differ}")))


@dataclass(frozen=True, slots=True, repr=False)
class NamesSuggestion:
    """A table of names that is proposed. Nothing of it is used before it is written into a file, or given to `connect`.

    Parameters
    ----------
    rows : tuple of SuggestedName
        One for each pair of names, and for each name without a partner.
    names : NamesTable
        What is in use already.
    """

    rows: tuple[SuggestedName, ...]
    names: NamesTable = NO_NAMES

    @classmethod
    def of(cls, pairs: Iterable[NamePair], names: NamesTable, *, one_sided: bool) -> NamesSuggestion:
        """Make it of a comparison.

        Parameters
        ----------
        pairs : iterable of NamePair
            The comparison.
        names : NamesTable
            The table that it was made with.
        one_sided : bool
            Whether there is no database, so that a name without a partner says nothing.
        """
        return cls(tuple(_row(pair, names, one_sided) for pair in pairs), names)

    @property
    def table(self) -> NamesTable:
        """The table in use with all rows that are sure."""
        return NamesTable(
            merged(
                self.names,
                [
                    Accepted(row.standard, row.api.name if row.api is not None else None, row.database)
                    for row in self.rows
                    if row.sure and row.standard is not None
                ],
            )
        )

    def toml(self) -> str:
        """Return it as the text of a file, in which what has to be decided is a comment."""
        parts = [self.table.toml()]
        unsure = [row for row in self.rows if not row.sure and row.standard is not None]
        if unsure:
            parts.append("# To be decided: where it is right, take the # away.\n")
        parts += [_comment(row) for row in unsure]
        return "\n".join(part for part in parts if part)

    def __repr__(self) -> str:
        from comfynb.display.names import suggestion_text

        return suggestion_text(self)

    def _repr_html_(self) -> str:
        from comfynb.display.names import suggestion_html

        return suggestion_html(self)


def merged(names: NamesTable, accepted: Iterable[Accepted]) -> dict[str, NameRow]:
    """Return the rows of a table with what was accepted put into them.

    Raises
    ------
    ConfigurationError
        If two different names of one side would have one standard name.

    Examples
    --------
    >>> merged(NamesTable({"toon": ["tooncraft"]}), [Accepted("toon", "Toon 2")])["toon"]
    NameRow(aliases=('tooncraft',), api='Toon 2', database=None)
    """
    rows = dict(names.rows)
    given: dict[tuple[str, str], str] = {}
    for standard, api, database in accepted:
        row = rows.get(standard, NameRow())
        for source, name in (("api", api), ("database", database)):
            if name is not None and given.setdefault((standard, source), name) != name:
                raise ConfigurationError(
                    f"{standard!r} would stand for two names of the {source}, {given[standard, source]!r} and "
                    f"{name!r}; each needs a standard name of its own."
                )
        rows[standard] = NameRow(row.aliases, api or row.api, database or row.database)
    return rows


def _row(pair: NamePair, names: NamesTable, one_sided: bool) -> SuggestedName:
    notes = tuple(note for note in pair.notes if not (one_sided and note == "only on one side"))
    why = f"likeness {pair.score:.0f} of 100" if pair.score is not None else _WHY[pair.match]
    if pair.match == "none":
        why = "" if one_sided else "only in the API" if pair.api is not None else "only in the database"
    if "collision" in notes:
        why = "; ".join(filter(None, (why, "others have this standard name")))
    standing = names.rows.get(pair.standard or "", NameRow())
    said = (standing.api, pair.api.name if pair.api else None), (standing.database, pair.database)
    sure = (
        pair.standard is not None
        and pair.match != "fuzzy"
        and "collision" not in notes
        and all(old is None or new is None or old == new for old, new in said)
        and not (pair.api is not None and not pair.api.name)
    )
    return SuggestedName(pair.standard, pair.api, pair.database, why, sure, notes)


def _comment(row: SuggestedName) -> str:
    lines = [f"{row.why}:" if row.why else "", f"[names.{toml_key(row.standard or '')}]"]
    if row.api is not None:
        lines.append(f"api = {toml_text(row.api.name)}")
    if row.database is not None:
        lines.append(f"database = {toml_text(row.database)}")
    return "".join(f"# {line}\n" for line in lines if line)
