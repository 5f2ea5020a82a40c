"""The document that says which names mean the same workflow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from comfynb.documents.document import Document, Section
from comfynb.rules.text import is_unknown, tidy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["names_document"]

_HEADS = {
    "name": "API workflow name",
    "database_name": "Database workflow name",
    "standard_name": "Standardized name",
    "match": "Match",
    "score": "Likeness",
    "origin": "By",
    "notes": "Notes on differences",
    "workflows": "Workflows",
    "database_names": "Names of the database",
    "remark": "Remark",
}
_COLUMNS = ("name", "database_name", "standard_name", "match", "score", "origin", "notes")
_MATCHES = (
    "Match says how two names were found to belong together: `exact`, the same name; `case`, the same but for upper "
    "and lower case; `rule`, the same standard name; `alias`, so says the table of names; `fuzzy`, only alike, which "
    "is a suggestion that nothing makes use of; `none`, only on one side."
)


def names_document(names: pd.DataFrame) -> Document:
    """Return names as a document: name in the API, name in the database, standard name, and in what they differ.

    It has no time of its own, so that writing it again shows what changed.

    Parameters
    ----------
    names : pandas.DataFrame
        What `ws.names.compare(database)` gives, or `ws.names.table()`.

    Returns
    -------
    Document
        For `comfynb.documents.write_document`.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> document = names_document(ws.names.compare(["text2img", "In-Paint"]))
    >>> document.sections[0].table.loc[1, ["name", "database_name", "match"]].tolist()
    ['inpaint', 'In-Paint', 'fuzzy']
    """
    import pandas as pd

    compared = names.attrs.get("kind") == "names"
    if not compared:
        names = names.assign(notes=names["collides_with"].map(lambda others: ("collision",) if others else ()))
    table = names[[column for column in _COLUMNS if column in names]]
    text = ["The standardized name is the one to be used from now on: what the table of names says, else the rule."]
    if compared:
        where = tidy(names.attrs.get("database", "a list"), 200).replace("`", "'")
        text = [f"The workflows of the API beside the names of a database: `{where}`. {text[0]}", _MATCHES]
    text.append("Written by `comfynb names`: to write it anew, run that again.")
    sections = [Section(text=tuple(text), table=table, heads=_HEADS, empty="No names.")]
    collisions = _collisions(names)
    if len(collisions):
        what = (
            "Standard names that several workflows, or several names of the database, have. They stay apart: such a "
            "name is an error that lists them, unless one of them is called exactly so."
        )
        sections.append(Section("Collisions", (what,), collisions, _HEADS))
    remarks = names.attrs.get("remarks") or []
    if remarks:
        sections.append(Section("Remarks", (), pd.DataFrame({"remark": list(remarks)}), _HEADS))
    return Document("Workflow name mapping", tuple(sections))


def _collisions(names: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    colliding = names[["collision" in notes for notes in names["notes"]]]
    standards = list(dict.fromkeys(colliding["standard_name"].dropna()))
    of = {standard: colliding[colliding["standard_name"] == standard] for standard in standards}
    return pd.DataFrame(
        {
            "standard_name": standards,
            "workflows": [
                _listed(
                    f"{name} ({identifier})"
                    for name, identifier in zip(rows["name"], rows["id"], strict=True)
                    if not is_unknown(identifier)
                )
                for rows in of.values()
            ],
            "database_names": [_listed(rows["database_name"].dropna()) for rows in of.values()],
        }
    )


def _listed(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
