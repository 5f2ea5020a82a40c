"""Everything about the sandbox that can be turned, in one dataclass."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, get_type_hints

from comfynb.sandbox.knob_values import wanted

__all__ = ["Knobs"]

CLOCK_START = datetime(2026, 11, 1, 9, 0, 0, tzinfo=UTC)


@dataclass(slots=True)
class Knobs:
    """What a sandbox does, and which faults it shows. Every field can be changed while the sandbox runs.

    Fields that end in ``_next`` are numbers of requests, runs or webhooks; each one counts down as it is used.

    Examples
    --------
    >>> knobs = Knobs(speed=100)
    >>> knobs.fail_next, knobs.speed
    (0, 100)
    >>> knobs.change(fail_next=2).fail_next
    2
    """

    # The world and its time
    seed: int = 7
    """Ids, keys, times, durations and pictures are computed from it. Read once, at the start and at a reset."""
    start: datetime = CLOCK_START
    """The reported time at which the sandbox begins. Read once, at the start and at a reset."""
    history: int = 200
    """How many runs of the last thirty days there are. Read once, at the start and at a reset."""
    speed: float = 20.0
    """Reported seconds per real second. 0 stops the machines; `Sandbox.advance` then moves them by hand."""
    run_seconds: float = 1.0
    """Factor on the seconds that runs report (and, divided by `speed`, take)."""

    # How the server is reached
    prefix: str = "/api"
    """Where the routes live: ``"/api"`` as on the real server, or ``""``."""
    latency: float = 0.0
    """Real seconds that each answer waits."""
    html_root: bool = True
    """Whether ``GET /`` answers a web page, as on the real server, or 404."""
    html_answers: bool = False
    """Whether every route answers 200 with a web page instead of JSON, as a login portal in between would."""

    # Refusals
    rate_limit: float = 0.0
    """Requests per real second above which requests are answered with 429; 0 is no limit."""
    limit_next: int = 0
    """So many requests are answered with 429."""
    retry_after: float | None = 1.0
    """Seconds in the ``Retry-After`` header of a 429 or 503; None sends no such header."""
    retry_after_form: Literal["seconds", "date"] = "seconds"
    """Whether ``Retry-After`` is a number of seconds or an HTTP date (by the server's own ``date`` header)."""
    fail_next: int = 0
    """So many requests are answered with `fail_status`."""
    fail_status: int = 500
    """500 (text/plain, and the connection is dropped), 502, 503 or 504."""
    error_rate: float = 0.0
    """Share of requests, 0 to 1, that are answered with `fail_status`. Which ones follows from the seed."""
    drop_next: int = 0
    """So many connections are dropped, at the moment that `drop` says."""
    drop: Literal["before", "middle", "after"] = "before"
    """``before``: nothing was done. ``middle``: done, half of the answer is sent. ``after``: done, no answer."""
    truncate_next: int = 0
    """So many answers are cut in half, and still look complete (their length says so)."""
    faults_on: str = ""
    """The refusals above strike only requests whose ``METHOD /path`` contains this text."""
    no_credits: bool = False
    """Whether new runs are refused with 403, for want of credits."""

    # What is in the answers
    hide_fluid: bool = True
    """Whether deployments on a machine version are hidden unless ``is_fluid=true`` is asked for."""
    broken_workflow: bool = False
    """Whether a workflow is there whose enum is no JSON list, so that lists of deployments fail with 500."""
    extra_fields: bool = False
    """Whether every object at the top of an answer has a field that no client knows."""
    private_files: bool = False
    """Whether files are private: an address is signed, good for an hour of the machines' time, and soon another."""
    unknown_status: bool = False
    """Whether runs pass through a status that no client knows (``warming-up``) before they run."""

    # Machines and runs
    offline: set[str] = field(default_factory=set)
    """Names or ids of machines that do not answer: submits to them fail with 500 and leave a failed run."""
    stuck_next: int = 0
    """So many new runs stay ``running`` for ever."""
    uploads_fail: bool = False
    """Whether machines cannot upload: runs end with success and without outputs."""
    step_back: bool = False
    """Whether status and progress of runs step back for a moment, as overtaking callbacks make them."""

    # Webhooks
    lose_webhooks_next: int = 0
    """So many webhook deliveries are lost."""
    repeat_webhooks: bool = False
    """Whether each final webhook is sent twice."""

    def __post_init__(self) -> None:
        self.change(**{each.name: getattr(self, each.name) for each in dataclasses.fields(self)})

    def change(self, **values: Any) -> Knobs:
        """Set several knobs at once; none of them if a name or a value is wrong.

        Parameters
        ----------
        **values
            Names of fields and their new values.

        Returns
        -------
        Knobs
            The same object.

        Raises
        ------
        TypeError
            If a name is no knob.
        ValueError
            If a knob cannot have a value; the message says what it takes.
        """
        names = {each.name for each in dataclasses.fields(self)}
        unknown = sorted(set(values) - names)
        if unknown:
            raise TypeError(f"No such knob: {', '.join(unknown)}. Knobs are {', '.join(sorted(names))}.")
        needs = {name: wanted(name, _kinds()[name], value) for name, value in values.items()}
        faults = [f"{name}={values[name]!r:.60} has to be {need}" for name, need in needs.items() if need]
        if faults:
            raise ValueError(f"{'; '.join(faults)}.")
        for name, value in values.items():
            setattr(self, name, set(value) if name == "offline" else value)
        return self

    def take(self, name: str) -> bool:
        """Use up one of a counting knob; False if none was left."""
        left: int = getattr(self, name)
        if left <= 0:
            return False
        setattr(self, name, left - 1)
        return True


@cache
def _kinds() -> dict[str, Any]:
    return get_type_hints(Knobs)
