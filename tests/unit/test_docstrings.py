"""Every example in a docstring runs, and gives what it shows."""

from __future__ import annotations

import doctest
import gc
import importlib
import pkgutil

import pytest

import comfynb

MODULES = sorted(module.name for module in pkgutil.walk_packages(comfynb.__path__, "comfynb."))
FINDER = doctest.DocTestFinder(exclude_empty=True)


def examples_of(name: str) -> list[doctest.DocTest]:
    """Return the docstrings of a module that have examples."""
    return [test for test in FINDER.find(importlib.import_module(name)) if test.examples]


WITH_EXAMPLES = [name for name in ["comfynb", *MODULES] if examples_of(name)]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_give_what_they_show(name: str) -> None:
    """With the sandbox as their server, and no output left out."""
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    for test in examples_of(name):
        runner.run(test, out=said.append)
        if any("connect(" in example.source for example in test.examples):
            gc.collect()  # what it connected to is closed here, not in the middle of another test
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_examples_are_found_all_over_the_package() -> None:
    """A finder that finds nothing would let everything pass."""
    parts = {name.split(".")[1] for name in WITH_EXAMPLES if "." in name}
    assert parts >= {"api", "display", "frames", "objects", "rules", "sandbox", "services", "workspace", "connecting"}
    assert sum(len(test.examples) for name in WITH_EXAMPLES for test in examples_of(name)) > 100


@pytest.mark.parametrize("name", ["connect", "Workspace.prepare", "Workspace.run", "Workspace.workflows"])
def test_the_main_calls_have_an_example(name: str) -> None:
    """They are what a person looks up first."""
    thing: object = comfynb
    for part in name.split("."):
        thing = getattr(thing, part)
    assert doctest.DocTestParser().get_examples(thing.__doc__ or "")
