"""Finding the runs of submits that were cut off: by a crash, a lost answer, a restart of the kernel."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from comfynb.api.client import ComfyDeployClient
from comfynb.errors import ComfyError
from comfynb.notices import notice
from comfynb.rules.matching import match_submits
from comfynb.services.journal import Journal, Noted
from comfynb.services.run_lists import runs_since
from comfynb.warnings import UncertainSubmitWarning

__all__ = ["FOUND", "resolve"]

FOUND: Final = "It was cut off; this run has its version, machine, inputs and time, and nobody else's submit is known."
"""What is written down of a run that was found in the run list."""
_MADE_WITHIN: Final = timedelta(hours=1)
"""In which the server makes a run of a submit; it takes seconds, and clocks are not to be trusted."""
_SHOWS: Final = timedelta(minutes=3)
"""After which a run would show in the list if there were one; the server is given 90 seconds to answer a submit."""


@dataclass(frozen=True, slots=True)
class _Alike:
    """What submits have in common whose runs could be taken for one another's."""

    workflow_id: str
    version_id: str | None
    deployment_id: str | None
    machine_id: str | None
    inputs: str


async def resolve(client: ComfyDeployClient, journal: Journal) -> None:
    """Look for the runs of all submits whose outcome is not known, and write down what is found.

    A run is claimed only if no more runs fit than submits are open: what others started with the same inputs at the
    same time is reported, never claimed. Nothing is submitted.
    """
    open_ones = await asyncio.to_thread(journal.all, "open", "uncertain")
    groups: dict[_Alike, list[Noted]] = defaultdict(list)
    for noted in open_ones:
        if noted.under_way or noted.workflow_id is None:
            continue
        inputs = json.dumps(noted.inputs, sort_keys=True)
        groups[_Alike(noted.workflow_id, noted.version_id, noted.deployment_id, noted.machine_id, inputs)].append(noted)
    for alike, group in groups.items():
        await _resolve(client, journal, alike, group)


async def _resolve(client: ComfyDeployClient, journal: Journal, alike: _Alike, group: list[Noted]) -> None:
    before = frozenset().union(*(noted.before for noted in group))
    since = min(noted.since for noted in group)
    try:
        listed = await runs_since(client, alike.workflow_id, before, since)
    except ComfyError as error:
        _warn(group, f"The run list could not be read: {error}")
        return
    # What has been found out meanwhile, here or by another process, is not to be found out again.
    doubtful = {noted.id for noted in await asyncio.to_thread(journal.all, "open", "uncertain") if not noted.under_way}
    group = [noted for noted in group if noted.id in doubtful]
    if not group:
        return
    found = match_submits(
        [{name: getattr(row, name) for name in row.model_fields_set} for row in listed.rows],
        version_id=alike.version_id,
        deployment_id=alike.deployment_id,
        inputs=group[0].inputs,
        machine_id=alike.machine_id,
        not_before=since,
        not_after=_latest(group),
        known_ids=set(await asyncio.to_thread(journal.runs)) | before,
    )
    if len(found) > len(group):
        _warn(group, f"{len(found)} runs could be it, so none was taken for it: {', '.join(found[:10])}.")
        for noted in group:
            await asyncio.to_thread(journal.uncertain, noted.id, f"{len(found)} runs could be it")
        return
    # The list is newest first, and the journal oldest first.
    for noted, run_id in zip(group, reversed(found), strict=False):
        await asyncio.to_thread(journal.taken, noted.id, run_id, FOUND)
    for noted in group[len(found) :]:
        if datetime.now(UTC) - noted.at <= _SHOWS:
            _warn([noted], "The run list does not show it so far; ws.resume() looks again.")
        elif listed.complete:
            await asyncio.to_thread(journal.lost, noted.id, "no run of it shows in the run list")
        else:
            _warn([noted], f"It is not among the newest {len(listed.rows)} runs; look at ws.runs() yourself.")


def _latest(group: list[Noted]) -> datetime | None:
    """Return the latest time, by the server's clock, at which a run of these can have been made."""
    sent = [noted.sent for noted in group if noted.sent is not None]
    return max(sent) + _MADE_WITHIN if len(sent) == len(group) else None


def _warn(group: list[Noted], why: str) -> None:
    count = "A submit" if len(group) == 1 else f"{len(group)} submits"
    notice(
        UncertainSubmitWarning(
            f"{count} of {group[0].workflow or group[0].workflow_id} may have started a run or not. {why}"
        )
    )
