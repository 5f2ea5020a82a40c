"""Running the cases, each on a stage of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from comfynb.errors import ComfyError
from comfynb.routing_plan.case import Case, Checked, NotHere, OutOfBudget
from comfynb.routing_plan.cases import CASES
from comfynb.routing_plan.load import Load
from comfynb.routing_plan.stage import Stage

__all__ = ["PlanResult", "run_on_sandbox", "run_on_server"]

Tell = Callable[[Checked], None]


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What came of the plan.

    Attributes
    ----------
    checked : tuple of Checked
        Each case.
    where : str
        On what it was run, for people.
    load : tuple of Load
        What was measured under load; empty if nothing was.
    """

    checked: tuple[Checked, ...]
    where: str
    load: tuple[Load, ...] = ()

    @property
    def failed(self) -> int:
        """How many cases failed."""
        return sum(each.verdict == "failed" for each in self.checked)


def run_on_sandbox(cases: Sequence[Case] = CASES, tell: Tell | None = None) -> PlanResult:
    """Run the cases on a sandbox that is begun anew for each.

    Parameters
    ----------
    cases : sequence of Case
        Which ones.
    tell : callable, optional
        Called with each as soon as it is done.

    Examples
    --------
    >>> tested = run_on_sandbox(CASES[:2])
    >>> [each.verdict for each in tested.checked], tested.checked[0].seen
    (['passed', 'passed'], 'success on serverless-a10g, by its version')
    """
    from comfynb.sandbox import Sandbox

    found: list[Checked] = []
    with Sandbox(speed=1000.0, history=0) as sandbox, tempfile.TemporaryDirectory() as folder:
        for case in cases:
            sandbox.knobs.change(offline=set(), faults_on="", drop_next=0)
            sandbox.reset()
            _keep(found, _checked(case, lambda: Stage(Path(folder), sandbox)), tell)
    return PlanResult(tuple(found), "the sandbox")


def run_on_server(
    cases: Sequence[Case] = CASES, *, execute: bool = False, max_runs: int = 5, tell: Tell | None = None
) -> PlanResult:
    """Run the cases that need no fault on the server that the environment says.

    Parameters
    ----------
    cases : sequence of Case
        Which ones.
    execute : bool
        Whether runs are submitted, which costs money; else each case sees where they would go.
    max_runs : int
        How many runs at most.
    tell : callable, optional
        Called with each as soon as it is done.
    """
    found: list[Checked] = []
    budget = [max_runs]
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            if case.sandbox_only:
                _keep(found, Checked(case, "", "", "sandbox only"), tell)
                continue
            _keep(found, _checked(case, lambda: Stage(Path(folder), execute=execute, budget=budget)), tell)
    how = f"with at most {max_runs} runs" if execute else "without a run"
    return PlanResult(tuple(found), f"a server, {how}")


def _keep(found: list[Checked], checked: Checked, tell: Tell | None) -> None:
    found.append(checked)
    if tell is not None:
        tell(checked)


def _checked(case: Case, open_stage: Callable[[], Stage]) -> Checked:
    stage = open_stage()
    try:
        expected, seen = case.check(stage)
    except NotHere as missing:
        return Checked(case, "", f"the workspace has not {missing}", "not run")
    except OutOfBudget:
        return Checked(case, "", "all runs that were allowed are used up", "not run")
    except ComfyError as error:
        return Checked(case, "no error", f"{type(error).__name__}: {error}", "failed")
    finally:
        stage.close()
    return Checked(case, expected, seen, "passed" if expected == seen else "failed")
