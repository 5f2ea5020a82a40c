"""How the receiver of webhooks looks: where it listens, how the server reaches it, and what has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from comfynb.display.card import Card, Notes, Section, Table, Tone
from comfynb.display.html import bare_url, card_html
from comfynb.display.text import card_text

__all__ = ["ListenerFacts", "listener_card", "listener_html", "listener_text"]

_MEANINGS: Mapping[str, str] = {
    "event": "of a run that is known here",
    "other": "of another run: ignored",
    "no event": "no JSON, or of another shape",
    "wrong signature": "signed with another secret",
    "wrong address": "a token that is wrong or has expired",
    "wrong method": "no POST",
    "too slow": "did not come to its end in time",
    "too large": "over 1 MB",
    "broken off": "did not come to its end",
}


@dataclass(frozen=True, slots=True)
class ListenerFacts:
    """What is known of a receiver.

    Parameters
    ----------
    running : bool
        Whether it listens.
    url : str
        Where, on this machine.
    address : str
        What the server is asked to call.
    counts : mapping of str to int
        How many posts had each outcome.
    silent : bool
        Whether a run ended of which nothing came.
    """

    running: bool
    url: str
    address: str
    counts: Mapping[str, int] = field(default_factory=dict)
    silent: bool = False


def listener_text(facts: ListenerFacts) -> str:
    """Return a receiver as plain text.

    Examples
    --------
    >>> print(listener_text(ListenerFacts(True, "http://127.0.0.1:8123", "https://host/hooks/x", {"event": 2})))
    listening – webhooks at http://127.0.0.1:8123
      the server calls  https://host/hooks/x
    <BLANKLINE>
    posts:
      number  what came  meaning
      2       event      of a run that is known here
    <BLANKLINE>
    next:
      ws.submit("…", webhook=True)
      listener.close()
    """
    return card_text(listener_card(facts))


def listener_html(facts: ListenerFacts) -> str:
    """Return a receiver as HTML."""
    return card_html(listener_card(facts))


def listener_card(facts: ListenerFacts) -> Card:
    """Return what a display of a receiver says."""
    status, tone = _status(facts)
    rows = tuple(
        (str(number), outcome, _MEANINGS.get(outcome, "")) for outcome, number in facts.counts.items() if number
    )
    sections: list[Section] = [
        Table("posts", ("number", "what came", "meaning"), rows, "Nothing was posted so far." if facts.running else "")
    ]
    if facts.running and facts.silent:
        sections.append(
            Notes(
                ("A run has ended of which nothing came; runs are asked for as always, so nothing is missed.",), "warn"
            )
        )
    return Card(
        status=status,
        tone=tone,
        title=f"webhooks at {bare_url(facts.url) or 'an unknown address'}",
        facts=(("the server calls", bare_url(facts.address)),),
        sections=tuple(sections),
        following=('ws.submit("…", webhook=True)', "listener.close()") if facts.running else ("ws.listen()",),
    )


def _status(facts: ListenerFacts) -> tuple[str, Tone]:
    if not facts.running:
        return "closed", "plain"
    return ("listening, unheard", "warn") if facts.silent else ("listening", "good")
