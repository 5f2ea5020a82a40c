"""Submitting a run again: the same version and inputs, on the same machine, with changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfynb.api.models import Deployment
from comfynb.api.models import Run as RunModel
from comfynb.errors import InputError
from comfynb.rules.given import given_inputs
from comfynb.runs.tracked import Tracked
from comfynb.services.prepared import Prepared


async def prepare_again(
    tracked: Tracked,
    /,
    inputs: Mapping[str, Any] | None = None,
    *,
    machine: Any = None,
    **changes: Any,
) -> Prepared:
    """Return what `Run.rerun` submits."""
    changed = given_inputs(inputs, changes)
    if tracked.model is None:
        await tracked.look()
    run, before = tracked.model, tracked.prepared
    if run is None or run.workflow_id is None or run.workflow_version_id is None:
        raise InputError(f"The run {tracked.id} was made from a bare graph, so it cannot be submitted again from here.")
    return await tracked.core.comfyui.prepare(
        await _deployment_for(tracked, run) or run.workflow_id,
        {**tracked.inputs, **changed},
        version=run.workflow_version_id,
        machine=run.machine_id if machine is None else machine,
        webhook=_webhook(tracked, before),
    )


def _webhook(tracked: Tracked, before: Prepared | None) -> str | bool | None:
    """Return the same webhook again; that of the receiver as it is now, if there still is one."""
    if before is None:
        return None
    if before.listened:
        return True if tracked.core.comfyui.events.url is not None else None
    return before.webhook or False


async def _deployment_for(tracked: Tracked, run: RunModel) -> Deployment | None:
    """Return the deployment that the run was made through; the server does not tell, so one that would do it."""
    if tracked.prepared is not None and tracked.prepared.deployment is not None:
        return tracked.prepared.deployment
    of_workflow = await tracked.core.catalogue.deployments.of_workflow(run.workflow_id or "")
    standing = sorted(of_workflow.deployments, key=lambda d: d.environment != "production")
    alike = (run.workflow_version_id, run.machine_id)
    return next((d for d in standing if (d.workflow_version_id, d.machine_id) == alike), None) or next(
        iter(standing), None
    )
