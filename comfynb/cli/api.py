"""`comfynb api`: what is configured, whether it works, and what is there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from comfynb.cli import show
from comfynb.display.html import bare_url
from comfynb.display.markdown import markdown_table
from comfynb.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

    from comfynb.workspace import Workspace


def api(
    explore: bool = typer.Option(False, "--explore", help="Ask for every path pattern, and say which ones answer."),
    out: Path | None = typer.Option(None, metavar="FILE", help="With --explore: write what was found as Markdown."),
) -> None:
    """Show the configuration, whether the server and the key work, and what the workspace has.

    Example: comfynb api --explore --out explore.md
    """
    from comfynb.connecting import connect

    if out is not None and not explore:
        raise ConfigurationError("--out goes with --explore.")
    with connect() as ws:
        _configuration(ws)
        if explore:
            _explore(ws, out)
        else:
            _overview(ws)


def _configuration(ws: Workspace) -> None:
    webhook = ws.facts().webhook
    show.heading("Configuration")
    show.facts(
        [
            ("COMFY_DEPLOY_API_URL", f"{ws.url} (the sandbox)" if ws.sandbox else ws.url),
            ("COMFY_DEPLOY_API_KEY", "made by the sandbox" if ws.sandbox else "not needed" if _unasked(ws) else "set"),
            ("WEBHOOK_URL", (bare_url(webhook) or "set") if webhook else "not set"),
        ]
    )


def _unasked(ws: Workspace) -> bool:
    """Whether there is no server that a key would be for."""
    return ws._core.offline


def _overview(ws: Workspace) -> None:
    show.heading("Connectivity")
    begun = time.perf_counter()
    workflows = ws.workflows()
    milliseconds = (time.perf_counter() - begun) * 1000
    if away := ws.facts().away:
        show.facts([("server", away)])
    else:
        show.facts(
            [
                ("server", f"answers ({milliseconds:.0f} ms for the workflows)"),
                ("routes", f"below {ws.facts().prefix or 'the root'}"),
                ("key", "accepted"),
            ]
        )
    show.heading(f"Workflows ({len(workflows)})")
    show.table(workflows, ["name", "standard_name", "id", "updated"])
    deployments = ws.deployments()
    show.heading(f"Deployments ({len(deployments)})")
    show.table(deployments, ["name", "environment", "id", "version", "machine", "machine_status", "problem"])
    machines = ws.machines()
    show.heading(f"Machines ({len(machines)})")
    show.table(machines, ["name", "type", "gpu", "status", "id"])
    typer.echo("")


def _explore(ws: Workspace, out: Path | None) -> None:
    found = ws.explore()
    telling = found[found["exists"].fillna(True)]
    columns = ["path", "status", "milliseconds", "verdict"]
    show.heading(f"Paths that answer ({len(telling)} of {len(found)}; the others are no routes)")
    show.table(telling.round({"milliseconds": 1}), columns, most=len(found))
    show.heading("What follows")
    for finding in found.attrs["findings"]:
        typer.echo(f"  {finding}")
    for difference in found.attrs["differences"] or ["Nothing differs from what comfynb knows."]:
        typer.echo(f"  {difference}")
    if out is not None:
        try:
            out.write_text(_report(found, columns), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{out} cannot be written: {error.strerror}.") from error
        typer.echo(f"\nWrote {out}")


def _report(found: pd.DataFrame, columns: list[str]) -> str:
    findings = "\n".join(f"- {line}" for line in found.attrs["findings"])
    differences = "\n".join(f"- {line}" for line in found.attrs["differences"]) or "- Nothing."
    return (
        f"# What {found.attrs['source']} answers\n\nAs of {found.attrs['as_of']}, with GETs only.\n\n"
        f"## What follows\n\n{findings}\n\n## What differs from what comfynb knows\n\n{differences}\n\n"
        f"## Every path\n\n{markdown_table(found.round({'milliseconds': 1})[columns])}\n"
    )
