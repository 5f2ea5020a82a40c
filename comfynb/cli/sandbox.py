"""`comfynb sandbox`: a local ComfyDeploy that outlives kernels."""

from __future__ import annotations

import threading

import typer

from comfynb.errors import ConfigurationError


def sandbox(
    port: int = typer.Option(3011, min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one."),
    seed: int = typer.Option(7, help="Decides ids, times and durations."),
    speed: float = typer.Option(20.0, min=0.01, help="How many times faster runs go than they report."),
) -> None:
    """Serve a local ComfyDeploy on 127.0.0.1 until Ctrl-C, with machines, workflows and pictures.

    Example: comfynb sandbox --port 3011 --seed 7 --speed 20
    """
    from comfynb.sandbox import Sandbox

    try:
        server = Sandbox(port=port, seed=seed, speed=speed).start()
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
