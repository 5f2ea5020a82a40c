"""How a deployment looks: which version runs where, and what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfynb.display.card import Card, Notes, Section, Tone
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.things import inputs_table
from comfynb.display.words import away_since, call, input_arguments, moment, quoted, status_tone, with_id
from comfynb.rules.text import tidy

if TYPE_CHECKING:
    from comfynb.objects.deployment import Deployment

__all__ = ["deployment_card", "deployment_html", "deployment_text"]


def deployment_text(deployment: Deployment) -> str:
    """Return a deployment as plain text."""
    return card_text(deployment_card(deployment))


def deployment_html(deployment: Deployment) -> str:
    """Return a deployment as HTML."""
    return card_html(deployment_card(deployment))


def deployment_card(deployment: Deployment) -> Card:
    """Return what a display of a deployment says."""
    status, tone = _status(deployment)
    sections: list[Section] = [Notes((deployment.description or "",)), inputs_table(deployment.inputs)]
    if tone == "bad":
        sections.append(Notes(("A run would be queued all the same, and fail; choose another with machine=.",), "bad"))
    return Card(
        status=status,
        tone=tone,
        title=f"{tidy(deployment.environment, 40) or 'a'} deployment of {deployment.name}",
        facts=(
            ("as of", away_since(deployment.as_of)),
            ("id", deployment.id),
            ("workflow", with_id(deployment.name, deployment.workflow_id)),
            ("version", _version(deployment)),
            ("machine", _machine(deployment)),
            ("GPU", deployment.gpu),
            ("makes", deployment.output_kind),
            ("limits", _limits(deployment)),
            ("fluid", "yes: built on an image of its own" if deployment.fluid else "no"),
            ("share slug", deployment.share_slug),
            ("created", moment(deployment.created)),
            ("updated", moment(deployment.updated)),
        ),
        sections=tuple(sections),
        following=_following(deployment),
    )


def _status(deployment: Deployment) -> tuple[str, Tone]:
    if deployment.machine is None:
        return ("its machine does not exist" if deployment.machine_id else "has no machine"), "bad"
    status = deployment.machine_status
    if status == "ready":
        return "ready", "good"
    tone = status_tone(status)
    return f"machine {tidy(status, 40)}" if status else "status not known", "bad" if tone in ("bad", "warn") else tone


def _version(deployment: Deployment) -> str | None:
    return with_id(None if deployment.version is None else str(deployment.version), deployment.version_id)


def _machine(deployment: Deployment) -> str | None:
    if deployment.machine is not None:
        return (
            f"{with_id(deployment.machine, deployment.machine_id)}, {deployment.machine_status or 'status not known'}"
        )
    return f"{deployment.machine_id}, which does not exist" if deployment.machine_id else "none"


def _limits(deployment: Deployment) -> str:
    limits = (
        ("runs at once", deployment.concurrency_limit, ""),
        ("a run", deployment.run_timeout, " s"),
        ("idle", deployment.idle_timeout, " s"),
        ("kept warm", deployment.keep_warm, ""),
    )
    return ", ".join(f"{what}: {limit}{unit}" for what, limit, unit in limits if limit is not None)


def _following(deployment: Deployment) -> tuple[str, ...]:
    where = ""
    if not deployment.environment:
        subject = quoted(deployment.id)
    else:
        subject = quoted(deployment.name, deployment.workflow_id)
        if deployment.environment != "production":
            where = f"environment={quoted(deployment.environment)}"
    given = input_arguments(deployment.inputs, deployment.primary_input)
    if _status(deployment)[1] == "bad":
        return (call("machines", ""), call("prepare", subject, where, 'machine="…"', given))
    return (call("prepare", subject, where, given), call("run", subject, where, given))
