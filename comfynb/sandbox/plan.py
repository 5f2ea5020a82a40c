"""What will become of a run: its states, and what it leaves. Computed once, and only looked at afterwards."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["WORDS", "Output", "Plan", "Situation", "State", "float4", "single", "words_in"]

WORDS = (
    "__early_save__",
    "__fail__",
    "__freeze__",
    "__half_reject__",
    "__interrupt__",
    "__machine_down__",
    "__never_start__",
    "__no_outputs__",
    "__preview_only__",
    "__reject__",
    "__slow__",
    "__step_back__",
    "__text_only__",
)
"""Words that make a run misbehave when they stand anywhere in a text input."""


@dataclass(frozen=True, slots=True)
class Output:
    """Something that a machine posted for a run; `inside` ones only the old list of runs shows."""

    key: str
    at: float
    data: dict[str, Any] | list[Any]
    node_id: str | None = None
    node_class: str | None = None
    output_id: str | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A run from one change to the next."""

    at: float
    """Seconds since the run was created."""
    status: str
    live_status: str | None = None
    progress: float = 0.0
    outputs: int = 0
    """How many of the plan's outputs are there."""
    ended: bool = False
    """Whether the run's end was written down; a failed run may lack it."""
    event: str = "status"
    """What changed: ``status``, ``progress``, ``output``, or ``times`` (the list of the times of the nodes came);
    ``marked`` is a status that the server wrote by itself."""


@dataclass(slots=True)
class Plan:
    """The states that a run goes through, and what it leaves."""

    states: list[State]
    outputs: list[Output] = field(default_factory=list)
    queued_at: float | None = None
    started_at: float | None = None
    answer: int = 200
    """The status with which the submit is answered."""
    busy_until: float = 0.0
    """When the machine can take the next run."""
    signatures: frozenset[str] = frozenset()
    """What the machine's cache holds afterwards."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where and how a prompt is executed.

    Parameters
    ----------
    serverless : bool
        Whether the machine reports being queued and started.
    gpu : str or None
        The GPU, which decides how fast it is.
    wait : float
        Seconds until the machine is free.
    cold : bool
        Whether it has to start first.
    words : frozenset of str
        Which of `WORDS` were in the inputs.
    vary : callable
        Gives a factor near 1 for a node id.
    cached : frozenset of str
        What the machine's cache holds.
    factor : float
        On all seconds of execution.
    make : callable
        Makes the list of files of an output node, from its id, the key of its data and an extension.
    unreadable : callable
        Whether a machine cannot read the picture at an address.
    """

    serverless: bool
    gpu: str | None
    wait: float
    cold: bool
    words: frozenset[str]
    vary: Callable[[str], float]
    make: Callable[[str, str, str], list[dict[str, Any]]]
    unreadable: Callable[[str], bool]
    cached: frozenset[str] = frozenset()
    factor: float = 1.0
    uploads_fail: bool = False
    unknown_status: bool = False


def float4(value: float) -> float:
    """Return the number as PostgreSQL gives back a float4.

    Examples
    --------
    >>> float4(0.44)
    0.4399999976158142
    """
    return float(struct.unpack("f", struct.pack("f", value))[0])


def words_in(inputs: dict[str, Any]) -> frozenset[str]:
    """Return the words of `WORDS` that stand in the texts among the inputs.

    Examples
    --------
    >>> sorted(words_in({"prompt": "a fox __slow__ __fail__", "steps": 4}))
    ['__fail__', '__slow__']
    """
    texts = [value for value in inputs.values() if isinstance(value, str)]
    return frozenset(word for word in WORDS if any(word in text for text in texts))


def single(status: str, *, ended: bool = False, answer: int = 200) -> Plan:
    """Return the plan of a run in which nothing happens after this."""
    first = State(0.0, "not-started")
    if status == "not-started":
        return Plan([first], answer=answer)
    return Plan([first, State(0.02, status, ended=ended)], answer=answer)
