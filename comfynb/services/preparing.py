"""Deciding and checking what a submit would send: which deployment, version, machine and inputs. Sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from comfynb.api.models import Deployment, Machine, Version, Workflow
from comfynb.errors import InputError, NotFoundError
from comfynb.rules.graph import describe_graph
from comfynb.rules.inputs import InputDefinition, input_definitions
from comfynb.rules.naming import display_name
from comfynb.rules.pricing import price_per_second
from comfynb.rules.routing import Route, RoutingRules
from comfynb.rules.text import tidy
from comfynb.rules.validation import MergedInputs
from comfynb.services.cache import together
from comfynb.services.catalogue.inputs import definitions_of, merge
from comfynb.services.downloads import fresh_file
from comfynb.services.events import RunEvents
from comfynb.services.given_files import result_of
from comfynb.services.prepared import UNAVAILABLE, Prepared
from comfynb.services.workflows import WorkflowsService
from comfynb.settings import check_webhook

PASSED_BY = (
    "The deployment is passed by, since it would run its own version on its own machine; the run will not be listed "
    "under it."
)


class Preparer:
    """Prepares runs of one workspace.

    Parameters
    ----------
    catalogue : WorkflowsService
        Knows the workflows, deployments and machines.
    """

    def __init__(self, catalogue: WorkflowsService) -> None:
        self._catalogue = catalogue

    async def prepare(
        self,
        workflow: Any,
        inputs: Mapping[str, Any] | None = None,
        *,
        environment: str | None = None,
        version: int | str | None = None,
        machine: Any = None,
        webhook: str | None = None,
        listened: bool = False,
        route: bool | None = None,
    ) -> Prepared:
        """See `ComfyUIService.prepare`; here `webhook` is the URL that will be sent, `listened` whether it is ours."""
        catalogue = self._catalogue
        rules = catalogue.routing.asked(route, machine)
        await together(catalogue.workflows.entry(), catalogue.deployments.listed(), catalogue.machines.entry())
        deployment, owner, environment = await self._meant(workflow, environment, rules)
        notes: list[str] = []
        if deployment is not None:
            pinned, home = await catalogue.versions.pinned(deployment), deployment.machine_id
        else:
            pinned, home = await catalogue.versions.newest(owner), owner.selected_machine_id
            notes.append(
                f"{display_name(owner.name or owner.id)!r} has no deployment: its newest version {pinned.version} is "
                "sent to a machine."
            )
        chosen = pinned if version is None else await catalogue.versions.one(owner, version)
        target = home if machine is None else (await catalogue.machines.find(machine)).id
        through = deployment if chosen.id == pinned.id and target == home else None
        machines = {m.id: m for m in await catalogue.machines.all()}
        definitions = _definitions(deployment if chosen.id == pinned.id else None, chosen)
        merged = await _merged(definitions, await self._fresh(inputs or {}))
        found = Prepared(
            workflow=owner,
            deployment=through,
            version=chosen,
            machine=machines.get(target or ""),
            machine_id=target,
            definitions=definitions,
            inputs=merged,
            blockers=tuple(_blockers(machines.get(target or ""), target, machines)),
            notes=(*notes, *_warnings(chosen), *merged.notes, *_uploads(merged)),
            webhook=webhook,
            listened=listened,
        )
        if rules is not None:
            routed = await catalogue.routing.decide(
                rules, owner, deployment, environment=environment, other_version=chosen.id != pinned.id
            )
            found = await self._routed(found, routed)
        if deployment is not None and found.deployment is None:
            found = replace(found, notes=(PASSED_BY, *found.notes))
        return await self._priced(found)

    async def _fresh(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the inputs with a new link for each output whose link is signed, since that is good for an hour."""

        async def fresh(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return [await fresh(each) for each in value]
            made = result_of(value)
            if made is None or made.url is None or not urlsplit(made.url).query:
                return value
            return await fresh_file(self._catalogue.client, made)

        return {name: await fresh(value) for name, value in inputs.items()}

    async def renewed(self, prepared: Prepared, without: frozenset[str] = frozenset()) -> Prepared:
        """Return a run that was routed as it would go now: by what machines say of themselves in these seconds.

        Parameters
        ----------
        prepared : Prepared
            What was prepared, with a route. Its inputs and its version stay.
        without : frozenset of str
            Ids of machines that refused it.
        """
        before = prepared.routed
        if before is None:
            return prepared
        catalogue = self._catalogue
        home: Any = before.home
        moved = False
        if prepared.deployment is not None and before.home is not None:
            # Somebody may have moved it meanwhile: then it would run elsewhere, or something else.
            now = await catalogue.deployments.newest(prepared.deployment.id)
            moved = now.workflow_version_id != before.home.workflow_version_id
            home = before.home if moved else now
        routed = await catalogue.routing.decide(
            before.rules,
            prepared.workflow,
            home,
            environment=before.environment,
            without=without,
            other_version=before.other_version or moved,
            newest=True,
        )
        found = await self._routed(prepared, routed)
        if home is not None and found.deployment is None and PASSED_BY not in found.notes:
            found = replace(found, notes=(PASSED_BY, *found.notes))
        return await self._priced(found)

    async def _routed(self, prepared: Prepared, routed: Route) -> Prepared:
        """Send it where a route goes; where that goes nowhere, say why not."""
        through: Any = routed.deployment
        machine: Any = routed.machine
        if machine is None:
            machines = {m.id: m for m in await self._catalogue.machines.all()}
            return replace(
                prepared, routed=routed, blockers=(f"{routed.sentence} {_choose(machines)}, or route=False.",)
            )
        return replace(prepared, deployment=through, machine=machine, machine_id=machine.id, blockers=(), routed=routed)

    async def _priced(self, prepared: Prepared) -> Prepared:
        gpu = prepared.gpu
        price = price_per_second(gpu, await self._catalogue.machines.prices()) if gpu else None
        return replace(prepared, price=price)

    async def _meant(
        self, workflow: Any, environment: str | None, rules: RoutingRules | None
    ) -> tuple[Deployment | None, Workflow, str | None]:
        """Return the deployment, if there is one, the workflow and the environment that are meant."""
        catalogue = self._catalogue
        deployment = await catalogue.deployments.given(workflow)
        if deployment is not None:
            if deployment.workflow_id is None:
                raise NotFoundError(f"The deployment {deployment.id} names no workflow.")
            name = deployment.workflow.name if deployment.workflow is not None else None
            owners = {w.id: w for w in await catalogue.workflows.all()}
            owner = owners.get(deployment.workflow_id) or Workflow(id=deployment.workflow_id, name=name)
            return deployment, owner, deployment.environment
        owner = await catalogue.workflows.find(workflow)
        if rules is not None:
            environment = await catalogue.routing.environment(rules, owner, environment)
        return await catalogue.deployments.choose(owner, environment), owner, environment


def choose_webhook(asked: str | bool | None, own: str | None, events: RunEvents | None = None) -> str | None:
    """Return the URL that the server is asked to call, out of what a call asks for and what the connection has.

    Where `events` are listened for, True means the URL of the receiver. So does the connection's own URL, if that is
    what the receiver is reached by.

    Raises
    ------
    InputError
        If what is asked for is no URL, or there is none.
    """
    if asked is False:
        return None
    if not isinstance(asked, str | bool | None):
        raise InputError(f"webhook={asked!r} is no URL; True takes the connection's, False none.")
    if events is not None and events.url is not None and (asked is True or (asked is None and events.stands_for(own))):
        return events.url
    if asked is True and own is None:
        raise InputError("webhook=True needs a URL: call ws.listen(), set WEBHOOK_URL, or give webhook='https://…'.")
    url = asked if isinstance(asked, str) else own
    return check_webhook(url) if url is not None else None


def _definitions(deployment: Deployment | None, version: Version) -> tuple[InputDefinition, ...]:
    if deployment is not None:
        return definitions_of(deployment, version.workflow_api)
    return input_definitions(None, version.workflow_api)


async def _merged(definitions: tuple[InputDefinition, ...], inputs: Mapping[str, Any]) -> MergedInputs:
    """Check the inputs; in a thread where that reads files or writes pictures, since it takes time."""
    flat = [each for value in inputs.values() for each in (value if isinstance(value, list | tuple) else (value,))]
    if all(isinstance(each, str | int | float | dict | None) for each in flat):
        return merge(definitions, inputs)
    return await asyncio.to_thread(merge, definitions, inputs)


def _uploads(merged: MergedInputs) -> Sequence[str]:
    """Say which files will go up."""
    names = [tidy(file.name, 60) for file in merged.files]
    if not names:
        return ()
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (
        f"To be uploaded when it is submitted: {', '.join(names[:5])}{more}. By default everybody who knows the "
        "address of an uploaded file can read it.",
    )


def _warnings(version: Version) -> Sequence[str]:
    """Say what of a graph is likely to surprise."""
    facts = describe_graph(version.workflow_api, version.workflow)
    found: list[str] = []
    if facts.uncontrolled_seeds:
        nodes = ", ".join(f"{class_type} (node {node_id})" for node_id, class_type in facts.uncontrolled_seeds)
        found.append(
            f"The seed of {nodes} is no input: it is drawn anew on each run, so the inputs alone do not repeat a "
            "result. run.used_inputs() reads the seed that was used from the picture."
        )
    if not facts.unknown and not facts.saves_outputs:
        found.append("No node of it saves a file, so the run may never be reported as ended.")
    return found


def _choose(machines: Mapping[str, Machine]) -> str:
    ready = ", ".join(repr(display_name(m.name or m.id)) for m in machines.values() if m.status == "ready")
    return f"Choose another with machine=: {ready}" if ready else "No machine is ready"


def _blockers(machine: Machine | None, machine_id: str | None, machines: Mapping[str, Machine]) -> list[str]:
    choose = f"{_choose(machines)}."
    if machine_id is None:
        return [f"It has no machine. {choose}"]
    if machine is None:
        return [f"Its machine {machine_id} does not exist, or is deleted. {choose}"]
    state = UNAVAILABLE.get(machine.status or "")
    if state is not None:
        return [f"The machine {display_name(machine.name or machine.id)!r} {state}. {choose}"]
    return []
