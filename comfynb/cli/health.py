"""`comfynb health`: how the connection is, once or again and again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from comfynb.cli import show
from comfynb.errors import ConfigurationError

if TYPE_CHECKING:
    from comfynb.rules.alerting import Alert
    from comfynb.rules.health import Finding
    from comfynb.workspace import Workspace


def health(
    watch: bool = typer.Option(False, "--watch", help="Look again and again until Ctrl-C, and say what changes."),
    every: float = typer.Option(30.0, min=0.01, help="With --watch: seconds between two looks."),
    looks: int = typer.Option(0, min=0, help="With --watch: end after so many looks; 0 goes on."),
    config: Path | None = typer.Option(
        None, metavar="FILE", help="When something is not well; comfynb-health.toml by default, if there is one."
    ),
    init: bool = typer.Option(False, "--init", help="Write comfynb-health.toml, with the defaults and comments."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of text."),
) -> int:
    """Show what is well and what is not, and what to do; exit 1 if something is bad.

    Example: comfynb health --watch --every 60
    """
    from comfynb.connecting import connect

    if init:
        if watch or as_json or config is not None:
            raise ConfigurationError("--init goes alone.")
        return _init()
    if looks and not watch:
        raise ConfigurationError("--looks goes with --watch.")
    if watch and as_json:
        raise ConfigurationError("--json goes without --watch.")
    with connect() as ws:
        if watch:
            return _watch(ws, every, looks, config)
        found = ws.health(config=config)
    if as_json:
        show.as_json(found.to_dict("records"))
    else:
        _tell(found.findings)
    return int("bad" in set(found["state"]))


def _init() -> int:
    from comfynb.services.health_limits import HEALTH_FILE, limits_template

    path = Path(HEALTH_FILE)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(limits_template())
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already, and is left as it is.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error
    show.line(f"Wrote {path}")
    return 0


def _tell(findings: tuple[Finding, ...]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        show.facts([(f"{finding.state:<4}  {finding.check:<{width}}", finding.seen)])
    for finding in findings:
        if finding.advice:
            show.line(f"{finding.check}: {finding.advice}")


def _watch(ws: Workspace, every: float, looks: int, config: Path | None) -> int:
    def tell(alert: Alert) -> None:
        show.line(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC  {alert}")

    seen, enough = [1], threading.Event()

    def looked() -> None:
        seen[0] += 1
        if looks and seen[0] >= looks:
            enough.set()

    with ws.watch_health(every=every, config=config, on_alert=tell) as watch:
        _tell(watch.last.findings)
        watch.listeners.append(looked)
        if looks != 1:
            enough.wait()
        last = watch.last
    return int("bad" in set(last["state"]))
