"""Looking at how a connection is: a few requests, each tried once, and what is known without asking."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from comfynb.api.answers import Answer
from comfynb.api.models import ListedRun, Machine, unknown_fields
from comfynb.api.transport import Call, Transport
from comfynb.errors import ComfyError
from comfynb.notices import collecting
from comfynb.rules.health import HealthFacts, HealthLimits, MachineSeen, StaleRun
from comfynb.rules.status import KNOWN, is_terminal
from comfynb.rules.text import tidy
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.exploring import ENVIRONMENTS, MACHINE_STATUSES, MACHINE_TYPES
from comfynb.services.journal import FAULTS, Noted
from comfynb.services.metrics import Metrics
from comfynb.warnings import ComfyWarning

__all__ = ["examine"]

PATIENCE: Final = 10.0
"""Seconds that the server is given for an answer."""
_ROUTE: Final = "GET /machines"
_QUERY: Final = "/machines?limit=1"
_MOST_WORKFLOWS: Final = 3
"""Workflows whose newest runs are looked at: the last ones with runs of ours that are not known to have ended."""
_LISTED: Final = 100
_MOST_STALE: Final = 50


class Receiving(Protocol):
    """What is looked at of a receiver of webhooks."""

    @property
    def running(self) -> bool:
        """Whether it listens."""

    @property
    def failed(self) -> bool:
        """Whether it ended without being closed."""

    @property
    def silent(self) -> bool:
        """Whether a run has ended of which nothing came."""

    @property
    def counts(self) -> dict[str, int]:
        """How many posts had which outcome."""


async def examine(
    service: ComfyUIService,
    metrics: Metrics,
    limits: HealthLimits,
    *,
    receiver: Receiving | None = None,
    simulated: bool = False,
) -> HealthFacts:
    """Look at how a connection is. A server that is down is a fact like others, and no error.

    It costs two requests, and up to three more where runs of ours are not known to have ended.

    Parameters
    ----------
    service : ComfyUIService
        The connection.
    metrics : Metrics
        What it has counted.
    limits : HealthLimits
        From where on a run is stale.
    receiver : Receiving, optional
        The receiver of webhooks, if there was one.
    simulated : bool
        Whether the server is a sandbox.
    """
    transport = service.client.transport
    answer, trouble = await _ask(transport, metrics)
    reachable = answer is not None and answer.status == 200 and answer.is_json
    machines: list[Machine] | None = None
    book = await _read_journal(service)
    runs: list[ListedRun] = []
    runs_trouble = ""
    told: list[ComfyWarning] = []
    if reachable:
        try:
            async with asyncio.timeout(PATIENCE):
                with collecting(told):
                    machines = await service.workflows.get_machines(refresh=True)
                    runs = await _recent_runs(service, book.noted)
        except (ComfyError, TimeoutError) as error:
            runs_trouble = tidy(error, 200) or f"no answer within {PATIENCE:g} s"
    for warning in told:
        metrics.noticed(warning)
    failed, calls = metrics.recent()
    keeper = service.workflows.cache.keeper
    cache = Counter({what: number for kind, what, number in metrics.counts() if kind == "cache"})
    return HealthFacts(
        address=str(transport.address),
        status=answer.status if answer is not None else None,
        is_api=answer is not None and answer.is_json and not answer.no_such_route,
        trouble=trouble,
        offline=transport.offline is not None,
        latencies=metrics.latencies(),
        failed=failed,
        calls=calls,
        waiting=transport.pacer.describe() or "",
        machines=_machines(service, machines) if machines is not None else None,
        stale=_stale(runs, book.noted, transport.server_now(), limits),
        unresolved=sum(noted.state in ("open", "uncertain") and not noted.under_way for noted in book.noted),
        runs_trouble=runs_trouble,
        entries=len(service.workflows.cache),
        hits=cache.total() - cache["miss"],
        misses=cache["miss"],
        cache_trouble=", ".join(keeper.failing) if keeper is not None else "",
        listening=_listening(receiver),
        webhooks=dict(receiver.counts) if receiver is not None else {},
        unheard=receiver is not None and receiver.running and receiver.silent,
        clock_offset=transport.clock_offset,
        simulated=simulated,
        unknown=(*_drift(service, machines or [], runs), *metrics.unknowns()),
        journal=book.place,
        journal_trouble=book.trouble,
        open_submits=len(book.noted),
        kept_submits=book.kept,
    )


async def _ask(transport: Transport, metrics: Metrics) -> tuple[Answer | None, str]:
    """Ask for a machine, once, below each prefix that may be the API's; return the answer, or why there is none."""
    if transport.offline is not None:
        return None, transport.offline
    known = transport.prefix
    found: Answer | None = None
    for prefix in transport.address.prefixes if known is None else (known,):
        # What is asked stands below the server's root, which is in every prefix.
        below = prefix.removeprefix(transport.address.root)
        try:
            async with asyncio.timeout(PATIENCE):
                answer, seconds = await transport.probe(below + _QUERY)
        except ComfyError as error:
            metrics.called(Call(_ROUTE, None, 0.0, 0, 0))
            return None, str(error)
        except TimeoutError:
            metrics.called(Call(_ROUTE, None, PATIENCE, 0, 0))
            held = transport.pacer.describe()
            return None, f"{transport.address} gave no answer within {PATIENCE:g} s{f': {held}' if held else ''}."
        metrics.called(Call(_ROUTE, answer.status, seconds, 0, len(answer.content)))
        if found is None or (answer.is_json and not answer.no_such_route):
            found = answer
        if not answer.no_such_route and answer.is_json:
            break
    return found, ""


