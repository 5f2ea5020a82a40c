"""How health looks: the worst first in words, then every check; and what a watch has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from comfynb.display.card import Card, Dot, Notes, Section, Table, Tone
from comfynb.display.html import bare_url, card_html
from comfynb.display.text import card_text
from comfynb.display.words import count, moment, seconds
from comfynb.rules.health import Finding, HealthState, worst

__all__ = ["Incident", "WatchFacts", "health_html", "health_text", "watch_html", "watch_text"]

_TONES: Final[dict[HealthState, Tone]] = {"ok": "good", "warn": "warn", "bad": "bad"}
_MOST_ROWS: Final = 40
_MOST_INCIDENTS: Final = 5


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that was not well for a while, or is not.

    Attributes
    ----------
    check : str
        What was not well.
    state : str
        How bad it was when the alert was raised.
    seen, advice : str
        What was seen then, and what to do.
    since : datetime
        When the alert was raised, by this machine's clock, in UTC.
    until : datetime or None
        When it was over; None while it is not.
    """

    check: str
    state: HealthState
    seen: str
    advice: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class WatchFacts:
    """What a watch knows, for a display.

    Parameters
    ----------
    findings : sequence of Finding
        What the last look found.
    source : str
        The server.
    running : bool
        Whether it goes on.
    every : float
        Seconds between two looks.
    looked : datetime or None
        When it looked last.
    incidents : sequence of Incident
        What was not well, the oldest first.
    trouble : str
        Why its rules cannot be used.
    """

    findings: Sequence[Finding]
    source: str
    running: bool
    every: float
    looked: datetime | None
    incidents: Sequence[Incident] = ()
    trouble: str = ""


def health_text(findings: Sequence[Finding], source: str = "") -> str:
    """Return findings as plain text.

    Examples
    --------
    >>> print(health_text([Finding("key", "bad", "refused (401)", "Make a new key.")]).splitlines()[0])
    bad – health
    """
    return card_text(_health(findings, source))


def health_html(findings: Sequence[Finding], source: str = "") -> str:
    """Return findings as HTML."""
    return card_html(_health(findings, source))


def watch_text(facts: WatchFacts) -> str:
    """Return a watch as plain text."""
    return card_text(_watch(facts))


def watch_html(facts: WatchFacts) -> str:
    """Return a watch as HTML."""
    return card_html(_watch(facts))


def _health(findings: Sequence[Finding], source: str) -> Card:
    state = worst(findings)
    return Card(status=state, tone=_TONES[state], title=_title("health", source), sections=_sections(findings))


def _watch(facts: WatchFacts) -> Card:
    state = worst(facts.findings)
    going = [each for each in facts.incidents if each.until is None]
    sections = [*_sections(facts.findings)]
    if facts.incidents:
        rows = tuple(
            (
                Dot(each.state, _TONES[each.state] if each.until is None else "plain"),
                each.check,
                moment(each.since),
                moment(each.until) or "goes on",
                each.seen,
            )
            for each in facts.incidents[: -_MOST_INCIDENTS - 1 : -1]
        )
        sections.append(Table("latest incidents", ("state", "check", "since", "until", "seen"), rows))
    if facts.trouble:
        sections.append(Notes((facts.trouble,), "warn"))
    return Card(
        status=state,
        tone=_TONES[state],
        title=_title("health", facts.source),
        facts=(
            ("watched", f"every {seconds(facts.every)}" if facts.running else "no longer"),
            ("looked", moment(facts.looked)),
            ("incidents", f"{count(len(going), 'incident')} now" if facts.incidents else "none so far"),
        ),
        sections=tuple(sections),
    )


def _title(what: str, source: str) -> str:
    return f"{what} of {bare_url(source) or 'an unknown address'}" if source else what


def _sections(findings: Sequence[Finding]) -> tuple[Section, ...]:
    """Return a table of the checks, and what to do about those that are not well."""
    shown = [*findings[:_MOST_ROWS], *(each for each in findings[_MOST_ROWS:] if each.state != "ok")][: 2 * _MOST_ROWS]
    rows = tuple((Dot(each.state, _TONES[each.state]), each.check, each.seen) for each in shown)
    table = Table("", ("state", "check", "seen"), rows, empty="nothing was looked at")
    advice = tuple(f"{each.check}: {each.advice}" for each in shown if each.advice)
    more = (f"{len(findings) - len(shown)} more checks are not shown.",) if len(shown) < len(findings) else ()
    return (table, Notes(more), Notes(advice))
