"""`comfynb routing-test`: the testing plan of routing, and its document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from comfynb.cli import show

if TYPE_CHECKING:
    from comfynb.routing_plan import Checked


def routing_test(
    out: Path | None = typer.Option(
        None, metavar="FILE", help="Write it as a document that ends in .md, .csv, .json or .html."
    ),
    server: bool = typer.Option(False, "--server", help="Test on the server that is configured, not on a sandbox."),
    execute: bool = typer.Option(False, "--execute", help="With --server: submit runs, which cost money."),
    max_runs: int = typer.Option(5, "--max-runs", min=0, help="With --execute: how many runs at most."),
    load: bool = typer.Option(True, "--load/--no-load", help="Whether to measure load; never on a server."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of text."),
) -> int:
    """Test whether runs go where routing rules send them; exit 1 if one does not.

    Example: comfynb routing-test --out docs/testing/WORKFLOW_ROUTING_TESTS.md
    """
    from dataclasses import replace

    from comfynb.documents import check_ending, write_document
    from comfynb.routing_plan import measure_load, plan_document, plan_frame, run_on_sandbox, run_on_server

    if execute and not server:
        raise typer.BadParameter("goes with --server; the sandbox executes anyway.", param_hint="--execute")
    if out is not None:
        check_ending(out)
    tell = None if as_json else _tell
    tested = run_on_server(execute=execute, max_runs=max_runs, tell=tell) if server else run_on_sandbox(tell=tell)
    if load and not server:
        tested = replace(tested, load=tuple(measure_load()))
    if as_json:
        show.as_json(json.loads(plan_frame(tested).to_json(orient="records")))
    else:
        for each in tested.load:
            rate = f"{each.rate:,.0f} a second"
            show.line(f"load: {each.number} {each.what}, {each.at_once} at once: {rate}, {each.wrong} wrong")
        passed = sum(each.verdict == "passed" for each in tested.checked)
        show.line(f"{passed} of {len(tested.checked)} cases passed, {tested.failed} failed, on {tested.where}.")
    if out is not None:
        changed = write_document(out, plan_document(tested))
        show.line(f"Wrote {out}" if changed else f"{out} says so already; nothing was written.", err=as_json)
    return int(tested.failed > 0 or any(each.wrong for each in tested.load))


def _tell(checked: Checked) -> None:
    show.line(f"{checked.verdict}: {checked.case.kind}, {checked.case.title}")
    if checked.verdict == "failed":
        show.line(f"    expected: {checked.expected}")
    if checked.verdict in ("failed", "not run"):
        show.line(f"    seen: {checked.seen}")
