"""How the routing rules look: where they are from, what they say, or what is wrong with them."""

from __future__ import annotations

from comfynb.display.card import Card, Notes, Section, Table
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.words import count
from comfynb.rules.routing import RoutingRules
from comfynb.rules.text import tidy

__all__ = ["routing_card", "routing_html", "routing_text"]

_MOST_ROWS = 30


def routing_text(rules: RoutingRules | None, where: str | None = None, trouble: str | None = None) -> str:
    """Return the rules as plain text."""
    return card_text(routing_card(rules, where, trouble))


def routing_html(rules: RoutingRules | None, where: str | None = None, trouble: str | None = None) -> str:
    """Return the rules as HTML."""
    return card_html(routing_card(rules, where, trouble))


def routing_card(rules: RoutingRules | None, where: str | None, trouble: str | None) -> Card:
    """Return what a display of the rules says.

    Parameters
    ----------
    rules : RoutingRules or None
        The rules.
    where : str or None
        Their file.
    trouble : str or None
        Why they cannot be used.
    """
    if trouble is not None:
        return Card(
            status="cannot be used",
            tone="bad",
            title="routing rules",
            facts=(("file", where),),
            sections=(Notes(tuple(trouble.splitlines()), "bad"),),
        )
    if rules is None:
        return Card(
            status="none",
            tone="plain",
            title="routing rules",
            facts=(),
            sections=(
                Notes(("Every workflow runs where its deployment is.", "`comfynb routes --init` writes a first file.")),
            ),
            following=("ws.routing.table()", "print(ws.routing.template())"),
        )
    rows: list[tuple[str | None, ...]] = [
        (
            rule.pattern,
            ", then ".join(tidy(machine, 80) for machine in rule.machines) or None,
            " or ".join(rule.require_gpu) or None,
            rule.environment,
            rule.when_unavailable,
        )
        for rule in rules.rules[:_MOST_ROWS]
    ]
    if len(rules.rules) > _MOST_ROWS:
        rows.append((f"… and {len(rules.rules) - _MOST_ROWS} more", None, None, None, None))
    columns = ("workflow", "machines", "GPU", "environment", "when unavailable")
    used = [place for place in range(len(columns)) if place < 2 or any(row[place] for row in rows)]
    sections: list[Section] = [
        Table(
            "rules",
            tuple(columns[place] for place in used),
            tuple(tuple(row[place] for place in used) for row in rows),
        )
    ]
    return Card(
        status=count(len(rules.rules), "rule"),
        tone="good",
        title="routing rules",
        facts=(
            ("file", where),
            ("default machine", ", then ".join(rules.default_machine) or None),
            ("required GPU", " or ".join(rules.require_gpu) or None),
            ("environment", rules.environment),
            ("when unavailable", rules.when_unavailable),
        ),
        sections=tuple(sections),
        following=("ws.routing.table()", "ws.routing.check()"),
    )
