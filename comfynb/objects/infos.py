"""The little that one object tells of others: its versions, its deployments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from comfynb.api import models
from comfynb.rules.naming import display_name

__all__ = ["DeploymentInfo", "VersionInfo", "deployment_infos", "name_of"]


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One version of a workflow.

    Parameters
    ----------
    version : int or None
        Its number.
    id : str
        Its id.
    comment : str or None
        What its author wrote.
    created : datetime or None
        When it was made, in UTC.
    """

    version: int | None
    id: str
    comment: str | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeploymentInfo:
    """One deployment of a workflow, or on a machine. Wherever a deployment is asked for, it stands for it.

    Parameters
    ----------
    name : str
        The name of its workflow.
    environment : str or None
        Its environment.
    id : str
        Its id.
    workflow_id : str or None
        The id of its workflow.
    version : int or None
        The number of the version that it pins, where the server tells it.
    machine, machine_id, machine_status : str or None
        Where it runs; name and status are None for a machine that is deleted.
    """

    name: str
    environment: str | None
    id: str
    workflow_id: str | None = None
    version: int | None = None
    machine: str | None = None
    machine_id: str | None = None
    machine_status: str | None = None


def name_of(thing: models.Workflow | models.Machine | None, id: str | None) -> str:
    """Return the name of a workflow or a machine as it is shown; its id if it has none.

    Examples
    --------
    >>> name_of(models.Machine(id="m1", name=" gpu  1"), "m1"), name_of(None, "m1")
    ('gpu 1', 'm1')
    """
    return display_name(thing.name if thing is not None else None) or id or ""


def deployment_infos(
    deployments: Iterable[models.Deployment],
    workflows: Mapping[str, models.Workflow],
    machines: Mapping[str, models.Machine],
) -> tuple[DeploymentInfo, ...]:
    """Return the infos of deployments: by workflow, production first, then by environment."""
    found = []
    for deployment in deployments:
        machine = machines.get(deployment.machine_id or "")
        owner = workflows.get(deployment.workflow_id or "")
        embedded = deployment.workflow.name if deployment.workflow is not None else None
        found.append(
            DeploymentInfo(
                name=display_name(owner.name if owner is not None else embedded) or deployment.workflow_id or "",
                environment=deployment.environment,
                id=deployment.id,
                workflow_id=deployment.workflow_id,
                version=deployment.version.version if deployment.version is not None else None,
                machine=name_of(machine, machine.id) if machine is not None else None,
                machine_id=deployment.machine_id,
                machine_status=machine.status if machine is not None else None,
            )
        )
    # Of two that are called the same, the one that was changed last comes first, as on the server.
    found.sort(key=lambda info: (info.name, info.environment != "production", info.environment or ""))
    return tuple(found)
