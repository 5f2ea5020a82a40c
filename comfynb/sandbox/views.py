"""The shapes in which the server answers: which keys, which types, which of the five kinds of time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from comfynb.sandbox.clock import iso, iso_broken, iso_millis, iso_padded, spaced
from comfynb.sandbox.input_types import input_types, output_types
from comfynb.sandbox.plan import Output, State
from comfynb.sandbox.world.records import Asset, Deployment, Machine, Tenant, Version, Workflow
from comfynb.sandbox.world.run import Run

__all__ = [
    "asset_row",
    "deployment_row",
    "deployment_run_row",
    "machine_created",
    "machine_one",
    "machine_row",
    "run_one",
    "run_v1",
    "run_v2",
    "version_created",
    "version_embedded",
    "version_row",
    "webhook_outputs",
    "workflow_listed",
    "workflow_one",
    "workflow_plain",
    "workflow_row",
]

Json = dict[str, Any]

# Workflows and versions


def workflow_listed(workflow: Workflow, tenant: Tenant, icon: str) -> Json:
    """As in `GET /workflows`."""
    return {
        "id": workflow.id,
        "name": workflow.name,
        "created_at": spaced(workflow.created_at),
        "updated_at": spaced(workflow.updated_at),
        "pinned": workflow.pinned,
        "cover_image": workflow.cover_image,
        "user_name": tenant.user_name,
        "user_id": workflow.user_id,
        "selected_machine_id": workflow.selected_machine_id,
        "user_icon": icon,
    }


def workflow_row(workflow: Workflow) -> Json:
    """As in `GET /workflows/all`."""
    return {
        "id": workflow.id,
        "user_id": workflow.user_id,
        "org_id": None,
        "name": workflow.name,
        "selected_machine_id": workflow.selected_machine_id,
        "created_at": iso(workflow.created_at),
        "updated_at": iso(workflow.updated_at),
        "pinned": workflow.pinned,
        "deleted": workflow.deleted,
        "description": workflow.description,
        "cover_image": workflow.cover_image,
    }


def workflow_one(workflow: Workflow, limit: int) -> Json:
    """As in `GET /workflow/{id}`: with its newest versions, or with one that is null."""
    versions = [version_embedded(each) for each in reversed(workflow.versions)][:limit]
    return {
        "id": workflow.id,
        "user_id": workflow.user_id,
        "name": workflow.name,
        "created_at": spaced(workflow.created_at),
        "updated_at": spaced(workflow.updated_at),
        "org_id": None,
        "selected_machine_id": workflow.selected_machine_id,
        "pinned": workflow.pinned,
        "deleted": workflow.deleted,
        "description": workflow.description,
        "cover_image": workflow.cover_image,
        "versions": versions or [None],
    }


def workflow_plain(workflow: Workflow) -> Json:
    """As it is embedded in runs and in the workflows of a machine."""
    return {
        "id": workflow.id,
        "org_id": None,
        "name": workflow.name,
        "cover_image": workflow.cover_image,
        "updated_at": iso_millis(workflow.updated_at),
        "deleted": workflow.deleted,
        "user_id": workflow.user_id,
        "selected_machine_id": workflow.selected_machine_id,
        "description": workflow.description,
        "created_at": iso_millis(workflow.created_at),
        "pinned": workflow.pinned,
    }


def version_row(version: Version) -> Json:
    """As in the lists of versions, in deployments and in runs."""
    return {
        "workflow_api": version.workflow_api,
        "id": version.id,
        "comment": version.comment,
        "version": version.number,
        "dependencies": None,
        "created_at": iso_millis(version.created_at),
        "machine_version_id": version.machine_version_id,
        "comfyui_snapshot": version.comfyui_snapshot,
        "workflow": version.workflow,
        "workflow_id": version.workflow_id,
        "user_id": version.user_id,
        "snapshot": None,
        "updated_at": iso_millis(version.updated_at),
        "machine_id": version.machine_id,
    }


def version_embedded(version: Version) -> Json:
    """As in `GET /workflow/{id}`."""
    row = version_row(version)
    return {**row, "created_at": iso(version.created_at), "updated_at": iso(version.updated_at)}


def version_created(version: Version) -> Json:
    """As in the answer to a new version, with times that are none."""
    return {
        "id": version.id,
        "created_at": iso_broken(version.created_at),
        "updated_at": iso_broken(version.updated_at),
        "workflow_id": version.workflow_id,
        "version": version.number,
        "user_id": version.user_id,
        "workflow": version.workflow,
        "workflow_api": version.workflow_api,
        "comment": version.comment,
        "machine_version_id": version.machine_version_id,
        "machine_id": version.machine_id,
        "comfyui_snapshot": version.comfyui_snapshot,
    }


# Machines

NEVER_SET = (
    "ws_gpu",
    "pod_id",
    "build_machine_instance_id",
    "object_info",
    "extra_docker_commands",
    "build_log",
    "snapshot",
    "modal_app_id",
    "object_info_str",
    "models",
    "target_workflow_id",
    "filename_list_cache",
    "dependencies",
    "extensions",
)


def machine_row(machine: Machine) -> Json:
    """As in the lists of machines, which do not say whether a machine is deleted."""
    return {
        "id": machine.id,
        "user_id": machine.user_id,
        "name": machine.name,
        "created_at": iso(machine.created_at),
        "updated_at": iso(machine.updated_at),
        "type": machine.type,
        "org_id": None,
        "status": machine.status,
        "gpu": machine.gpu,
        "machine_version": None,
        "machine_builder_version": "4",
        "comfyui_version": machine.comfyui_version,
        "import_failed_logs": None,
        "machine_version_id": machine.machine_version_id,
        "is_workspace": False,
    }


def machine_one(machine: Machine) -> Json:
    """As in `GET /machine/{id}`."""
    return {
        **machine_row(machine),
        "deleted": machine.deleted,
        "endpoint": machine.endpoint,
        "concurrency_limit": machine.concurrency_limit,
        "run_timeout": 300,
        "idle_timeout": machine.idle_timeout,
        "docker_command_steps": machine.docker_command_steps,
        "keep_warm": 0,
        "allow_concurrent_inputs": machine.allow_concurrent_inputs,
        "base_docker_image": None,
        "python_version": None,
        "extra_args": None,
        "prestart_command": None,
        "install_custom_node_with_gpu": False,
        "optimized_runner": False,
        "disable_metadata": True,
        "cpu_request": None,
        "cpu_limit": None,
        "memory_request": None,
        "memory_limit": None,
        "models_to_cache": [],
        "enable_gpu_memory_snapshot": False,
    }


def machine_created(machine: Machine) -> Json:
    """As in the answers to changes of a machine: the whole row, its token included."""
    return {
        **machine_one(machine),
        **dict.fromkeys(NEVER_SET),
        "created_at": iso_millis(machine.created_at),
        "updated_at": iso_millis(machine.updated_at),
        "auth_token": machine.auth_token,
        "disabled": False,
        "allow_background_volume_commits": False,
        "legacy_mode": False,
        "gpu_workspace": False,
        "static_assets_status": "not-started",
        "ws_timeout": 2,
        "retrieve_static_assets": False,
        "machine_hash": None,
    }


# Deployments


def deployment_row(
    deployment: Deployment,
    workflow: Workflow | None = None,
    version: Version | None = None,
    machine: Machine | None = None,
    *,
    outputs: bool = True,
) -> Json:
    """As in the lists of deployments; without workflow and version as in the answers to changes.

    Raises
    ------
    BrokenWorkflowError
        If the version's graph breaks the server.
    """
    api = version.workflow_api if version else None
    return {
        "id": deployment.id,
        "user_id": deployment.user_id,
        "org_id": None,
        "workflow_version_id": deployment.workflow_version_id,
        "workflow_id": deployment.workflow_id,
        "machine_id": deployment.machine_id,
        "share_slug": deployment.share_slug,
        "description": deployment.description,
        "share_options": None,
        "showcase_media": None,
        "environment": deployment.environment,
        "created_at": iso_padded(deployment.created_at),
        "updated_at": iso_padded(deployment.updated_at),
        "workflow": {"id": workflow.id, "name": workflow.name, "cover_url": None} if workflow else None,
        "version": version_row(version) if version else None,
        "machine": {"id": machine.id, "name": machine.name} if machine else None,
        "input_types": None if api is None else input_types(api),
        "output_types": None if api is None or not outputs else output_types(api),
        "dub_link": None,
        "gpu": deployment.gpu,
        "machine_version_id": deployment.machine_version_id,
        "modal_image_id": deployment.modal_image_id,
        "concurrency_limit": deployment.concurrency_limit,
        "run_timeout": deployment.run_timeout,
        "idle_timeout": deployment.idle_timeout,
        "keep_warm": deployment.keep_warm,
        "activated_at": None,
        "modal_app_id": None,
    }


# Runs


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def _text(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.6f}"


def _maybe(moment: datetime | None, shape: Any) -> Any:
    return None if moment is None else shape(moment)


def run_one(run: Run, state: State, status: str) -> Json:
    """As in `GET /run/{id}`, which hides what no node made: errors and timings."""
    queued, started = run.reached(run.plan.queued_at, state), run.reached(run.plan.started_at, state)
    ended = run.ended_at(state)
    shown = [each for each in run.plan.outputs if not each.inside][: state.outputs]
    return {
        "id": run.id,
        "workflow_version_id": run.workflow_version_id,
        "workflow_inputs": run.inputs,
        "workflow_id": run.workflow_id,
        "machine_id": run.machine_id,
        "origin": run.origin,
        "status": status,
        "ended_at": _maybe(ended, iso_padded),
        "created_at": iso_padded(run.created_at),
        "updated_at": iso_padded(run.updated_at(state)),
        "queued_at": _maybe(queued, iso_padded),
        "started_at": _maybe(started, iso_padded),
        "gpu_event_id": None,
        "gpu": run.gpu,
        "machine_version": None,
        "machine_type": run.machine_type,
        "modal_function_call_id": run.modal_function_call_id,
        "user_id": run.user_id,
        "org_id": None,
        "live_status": state.live_status,
        "progress": state.progress,
        "is_realtime": False,
        "webhook": run.webhook,
        "webhook_status": None,
        "webhook_intermediate_status": run.webhook_intermediate_status,
        "outputs": [_output_one(run, each) for each in shown],
        "number": 0,
        "duration": _seconds(run.created_at, ended),
        "cold_start_duration": _seconds(queued, started),
        "cold_start_duration_total": _seconds(run.created_at, started),
        "run_duration": _seconds(started, ended),
        "queue_position": None,
    }


def _node_meta(output: Output) -> Json | None:
    if output.node_id is None:
        return None
    meta: Json = {"node_id": output.node_id}
    if output.node_class:
        meta["node_class"] = output.node_class
    return meta


def _output_one(run: Run, output: Output) -> Json:
    moment = run.created_at + timedelta(seconds=output.at)
    return {
        "id": output.key,
        "output_id": output.output_id,
        "run_id": run.id,
        "data": output.data,
        "node_meta": _node_meta(output),
        "created_at": iso_padded(moment),
        "updated_at": iso_padded(moment),
        "type": None,
        "node_id": None,
    }


def _output_raw(run: Run, output: Output) -> Json:
    moment = run.created_at + timedelta(seconds=output.at)
    row = {
        "data": output.data,
        "run_id": run.id,
        "created_at": iso_millis(moment),
        "id": output.key,
        "node_meta": _node_meta(output),
        "updated_at": iso_millis(moment),
    }
    if output.output_id:
        row["output_id"] = output.output_id
    return row


def webhook_outputs(run: Run, state: State) -> list[Json]:
    """As in the body of a webhook."""
    return [_output_raw(run, each) for each in [each for each in run.plan.outputs if not each.inside][: state.outputs]]


def run_v2(run: Run, state: State) -> Json:
    """As in `GET /v2/workflow/{id}/runs`: light, and durations as texts."""
    queued, started = run.reached(run.plan.queued_at, state), run.reached(run.plan.started_at, state)
    ended = run.ended_at(state)
    return {
        "id": run.id,
        "status": state.status,
        "created_at": iso_millis(run.created_at),
        "updated_at": iso_millis(run.updated_at(state)),
        "ended_at": _maybe(ended, iso_millis),
        "queued_at": _maybe(queued, iso_millis),
        "started_at": _maybe(started, iso_millis),
        "workflow_id": run.workflow_id,
        "user_id": run.user_id,
        "org_id": None,
        "origin": run.origin,
        "gpu": run.gpu,
        "machine_version": None,
        "machine_type": run.machine_type,
        "modal_function_call_id": run.modal_function_call_id,
        "webhook_status": None,
        "webhook_intermediate_status": run.webhook_intermediate_status,
        "batch_id": run.batch_id,
        "workflow_version_id": run.workflow_version_id,
        "deployment_id": run.deployment_id,
        "duration": _text(_seconds(run.created_at, ended)),
        "comfy_deploy_cold_start": _text(_seconds(run.created_at, queued)),
        "cold_start_duration": _text(_seconds(queued, started)),
        "cold_start_duration_total": _text(_seconds(run.created_at, started)),
        "run_duration": _text(_seconds(started, ended)),
    }


def run_v1(
    run: Run,
    state: State,
    version: Version | None,
    workflow: Workflow,
    *,
    with_outputs: bool,
    with_inputs: bool,
    times: bool = True,
) -> Json:
    """As in `GET /workflow/{id}/runs`: heavy, with the graphs, and with the errors that `GET /run` hides."""
    row = run_v2(run, state)
    if not times:
        for name in ("duration", "comfy_deploy_cold_start", "cold_start_duration", "cold_start_duration_total"):
            del row[name]
        del row["run_duration"]
        row["run_log"] = None
    row |= {
        "machine_id": run.machine_id,
        "workflow_api": {},
        "gpu_event_id": None,
        "live_status": state.live_status,
        "model_id": None,
        "progress": state.progress,
        "is_realtime": False,
        "webhook": run.webhook,
    }
    if times:
        row["version"] = version_row(version) if version else None
        row["workflow"] = workflow_plain(workflow)
    if with_inputs:
        row["workflow_inputs"] = run.inputs
    if with_outputs:
        outputs = [each for each in run.plan.outputs if not each.inside][: state.outputs]
        inside = [each for each in run.plan.outputs if each.inside and each.at <= state.at + 0.001]
        row["outputs"] = [_output_raw(run, each) for each in [*inside, *outputs]]
    return row


def deployment_run_row(run: Run, state: State) -> Json:
    """As in `GET /deployment/{id}/runs`."""
    started = run.reached(run.plan.started_at, state)
    return {
        "id": run.id,
        "status": state.status,
        "created_at": iso(run.created_at),
        "started_at": _maybe(started, iso),
        "ended_at": _maybe(run.ended_at(state), iso),
        "workflow_id": run.workflow_id,
        "workflow_version_id": run.workflow_version_id,
        "machine_id": run.machine_id,
        "gpu": run.gpu,
        "origin": run.origin,
        "user_id": run.user_id,
        "deployment_id": run.deployment_id,
        "duration": _seconds(started, run.ended_at(state)),
    }


# Files


def asset_row(asset: Asset) -> Json:
    """As in the routes of assets."""
    return {
        "id": asset.id,
        "user_id": asset.user_id,
        "org_id": None,
        "name": asset.name,
        "is_folder": False,
        "path": asset.path,
        "file_size": asset.size,
        "url": asset.url,
        "mime_type": asset.mime_type,
        "created_at": iso(asset.created_at),
        "updated_at": iso(asset.updated_at),
        "deleted": asset.deleted,
    }
