"""Workflows, their versions and deployments, and the machines: everything that can be read about them, and changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from comfynb.api.client import ComfyDeployClient
from comfynb.api.models import CreatedWorkflow, Deployment, Machine, Version, Workflow
from comfynb.api.opening import open_client
from comfynb.errors import AmbiguousNameError, NotFoundError, RoutingError
from comfynb.names_files import NamesInUse, NamesOption
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.validation import MergedInputs
from comfynb.services.cache import Cache
from comfynb.services.catalogue.changes import Changes
from comfynb.services.catalogue.deployments import Deployments
from comfynb.services.catalogue.inputs import Inputs
from comfynb.services.catalogue.machines import Machines
from comfynb.services.catalogue.source import Source, Times
from comfynb.services.catalogue.versions import Versions
from comfynb.services.catalogue.workflows import Workflows
from comfynb.services.isolation import BrokenDeployment
from comfynb.services.routing import Routing, RulesGiven, RulesSource
from comfynb.settings import read_settings

__all__ = ["Times", "WorkflowsService"]


class WorkflowsService:
    """Workflows, versions, deployments and machines of one workspace, through a cache.

    Parameters
    ----------
    client : ComfyDeployClient, optional
        The server; that of the environment or `.env` without one.
    cache : Cache, optional
        Shared with whoever else reads from that server with that key.
    times : Times, optional
        How long answers are good.
    names : str, pathlib.Path, NamesTable or False, optional
        A file of names that mean others, or a table; False for none. Without it, what `COMFYNB_NAMES` names, else the
        nearest `workflow-names.toml`, if there is one.
    routing : str, pathlib.Path, mapping or bool, optional
        The routing rules: a file, or what it would say; False for none. Without it, what `COMFYNB_ROUTING` names, else
        the nearest `workflow-machine-routing.toml`, if there is one.

    Attributes
    ----------
    names : comfynb.names_files.NamesInUse
        The names that mean others.
    workflows, versions, deployments, machines, inputs, routing, changes
        Its parts, one noun each; what the methods do is done there.

    Notes
    -----
    An argument called `workflow`, `deployment` or `machine` takes an id, a name, an object, or a row of a table. Names
    are resolved in this order: id, exact name, name without regard to case, standard name or alias; more than one at a
    level is an error that lists them.

    Raises
    ------
    ConfigurationError
        If there is no key in the environment, or the file of names cannot be used.

    Examples
    --------
    >>> import asyncio, comfynb
    >>> from comfynb.api.opening import open_client
    >>> async def names(sandbox):
    ...     async with comfynb.WorkflowsService(open_client(sandbox.url, sandbox.api_key)) as service:
    ...         return [workflow.name for workflow in await service.get_workflows()]
    >>> with comfynb.Sandbox() as sandbox:
    ...     "text2img" in asyncio.run(names(sandbox))
    True
    """

    def __init__(
        self,
        client: ComfyDeployClient | None = None,
        cache: Cache | None = None,
        times: Times | None = None,
        *,
        names: NamesOption | NamesInUse = None,
        routing: RulesGiven | RulesSource = None,
    ) -> None:
        self.client = client or open_client()
        self.cache = cache if cache is not None else Cache()
        self.times = times or Times()
        source = Source(self.client, self.cache, self.times)
        settings = read_settings()
        self.names = names if isinstance(names, NamesInUse) else NamesInUse(names, settings.names)
        self.names.get()  # what is wrong with the file is told before anything is asked
        self.workflows = Workflows(source, self.names)
        self.versions = Versions(source, self.workflows)
        self.machines = Machines(source)
        self.deployments = Deployments(source, self.workflows)
        self.inputs = Inputs(self.workflows, self.versions, self.deployments)
        rules = routing if isinstance(routing, RulesSource) else RulesSource(routing, named=settings.routing)
        self.routing = Routing(source, self.workflows, self.deployments, self.machines, rules, self.names)
        self.changes = Changes(source, self.workflows, self.versions, self.machines, self.deployments)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End what is being read, and close the connections of this event loop."""
        await self.cache.end()
        await self.client.transport.aclose()

    # -- workflows ----------------------------------------------------------------------------------------------

    async def get_workflows(self, *, refresh: bool = False) -> list[Workflow]:
        """Return all workflows: pinned ones first, then the last changed."""
        return await self.workflows.all(refresh=refresh)

    async def find_workflow(self, workflow: Any, *, refresh: bool = False) -> Workflow:
        """Return the workflow that an id, a name, an object or a row stands for.

        Raises
        ------
        NotFoundError, AmbiguousNameError
            With the nearest names, or with all that it fits.
        """
        return await self.workflows.find(workflow, refresh=refresh)

    async def get_workflow_by_name(self, name: str) -> Workflow:
        """Return the workflow of that name."""
        return await self.workflows.find(name)

    async def has_workflow(self, name: str) -> bool:
        """Whether there is exactly one workflow of that name."""
        try:
            await self.workflows.find(name)
        except (NotFoundError, AmbiguousNameError):
            return False
        return True

    def standardize_workflow_name(self, name: str) -> str:
        """Return the standard name: the table of names goes before the rule of `comfynb.standardize_workflow_name`."""
        return self.names.get().standardize(name)

    # -- versions -----------------------------------------------------------------------------------------------

    async def get_versions(self, workflow: Any, *, refresh: bool = False) -> list[Version]:
        """Return all versions of a workflow, newest first, with their graphs."""
        return await self.versions.of(workflow, refresh=refresh)

    async def newest_version(self, workflow: Any) -> Version:
        """Return the newest version of a workflow.

        Raises
        ------
        NotFoundError
            If it has none.
        """
        return await self.versions.newest(workflow)

    async def get_workflow_version(self, workflow: Any, version: int | str | None = None) -> Version:
        """Return one version of a workflow.

        Parameters
        ----------
        workflow : str, object or row
            Which workflow.
        version : int or str, optional
            Its number or its id; the newest without one.

        Raises
        ------
        NotFoundError
            If the workflow has no such version.
        """
        return await self.versions.one(workflow, version)

    # -- deployments --------------------------------------------------------------------------------------------

    async def get_deployments(
        self, *, environment: str | None = None, workflow: Any = None, refresh: bool = False
    ) -> list[Deployment]:
        """Return the deployments that can be read, all or those of one environment or workflow."""
        return await self.deployments.some(environment=environment, workflow=workflow, refresh=refresh)

    async def get_broken_deployments(self) -> list[BrokenDeployment]:
        """Return what is known of deployments that the server cannot list."""
        return list((await self.deployments.entry()).value.broken)

    async def get_deployment_ids_by_name(self, name: str) -> dict[str, str]:
        """Return the deployment id of each environment of a workflow."""
        return {d.environment or "": d.id for d in await self.deployments.some(workflow=name)}

    async def get_deployment_by_id(self, deployment_id: str, *, refresh: bool = False) -> Deployment:
        """Return one deployment.

        Raises
        ------
        NotFoundError
            If there is none of that id. The server answers 500 then; the list is asked to tell the two apart.
        """
        return await self.deployments.by_id(deployment_id, refresh=refresh)

    async def find_deployment(self, thing: Any, *, environment: str | None = None) -> Deployment:
        """Return the deployment that an id, a workflow's name, an object or a row stands for.

        Parameters
        ----------
        thing : str, object or row
            A deployment, or a workflow.
        environment : str, optional
            Of a workflow with several; production without one, else the only one there is.

        Raises
        ------
        NotFoundError, AmbiguousNameError
            If there is none, or more than one and none of them in production.
        """
        return await self.deployments.find(thing, environment=environment)

    # -- machines -----------------------------------------------------------------------------------------------

    async def get_machines(self, *, refresh: bool = False) -> list[Machine]:
        """Return all machines that are not deleted; at most 15 seconds old by default."""
        return await self.machines.all(refresh=refresh)

    async def find_machine(self, machine: Any) -> Machine:
        """Return the machine that an id, a name, an object or a row stands for; deleted ones are not found."""
        return await self.machines.find(machine)

    async def get_machine_by_id(self, machine_id: str) -> Machine:
        """Return one machine with all its fields, its endpoint among them.

        Raises
        ------
        NotFoundError
            If there is none of that id, or it is deleted.
        """
        return await self.machines.by_id(machine_id)

    async def get_machine_for_workflow(self, workflow: Any, *, environment: str | None = None) -> str | None:
        """Return the id of the machine on which a workflow runs.

        That is what the routing rules say, if there are any: the first machine of its rule that can take it, else the
        default machine. Without rules it is its deployment's machine, else the workflow's own.

        Raises
        ------
        RoutingError
            If there are rules, and no machine that they allow can take it.
        """
        if self.routing.rules() is not None:
            route = await self.routing.route(workflow, environment=environment)
            if route.machine_id is None:
                raise RoutingError(route.sentence)
            return route.machine_id
        found = await self.workflows.find(workflow)
        deployment = await self.deployments.choose(found, environment)
        return deployment.machine_id if deployment is not None else found.selected_machine_id

    async def get_prices(self) -> dict[str, float]:
        """Return the price of each GPU in US dollars a second; empty where the server does not tell."""
        return await self.machines.prices()

    # -- inputs -------------------------------------------------------------------------------------------------

    async def get_workflow_inputs(
        self, workflow: Any, *, environment: str | None = None, version: int | str | None = None
    ) -> tuple[InputDefinition, ...]:
        """Return the inputs of a deployment of a workflow, or of a version.

        Parameters
        ----------
        workflow : str, object or row
            A workflow or a deployment.
        environment : str, optional
            Which deployment.
        version : int or str, optional
            A version instead of a deployment. Without a deployment, the newest version's.
        """
        return await self.inputs.of(workflow, environment=environment, version=version)

    async def create_default_input_payload(self, workflow: Any, **which: Any) -> dict[str, Any]:
        """Return the inputs that a run without any given would have, as far as the graph tells; seeds are drawn."""
        return await self.inputs.default_payload(workflow, **which)

    async def validate_input_payload(self, workflow: Any, inputs: Mapping[str, Any], **which: Any) -> MergedInputs:
        """Check inputs against a workflow's definitions.

        Returns
        -------
        MergedInputs
            What would be sent, with real JSON types and drawn seeds.

        Raises
        ------
        InputError
            With every problem at once.
        """
        return await self.inputs.check(workflow, inputs, **which)

    # -- changes ------------------------------------------------------------------------------------------------

    async def create_deployment(
        self,
        workflow: Any,
        *,
        machine: Any,
        environment: str = "production",
        version: int | str | None = None,
        replace: bool = False,
    ) -> Deployment:
        """Deploy a version of a workflow on a machine.

        Parameters
        ----------
        workflow, machine : str, object or row
            What, and where.
        environment : str
            One of those in `comfynb.rules.environments`; the server keeps one deployment for each of them.
        version : int or str, optional
            Number or id; the newest without one.
        replace : bool
            Whether a deployment that stands in that environment may be moved.

        Raises
        ------
        InputError
            If the server knows no such environment.
        ConflictError
            If one stands there and `replace` is False.
        """
        return await self.changes.create_deployment(
            workflow, machine=machine, environment=environment, version=version, replace=replace
        )

    async def update_deployment(
        self,
        /,
        deployment: Any,
        *,
        environment: str | None = None,
        version: int | str | None = None,
        machine: Any = None,
        replace: bool = False,
        **changes: Any,
    ) -> Deployment:
        """Change a deployment: its version, its machine, or a setting such as `gpu`, `run_timeout`, `keep_warm`.

        Raises
        ------
        ConflictError
            If its version or machine would change for everybody, and `replace` is False.
        InputError
            If nothing, or an unknown setting, was given.
        """
        return await self.changes.update_deployment(
            deployment, environment=environment, version=version, machine=machine, replace=replace, **changes
        )

    async def upload_workflow(
        self,
        name: str,
        workflow: Mapping[str, Any] | str,
        workflow_api: Mapping[str, Any] | str,
        *,
        machine: Any = None,
        comment: str | None = None,
        replace: bool = False,
    ) -> CreatedWorkflow | Version:
        """Make a new workflow, or, with `replace`, a new version of the one of that name.

        Parameters
        ----------
        name : str
            Its name.
        workflow, workflow_api : mapping or str
            The two graphs that ComfyUI exports, as objects or JSON text.
        machine : str, object or row, optional
            Its machine; the server makes a preview deployment there.
        comment : str, optional
            Of the new version.
        replace : bool
            Whether a workflow of that name may get a new version.

        Raises
        ------
        ConflictError
            If a workflow has that name and `replace` is False: the server would make a second one of that name.
        """
        return await self.changes.upload_workflow(
            name, workflow, workflow_api, machine=machine, comment=comment, replace=replace
        )

    # -- the cache ----------------------------------------------------------------------------------------------

    async def reload_workflows(self) -> list[Workflow]:
        """Read the workflows anew, and let everything else be read anew when it is asked for."""
        self.invalidate_cache()
        return await self.workflows.all()

    def invalidate_cache(self) -> None:
        """Forget everything that was read."""
        self.cache.drop()
