"""`comfynb routes`: where every workflow would run, and whether the routing rules can be met."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from comfynb.cli import show
from comfynb.display.words import count
from comfynb.errors import ConfigurationError

if TYPE_CHECKING:
    from comfynb.workspace import Workspace


def routes(
    init: bool = typer.Option(False, "--init", help="Write a first file of rules, from what stands, with comments."),
    check: bool = typer.Option(False, "--check", help="Say what is wrong with the rules; exit 1 if one can't be met."),
    environment: str | None = typer.Option(None, help="Whose deployments are meant; production by default."),
    out: Path | None = typer.Option(
        None, metavar="FILE", help="With --init: what to write instead of workflow-machine-routing.toml here."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of text."),
) -> int:
    """Show where every workflow would run now, and why.

    Example: comfynb routes --init && comfynb routes --check
    """
    from comfynb.connecting import connect

    if init and check:
        raise typer.BadParameter("goes without --check.", param_hint="--init")
    if out is not None and not init:
        raise typer.BadParameter("goes with --init.", param_hint="--out")
    # Whoever wants a first file may have one that cannot be used.
    with connect(routing=False if init else None) as ws:
        if init:
            return _init(ws, out)
        return _check(ws, as_json) if check else _show(ws, environment, as_json)


def _init(ws: Workspace, out: Path | None) -> int:
    from comfynb.services.routing import ROUTING_FILE

    path = out or Path(ROUTING_FILE)
    text = ws.routing.template()
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already, and is left as it is; --out names another.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error
    show.line(f"Wrote {path}")
    return 0


def _check(ws: Workspace, as_json: bool) -> int:
    if ws.routing.rules() is None:
        raise ConfigurationError("There are no routing rules to check; comfynb routes --init writes a first file.")
    problems = ws.routing.check()
    serious = bool(problems["serious"].any())
    if as_json:
        show.as_json(json.loads(problems.to_json(orient="records")))
        return int(serious)
    for text, bad in zip(problems["problem"], problems["serious"], strict=True):
        show.line(text if bad else f"{text} (good to know)")
    if not serious:
        show.line("Every rule can be met.")
    return int(serious)


def _show(ws: Workspace, environment: str | None, as_json: bool) -> int:
    from comfynb.rules.environments import check_environment

    if environment is not None:
        check_environment(environment)
    table = ws.routing.table(environment=environment)
    if as_json:
        show.as_json(json.loads(table.to_json(orient="records")))
        return 0
    rules, file = ws.routing.rules(), ws.routing.file
    if rules is None:
        show.line("There are no routing rules: every workflow runs where its deployment is.")
    else:
        show.line(count(len(rules.rules), "rule") + (f" of {file}" if file is not None else ""))
    show.table(table, ["name", "standard_name", "rule", "machine", "by", "decided"], most=len(table))
    for sentence in table.loc[~table["ok"].fillna(False), "sentence"]:
        show.line(sentence)
    return 0
