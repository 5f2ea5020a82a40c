"""One case of the testing plan, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from comfynb.routing_plan.stage import Stage

__all__ = ["Case", "Checked", "Kind", "NotHere", "OutOfBudget", "Verdict"]

Kind: TypeAlias = Literal["workflow types", "inputs", "edge cases"]
Verdict: TypeAlias = Literal["passed", "failed", "sandbox only", "not run"]


class NotHere(Exception):
    """A workspace has not what a case needs, such as a second machine that is ready."""


class OutOfBudget(Exception):
    """A case needs a run more than may be submitted."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case.

    Parameters
    ----------
    kind : str
        "workflow types", "inputs" or "edge cases".
    title : str
        What is tested.
    check : callable
        Given a stage, does it and returns (expected, seen); they are the same if all is well.
    sandbox_only : bool
        Whether it needs a fault, or changes the workspace.
    """

    kind: Kind
    title: str
    check: Callable[[Stage], tuple[str, str]]
    sandbox_only: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a case.

    Attributes
    ----------
    case : Case
        The case.
    expected, seen : str
        What should be seen, and what was.
    verdict : str
        "passed", "failed", "sandbox only", or "not run" (then `seen` says why).
    """

    case: Case
    expected: str
    seen: str
    verdict: Verdict
