"""`comfynb sandbox`: a local ComfyDeploy that outlives kernels."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import typer

from comfynb.errors import ConfigurationError


def sandbox(
    port: int = typer.Option(3011, min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one."),
    seed: int = typer.Option(7, help="Decides ids, times and durations."),
    speed: float = typer.Option(20.0, min=0.01, help="How many times faster runs go than they report."),
    world: Path | None = typer.Option(
        None, metavar="FILE", help="A TOML file with machines, workflows and deployments, instead of its own."
    ),
    like: str | None = typer.Option(
        None,
        metavar="URL",
        help="A server whose workflows, deployments and machines are copied, without secrets, people and "
        "runs; with the key of the environment.",
    ),
    save: Path | None = typer.Option(None, metavar="FILE", help="With --like: write the copy, for --world."),
) -> None:
    """Serve a local ComfyDeploy on 127.0.0.1 until Ctrl-C, with machines, workflows and pictures.

    Example: comfynb sandbox --port 3011 --seed 7 --speed 20
    """
    from comfynb.sandbox import Sandbox

    if world is not None and like is not None:
        raise ConfigurationError("Give either --world or --like, not both.")
    if save is not None and like is None:
        raise ConfigurationError("--save goes with --like.")
    content: Path | dict[str, Any] | None = world
    if like is not None:
        content = _copied(like, save)
    try:
        server = Sandbox(world=content, port=port, seed=seed, speed=speed).start()
    except OSError as error:
        raise ConfigurationError(f"{error} Try --port 0.") from error
    try:
        typer.echo(f"A ComfyDeploy sandbox serves at {server.url}. In a notebook or a shell:\n")
        typer.echo(f'  ws = comfynb.connect("{server.url}", "{server.api_key}")\n')
        typer.echo(f"  export COMFY_DEPLOY_API_URL={server.url}\n  export COMFY_DEPLOY_API_KEY={server.api_key}\n")
        typer.echo("Ctrl-C stops it.")
        threading.Event().wait()
    finally:
        server.stop()


def _copied(url: str, save: Path | None) -> dict[str, Any]:
    """Copy a workspace, and write the copy down if that is wanted."""
    from comfynb.api.opening import open_client
    from comfynb.sandbox import save_world
    from comfynb.services.capturing import capture_world
    from comfynb.services.workflows import WorkflowsService

    if save is not None and save.expanduser().exists():
        raise ConfigurationError(f"{save} is there already; it is not written over.")

    async def copy() -> dict[str, Any]:
        async with WorkflowsService(open_client(url)) as service:
            return await capture_world(service)

    content = asyncio.run(copy())
    counts = ", ".join(f"{len(content[kind])} {kind}" for kind in ("workflows", "deployments", "machines"))
    typer.echo(f"Copied {counts}, without secrets.")
    if save is not None:
        typer.echo(f"Wrote {save_world(content, save)}")
    return content
