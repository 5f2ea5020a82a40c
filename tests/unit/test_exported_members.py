"""The public names: complete, grouped, described, and light to import."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import comfynb
import comfynb.errors
import comfynb.warnings

SOURCE = Path(comfynb.__file__).read_text(encoding="utf-8")
HEAVY = (
    "pandas",
    "numpy",
    "ipywidgets",
    "IPython",
    "typer",
    "rich",
    "starlette",
    "uvicorn",
    "PIL",
    "nest_asyncio",
    "rapidfuzz",
    "tomlkit",
    "prometheus_client",
    "comfynb.sandbox",
    "comfynb.cli",
)
SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples", "See Also", "Warns")


def public_methods(kind: type) -> dict[str, Any]:
    """Return the methods and properties that a class of ours gives its users."""
    return {
        name: getattr(kind, name)
        for name in dir(kind)
        if not name.startswith("_") and not issubclass(kind, BaseException)
    }


MEMBERS = [
    pytest.param(member, id=f"{name}.{attribute}")
    for name in comfynb.__all__
    if inspect.isclass(kind := getattr(comfynb, name)) and not issubclass(kind, BaseException)
    for attribute, member in public_methods(kind).items()
    if callable(member) or isinstance(member, property)
]


# Which names there are


def test_every_name_can_be_imported_and_is_listed_once() -> None:
    """With `from comfynb import …`, and by `dir`."""
    assert len(set(comfynb.__all__)) == len(comfynb.__all__)
    for name in comfynb.__all__:
        assert getattr(comfynb, name) is not None
    namespace: dict[str, object] = {}
    exec("from comfynb import *", namespace)  # noqa: S102 - what an analyst may type
    assert set(comfynb.__all__) <= namespace.keys()


def test_dir_shows_the_public_names_and_nothing_else() -> None:
    """What a person sees after `comfynb.` and a tab."""
    shown = {name for name in dir(comfynb) if not name.startswith("_")}
    assert shown == {*comfynb.__all__, "errors", "warnings"}


def test_no_public_name_is_left_out() -> None:
    """What is imported for users is listed, whether now or when first used."""
    imported = {
        each.asname or each.name
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("comfynb")
        for each in node.names
    }
    assert imported == set(comfynb.__all__)
    assert comfynb._LATER.keys() | set(comfynb.errors.__all__) == set(comfynb.__all__)
    for name, module in comfynb._LATER.items():
        assert getattr(importlib.import_module(module), name) is getattr(comfynb, name)


def test_names_are_grouped_by_comments() -> None:
    """The errors are a group, in the order of their tree."""
    listing = SOURCE[SOURCE.index("__all__ = [") :].partition("]")[0]
    groups = [re.findall(r'"(\w+)"', part) for part in re.split(r"\n    # .+", listing)[1:]]
    assert [name for group in groups for name in group] == comfynb.__all__
    (errors,) = [group for group in groups if "ComfyError" in group]
    assert set(errors) == set(comfynb.errors.__all__)
    drawing = (comfynb.errors.__doc__ or "").partition("::")[2].partition("A message")[0]
    drawn = re.findall(r"(\w+)(?=\s{2,}|\n)", drawing)
    assert [name for name in drawn if name in errors] == errors


def test_the_trees_of_errors_and_warnings_are_drawn_as_they_are() -> None:
    """One base each; the drawing at the top of the module has every class below its parent."""
    for module, base in ((comfynb.errors, comfynb.ComfyError), (comfynb.warnings, comfynb.warnings.ComfyWarning)):
        lines = [line for line in (module.__doc__ or "").splitlines() if re.search(r"[├└]── ", line)]
        parents: list[type] = [base]
        seen = {base.__name__}
        for line in lines:
            depth = line.index("── ") // 4 - 1
            name = line.partition("── ")[2].split()[0]
            kind = getattr(module, name)
            assert issubclass(kind, parents[depth]), name
            parents[depth + 1 :] = [kind]
            seen.add(name)
        assert seen == set(module.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="module 'comfynb' has no attribute 'nope'"):
        comfynb.nope  # noqa: B018


def test_it_says_that_it_is_typed() -> None:
    """For type checkers of users."""
    assert (Path(comfynb.__file__).parent / "py.typed").exists()


# How they are described


def check_description(thing: Any, name: str) -> None:
    """Check that a docstring is a sentence, and its sections are those of NumPy's style."""
    text = inspect.getdoc(thing)
    assert text, f"{name} has no docstring"
    first = text.splitlines()[0]
    assert first.endswith((".", ":")), f"{name}: {first}"
    for title, line in re.findall(r"^(\w[\w ]*)\n(-{3,})$", text, re.MULTILINE):
        assert title in SECTIONS, f"{name}: {title}"
        assert len(line) == len(title), f"{name}: {title}"


@pytest.mark.parametrize("name", [name for name in comfynb.__all__ if name != "TABLES"])
def test_every_public_name_is_described(name: str) -> None:
    """With its parameters."""
    thing = getattr(comfynb, name)
    check_description(thing, name)
    if inspect.isfunction(thing):
        text = inspect.getdoc(thing) or ""
        assert all(f"\n{parameter} : " in text for parameter in inspect.signature(thing).parameters)


@pytest.mark.parametrize("member", MEMBERS)
def test_every_public_method_is_described(member: Any) -> None:
    """Also each property."""
    check_description(member, getattr(member, "__qualname__", repr(member)))


@pytest.mark.parametrize("member", MEMBERS)
def test_parameters_that_are_described_are_those_that_there_are(member: Any) -> None:
    """A docstring that was left behind misleads."""
    text = inspect.getdoc(member) or ""
    if not callable(member) or inspect.isclass(member) or "\nParameters\n---" not in f"\n{text}":
        return
    section = re.split(r"\n\w[\w ]*\n-{3,}\n", text.partition("Parameters\n----------\n")[2])[0]
    lines = re.findall(r"^(\S.*?)(?: : .*)?$", section, re.MULTILINE)
    described = [name for line in lines for name in line.split(", ")]
    there = [
        {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}.get(each.kind, "") + name
        for name, each in inspect.signature(member).parameters.items()
        if name != "self"
    ]
    assert set(described) <= set(there)


def test_the_tables_describe_their_columns() -> None:
    """Name, type, unit and meaning."""
    for kind, table in comfynb.TABLES.items():
        assert table.kind == kind
        assert table.meaning
        assert all(column.meaning for column in table)
        assert len(table.describe()) == len(table.names())


# What they cost


def loaded(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import comfynb",
        "import comfynb; comfynb.connect('http://127.0.0.1:9', 'some-key')",
        "import comfynb; repr(comfynb.connect('http://127.0.0.1:9', 'some-key').url)",
        "from comfynb import ComfyError, standardize_workflow_name; standardize_workflow_name('x y')",
    ],
)
def test_importing_and_connecting_loads_nothing_heavy(code: str) -> None:
    """Tables, widgets, commands and the sandbox are loaded when they are first used."""
    bare = loaded("import httpx, pydantic, pydantic_settings")  # httpx has a command of its own, with rich
    assert (loaded(code) - bare) & set(HEAVY) == set()


def test_a_submodule_is_a_module() -> None:
    """`comfynb.errors` and `comfynb.warnings` are for programs that tell errors apart."""
    assert isinstance(comfynb.errors, ModuleType)
    assert isinstance(comfynb.warnings, ModuleType)
