"""A machine: what it is, how it is, and what is deployed on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from comfynb.api import models
from comfynb.display.html import bare_url
from comfynb.display.machine import machine_html, machine_text
from comfynb.objects.infos import DeploymentInfo, deployment_infos, name_of
from comfynb.rules.machine_types import can_cancel

__all__ = ["Machine"]


@dataclass(frozen=True, slots=True, repr=False)
class Machine:
    """A machine, as `ws.machine(…)` returns it. Displaying it says how it is and what is deployed on it.

    Parameters
    ----------
    name : str
        Its name; its id if it has none.
    id : str
        Its id.
    type : str or None
        "classic", "comfy-deploy-serverless" and others.
    status : str or None
        "ready", "building", "error" or "paused". The server queues runs whatever it is.
    gpu : str or None
        Its GPU, where the server tells.
    can_cancel : bool or None
        Whether runs on it can be cancelled; None where that is not known.
    endpoint : str or None
        Where it is. None if its address holds a password or a token, which is never shown.
    comfyui_version : str or None
        The commit or release of its ComfyUI.
    concurrency_limit : int or None
        How many runs go on at once.
    run_timeout, idle_timeout : int or None
        Seconds that a run may take, and that its container stays up after one.
    deployments : tuple of DeploymentInfo
        What is deployed on it.
    created, updated : datetime or None
        In UTC.
    as_of : datetime or None
        When the oldest of this was read, if the server was away and it is the last that is known; else None.
    """

    name: str
    id: str
    type: str | None = None
    status: str | None = None
    gpu: str | None = None
    can_cancel: bool | None = None
    endpoint: str | None = None
    comfyui_version: str | None = None
    concurrency_limit: int | None = None
    run_timeout: int | None = None
    idle_timeout: int | None = None
    deployments: tuple[DeploymentInfo, ...] = ()
    created: datetime | None = None
    updated: datetime | None = None
    as_of: datetime | None = None

    @classmethod
    def build(
        cls, found: models.Machine, deployments: Sequence[models.Deployment], workflows: Sequence[models.Workflow]
    ) -> Machine:
        """Put it together from what the server says.

        Parameters
        ----------
        found : comfynb.api.models.Machine
            The machine.
        deployments, workflows : sequence
            All of the workspace.

        Examples
        --------
        >>> found = models.Machine(id="m1", name="gpu-1", type="classic", endpoint="http://user:secret@host:8188")
        >>> machine = Machine.build(found, [], [])
        >>> machine.can_cancel, machine.endpoint
        (False, None)
        """
        here = [deployment for deployment in deployments if deployment.machine_id == found.id]
        return cls(
            name=name_of(found, found.id),
            id=found.id,
            type=found.type,
            status=found.status,
            gpu=found.gpu,
            can_cancel=can_cancel(found.type),
            endpoint=_endpoint(found.endpoint),
            comfyui_version=found.comfyui_version,
            concurrency_limit=found.concurrency_limit,
            run_timeout=found.run_timeout,
            idle_timeout=found.idle_timeout,
            deployments=deployment_infos(here, {each.id: each for each in workflows}, {found.id: found}),
            created=found.created_at,
            updated=found.updated_at,
        )

    def __repr__(self) -> str:
        return machine_text(self)

    def _repr_html_(self) -> str:
        return machine_html(self)


def _endpoint(url: str | None) -> str | None:
    bare = bare_url(url)
    if url is None or bare is None:
        return None
    parts = urlsplit(url.strip())
    return None if parts.username or parts.password or parts.query or parts.fragment else bare
