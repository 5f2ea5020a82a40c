"""The inputs that workflows ask for."""

from __future__ import annotations

from collections.abc import Mapping
from random import SystemRandom
from typing import Any

from comfynb.api.models import Deployment
from comfynb.rules.inputs import InputDefinition, input_definitions
from comfynb.rules.validation import MergedInputs, check_problems, merge_inputs
from comfynb.services.catalogue.deployments import Deployments
from comfynb.services.catalogue.versions import Versions
from comfynb.services.catalogue.workflows import Workflows
from comfynb.services.given_files import read_given
from comfynb.services.references import reference

_draw = SystemRandom().randint


class Inputs:
    """Knows which inputs a workflow, a deployment or a version asks for, and checks what is given for them.

    Parameters
    ----------
    workflows, versions, deployments : Workflows, Versions, Deployments
        Where the graphs are.
    """

    def __init__(self, workflows: Workflows, versions: Versions, deployments: Deployments) -> None:
        self._workflows = workflows
        self._versions = versions
        self._deployments = deployments

    async def of(
        self, workflow: Any, *, environment: str | None = None, version: int | str | None = None
    ) -> tuple[InputDefinition, ...]:
        """See `WorkflowsService.get_workflow_inputs`."""
        given = await self._deployments.given(workflow)
        if version is None and given is not None:
            return await self.of_deployment(given)
        if given is not None:
            workflow = given.workflow_id
        if version is None:
            deployment = await self._deployments.choose(await self._workflows.find(workflow), environment)
            if deployment is not None:
                return await self.of_deployment(deployment)
        return input_definitions(None, (await self._versions.one(workflow, version)).workflow_api)

    async def of_deployment(self, deployment: Deployment) -> tuple[InputDefinition, ...]:
        """Return a deployment's inputs; its version is read when the server did not embed it."""
        return definitions_of(deployment, (await self._versions.pinned(deployment)).workflow_api)

    async def default_payload(self, workflow: Any, **which: Any) -> dict[str, Any]:
        """See `WorkflowsService.create_default_input_payload`."""
        return dict(merge(await self.of(workflow, **which), {}).effective)

    async def check(self, workflow: Any, inputs: Mapping[str, Any], **which: Any) -> MergedInputs:
        """See `WorkflowsService.validate_input_payload`."""
        merged = merge(await self.of(workflow, **which), inputs)
        check_problems(merged, f"{reference(workflow, 'workflow')!r}")
        return merged


def definitions_of(deployment: Deployment, workflow_api: Any = None) -> tuple[InputDefinition, ...]:
    """Return the inputs of a deployment from what the server lists and from its graph, together."""
    if workflow_api is None and deployment.version is not None:
        workflow_api = deployment.version.workflow_api
    return input_definitions(deployment.input_types, workflow_api)


def merge(definitions: tuple[InputDefinition, ...], inputs: Mapping[str, Any]) -> MergedInputs:
    """Return what would be sent for given inputs, with seeds that are drawn here, and files that are read here."""
    return merge_inputs(definitions, inputs, draw=_draw, read=read_given)