def _listening(receiver: Receiving | None) -> bool | None:
    """Return whether it listens; None if there is none, or it was closed."""
    if receiver is None or not (receiver.running or receiver.failed):
        return None
    return receiver.running


def _machines(service: ComfyUIService, machines: list[Machine]) -> list[MachineSeen]:
    listed = service.workflows.cache.peek("deployments")
    deployed = Counter(each.machine_id for each in listed.value.deployments) if listed is not None else None
    return [
        MachineSeen(each.id, each.name or "", each.status, deployed[each.id] if deployed is not None else None)
        for each in machines
    ]


@dataclass(frozen=True, slots=True)
class _Book:
    place: str | None
    trouble: str
    noted: list[Noted]
    kept: int = 0


async def _read_journal(service: ComfyUIService) -> _Book:
    journal = service.submitter.journal
    if journal is None:
        return _Book(None, "", [])
    place = "in memory" if journal.path is None else str(journal.path)
    try:
        noted = await asyncio.to_thread(journal.all, "queued", "open", "uncertain", "taken")
        sent = [each for each in noted if each.state != "queued"]
        return _Book(place, "", sent, len(noted) - len(sent))
    except FAULTS as error:
        return _Book(place, str(error) or type(error).__name__, [])


async def _recent_runs(service: ComfyUIService, noted: list[Noted]) -> list[ListedRun]:
    """Return the newest runs of the workflows that may still have some of ours, from the light list."""
    recent = dict.fromkeys(each.workflow_id for each in reversed(noted) if each.workflow_id)
    lists = [service.client.workflow_runs_v2(each, limit=_LISTED) for each in list(recent)[:_MOST_WORKFLOWS]]
    return [run for runs in await asyncio.gather(*lists) for run in runs]


def _stale(runs: list[ListedRun], noted: list[Noted], now: datetime, limits: HealthLimits) -> list[StaleRun]:
    """Return the runs that ought to have ended, the oldest first."""
    names = {each.workflow_id: each.workflow for each in noted}
    found = []
    for run in runs:
        if run.created_at is not None and not is_terminal(run.status):
            age = (now - run.created_at).total_seconds()
            if limits.stale_after <= age < limits.forget_after:
                found.append(StaleRun(run.id, names.get(run.workflow_id) or "a workflow", run.status, age))
    return sorted(found, key=lambda run: (-run.age, run.id))[:_MOST_STALE]


def _drift(service: ComfyUIService, machines: list[Machine], runs: list[ListedRun]) -> list[str]:
    """Return what of the server's answers is not known: fields, and words of states."""
    cache = service.workflows.cache
    workflows, deployments = cache.peek("workflows"), cache.peek("deployments")
    rows: dict[str, list[Any]] = {
        "machines": machines,
        "workflows": list(workflows.value) if workflows is not None else [],
        "deployments": list(deployments.value.deployments) if deployments is not None else [],
    }
    found: dict[str, None] = {}
    for kind, each in rows.items():
        for name in sorted({name for row in each for name in unknown_fields(row)}):
            found[f"the field {name!r} of {kind}"] = None
    words = (
        ("the machine status", MACHINE_STATUSES, {machine.status for machine in machines}),
        ("the machine type", MACHINE_TYPES, {machine.type for machine in machines}),
        ("the environment", ENVIRONMENTS, {each.environment for each in rows["deployments"]}),
        ("the run status", KNOWN, {run.status for run in runs}),
    )
    for what, known, seen in words:
        for word in sorted(each for each in seen if each is not None and each not in known):
            found[f"{what} {word!r}"] = None
    return list(found)
