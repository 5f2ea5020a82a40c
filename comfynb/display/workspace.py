"""How a workspace looks: where it is connected, as whom, how healthy and how fresh, and what one can do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from comfynb.display.card import Card, Notes, Section, Tone
from comfynb.display.html import bare_url, card_html
from comfynb.display.text import card_text
from comfynb.display.words import count, moment, quoted
from comfynb.rules.text import tidy

__all__ = ["WorkspaceFacts", "workspace_card", "workspace_html", "workspace_text"]

_MOST_USERS = 5


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    """What is known of a workspace without asking the server.

    Parameters
    ----------
    address : str
        The server.
    sandbox : bool
        Whether it is a local sandbox.
    prefix : str or None
        The path below which its routes are ("/api", or "" for none); None while that is not known.
    users : tuple of str
        The people whose workflows it has.
    workflows, deployments : int or None
        How many there are; None while nothing has been read.
    broken : int
        Deployments that the server cannot list.
    machines : mapping of str to int, or None
        How many machines have each status.
    as_of : datetime or None
        When the oldest of that was read.
    webhook : str or None
        The URL that the server is asked to call for each run.
    routing : str or None
        What is known of the routing rules; None without any.
    last_run : str or None
        The id of the last run that was submitted here.
    trouble : str or None
        Why the server could not be asked just now.
    away : str or None
        Why what is shown is what was read before, in a sentence.
    waiting : str or None
        What requests wait for.
    """

    address: str
    sandbox: bool = False
    prefix: str | None = None
    users: tuple[str, ...] = ()
    workflows: int | None = None
    deployments: int | None = None
    broken: int = 0
    machines: Mapping[str, int] | None = None
    as_of: datetime | None = None
    webhook: str | None = None
    routing: str | None = None
    last_run: str | None = None
    trouble: str | None = None
    away: str | None = None
    waiting: str | None = None


def workspace_text(facts: WorkspaceFacts) -> str:
    """Return a workspace as plain text.

    Examples
    --------
    >>> print(workspace_text(WorkspaceFacts("https://host")).splitlines()[0])
    not asked yet – ComfyDeploy at https://host
    """
    return card_text(workspace_card(facts))


def workspace_html(facts: WorkspaceFacts) -> str:
    """Return a workspace as HTML."""
    return card_html(workspace_card(facts))


def workspace_card(facts: WorkspaceFacts) -> Card:
    """Return what a display of a workspace says."""
    status, tone = _status(facts)
    address = bare_url(facts.address) or "an unknown address"
    deployments = None if facts.deployments is None else count(facts.deployments, "deployment")
    if deployments is not None and facts.broken:
        deployments += f" and {facts.broken} that the server cannot list"
    people = [tidy(user, 60) for user in facts.users[:_MOST_USERS]]
    if len(facts.users) > _MOST_USERS:
        people.append(f"{len(facts.users) - _MOST_USERS} more")
    things = filter(None, (None if facts.workflows is None else count(facts.workflows, "workflow"), deployments))
    return Card(
        status=status,
        tone=tone,
        title=f"{'sandbox: a local ComfyDeploy' if facts.sandbox else 'ComfyDeploy'} at {address}",
        facts=(
            ("routes", None if facts.prefix is None else f"below {facts.prefix}" if facts.prefix else "at the root"),
            ("workflows of", ", ".join(filter(None, people))),
            ("has", ", ".join(things)),
            ("machines", _machines(facts.machines)),
            ("read", moment(facts.as_of)),
            ("routing", facts.routing),
            ("webhook", None if facts.webhook is None else bare_url(facts.webhook) or "set"),
            ("last run", facts.last_run),
        ),
        sections=_notes(facts),
        following=_following(facts),
    )


def _status(facts: WorkspaceFacts) -> tuple[str, Tone]:
    if facts.trouble:
        return "not reachable", "bad"
    if facts.away:
        return "offline", "warn"
    if facts.workflows is None and facts.deployments is None and facts.machines is None:
        return "not asked yet", "plain"
    if facts.broken or (facts.machines and not facts.machines.get("ready")):
        return "connected, with problems", "warn"
    return "connected", "good"


def _machines(machines: Mapping[str, int] | None) -> str | None:
    if machines is None:
        return None
    if not machines:
        return "none"
    parts = sorted(machines.items(), key=lambda item: (item[0] != "ready", item[0]))
    return ", ".join(f"{number} {tidy(status, 40) or 'without a status'}" for status, number in parts)


def _notes(facts: WorkspaceFacts) -> tuple[Section, ...]:
    notes: list[Section] = []
    if facts.trouble:
        notes.append(Notes((facts.trouble,), "bad"))
    elif facts.away:
        notes.append(Notes((facts.away,), "warn"))
    if facts.waiting:
        notes.append(Notes((f"{facts.waiting[0].upper()}{facts.waiting[1:]}.",), "warn"))
    if facts.broken:
        notes.append(Notes(("ws.deployments() says what is wrong with those that cannot be listed.",), "warn"))
    if facts.machines and not facts.machines.get("ready"):
        notes.append(Notes(("No machine is ready: runs would wait, or fail.",), "warn"))
    return tuple(notes)


def _following(facts: WorkspaceFacts) -> tuple[str, ...]:
    calls = ["ws.catalog()", 'ws.deployment("…")', 'ws.run("…", prompt="…")']
    if facts.last_run:
        calls.append(f"ws.get_run({quoted(facts.last_run)})")
    return tuple(calls)
