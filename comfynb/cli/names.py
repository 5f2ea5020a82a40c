"""`comfynb names`: what workflows are called, here and in a database."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from comfynb.cli import show
from comfynb.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

_ALONE = ["name", "standard_name", "origin", "collides_with"]
_COMPARED = ["name", "database_name", "standard_name", "match", "score", "notes"]


def names(
    database: Path | None = typer.Option(
        None, metavar="FILE", help="A CSV, JSON or Parquet file with the names that a database has."
    ),
    column: str | None = typer.Option(
        None, help="The column of the file that has them; by default name, else the first that has texts."
    ),
    out: Path | None = typer.Option(
        None, metavar="FILE", help="Write them as a document that ends in .md, .csv, .json or .html."
    ),
    init: bool = typer.Option(
        False, "--init", help="Write workflow-names.toml, an example of a table of names, into the working directory."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of text."),
) -> None:
    """Show the standard name of each workflow, and with --database how the names compare with those of a database.

    Example: comfynb names --database workflows.csv --out docs/comfyui-deploy/WORKFLOW_NAME_MAPPING.md
    """
    if init:
        if database is not None or out is not None or as_json:
            raise ConfigurationError("--init goes alone.")
        _init()
        return
    if column is not None and database is None:
        raise ConfigurationError("--column goes with --database.")
    from comfynb.connecting import connect
    from comfynb.documents import check_ending, names_document, write_document

    if out is not None:
        check_ending(out)
    with connect() as ws:
        found = ws.names.table() if database is None else ws.names.compare(database, column=column)
        path = ws.names.path
    if out is not None:
        changed = write_document(out, names_document(found))
        show.line(f"Wrote {out}" if changed else f"{out} says so already; nothing was written.", err=as_json)
    if as_json:
        show.as_json(found.astype(object).where(found.notna(), None).to_dict("records"))
    elif out is None:
        _tell(found, path)


def _init() -> None:
    from comfynb.names_files import NAMES_FILE, example_names_text

    path = Path(NAMES_FILE)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(example_names_text())
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already; it is not written over.") from None
    typer.echo(f"Wrote {path}: names that mean others, for you to change. It holds from now on, here and below.")


def _tell(found: pd.DataFrame, path: Path | None) -> None:
    compared = found.attrs["kind"] == "names"
    show.heading(f"Names of workflows and of {found.attrs['database']}" if compared else "Names of workflows")
    if compared:
        show.table(found, _COMPARED, most=len(found))
        counts = Counter(found["match"])
        show.line("  " + ", ".join(f"{counts[match]} {match}" for match in sorted(counts)))
        for remark in found.attrs["remarks"]:
            show.line(f"  {remark}")
    else:
        others = found["collides_with"].map(lambda pairs: tuple(name for name, _ in pairs))
        show.table(found.assign(collides_with=others), _ALONE, most=len(found))
    where = "none; comfynb names --init writes one to start from" if path is None else str(path)
    show.line(f"  table of names: {where}")
