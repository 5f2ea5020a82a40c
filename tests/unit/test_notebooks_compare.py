"""A notebook is never green because it compares nothing: each stored output that differs makes its cell fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

PROJECT = Path(__file__).parents[2]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
SAMPLED = NOTEBOOKS[::4]
"""Those that are altered and run; that no cell is excused is looked at in all of them."""
LOOSENED = ("NBVAL_", "nbval-")
"""How a cell says to nbval, in a comment or a tag, that its output does not matter."""
ALTERED = "altered "


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the cells that nbval runs, in the order in which it counts them."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell: nbformat.NotebookNode) -> list[str]:
    """Return the texts among the outputs of a cell that are compared."""
    streams = [output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout"]
    return streams + [output.data["text/plain"] for output in cell.outputs if "text/plain" in output.get("data", {})]


def alter(cell: nbformat.NotebookNode) -> bool:
    """Alter the last stored text of a cell; return whether it has one."""
    for output in reversed(cell.outputs):
        if output.output_type == "stream" and output.name == "stdout":
            output.text = ALTERED + output.text
            return True
        if "text/plain" in output.get("data", {}):
            output.data["text/plain"] = ALTERED + output.data["text/plain"]
            return True
    return False


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_is_compared(path: Path) -> None:
    """No cell is excused, most show something, and what is shown has a text, also where it is a picture or a widget."""
    notebook = nbformat.read(path, as_version=4)
    cells = code_cells(notebook)
    for cell in cells:
        assert not any(mark in cell.source for mark in LOOSENED)
        assert not any(mark in tag for mark in LOOSENED for tag in cell.metadata.get("tags", []))
        assert len(texts(cell)) == len(cell.outputs), cell.source
        assert cell.execution_count is not None
    assert sum(bool(texts(cell)) for cell in cells) >= 0.8 * len(cells)


def test_notebooks_start_alike() -> None:
    """So that each runs unchanged on a real workspace; what only the sandbox can show starts its own."""
    assert len(NOTEBOOKS) >= 2
    for path in NOTEBOOKS:
        first = code_cells(nbformat.read(path, as_version=4))[0].source
        assert "import comfynb" in first
        assert "ws = comfynb.connect(" in first


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[set[int], set[int]]]:
    """Run copies of some notebooks whose stored outputs are altered; return which were, and which cells failed."""
    folder = tmp_path_factory.mktemp("altered")
    (folder / "pytest.ini").write_text("[pytest]\n")
    altered: dict[str, tuple[set[int], set[int]]] = {}
    for path in SAMPLED:
        notebook = nbformat.read(path, as_version=4)
        altered[path.stem] = ({number for number, cell in enumerate(code_cells(notebook)) if alter(cell)}, set())
        nbformat.write(notebook, folder / path.name)
    clean = {name: value for name, value in os.environ.items() if name not in ("WEBHOOK_URL", "COMFY_DEPLOY_API_KEY")}
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-q"),
            *(f"--nbval-sanitize-with={PROJECT / 'tests' / 'sanitize.cfg'}", "--junitxml=cells.xml"),
            *(path.name for path in SAMPLED),
        ],
        cwd=folder,
        env={**clean, "COMFYNB_SANDBOX": "1", "JUPYTER_PLATFORM_DIRS": "1"},
        capture_output=True,
        timeout=100,
        check=False,
    )
    for case in ElementTree.parse(folder / "cells.xml").iter("testcase"):  # noqa: S314 - pytest's own
        name = Path(case.get("classname", "").replace(".ipynb", "")).name
        if case.find("failure") is not None:
            altered[name][1].add(int(case.get("name", "").rpartition(" ")[2]))
    return altered


@pytest.mark.parametrize("name", [path.stem for path in SAMPLED])
def test_an_altered_output_makes_its_cell_fail(name: str, outcomes: dict[str, tuple[set[int], set[int]]]) -> None:
    """Each of them, and no other cell."""
    altered, failed = outcomes[name]
    assert altered
    assert failed == altered
