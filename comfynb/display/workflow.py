"""How a workflow looks: what it makes and asks for, its versions and deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfynb.display.card import Card, Notes, Tone
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.things import deployments_table, inputs_table, versions_table
from comfynb.display.words import away_since, call, input_arguments, moment, quoted, with_id
from comfynb.rules.text import tidy

if TYPE_CHECKING:
    from comfynb.objects.workflow import Workflow

__all__ = ["workflow_card", "workflow_html", "workflow_text"]


def workflow_text(workflow: Workflow) -> str:
    """Return a workflow as plain text."""
    return card_text(workflow_card(workflow))


def workflow_html(workflow: Workflow) -> str:
    """Return a workflow as HTML."""
    return card_html(workflow_card(workflow))


def workflow_card(workflow: Workflow) -> Card:
    """Return what a display of a workflow says."""
    status, tone = _status(workflow)
    return Card(
        status=status,
        tone=tone,
        title=f"workflow {workflow.display_name}",
        facts=(
            ("as of", away_since(workflow.as_of)),
            ("id", workflow.id),
            ("standard name", workflow.standard_name or "none"),
            ("makes", workflow.output_kind),
            ("uses LoRAs", {True: "yes", False: "no", None: None}[workflow.uses_lora]),
            ("own machine", _machine(workflow)),
            ("created", moment(workflow.created)),
            ("updated", moment(workflow.updated)),
        ),
        sections=(
            Notes((workflow.description or "",)),
            inputs_table(workflow.inputs, workflow.version),
            deployments_table(workflow.deployments, of="workflow"),
            versions_table(workflow.versions),
        ),
        following=_following(workflow),
    )


def _status(workflow: Workflow) -> tuple[str, Tone]:
    """Say whether it can be run: by a deployment on a machine that is ready, or on its own machine."""
    if not workflow.versions and workflow.version is None:
        return "has no version", "bad"
    if not workflow.deployments:
        return "not deployed", "plain" if workflow.machine_status == "ready" else "warn"
    environments = ", ".join(
        dict.fromkeys(tidy(each.environment, 40) or "no environment" for each in workflow.deployments)
    )
    ready = any(each.machine_status == "ready" for each in workflow.deployments)
    if not ready:
        return f"deployed ({environments}), but no machine of it is ready", "warn"
    return f"deployed ({environments})", "good"


def _machine(workflow: Workflow) -> str | None:
    if workflow.machine is not None:
        return f"{with_id(workflow.machine, workflow.machine_id)}, {workflow.machine_status or 'status not known'}"
    return f"{workflow.machine_id}, which does not exist" if workflow.machine_id else None


def _following(workflow: Workflow) -> tuple[str, ...]:
    subject = quoted(workflow.name, workflow.id)
    calls = [call("inputs", subject), call("versions", subject)]
    if workflow.versions or workflow.version is not None:
        arguments = input_arguments(workflow.inputs, workflow.primary_input)
        calls += [call("prepare", subject, arguments), call("run", subject, arguments)]
    return tuple(calls)
