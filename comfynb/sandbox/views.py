"""The shapes in which the server answers: which keys, which types, which of the five kinds of time. Runs are apart."""

from __future__ import annotations

from typing import Any

from comfynb.sandbox.clock import iso, iso_broken, iso_millis, iso_padded, spaced
from comfynb.sandbox.input_types import input_types, output_types
from comfynb.sandbox.world.records import Asset, Deployment, Machine, Tenant, Version, Workflow

__all__ = [
    "asset_row",
    "deployment_row",
    "machine_created",
    "machine_one",
    "machine_row",
    "version_created",
    "version_embedded",
    "version_row",
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
        "run_timeout": machine.run_timeout,
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
