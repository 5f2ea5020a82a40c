"""`comfynb lab`: JupyterLab on the notebooks."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import typer

from comfynb.cli.serving import serve
from comfynb.errors import ConfigurationError


def lab(
    folder: Path | None = typer.Argument(None, help="Folder of notebooks; those of the project by default."),
    port: int = typer.Option(8888, min=1, max=65535, help="Port on 127.0.0.1."),
    browser: bool = typer.Option(True, help="Open a browser."),
) -> int:
    """Open JupyterLab on the notebooks; without a key they run on the sandbox.

    Example: comfynb lab --no-browser
    """
    from comfynb.settings import read_settings

    if find_spec("jupyterlab") is None:
        raise ConfigurationError(
            f"JupyterLab is not installed; {sys.executable} -m pip install jupyterlab matplotlib does it."
        )
    where = folder or _notebooks()
    if not where.is_dir():
        raise ConfigurationError(f"There is no folder {str(where)!r}.")
    environment = dict(os.environ)
    if read_settings().api_key is None and "COMFYNB_SANDBOX" not in environment:
        environment["COMFYNB_SANDBOX"] = "1"
        typer.echo("No COMFY_DEPLOY_API_KEY: the notebooks run on the sandbox.")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={where}", f"--port={port}", "--ip=127.0.0.1"]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in a container; it listens on this machine alone, and wants its token
    return serve(command, environment)


def _notebooks() -> Path:
    for base in (Path.cwd(), Path(__file__).parents[2]):
        if list((base / "notebooks").glob("*.ipynb")):
            return base / "notebooks"
    return Path.cwd()
