"""Every knob, fault word and control of the sandbox has a test in which the library meets it.

Such a test, anywhere below `tests/unit`, says so: ``@pytest.mark.meets("fail_next", "fail_status")``.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from comfynb.sandbox import Knobs, Sandbox
from comfynb.sandbox.plan import WORDS

UNIT = Path(__file__).parents[1]
GUIDE = UNIT.parents[1] / "docs" / "test_your_notebooks.md"
KNOBS = [each.name for each in dataclasses.fields(Knobs)]
CONTROLS = [control.replace(" ", " /sandbox", 1) for control in Sandbox(history=0).app.controls.listed]
THINGS = [*KNOBS, *WORDS, *CONTROLS]
LIBRARY = re.compile(r"\b(ws|service|workflows|connect|transport_to|service_for)\b")


@dataclass(frozen=True)
class Meeting:
    """A test that is marked with what it meets, and its code without the mark."""

    where: str
    things: tuple[str, ...]
    code: str
    marks: str


@cache
def meetings() -> tuple[Meeting, ...]:
    """Return all tests that are marked."""
    found = []
    for path in sorted(UNIT.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.meets(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            mine = [each for each in node.decorator_list if "mark.meets(" in ast.unparse(each)]
            if mine:
                things = [ast.literal_eval(thing) for each in mine if isinstance(each, ast.Call) for thing in each.args]
                node.decorator_list = [each for each in node.decorator_list if each not in mine]
                marks = " ".join(ast.unparse(each) for each in node.decorator_list)
                found.append(Meeting(f"{path.name}::{node.name}", tuple(things), ast.unparse(node), marks))
    return tuple(found)


@pytest.mark.parametrize("thing", THINGS)
def test_the_library_meets_it_in_a_test(thing: str) -> None:
    """A new knob, word or control needs one."""
    assert [each.where for each in meetings() if thing in each.things], f"no test is marked with meets({thing!r})"


def test_the_marks_are_true() -> None:
    """What a mark names is there, stands in the code of its test, which uses the library, and the test is run."""
    for meeting in meetings():
        assert meeting.where.partition("::")[2].startswith("test_"), meeting.where
        assert set(meeting.things) <= set(THINGS), meeting.where
        assert LIBRARY.search(meeting.code), meeting.where
        assert "skip" not in meeting.marks, meeting.where
        assert "xfail" not in meeting.marks, meeting.where
        for thing in meeting.things:
            assert thing.rpartition(" ")[2] in meeting.code, f"{meeting.where} does not name {thing}"


def test_the_guide_names_every_word() -> None:
    """Users find them in one place."""
    guide = GUIDE.read_text(encoding="utf-8")
    assert [word for word in WORDS if f"`{word}`" not in guide] == []
