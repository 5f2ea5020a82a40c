"""How a route looks: where a workflow would run, and why; then every machine that was thought of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfynb.display.card import Card, Notes, Section, Table
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.words import quoted, with_id
from comfynb.rules.text import tidy

if TYPE_CHECKING:
    from comfynb.rules.routing import Route

__all__ = ["route_card", "route_html", "route_text"]

_MOST_ROWS = 30
_SOURCES = {
    "rule": "its rule",
    "default": "default machine",
    "any-ready": "any that is ready",
    "deployment": "its deployment",
    "no rule": "no rule",
}


def route_text(route: Route) -> str:
    """Return a route as plain text."""
    return card_text(route_card(route))


def route_html(route: Route) -> str:
    """Return a route as HTML."""
    return card_html(route_card(route))


def route_card(route: Route) -> Card:
    """Return what a display of a route says."""
    machine = route.machine
    deployment = route.deployment
    sections: list[Section] = [Notes((route.sentence,), "plain" if route.ok else "bad"), _candidates(route)]
    if route.announced:
        sections.append(Notes(("No rule sends it there; when_unavailable does.",), "warn"))
    subject = quoted(route.subject.name, route.subject.id)
    return Card(
        status="can run" if route.ok else "cannot run",
        tone="warn" if route.announced else "good" if route.ok else "bad",
        title=f"route of {route.name}",
        facts=(
            ("rule", tidy(route.rule.pattern, 80) if route.rule is not None else None),
            ("environment", (route.home.environment if route.home is not None else None) or route.environment),
            ("machine", with_id(machine.name, machine.id) if machine is not None else None),
            ("GPU", None if machine is None else route.gpu or "not known"),
            ("deployment", with_id(deployment.environment, deployment.id) if deployment is not None else None),
            ("required GPU", " or ".join(route.require_gpu)),
        ),
        sections=tuple(sections),
        following=(f"ws.prepare({subject})", "ws.routing.table()") if route.ok else ("ws.routing.check()",),
    )


def _candidates(route: Route) -> Table:
    rows: list[tuple[str | None, ...]] = []
    taken = False
    candidates = route.candidates
    for candidate in candidates[:_MOST_ROWS]:
        if candidate.why_not is not None:
            verdict = candidate.reason
        else:
            verdict, taken = ("could take it, too" if taken else "takes it"), True
        rows.append((candidate.machine, _SOURCES[candidate.source], verdict))
    if len(candidates) > _MOST_ROWS:
        rows.append(("…", f"and {len(candidates) - _MOST_ROWS} more", ""))
    return Table("machines", ("machine", "from", "verdict"), tuple(rows))
