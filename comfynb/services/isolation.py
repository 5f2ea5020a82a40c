"""Reading the deployment list when one broken workflow makes the server fail on all of it.

The server derives every deployment's inputs while it lists them, and one graph that it cannot read fails the whole
answer with 500. Paging past the broken row works, so it is found by halving; the environment filter and the
deployments of single workflows tell which row it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from comfynb.api.client import ComfyDeployClient
from comfynb.api.models import Deployment, Workflow
from comfynb.errors import ApiError, ComfyError
from comfynb.rules.environments import ENVIRONMENTS

_CHUNK = 32
_FAR = 1_000_000
_MOST_SUSPECTS = 300


@dataclass(frozen=True, slots=True)
class BrokenDeployment:
    """A deployment that exists and cannot be read.

    Attributes
    ----------
    workflow_id, environment : str or None
        Where they could be found out.
    problem : str
        What is wrong, in a sentence.
    possible : tuple of str
        The environments in which it can be.
    fluid, place : bool and int
        In which of the server's two lists it is, and where in it. Of several, each has the list and place of one.
    """

    workflow_id: str | None
    environment: str | None
    problem: str
    possible: tuple[str, ...] = ()
    fluid: bool = False
    place: int = 0


@dataclass(frozen=True, slots=True)
class DeploymentList:
    """What a reading of the deployments gave."""

    deployments: tuple[Deployment, ...]
    broken: tuple[BrokenDeployment, ...] = ()


PROBLEM = (
    "the server cannot list this deployment (500): a graph that it cannot read, such as an enum whose options are no "
    "JSON list, or a node whose label is null"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reading of one of the server's two lists gave.

    Attributes
    ----------
    is_fluid : bool or None
        Which of the lists.
    healthy : dict of str to Deployment
        What could be read, by id.
    broken : tuple of int
        The places in the list of those rows that could not.
    """

    is_fluid: bool | None
    healthy: dict[str, Deployment]
    broken: tuple[int, ...] = ()


def _is_broken_list(error: ApiError) -> bool:
    return error.status == 500


async def read_list(client: ComfyDeployClient, *, is_fluid: bool | None) -> Reading:
    """Read one of the two lists, around rows that make it fail.

    Raises
    ------
    ApiError
        If the list fails for another reason than single rows.
    """
    try:
        return Reading(is_fluid, {row.id: row for row in await client.deployments(is_fluid=is_fluid)})
    except ApiError as error:
        if not _is_broken_list(error):
            raise
        try:
            # Far past the end nothing has to be derived: if this fails too, no single row is to blame.
            await client.deployments_page(size=1, offset=_FAR, is_fluid=is_fluid)
        except ApiError:
            raise error from None
    return Reading(is_fluid, *(await _halve(client, is_fluid)))


async def _halve(client: ComfyDeployClient, is_fluid: bool | None) -> tuple[dict[str, Deployment], tuple[int, ...]]:
    healthy: dict[str, Deployment] = {}
    broken: list[int] = []

    async def read(offset: int, size: int) -> int:
        """Read these rows, and return how many there are."""
        try:
            rows = await client.deployments_page(size=size, offset=offset, is_fluid=is_fluid)
        except ApiError as error:
            if not _is_broken_list(error):
                raise
            if size == 1:
                broken.append(offset)
                return 1
            half = size // 2
            count = await read(offset, half)
            return count + (await read(offset + half, size - half))
        healthy.update((row.id, row) for row in rows)
        return len(rows)

    offset = 0
    while await read(offset, _CHUNK) == _CHUNK:
        offset += _CHUNK
    return healthy, tuple(broken)


async def name_broken(
    client: ComfyDeployClient, readings: Sequence[Reading], workflows: Sequence[Workflow] | None = None
) -> tuple[BrokenDeployment, ...]:
    """Find out whose the rows are that could not be read, as far as that can be known.

    Parameters
    ----------
    client : ComfyDeployClient
        The server.
    readings : sequence of Reading
        Of all lists: a workflow fails because of either.
    workflows : sequence of Workflow, optional
        Who they can be; read when needed.
    """
    places = [(reading.is_fluid is True, place) for reading in readings for place in reading.broken]
    broken = len(places)
    if not broken:
        return ()
    if workflows is None:
        try:
            workflows = await client.workflows()
        except ComfyError:  # the healthy rows are not lost over a name
            workflows = ()
    partly = [reading.is_fluid for reading in readings if reading.broken]
    failing = [e for e in ENVIRONMENTS if any([await _fails(client, e, is_fluid) for is_fluid in partly])]
    standing: dict[str, set[str | None]] = {}
    for reading in readings:
        for deployment in reading.healthy.values():
            standing.setdefault(deployment.workflow_id or "", set()).add(deployment.environment)
    # Those with the fewest healthy deployments are the likeliest; a workflow has at most one an environment.
    suspects = sorted(
        (w.id for w in workflows if any(e not in standing.get(w.id, set()) for e in failing)),
        key=lambda workflow_id: len(standing.get(workflow_id, ())),
    )[:_MOST_SUSPECTS]
    guilty: set[str] = set()
    slots = anyio.CapacityLimiter(6)

    async def ask(workflow_id: str) -> None:
        async with slots:
            if len(guilty) >= broken:
                return
            try:
                await client.workflow_deployments(workflow_id)
            except ComfyError as error:
                if isinstance(error, ApiError) and _is_broken_list(error):
                    guilty.add(workflow_id)

    async with anyio.create_task_group() as group:
        for workflow_id in suspects:
            group.start_soon(ask, workflow_id)

    possible = {w: [e for e in failing if e not in standing.get(w, set())] for w in suspects if w in guilty}
    found: list[tuple[str | None, list[str]]] = list(possible.items())
    if sum(map(len, possible.values())) == broken:
        found = [(w, [e]) for w, environments in possible.items() for e in environments]
    found += [(None, failing)] * (broken - len(found))
    return tuple(
        BrokenDeployment(w, e[0] if len(e) == 1 else None, PROBLEM, tuple(e), *place)
        for (w, e), place in zip(found, places, strict=False)
    )


async def _fails(client: ComfyDeployClient, environment: str, is_fluid: bool | None) -> bool:
    try:
        await client.deployments_page(size=100_000, environment=environment, is_fluid=is_fluid)
    except ComfyError as error:
        return isinstance(error, ApiError) and _is_broken_list(error)
    return False
