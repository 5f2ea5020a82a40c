"""`comfynb api`: what is configured, whether it works, and what is there."""

from __future__ import annotations

import time

import typer

from comfynb.cli import show


def api() -> None:
    """Show the configuration, whether the server and the key work, and what the workspace has.

    Example: COMFY_DEPLOY_API_KEY=… comfynb api
    """
    from comfynb.connecting import connect
    from comfynb.settings import read_settings

    settings = read_settings()
    ws = connect()
    show.heading("Configuration")
    key = "made by the sandbox" if ws.sandbox else "set"
    show.facts(
        [
            ("COMFY_DEPLOY_API_URL", f"{ws.url} (the sandbox)" if ws.sandbox else ws.url),
            ("COMFY_DEPLOY_API_KEY", key),
            ("WEBHOOK_URL", settings.webhook_url or "not set"),
        ]
    )
    show.heading("Connectivity")
    begun = time.perf_counter()
    workflows = ws.workflows()
    milliseconds = (time.perf_counter() - begun) * 1000
    show.facts(
        [
            ("server", f"answers ({milliseconds:.0f} ms for the workflows)"),
            ("routes", f"under {ws.facts().prefix or '/'}"),
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
