"""A run: what was asked, and a look at its plan."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from comfynb.rules.status import is_terminal
from comfynb.sandbox.plan import Plan, State
from comfynb.sandbox.prompt import Prompt

__all__ = ["Run"]

DAY = timedelta(hours=24)
BESIDE = frozenset({"output", "times"})
"""Changes that leave the row of the run as it is."""


@dataclass(slots=True)
class Run:
    """A run as the server keeps it.

    What is reported of it follows from `plan` and `created_at` alone. `born` and `wait_pace` only say which of
    the plan's states is reached at the machines' pace.
    """

    id: str
    user_id: str
    workflow_id: str
    workflow_version_id: str | None
    machine_id: str
    machine_type: str
    deployment_id: str | None
    inputs: dict[str, Any]
    created_at: datetime
    plan: Plan
    born: float
    """The machines' pace at which it was created."""
    wait: float = 0.0
    """Seconds that it reports as waiting for its machine."""
    wait_pace: float = 0.0
    """Seconds, at the machines' pace, that it really waits."""
    gpu: str | None = None
    origin: str = "api"
    webhook: str | None = None
    webhook_intermediate_status: bool = False
    modal_function_call_id: str | None = None
    batch_id: str | None = None
    prompt: Prompt | None = None
    workflow: dict[str, Any] | None = None
    settled: bool = False
    """Whether its last state is reached."""
    cache: dict[tuple[int, bool], bytes] = field(default_factory=dict)
    """The last answer to `GET /run/{run_id}`, by state and by whether it has extra fields."""
    times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.times = [state.at for state in self.plan.states]

    def index(self, pace: float) -> int:
        """Return the number of the state that is reached at this pace."""
        if self.settled:
            return len(self.times) - 1
        gone = pace - self.born
        at = min(gone, self.wait) if gone < self.wait_pace else self.wait + gone - self.wait_pace
        index = max(0, bisect_right(self.times, at) - 1)
        if index == len(self.times) - 1:
            self.settled = True
        return index

    def replan(self, plan: Plan, *, settled: bool) -> None:
        """Take another plan from here on."""
        self.plan = plan
        self.times = [state.at for state in plan.states]
        self.settled = settled
        self.cache.clear()

    def moment(self, seconds: float | None) -> datetime | None:
        """Return the moment so many seconds after it was created."""
        return None if seconds is None else self.created_at + timedelta(seconds=seconds)

    def updated_at(self, state: State) -> datetime:
        """Return when the row was last written by this state: what a machine makes is kept beside it."""
        written = [each.at for each in self.plan.states if each.at <= state.at and each.event not in BESIDE]
        return self.created_at + timedelta(seconds=written[-1])

    def ended_at(self, state: State) -> datetime | None:
        """Return when it ended, if this state is its end or after it: a machine may go on after a cancel."""
        if not state.ended:
            return None
        return self.updated_at(next(each for each in self.plan.states if each.ended))

    def reached(self, seconds: float | None, state: State) -> datetime | None:
        """Return the moment of something in its life, if it was before this state."""
        return self.moment(seconds) if seconds is not None and seconds <= state.at else None

    def computed_status(self, state: State, now: datetime) -> str:
        """Return the status as the server computes it on read: after a day without an end it is a timeout."""
        if not is_terminal(state.status) and now - self.updated_at(state) > DAY:
            return "timeout"
        return state.status
