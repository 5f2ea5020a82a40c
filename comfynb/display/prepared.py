"""How a prepared run looks: what would be sent, where, at what price, and what stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfynb.display.card import Card, Notes, Section, Table
from comfynb.display.html import bare_url, card_html
from comfynb.display.text import card_text
from comfynb.display.words import count, money, quoted, shown, with_id

if TYPE_CHECKING:
    from comfynb.services.prepared import Prepared

__all__ = ["prepared_card", "prepared_html", "prepared_text"]


def prepared_text(prepared: Prepared) -> str:
    """Return a prepared run as plain text."""
    return card_text(prepared_card(prepared))


def prepared_html(prepared: Prepared) -> str:
    """Return a prepared run as HTML."""
    return card_html(prepared_card(prepared))


def prepared_card(prepared: Prepared) -> Card:
    """Return what a display of a prepared run says."""
    webhook = None if prepared.webhook is None else bare_url(prepared.webhook) or "set"
    sections: list[Section] = [_inputs(prepared)]
    sections.append(Notes(prepared.blockers, "bad"))
    routed = prepared.routed
    if routed is not None and routed.ok:
        sections.append(Notes((routed.sentence,), "warn" if routed.announced else "plain"))
    sections.append(Notes(prepared.notes))
    subject = quoted(prepared.workflow.name, prepared.workflow.id)
    if prepared.ok:
        last = f"This submits nothing; ws.submit({subject}, …) with the same arguments does."
    else:
        last = f"Nothing can be submitted: {_obstacles(prepared)}."
    sections.append(Notes((last,), "plain" if prepared.ok else "bad"))
    return Card(
        status="ready to submit" if prepared.ok else "cannot be submitted",
        tone="good" if prepared.ok else "bad",
        title=f"a run of {prepared.name}",
        facts=(
            ("workflow", with_id(prepared.workflow.name, prepared.workflow.id)),
            ("version", _version(prepared)),
            ("deployment", _deployment(prepared)),
            ("machine", _machine(prepared)),
            ("GPU", prepared.gpu or "not known"),
            ("price", money(prepared.price)),
            ("webhook", webhook),
        ),
        sections=tuple(sections),
    )


def _version(prepared: Prepared) -> str:
    version = prepared.version
    return with_id(None if version.version is None else str(version.version), version.id) or "not known"


def _deployment(prepared: Prepared) -> str:
    deployment = prepared.deployment
    if deployment is None:
        return "none: the version is sent to the machine"
    return with_id(deployment.environment, deployment.id) or "not known"


def _machine(prepared: Prepared) -> str:
    machine = prepared.machine
    if machine is not None:
        return f"{with_id(machine.name, machine.id)}, {machine.status or 'status not known'}"
    return f"{prepared.machine_id}, which does not exist" if prepared.machine_id else "none"


def _inputs(prepared: Prepared) -> Table:
    merged = prepared.inputs
    known = [definition.name for definition in prepared.definitions]
    problems = merged.problems
    rows = []
    # Unknown names stand below the inputs that there are, each with its problem.
    for name in (*known, *(name for name in problems if name not in known)):
        if name in problems:
            value, origin = None, "not sent"
        elif name in merged.send:
            value, origin = shown(merged.send[name]), "drawn" if name in merged.drawn else "given"
        elif name in merged.effective:
            value, origin = shown(merged.effective[name]), "default"
        else:
            value, origin = None, "not given"
        rows.append((name, value, origin, problems.get(name, "")))
    if not problems:
        return Table("inputs", ("name", "value", "from"), tuple(row[:3] for row in rows), "it takes none")
    return Table(
        "inputs",
        ("name", "value", "from", "problem"),
        tuple(rows),
    )


def _obstacles(prepared: Prepared) -> str:
    found = []
    if prepared.inputs.problems:
        found.append(f"{count(len(prepared.inputs.problems), 'problem')} of the inputs")
    if prepared.blockers:
        found.append("the machine")
    return " and ".join(found)
