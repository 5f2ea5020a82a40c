"""`comfynb catalog`: the workflows, as a table or as a document."""

from __future__ import annotations

from pathlib import Path

import typer

from comfynb.cli import show


def catalog(
    out: Path | None = typer.Option(
        None, metavar="FILE", help="Write it as a document that ends in .md, .csv, .json or .html."
    ),
    runs: bool = typer.Option(False, "--runs", help="Also tell the last run of each, and how many ended well."),
) -> None:
    """List the workflows with their deployments, required inputs and descriptions.

    Example: comfynb catalog --out docs/comfyui-deploy/WORKFLOWS_CATALOG.md
    """
    from comfynb.connecting import connect
    from comfynb.documents import catalog_document, check_ending, write_document

    if out is not None:
        check_ending(out)
    with connect() as ws:
        frame = ws.catalog(runs=runs)
        if out is None:
            columns = ["name", "standard_name", "deployments", "required_inputs", "description"]
            table = frame.assign(deployments=frame["deployments"].map(lambda each: tuple(place for place, _ in each)))
            show.table(table, [*columns, *(["last_run", "success_rate"] if runs else [])], most=len(table))
            return
        changed = write_document(out, catalog_document(frame))
        show.line(f"Wrote {out}" if changed else f"{out} says so already; nothing was written.")
