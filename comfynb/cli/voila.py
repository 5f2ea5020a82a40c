"""`comfynb app`: the browser over a workspace as a web page, without code."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import typer

from comfynb.cli.serving import serve
from comfynb.errors import ConfigurationError

_SOURCE = "import comfynb\n\nws = comfynb.connect()\nws.browse()"


def app(
    port: int = typer.Option(8866, min=1, max=65535, help="Port on 127.0.0.1."),
    browser: bool = typer.Option(True, help="Open a browser."),
) -> int:
    """Serve the workspace as a web page with Voilà; without a key it is the sandbox.

    Example: comfynb app --port 8870 --no-browser
    """
    from comfynb.settings import read_settings

    if find_spec("voila") is None:
        raise ConfigurationError("Voilà is not installed; pip install voila does it.")
    environment = dict(os.environ)
    if read_settings().api_key is None and "COMFYNB_SANDBOX" not in environment:
        environment["COMFYNB_SANDBOX"] = "1"
        typer.echo("No COMFY_DEPLOY_API_KEY: this is the sandbox.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "comfynb.ipynb"
        path.write_text(_notebook(), encoding="utf-8")
        command = [sys.executable, "-m", "voila", str(path), f"--port={port}", "--Voila.ip=127.0.0.1"]
        command += ["--VoilaConfiguration.file_allowlist=[]", "--show_tracebacks=False"]
        if not browser:
            command.append("--no-browser")
        # Kernels begin in the folder of the notebook; rules and .env stand where the command was given.
        environment["COMFYNB_APP_FOLDER"] = str(Path.cwd())
        return serve(command, environment)


def _notebook() -> str:
    import json

    source = f"import os\n\nos.chdir(os.environ['COMFYNB_APP_FOLDER'])\n{_SOURCE}"
    cell: dict[str, object] = {"cell_type": "code", "id": "browse", "source": source}
    cell |= {"execution_count": None, "metadata": {}, "outputs": []}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})
