"""How a machine looks: its status first, then what is deployed on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfynb.display.card import Card, Notes, Section
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.things import deployments_table
from comfynb.display.words import away_since, call, moment, quoted, status_tone

if TYPE_CHECKING:
    from comfynb.objects.machine import Machine

__all__ = ["machine_card", "machine_html", "machine_text"]


def machine_text(machine: Machine) -> str:
    """Return a machine as plain text."""
    return card_text(machine_card(machine))


def machine_html(machine: Machine) -> str:
    """Return a machine as HTML."""
    return card_html(machine_card(machine))


def machine_card(machine: Machine) -> Card:
    """Return what a display of a machine says."""
    sections: list[Section] = [deployments_table(machine.deployments, of="machine")]
    tone = status_tone(machine.status)
    if tone in ("bad", "warn"):
        sections.append(Notes((f"Its status is {machine.status}; runs would be queued on it all the same.",), tone))
    return Card(
        status=machine.status or "status not known",
        tone=tone,
        title=f"machine {machine.name}",
        facts=(
            ("as of", away_since(machine.as_of)),
            ("id", machine.id),
            ("type", machine.type),
            ("GPU", machine.gpu),
            ("runs can be cancelled", {True: "yes", False: "no", None: "not known"}[machine.can_cancel]),
            ("endpoint", machine.endpoint),
            ("ComfyUI", machine.comfyui_version),
            ("runs at once", None if machine.concurrency_limit is None else str(machine.concurrency_limit)),
            ("a run may take", None if machine.run_timeout is None else f"{machine.run_timeout} s"),
            ("stays up", None if machine.idle_timeout is None else f"{machine.idle_timeout} s after a run"),
            ("created", moment(machine.created)),
            ("updated", moment(machine.updated)),
        ),
        sections=tuple(sections),
        following=(call("prepare", '"…"', f"machine={quoted(machine.name, machine.id)}"), call("machines", "")),
    )
