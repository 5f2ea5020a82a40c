"""A deployment: which version runs where, and what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from comfynb.api import models
from comfynb.display.deployment import deployment_html, deployment_text
from comfynb.objects.infos import name_of
from comfynb.rules.graph import describe_graph
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.naming import display_name

__all__ = ["Deployment"]


@dataclass(frozen=True, slots=True, repr=False)
class Deployment:
    """A deployment, as `ws.deployment(…)` returns it. Displaying it lists its inputs with types, ranges and defaults.

    It can be given wherever a deployment or its workflow is asked for: ``ws.run(deployment, prompt="…")``.

    Parameters
    ----------
    name : str
        The name of its workflow.
    id : str
        Its id.
    environment : str or None
        "production", "staging", "preview", "public-share", "private-share" or "community-share".
    workflow_id : str or None
        The id of its workflow.
    version : int or None
        The number of the version that it pins.
    version_id : str or None
        The id of that version.
    machine, machine_id, machine_status : str or None
        Where it runs; name and status are None for a machine that is deleted.
    gpu : str or None
        Its own GPU, else that of its machine.
    inputs : tuple of InputDefinition
        What it asks for.
    primary_input : str or None
        The input that a person fills in first.
    output_kind : str or None
        What it makes: "image", "video", "audio", "text", "3d" or "file".
    description : str or None
        What its author says about it.
    concurrency_limit : int or None
        How many runs go on at once.
    run_timeout, idle_timeout : int or None
        Seconds that a run may take, and that its container stays up after one.
    keep_warm : int or None
        Containers that are kept up.
    fluid : bool
        Whether it is built on an image of its own instead of a machine's state.
    share_slug : str or None
        The last part of its public address.
    created, updated : datetime or None
        In UTC.
    as_of : datetime or None
        When the oldest of this was read, if the server was away and it is the last that is known; else None.
    """

    name: str
    id: str
    environment: str | None
    workflow_id: str | None
    version: int | None = None
    version_id: str | None = None
    machine: str | None = None
    machine_id: str | None = None
    machine_status: str | None = None
    gpu: str | None = None
    inputs: tuple[InputDefinition, ...] = ()
    primary_input: str | None = None
    output_kind: str | None = None
    description: str | None = None
    concurrency_limit: int | None = None
    run_timeout: int | None = None
    idle_timeout: int | None = None
    keep_warm: int | None = None
    fluid: bool = False
    share_slug: str | None = None
    created: datetime | None = None
    updated: datetime | None = None
    as_of: datetime | None = None

    @classmethod
    def build(
        cls,
        found: models.Deployment,
        version: models.Version,
        definitions: Sequence[InputDefinition],
        workflows: Sequence[models.Workflow],
        machines: Sequence[models.Machine],
    ) -> Deployment:
        """Put it together from what the server says.

        Parameters
        ----------
        found : comfynb.api.models.Deployment
            The deployment.
        version : comfynb.api.models.Version
            The version that it pins.
        definitions : sequence of InputDefinition
            The inputs of that version.
        workflows, machines : sequence
            All of the workspace, for their names.

        Examples
        --------
        >>> found = models.Deployment(id="d1", workflow_id="w1", environment="staging")
        >>> workflows = [models.Workflow(id="w1", name="text2img")]
        >>> Deployment.build(found, models.Version(id="v1", version=3), [], workflows, []).name
        'text2img'
        """
        owner = next((each for each in workflows if each.id == found.workflow_id), None)
        machine = next((each for each in machines if each.id == found.machine_id), None)
        embedded = display_name(found.workflow.name) if found.workflow is not None else ""
        facts = describe_graph(version.workflow_api, version.workflow)
        return cls(
            name=name_of(owner, embedded or found.workflow_id),
            id=found.id,
            environment=found.environment,
            workflow_id=found.workflow_id,
            version=version.version,
            version_id=found.workflow_version_id or version.id or None,
            machine=name_of(machine, machine.id) if machine is not None else None,
            machine_id=found.machine_id,
            machine_status=machine.status if machine is not None else None,
            gpu=found.gpu or (machine.gpu if machine is not None else None),
            inputs=tuple(definitions),
            primary_input=facts.primary_input,
            output_kind=facts.output_kind,
            description=(found.description or "").strip() or None,
            concurrency_limit=found.concurrency_limit,
            run_timeout=found.run_timeout,
            idle_timeout=found.idle_timeout,
            keep_warm=found.keep_warm,
            fluid=found.modal_image_id is not None,
            share_slug=found.share_slug,
            created=found.created_at,
            updated=found.updated_at,
        )

    def __repr__(self) -> str:
        return deployment_text(self)

    def _repr_html_(self) -> str:
        return deployment_html(self)
