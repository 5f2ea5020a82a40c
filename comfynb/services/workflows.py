"""Workflows, their versions and deployments, and the machines: everything that can be read about them, and changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, Self

from comfynb.api.client import ComfyDeployClient
from comfynb.api.models import CreatedWorkflow, Deployment, Machine, Version, Workflow, WorkflowDetail
from comfynb.api.opening import open_client
from comfynb.errors import AmbiguousNameError, ApiError, ComfyError, ConflictError, InputError, NotFoundError
from comfynb.notices import notice
from comfynb.rules.inputs import InputDefinition, input_definitions
from comfynb.rules.lookup import Candidate, resolve
from comfynb.rules.naming import display_name, standardize_workflow_name
from comfynb.rules.pricing import price_table
from comfynb.rules.validation import MergedInputs, check_problems, merge_inputs
from comfynb.services.cache import Cache, Entry, together
from comfynb.services.isolation import BrokenDeployment, DeploymentList, Reading, name_broken, read_list
from comfynb.services.references import is_deployment, looks_like_id, reference
from comfynb.warnings import PartialResultWarning

FOREVER = 7 * 24 * 3600.0
"""Seconds to keep a version: it never changes."""

SETTINGS = frozenset({"concurrency_limit", "gpu", "idle_timeout", "keep_warm", "machine_version_id", "run_timeout"})
"""What else of a deployment can be changed. The server passes over names that it does not know."""

_draw = SystemRandom().randint


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds for which an answer is good.

    Attributes
    ----------
    default : float
        Workflows, deployments, prices.
    machines : float
        Machines, whose state decides where a run can go.
    """

    default: float = 300.0
    machines: float = 15.0


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

    Notes
    -----
    An argument called `workflow`, `deployment` or `machine` takes an id, a name, an object, or a row of a table. Names
    are resolved in this order: id, exact name, name without regard to case, standard name; more than one at a level is
    an error that lists them.

    Raises
    ------
    ConfigurationError
        If there is no key in the environment.

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
        self, client: ComfyDeployClient | None = None, cache: Cache | None = None, times: Times | None = None
    ) -> None:
        self.client = client or open_client()
        self.cache = cache or Cache()
        self.times = times or Times()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End what is being read, and close the connections of this event loop."""
        await self.cache.end()
        await self.client.transport.aclose()

    # -- workflows ----------------------------------------------------------------------------------------------

    async def workflows_entry(self, *, refresh: bool = False) -> Entry[list[Workflow]]:
        """Return all workflows, with the entry that the cache keeps of them."""
        return await self.cache.get(
            "workflows", self._read_workflows, ttl=self.times.default, tags=["workflows"], refresh=refresh
        )

    async def get_workflows(self, *, refresh: bool = False) -> list[Workflow]:
        """Return all workflows: pinned ones first, then the last changed."""
        return (await self.workflows_entry(refresh=refresh)).value

    async def _read_workflows(self) -> list[Workflow]:
        async def described() -> dict[str, Workflow]:
            try:
                return {w.id: w for w in await self.client.workflows_all()}
            except ApiError as error:
                notice(PartialResultWarning(f"The workflows come without descriptions: {error}"))
                return {}

        listed, more = await together(self.client.workflows(), described())
        for workflow in listed:
            other = more.get(workflow.id)
            if other is not None:
                workflow.description = workflow.description or other.description
        return listed  # type: ignore[no-any-return]  # together() has no types for its parts

    async def find_workflow(self, workflow: Any, *, refresh: bool = False) -> Workflow:
        """Return the workflow that an id, a name, an object or a row stands for.

        Raises
        ------
        NotFoundError, AmbiguousNameError
            With the nearest names, or with all that it fits.
        """
        wanted = reference(workflow, "workflow")
        known = {w.id: w for w in await self.get_workflows(refresh=refresh)}
        try:
            return known[resolve(wanted, (Candidate(w.id, w.name or "") for w in known.values()), what="workflow").id]
        except NotFoundError:
            if refresh or self._is_fresh("workflows"):
                raise
        # It may have been made since the list was read.
        return await self.find_workflow(workflow, refresh=True)

    def _is_fresh(self, key: str) -> bool:
        entry = self.cache.peek(key)
        return entry is None or self.cache.age(entry) < 2.0

    async def get_workflow_by_name(self, name: str) -> Workflow:
        """Return the workflow of that name."""
        return await self.find_workflow(name)

    async def has_workflow(self, name: str) -> bool:
        """Whether there is exactly one workflow of that name."""
        try:
            await self.find_workflow(name)
        except (NotFoundError, AmbiguousNameError):
            return False
        return True

    def standardize_workflow_name(self, name: str) -> str:
        """Return the standard name; see `comfynb.standardize_workflow_name`."""
        return standardize_workflow_name(name)

    # -- versions -----------------------------------------------------------------------------------------------

    async def get_versions(self, workflow: Any, *, refresh: bool = False) -> list[Version]:
        """Return all versions of a workflow, newest first, with their graphs."""
        found = await self.find_workflow(workflow)

        async def read() -> list[Version]:
            rows = await self.client.versions(found.id)
            return sorted(rows, key=lambda v: v.version or 0, reverse=True)

        entry = await self.cache.get(
            f"versions:{found.id}", read, ttl=self.times.default, tags=["versions", found.id], refresh=refresh
        )
        return entry.value

    async def get_workflow_detail(self, workflow: Any, *, refresh: bool = False) -> WorkflowDetail:
        """Return a workflow with its newest version."""
        return (await self.workflow_entry((await self.find_workflow(workflow)).id, refresh=refresh)).value

    async def workflow_entry(self, workflow_id: str, *, refresh: bool = False) -> Entry[WorkflowDetail]:
        """Return a workflow by its id, with its newest version and the entry that the cache keeps of it."""
        return await self.cache.get(
            f"workflow:{workflow_id}",
            lambda: self.client.workflow(workflow_id),
            ttl=self.times.default,
            tags=["workflows", workflow_id],
            refresh=refresh,
        )

    async def newest_version(self, workflow: Any) -> Version:
        """Return the newest version of a workflow.

        Raises
        ------
        NotFoundError
            If it has none.
        """
        detail = await self.get_workflow_detail(workflow)
        versions = [v for v in detail.versions or [] if v is not None]
        if not versions:
            raise NotFoundError(f"The workflow {display_name(detail.name or detail.id)!r} has no version yet.")
        return max(versions, key=lambda v: v.version or 0)

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
        if version is None:
            return await self.newest_version(workflow)
        found = await self.find_workflow(workflow)
        number = _version_number(version)
        try:
            if number is None:
                what = await self.version_by_id(reference(version, "version"))
            else:
                entry = await self.cache.get(
                    f"version:{found.id}:{number}",
                    lambda: self.client.version_number(found.id, number),
                    ttl=FOREVER,
                    tags=["version"],
                )
                what = entry.value
        except ApiError as error:
            if error.status not in (404, 422, 500):
                raise
            raise NotFoundError(
                f"The workflow {display_name(found.name or found.id)!r} has no version {version!r}; "
                "ws.versions(…) lists those that it has.",
                status=error.status,
            ) from error
        if what.workflow_id not in (None, found.id):
            raise NotFoundError(f"Version {version!r} belongs to another workflow than {found.name!r}.", status=404)
        return what

    # -- deployments --------------------------------------------------------------------------------------------

    async def deployments_entry(self, *, refresh: bool = False) -> Entry[DeploymentList]:
        """Return all deployments, broken ones apart, with the entry that the cache keeps of them."""
        return await self.cache.get(
            "deployments", self._read_deployments, ttl=self.times.default, tags=["deployments"], refresh=refresh
        )

    async def _read_deployments(self) -> DeploymentList:
        async def fluid() -> Reading:
            try:
                return await read_list(self.client, is_fluid=True)
            except ComfyError as error:
                notice(PartialResultWarning(f"Fluid deployments could not be listed: {error}"))
                return Reading(True, {})

        plain, more = await together(read_list(self.client, is_fluid=None), fluid())
        broken = await name_broken(self.client, (plain, more))
        return DeploymentList(tuple({**plain.healthy, **more.healthy}.values()), broken)

    async def get_deployments(
        self, *, environment: str | None = None, workflow: Any = None, refresh: bool = False
    ) -> list[Deployment]:
        """Return the deployments that can be read, all or those of one environment or workflow."""
        found = list((await self.deployments_entry(refresh=refresh)).value.deployments)
        if environment is not None:
            found = [d for d in found if d.environment == environment]
        if workflow is not None:
            wanted = (await self.find_workflow(workflow)).id
            found = [d for d in found if d.workflow_id == wanted]
        return found

    async def get_broken_deployments(self) -> list[BrokenDeployment]:
        """Return what is known of deployments that the server cannot list."""
        return list((await self.deployments_entry()).value.broken)

    async def get_deployment_ids_by_name(self, name: str) -> dict[str, str]:
        """Return the deployment id of each environment of a workflow."""
        return {d.environment or "": d.id for d in await self.get_deployments(workflow=name)}

    async def get_deployment_by_id(self, deployment_id: str, *, refresh: bool = False) -> Deployment:
        """Return one deployment.

        Raises
        ------
        NotFoundError
            If there is none of that id. The server answers 500 then; the list is asked to tell the two apart.
        """

        async def read() -> Deployment:
            try:
                return await self.client.deployment(deployment_id)
            except ApiError as error:
                if error.status not in (404, 422, 500):
                    raise
                known = (await self.deployments_entry(refresh=True)).value
                if any(d.id == deployment_id for d in known.deployments):
                    raise
                maybe = " Or it is one that the server cannot read." if known.broken else ""
                raise NotFoundError(
                    f"No deployment has the id {deployment_id!r}.{maybe} ws.deployments() lists all "
                    f"{len(known.deployments)}.",
                    status=error.status,
                    method=error.method,
                    path=error.path,
                ) from error

        listed = self.cache.peek("deployments")
        if not refresh and listed is not None:
            for deployment in listed.value.deployments:
                if deployment.id == deployment_id:
                    return deployment  # type: ignore[no-any-return]  # the cache keeps anything
        entry = await self.cache.get(
            f"deployment:{deployment_id}", read, ttl=self.times.default, tags=["deployments"], refresh=refresh
        )
        return entry.value

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
        given = await self.deployment_given(thing)
        if given is not None:
            return given
        wanted = reference(thing, "workflow")
        if looks_like_id(wanted) and all(workflow.id != wanted for workflow in await self.get_workflows()):
            # It may have been made since the list was read; if not, that is what is missing.
            return await self.get_deployment_by_id(wanted)
        owner = await self.find_workflow(thing)
        found = await self.choose_deployment(owner, environment)
        if found is None:
            raise NotFoundError(
                f"The workflow {display_name(owner.name or owner.id)!r} has no deployment; "
                "ws.create_deployment(…) makes one, and ws.submit(…, machine=…) runs it without."
            )
        return found

    async def deployment_given(self, thing: Any) -> Deployment | None:
        """Return the deployment that an id, an object or a row stands for; None for what stands for a workflow."""
        if is_deployment(thing):
            return await self.get_deployment_by_id(reference(thing, "deployment"))
        wanted = reference(thing, "workflow")
        return next((d for d in await self.get_deployments() if d.id == wanted), None)

    async def choose_deployment(self, workflow: Workflow, environment: str | None) -> Deployment | None:
        """Return a workflow's deployment in an environment; by default production's, else the only one.

        Returns
        -------
        Deployment or None
            None only when the workflow has no deployment and no environment was asked for.
        """
        listed = (await self.deployments_entry()).value
        standing = [d for d in listed.deployments if d.workflow_id == workflow.id]
        name = display_name(workflow.name or workflow.id)
        wanted = environment or "production"
        here = [d for d in standing if d.environment == wanted]
        if len(here) == 1:
            return here[0]
        if len(here) > 1:
            raise _several(name, here)
        # One of another environment would be the only one there is.
        only = environment is None and not standing
        broken = [
            b for b in listed.broken if b.workflow_id == workflow.id and (only or b.environment in (None, wanted))
        ]
        if broken:
            which = broken[0].environment or wanted
            raise NotFoundError(f"The {which} deployment of {name!r} cannot be used: {broken[0].problem}.")
        if environment is not None:
            others = ", ".join(sorted({d.environment or "?" for d in standing})) or "none"
            raise NotFoundError(f"{name!r} has no deployment in {environment!r}; it has: {others}.")
        if len(standing) > 1:
            raise _several(name, standing)
        return standing[0] if standing else None

    # -- machines -----------------------------------------------------------------------------------------------

    async def machines_entry(self, *, refresh: bool = False) -> Entry[list[Machine]]:
        """Return all machines that are not deleted, with the entry that the cache keeps of them."""
        return await self.cache.get(
            "machines",
            lambda: self.client.machines(is_deleted=False),
            ttl=self.times.machines,
            tags=["machines"],
            refresh=refresh,
        )

    async def get_machines(self, *, refresh: bool = False) -> list[Machine]:
        """Return all machines that are not deleted; at most 15 seconds old by default."""
        return [m for m in (await self.machines_entry(refresh=refresh)).value if not m.deleted]

    async def find_machine(self, machine: Any) -> Machine:
        """Return the machine that an id, a name, an object or a row stands for; deleted ones are not found."""
        wanted = reference(machine, "machine")
        known = {m.id: m for m in await self.get_machines()}
        return known[resolve(wanted, (Candidate(m.id, m.name or "") for m in known.values()), what="machine").id]

    async def get_machine_by_id(self, machine_id: str) -> Machine:
        """Return one machine with all its fields, its endpoint among them.

        Raises
        ------
        NotFoundError
            If there is none of that id, or it is deleted.
        """
        try:
            return await self.client.machine(machine_id)
        except ApiError as error:
            if error.status not in (404, 422):
                raise
            raise NotFoundError(
                f"No machine has the id {machine_id!r}, or it is deleted; ws.machines() lists all.", status=404
            ) from error

    async def get_machine_for_workflow(self, workflow: Any, *, environment: str | None = None) -> str | None:
        """Return the id of the machine on which a workflow runs: its deployment's, else the workflow's own."""
        found = await self.find_workflow(workflow)
        deployment = await self.choose_deployment(found, environment)
        return deployment.machine_id if deployment is not None else found.selected_machine_id

    async def get_prices(self) -> dict[str, float]:
        """Return the price of each GPU in US dollars a second; empty where the server does not tell."""

        async def read() -> dict[str, float]:
            try:
                return price_table(await self.client.gpu_pricing())
            except ComfyError:
                return {}  # a self-hosted server has no prices, and a run can go without them

        return (await self.cache.get("prices", read, ttl=self.times.default, tags=["prices"])).value

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
        given = await self.deployment_given(workflow)
        if version is None and given is not None:
            return await self.deployment_inputs(given)
        if given is not None:
            workflow = given.workflow_id
        if version is None:
            deployment = await self.choose_deployment(await self.find_workflow(workflow), environment)
            if deployment is not None:
                return await self.deployment_inputs(deployment)
        return input_definitions(None, (await self.get_workflow_version(workflow, version)).workflow_api)

    async def deployment_inputs(self, deployment: Deployment) -> tuple[InputDefinition, ...]:
        """Return a deployment's inputs; its version is read when the server did not embed it."""
        return definitions_of(deployment, (await self.deployment_version(deployment)).workflow_api)

    async def deployment_version(self, deployment: Deployment) -> Version:
        """Return the version that a deployment pins."""
        embedded = deployment.version
        if embedded is not None and embedded.workflow_api is not None:
            return embedded
        if deployment.workflow_version_id is None:
            return embedded or Version()
        return await self.version_by_id(deployment.workflow_version_id)

    async def version_by_id(self, version_id: str) -> Version:
        """Return a version by its id alone."""
        entry = await self.cache.get(
            f"version:{version_id}", lambda: self.client.version(version_id), ttl=FOREVER, tags=["version"]
        )
        return entry.value

    async def create_default_input_payload(self, workflow: Any, **which: Any) -> dict[str, Any]:
        """Return the inputs that a run without any given would have, as far as the graph tells; seeds are drawn."""
        merged = merge_inputs(await self.get_workflow_inputs(workflow, **which), {}, draw=_draw)
        return dict(merged.effective)

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
        merged = merge_inputs(await self.get_workflow_inputs(workflow, **which), inputs, draw=_draw)
        check_problems(merged, f"{reference(workflow, 'workflow')!r}")
        return merged

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
            The server keeps one deployment for each workflow and environment.
        version : int or str, optional
            Number or id; the newest without one.
        replace : bool
            Whether a deployment that stands in that environment may be moved.

        Raises
        ------
        ConflictError
            If one stands there and `replace` is False.
        """
        found = await self.find_workflow(workflow)
        where = await self.find_machine(machine)
        what = await self.get_workflow_version(found, version)
        listed = (await self.deployments_entry(refresh=True)).value
        name = display_name(found.name or found.id)
        for standing in listed.deployments:
            if not replace and standing.workflow_id == found.id and standing.environment == environment:
                raise ConflictError(
                    f"{name!r} is deployed in {environment} already (id {standing.id}): "
                    f"{await self._described(standing)}. It would be replaced by version {what.version} on "
                    f"{where.name!r} for everybody; say replace=True if that is meant."
                )
        if not replace and any(
            b.workflow_id in (None, found.id) and b.environment in (None, environment) for b in listed.broken
        ):
            raise ConflictError(
                f"{name!r} may be deployed in {environment} already, in a deployment that the server cannot list; "
                "say replace=True if it may be replaced."
            )
        try:
            return await self.client.create_deployment(found.id, what.id, where.id, environment)
        finally:
            self.cache.drop("deployments")

    async def _described(self, deployment: Deployment) -> str:
        machines = {m.id: m.name for m in await self.get_machines()}
        number = deployment.version.version if deployment.version is not None else None
        machine = machines.get(deployment.machine_id or "", deployment.machine_id)
        return f"version {number if number is not None else deployment.workflow_version_id} on {machine!r}"

    async def update_deployment(
        self,
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
        if unknown := sorted(changes.keys() - SETTINGS):
            raise InputError(
                f"A deployment has no setting {', '.join(map(repr, unknown))}; besides version= and machine= it has "
                f"{', '.join(sorted(SETTINGS))}."
            )
        found = await self.find_deployment(deployment, environment=environment)
        new_version = new_machine = None
        if version is not None:
            new_version = await self.get_workflow_version(found.workflow_id, version)
            changes["workflow_version_id"] = new_version.id
        if machine is not None:
            new_machine = await self.find_machine(machine)
            changes["machine_id"] = new_machine.id
        if not changes:
            raise InputError("Nothing to change was given: version=, machine=, or a setting of the deployment.")
        if not replace and (new_version is not None or new_machine is not None):
            after = " and ".join(
                text
                for text in (
                    f"version {new_version.version}" if new_version is not None else "",
                    f"machine {new_machine.name!r}" if new_machine is not None else "",
                )
                if text
            )
            raise ConflictError(
                f"The deployment {found.id} is {await self._described(found)}; it would get {after} for everybody. "
                "Say replace=True if that is meant."
            )
        try:
            return await self.client.update_deployment(found.id, **changes)
        finally:
            self.cache.drop("deployments")

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
        editor, executed = _graph(workflow, "workflow"), _graph(workflow_api, "workflow_api")
        machine_id = (await self.find_machine(machine)).id if machine is not None else None
        same = [w for w in await self.get_workflows(refresh=True) if w.name == name]
        try:
            if not same:
                return await self.client.create_workflow(
                    name, json.dumps(editor), json.dumps(executed), machine_id=machine_id
                )
            if not replace:
                raise ConflictError(
                    f"A workflow is called {display_name(name)!r} already (id {same[0].id}); say replace=True to give "
                    "it a new version."
                )
            if len(same) > 1:
                raise AmbiguousNameError(
                    f"{len(same)} workflows are called {display_name(name)!r}: {', '.join(w.id for w in same)}.",
                    candidates=[(name, w.id) for w in same],
                )
            return await self.client.create_version(
                same[0].id, editor, executed, comment=comment, machine_id=machine_id
            )
        finally:
            self.cache.drop("workflows", "versions", "deployments")

    # -- the cache ----------------------------------------------------------------------------------------------

    async def reload_workflows(self) -> list[Workflow]:
        """Read the workflows anew, and let everything else be read anew when it is asked for."""
        self.invalidate_cache()
        return await self.get_workflows()

    def invalidate_cache(self) -> None:
        """Forget everything that was read."""
        self.cache.drop()


def definitions_of(deployment: Deployment, workflow_api: Any = None) -> tuple[InputDefinition, ...]:
    """Return the inputs of a deployment from what the server lists and from its graph, together."""
    if workflow_api is None and deployment.version is not None:
        workflow_api = deployment.version.workflow_api
    return input_definitions(deployment.input_types, workflow_api)


def _version_number(version: int | str) -> int | None:
    if isinstance(version, int):
        return version
    text = str(version).strip().removeprefix("v")
    return int(text) if text.isdecimal() else None


def _graph(value: Mapping[str, Any] | str, what: str) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise InputError(f"{what} is no JSON: {error}.") from error
    if not isinstance(value, Mapping):
        raise InputError(f"{what} has to be a JSON object, as ComfyUI exports it.")
    return dict(value)


def _several(name: str, deployments: Sequence[Deployment]) -> AmbiguousNameError:
    listed = ", ".join(f"{d.environment} (id {d.id})" for d in deployments)
    return AmbiguousNameError(
        f"{name!r} has {len(deployments)} deployments and none of them is the one in production: {listed}. "
        "Say which with environment=, or give its id.",
        candidates=[(d.environment or "", d.id) for d in deployments],
    )
