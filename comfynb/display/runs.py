"""How a run looks: its status first, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from comfynb.display.card import Card, Link, Media, Medium, Notes, Parts, Section, Table, Tone
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.words import away_since, cost, moment, seconds, shown, status_tone
from comfynb.rules.diagnosis import Failure
from comfynb.rules.phases import Phase, running_seconds
from comfynb.rules.pricing import estimate
from comfynb.rules.status import ACTIVE, is_terminal
from comfynb.rules.text import tidy

__all__ = ["RunFacts", "failed_node", "found_again", "run_card", "run_html", "run_text"]

_UNEXPLAINED: Final = frozenset({"failed", "timeout"})
_MOST_OUTPUTS: Final = 24
_MOST_INPUTS: Final = 40


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run, for a display.

    Parameters
    ----------
    id, name : str
        The run's id, and the name of its workflow.
    status, stage : str
        The last known status, and what the run does in words.
    progress : float
        0 to 1: the share of the nodes that have begun.
    live_status : str or None
        What its machine said last.
    queue_position : int or None
        Runs before it.
    machine, gpu : str or None
        Where it runs.
    version : int or None
        Which version runs.
    environment : str or None
        The environment of its deployment; None without one.
    created : datetime or None
        When the server wrote it down, in UTC.
    duration_seconds : float or None
        Seconds from then to its end.
    outputs : tuple of (kind, file name, URL or None)
        What it has made.
    failure : Failure or None
        What its machine said when it failed, if that was asked for.
    trouble : str or None
        What went wrong with its submit.
    stalled : str or None
        Since when nothing has changed, and the likely cause.
    inputs : mapping of str to value
        What was sent.
    phases : tuple of Phase
        How long it waited, started and ran, as far as that is known.
    price : float or None
        US dollars a second of its GPU.
    waiting : str or None
        What looks at it wait for.
    as_of : datetime or None
        Of when this is, if the server was away.
    """

    id: str
    name: str
    status: str
    stage: str
    progress: float = 0.0
    live_status: str | None = None
    queue_position: int | None = None
    machine: str | None = None
    gpu: str | None = None
    version: int | None = None
    environment: str | None = None
    created: datetime | None = None
    duration_seconds: float | None = None
    outputs: tuple[tuple[str, str, str | None], ...] = ()
    failure: Failure | None = None
    trouble: str | None = None
    stalled: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    price: float | None = None
    waiting: str | None = None
    as_of: datetime | None = None


def run_text(facts: RunFacts) -> str:
    """Return a run as plain text.

    Examples
    --------
    >>> print(run_text(RunFacts("0a1b", "text2img", "running", "Executing KSampler", 0.4)))
    running: Executing KSampler, 40% – run of text2img
      id  0a1b
    <BLANKLINE>
    next:
      run.wait()
      run.cancel()
    """
    return card_text(run_card(facts))


def run_html(facts: RunFacts, note: str | None = None) -> str:
    """Return a run as HTML, with its pictures.

    Parameters
    ----------
    facts : RunFacts
        What is known.
    note : str, optional
        Something to add, such as that it cannot be looked at.
    """
    card = run_card(facts)
    return card_html(replace(card, sections=(Notes((note,), "warn"), *card.sections)) if note else card)


def run_card(facts: RunFacts) -> Card:
    """Return what a display of a run says."""
    return Card(
        status=_status(facts),
        tone=_tone(facts),
        title=f"run of {tidy(facts.name, 80) or 'a workflow'}",
        facts=(
            ("as of", away_since(facts.as_of)),
            ("id", facts.id),
            ("version", None if facts.version is None else str(facts.version)),
            ("environment", facts.environment),
            ("machine", facts.machine),
            ("GPU", facts.gpu),
            ("created", moment(facts.created)),
            ("took", seconds(facts.duration_seconds)),
            ("cost", cost(estimate(running_seconds(facts.phases), facts.price), so_far=not is_terminal(facts.status))),
        ),
        sections=tuple(_sections(facts)),
        following=_following(facts),
    )


