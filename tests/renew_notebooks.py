"""Run the notebooks anew on the sandbox and store their outputs.

Usage: python tests/renew_notebooks.py [NAME …]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"


def renew(path: Path) -> None:
    """Run one notebook and store it, without what differs from machine to machine."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    os.environ["COMFYNB_SANDBOX"] = "1"
    for name in ("COMFY_DEPLOY_API_KEY", "COMFY_DEPLOY_API_URL", "WEBHOOK_URL"):
        os.environ.pop(name, None)
    wanted = sys.argv[1:]
    for notebook_path in sorted(FOLDER.glob("*.ipynb")):
        if not wanted or notebook_path.stem in wanted or notebook_path.name in wanted:
            print(notebook_path.name)
            renew(notebook_path)
