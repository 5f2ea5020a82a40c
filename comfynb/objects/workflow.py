"""A workflow: its versions, where it is deployed, what it asks for and what it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from comfynb.api import models
from comfynb.display.workflow import workflow_html, workflow_text
from comfynb.errors import InputError
from comfynb.objects.infos import DeploymentInfo, VersionInfo, deployment_infos, name_of
from comfynb.rules.graph import describe_graph
from comfynb.rules.inputs import InputDefinition, input_definitions
from comfynb.rules.names_table import NO_NAMES, NamesTable
from comfynb.rules.naming import display_name

__all__ = ["Workflow"]


@dataclass(frozen=True, slots=True, repr=False)
class Workflow:
    """A workflow, as `ws.workflow(…)` returns it. Displaying it lists its inputs, versions and deployments.

    What its graph tells is of the version that production runs, else of that of its first deployment, else of the
    newest.

    Parameters
    ----------
    name : str
        Its name, as it is on the server; its id if it has none.
    id : str
        Its id.
    standard_name : str or None
        The standard spelling of its name; None for a name without letters and digits.
    display_name : str
        The name with its white space tidied.
    description : str or None
        What its author says about it, else the texts of its Note nodes.
    versions : tuple of VersionInfo
        Newest first.
    deployments : tuple of DeploymentInfo
        Production first.
    version : int or None
        The version whose graph was read.
    inputs : tuple of InputDefinition
        What that version asks for.
    primary_input : str or None
        The input that a person fills in first.
    output_kind : str or None
        What it makes: "image", "video", "audio", "text", "3d" or "file".
    uses_lora : bool or None
        Whether a node loads a LoRA; None without a graph.
    notes : tuple of str
        The texts of its Note nodes.
    machine, machine_id, machine_status : str or None
        The workflow's own machine, where it runs without a deployment; name and status are None for one that is
        deleted.
    created, updated : datetime or None
        In UTC.
    as_of : datetime or None
        When the oldest of this was read, if the server was away and it is the last that is known; else None.
    """

    name: str
    id: str
    standard_name: str | None
    display_name: str
    description: str | None = None
    versions: tuple[VersionInfo, ...] = ()
    deployments: tuple[DeploymentInfo, ...] = ()
    version: int | None = None
    inputs: tuple[InputDefinition, ...] = ()
    primary_input: str | None = None
    output_kind: str | None = None
    uses_lora: bool | None = None
    notes: tuple[str, ...] = ()
    machine: str | None = None
    machine_id: str | None = None
    machine_status: str | None = None
    created: datetime | None = None
    updated: datetime | None = None
    as_of: datetime | None = None

    @classmethod
    def build(
        cls,
        owner: models.Workflow,
        versions: Sequence[models.Version],
        deployments: Sequence[models.Deployment],
        machines: Sequence[models.Machine],
        version: models.Version | None,
        names: NamesTable = NO_NAMES,
    ) -> Workflow:
        """Put it together from what the server says.

        Parameters
        ----------
        owner : comfynb.api.models.Workflow
            The workflow.
        versions, deployments : sequence
            All of it.
        machines : sequence
            All of the workspace.
        version : comfynb.api.models.Version or None
            The version whose graph is read; None if there is none.
        names : NamesTable
            The names that mean others.

        Examples
        --------
        >>> Workflow.build(models.Workflow(id="w1", name="Text to Image"), [], [], [], None).standard_name
        'text_to_image'
        """
        graph = version.workflow_api if version is not None else None
        facts = describe_graph(graph, version.workflow if version is not None else None)
        places = {machine.id: machine for machine in machines}
        own = places.get(owner.selected_machine_id or "")
        numbers = {each.id: each.version for each in (*versions, *((version,) if version is not None else ()))}
        embedded = deployment_infos(deployments, {owner.id: owner}, places)
        pinned = {deployment.id: deployment.workflow_version_id or "" for deployment in deployments}
        return cls(
            name=owner.name or owner.id,
            id=owner.id,
            standard_name=_standard_name(owner.name, names),
            display_name=name_of(owner, owner.id),
            description=_description(owner.description, facts.notes),
            versions=tuple(
                VersionInfo(each.version, each.id, display_name(each.comment) or None, each.created_at)
                for each in sorted(versions, key=lambda each: each.version or 0, reverse=True)
            ),
            deployments=tuple(
                replace(info, version=numbers.get(pinned[info.id])) if info.version is None else info
                for info in embedded
            ),
            version=version.version if version is not None else None,
            inputs=input_definitions(_listed(deployments, version), graph),
            primary_input=facts.primary_input,
            output_kind=facts.output_kind,
            uses_lora=None if facts.unknown else facts.uses_lora,
            notes=facts.notes,
            machine=name_of(own, own.id) if own is not None else None,
            machine_id=owner.selected_machine_id,
            machine_status=own.status if own is not None else None,
            created=owner.created_at,
            updated=owner.updated_at,
        )

    def __repr__(self) -> str:
        return workflow_text(self)

    def _repr_html_(self) -> str:
        return workflow_html(self)


def _standard_name(name: str | None, names: NamesTable) -> str | None:
    try:
        return names.standardize(name) if name is not None else None
    except InputError:
        return None


def _description(description: str | None, notes: Sequence[str]) -> str | None:
    return (description or "").strip() or "\n\n".join(notes) or None


def _listed(deployments: Sequence[models.Deployment], version: models.Version | None) -> list[Any] | None:
    """Return what the server lists as the inputs of a version, which a deployment of that version has."""
    for deployment in deployments:
        pinned = deployment.workflow_version_id or (deployment.version.id if deployment.version is not None else None)
        if version is not None and pinned == version.id and deployment.input_types is not None:
            return deployment.input_types
    return None