def failed_node(failure: Failure) -> str | None:
    """Return the node that failed, in words; None if the machine did not say.

    Examples
    --------
    >>> failed_node(Failure("…", "3", "KSampler"))
    'KSampler (node 3)'
    """
    if failure.node_class and failure.node_id:
        return f"{tidy(failure.node_class, 80)} (node {tidy(failure.node_id, 40)})"
    return failure.node_class or (f"node {failure.node_id}" if failure.node_id else None)


def found_again(trouble: str) -> str:
    """Return a sentence about a submit that got no usable answer."""
    return f"Its submit was in trouble, and it was found in the run list: {trouble}"


def _status(facts: RunFacts) -> str:
    words = facts.stage or facts.status
    if is_terminal(facts.status):
        node = failed_node(facts.failure) if facts.failure is not None and facts.status == "failed" else None
        return f"{words} at {node}" if node else words
    # What it executes replaces the word for the status; the status itself stays visible.
    head = words if words.startswith(facts.status) or facts.status not in ACTIVE else f"{facts.status}: {words}"
    share = f", {max(0.0, min(1.0, facts.progress)):.0%}" if facts.status in ACTIVE else ""
    return f"{head}{share}{' (stalled)' if facts.stalled else ''}"


def _tone(facts: RunFacts) -> Tone:
    if is_terminal(facts.status):
        return status_tone(facts.status)
    if facts.stalled:
        return "warn"
    return "busy" if facts.status in ACTIVE else "plain"


def _sections(facts: RunFacts) -> list[Section]:
    sections: list[Section] = [
        Parts("", tuple((phase.name, seconds(phase.seconds) or "", phase.seconds) for phase in facts.phases))
    ]
    failure = facts.failure
    if failure is not None:
        node = failed_node(failure)
        sections.append(Notes((f"{node}: {failure.message}" if node else failure.message,), "bad"))
        sections.append(Notes((failure.hint,)))
    elif facts.status in _UNEXPLAINED:
        sections.append(Notes(("Why is not known here: run.explain() asks the server.",), "bad"))
    if facts.waiting:
        sections.append(Notes((f"{facts.waiting[0].upper()}{facts.waiting[1:]}.",), "warn"))
    if facts.stalled:
        sections.append(Notes((f"Stalled: {facts.stalled}",), "warn"))
    if facts.trouble:
        sections.append(
            Notes((f"Its submit was in trouble, and it was found in the run list: {facts.trouble}",), "warn")
        )
    inputs = list(facts.inputs.items())
    sections.append(
        Table("inputs", ("name", "value"), tuple((name, shown(value)) for name, value in inputs[:_MOST_INPUTS]))
    )
    if len(inputs) > _MOST_INPUTS:
        sections.append(Notes((f"and {len(inputs) - _MOST_INPUTS} more: run.inputs",)))
    sections.extend(_outputs(facts))
    return sections


def _outputs(facts: RunFacts) -> list[Section]:
    first = facts.outputs[:_MOST_OUTPUTS]
    empty = "none came, although the run ended well" if facts.status == "success" else ""
    sections: list[Section] = [
        Table("outputs", ("kind", "file"), tuple((kind, Link(name, url)) for kind, name, url in first), empty),
    ]
    if len(facts.outputs) > _MOST_OUTPUTS:
        sections.append(Notes((f"and {len(facts.outputs) - _MOST_OUTPUTS} more: run.outputs",)))
    sections.append(Media(tuple(Medium(kind, name, url) for kind, name, url in first)))
    return sections


def _following(facts: RunFacts) -> tuple[str, ...]:
    if not is_terminal(facts.status):
        return ("run.explain()", "run.wait()", "run.cancel()") if facts.stalled else ("run.wait()", "run.cancel()")
    if facts.status in _UNEXPLAINED:
        return ("run.explain()", "run.rerun()")
    if facts.outputs:
        show = ("run.images()",) if any(kind == "image" for kind, _, _ in facts.outputs) else ()
        return (*show, "run.download()", "run.rerun()")
    return ("run.explain()", "run.rerun()")
