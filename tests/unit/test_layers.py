"""Imports point downwards only, as docs/architecture.md draws it."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "comfynb"
SHOWING = {"__repr__", "_repr_html_", "view", "gallery"}
IMPURE = {"asyncio", "http", "io", "logging", "os", "pathlib", "random", "socket", "subprocess", "threading", "time"}
"""Modules of the standard library that the rules do without: no I/O, no clock, no chance."""
SANDBOX_USERS = {"connecting", "cli", "pytest_plugin", "routing_plan"}
ONLY_IN = {
    "pandas": {"frames"},
    "numpy": {"frames"},
    "typer": {"cli"},
    "rich": {"cli"},
    "httpx": {"api", "sandbox"},
    "PIL": set(),
    "ipywidgets": set(),
    "IPython": set(),
    "nest_asyncio": set(),
    "uvicorn": set(),
    "rapidfuzz": set(),
    "starlette": set(),
    "tomlkit": set(),
    "prometheus_client": set(),
    "matplotlib": set(),
}
"""Where a framework may be imported when a module is; elsewhere it is imported when it is needed, if at all."""


@dataclass(frozen=True)
class Import:
    """One import of a module.

    Parameters
    ----------
    module : str
        Who imports.
    name : str
        What it imports.
    when : str
        "import", "call" (inside a function), or "typing".
    function : str
        The innermost function around it.
    """

    module: str
    name: str
    when: str
    function: str

    @property
    def place(self) -> str:
        """The part of the package that imports."""
        return _part(self.module)

    @property
    def target(self) -> str:
        """The part of the package that is imported."""
        return _part(self.name)


class _Collector(ast.NodeVisitor):
    def __init__(self, module: str) -> None:
        self.module, self.found = module, list[Import]()
        self._when, self._function = "import", ""

    def _add(self, name: str) -> None:
        self.found.append(Import(self.module, name, self._when, self._function))

    def _inside(self, nodes: list[ast.stmt], when: str, function: str) -> None:
        before = self._when, self._function
        self._when, self._function = when, function
        for node in nodes:
            self.visit(node)
        self._when, self._function = before

    def visit_If(self, node: ast.If) -> None:
        typing = ast.unparse(node.test) == "TYPE_CHECKING"
        self._inside(node.body, "typing" if typing else self._when, self._function)
        self._inside(node.orelse, self._when, self._function)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._inside(node.body, "call", node.name)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self._add(each.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.level == 0, f"{self.module} imports relatively"
        if node.module == "comfynb":
            for each in node.names:
                self._add(f"comfynb.{each.name}")
        else:
            self._add(node.module or "")


def _part(module: str) -> str:
    return module.partition(".")[2].partition(".")[0] if module.startswith("comfynb") else ""


def all_imports() -> list[Import]:
    """Return every import of the package."""
    found: list[Import] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        collector = _Collector(module)
        collector.visit(ast.parse(path.read_text(encoding="utf-8")))
        found += collector.found
    return found


def drawn_levels() -> dict[str, int]:
    """Return how far down each part of the package stands in the drawing; 0 is the top."""
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = re.search(r"## Layers\n.*?```\n(.*?)```", text, re.DOTALL)
    assert drawing is not None
    names = [re.split(r" {3,}", line)[0].split() for line in drawing[1].splitlines()]
    return {name: level for level, line in enumerate(names) for name in line}


IMPORTS = all_imports()
LEVELS = drawn_levels()
OUR_OWN = [each for each in IMPORTS if each.target and each.place]


def test_every_part_of_the_package_is_drawn() -> None:
    """And nothing is drawn that there is not."""
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__", "sandbox"} == LEVELS.keys()


def test_imports_point_downwards_only() -> None:
    """To the same level or a lower one; only for types, and to show itself, may a thing look up."""
    upwards = [
        each
        for each in OUR_OWN
        if {each.place, each.target} <= LEVELS.keys()
        and LEVELS[each.target] < LEVELS[each.place]
        and each.when != "typing"
        and not (each.target in ("display", "widgets") and each.function in SHOWING)
    ]
    assert upwards == []


def test_the_sandbox_never_sees_the_client() -> None:
    """What it says about the server cannot be bent by what the client believes."""
    allowed = {"sandbox", "rules", "errors", "warnings"}
    wrong = [
        each
        for each in OUR_OWN
        if each.place == "sandbox" and each.target not in allowed and each.name != "comfynb.api.models"
    ]
    assert wrong == []


def test_the_sandbox_is_started_by_few_and_only_when_it_is_wanted() -> None:
    """Nobody else knows that there is one."""
    users = [each for each in OUR_OWN if each.target == "sandbox" and each.place != "sandbox" and each.when != "typing"]
    assert {each.place for each in users} <= SANDBOX_USERS
    assert {each.when for each in users} == {"call"}


def test_rules_do_without_io_clocks_and_frameworks() -> None:
    """Only the standard library's pure part, and rapidfuzz for messages."""
    others = {each.name.partition(".")[0] for each in IMPORTS if each.place == "rules"} - {"comfynb"}
    assert others & IMPURE == set()
    assert others - set(sys.stdlib_module_names) <= {"rapidfuzz"}


@pytest.mark.parametrize("framework", ONLY_IN)
def test_heavy_packages_are_imported_when_they_are_needed(framework: str) -> None:
    """So that what few need does not cost everybody."""
    users = [each for each in IMPORTS if each.name.partition(".")[0] == framework and each.when == "import"]
    places = {each.place for each in users}
    assert places <= ONLY_IN[framework]


def test_nobody_applies_nest_asyncio_but_the_bridge() -> None:
    """On first use, never on import."""
    users = {(each.module, each.when) for each in IMPORTS if each.name == "nest_asyncio"}
    assert users == {("comfynb.bridge", "call")}


def test_modules_stay_small() -> None:
    """One noun a file; what grows past this wants to be two."""
    sizes = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {name: lines for name, lines in sizes.items() if lines > 450} == {}
