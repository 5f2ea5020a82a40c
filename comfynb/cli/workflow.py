"""`comfynb workflow`: show what a run would send, and run it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from comfynb.cli import show
from comfynb.errors import ConfigurationError, WaitTimeout

if TYPE_CHECKING:
    from comfynb.runs.run import Run
    from comfynb.services.prepared import Prepared


def workflow(
    name: str = typer.Argument("text2img", help="Name or id of a workflow, or id of a deployment."),
    given: list[str] = typer.Option([], "--input", "-i", metavar="NAME=VALUE", help="An input; may be repeated."),
    environment: str | None = typer.Option(None, help="Which deployment; production by default."),
    version: str | None = typer.Option(None, help="Another version, by number or id."),
    machine: str | None = typer.Option(None, help="Another machine, by name or id."),
    route: bool = typer.Option(True, "--route/--no-route", help="Whether routing rules choose the machine."),
    execute: bool = typer.Option(False, "--execute", help="Submit it, and wait for it. Without this nothing is sent."),
    download: Path | None = typer.Option(None, metavar="DIR", help="Save what the run makes into this folder."),
    timeout: float = typer.Option(1800.0, help="Seconds to wait for the run."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of text."),
) -> int:
    """Show what a run of a workflow would send; with --execute, run it.

    Example: comfynb workflow text2img --input prompt="a red fox" --input seed=7 --execute --download pictures
    """
    from comfynb.connecting import connect
    from comfynb.rules.waiting import check_seconds

    inputs = _read_inputs(given)
    check_seconds(timeout=timeout)
    if download is not None:
        if not execute:
            raise typer.BadParameter("goes with --execute.", param_hint="--download")
        _make(download)
    with connect() as ws:
        options: dict[str, Any] = {"environment": environment, "version": version, "machine": machine}
        options["route"] = None if route else False
        prepared = ws.prepare(name, inputs, **options)
        if not execute:
            if as_json:
                show.as_json(_prepared(prepared))
            else:
                _show(prepared)
            return 0 if prepared.ok else 2 if prepared.problems else 1
        prepared.check()  # before anything is sent, since only the good inputs go on from here
        if prepared.routed is None:  # else submit() says it
            show.line(f"{prepared.name} runs on {prepared.route}.", err=True)
        run = ws.submit(name, prepared.inputs.send, **options)
        show.line(f"run {run.id}", err=True)
        late = None
        try:
            run.wait(timeout, check=False, progress=False if as_json else None)
        except WaitTimeout as error:
            late = str(error)
        saved = run.download(download) if download is not None and run.outputs else []
        why = late or (None if run.status == "success" else repr(run.explain()))
        if as_json:
            show.as_json(_ended(run, saved, why))
        else:
            _tell(run, saved, why)
        return 0 if run.status == "success" else 1


def _make(folder: Path) -> None:
    """Make the folder for what a run makes, before anything is paid for."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be the folder for the pictures: {error.strerror}.") from error


def _show(prepared: Prepared) -> None:
    text, _, _ = repr(prepared).rpartition("\n\n")  # its last lines speak of Python
    typer.echo(text)
    if prepared.ok:
        drawn = "; the drawn seed is drawn anew then, unless it is given" if prepared.inputs.drawn else ""
        typer.echo(f"\nNothing was sent. --execute submits it{drawn}.")
    else:
        typer.echo("\nNothing was sent, and nothing can be until that is put right.")


def _read_inputs(given: list[str]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{item!r} has to be NAME=VALUE.", param_hint="--input")
        if name in inputs:
            raise typer.BadParameter(f"{name!r} is given twice.", param_hint="--input")
        inputs[name] = value
        if value[:1] == "[":
            with suppress(ValueError):  # it may be a text that begins with a bracket
                inputs[name] = json.loads(value)
    return inputs


def _prepared(prepared: Prepared) -> dict[str, Any]:
    route, body = prepared.request
    return {
        "workflow": prepared.name,
        "route": prepared.route,
        "routed": prepared.routed.sentence if prepared.routed is not None else None,
        "machine": prepared.machine_name,
        "gpu": prepared.gpu,
        "price_per_second": prepared.price,
        "request": {"method": route.method, "path": route.path, "body": body},
        "problems": prepared.problems,
        "blockers": list(prepared.blockers),
        "notes": list(prepared.notes),
    }


def _ended(run: Run, saved: list[Path], why: str | None) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "status": run.status,
        "machine_id": run.machine_id,
        "inputs": run.inputs,
        "outputs": [output.url or output.text for output in run.outputs],
        "saved": [str(path) for path in saved],
        "why": why,
    }


def _tell(run: Run, saved: list[Path], why: str | None) -> None:
    show.facts([("status", run.status), ("run", run.id), *((f"input {k}", str(v)) for k, v in run.inputs.items())])
    for output in run.outputs:
        show.line(f"  {output.kind}: {output.url or output.text}")
    for path in saved:
        show.line(f"Saved {path}")
    if why is not None:
        typer.echo(why, err=True)
