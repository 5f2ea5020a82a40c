"""Submitting a run where its route goes, and looking whether it went there."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from comfynb.errors import ApiError, ComfyError, RoutingError
from comfynb.notices import notice
from comfynb.services.flight import Flight, Submitted
from comfynb.services.prepared import Prepared
from comfynb.services.preparing import Preparer
from comfynb.warnings import MisroutedRunWarning, RoutingWarning

if TYPE_CHECKING:
    from comfynb.services.comfyui import ComfyUIService

log = logging.getLogger("comfynb")

_GLANCE = 10.0
"""Seconds for the look at a run after its submit."""


async def submit_routed(
    service: ComfyUIService, preparer: Preparer, prepared: Prepared, flight: Flight | None
) -> Submitted:
    """Submit a run to the first machine of its route that takes it.

    The next one is tried only when the server refused the one before it because there is no such machine, which it
    says before it writes a run down.

    Parameters
    ----------
    service : ComfyUIService
        Submits.
    preparer : Preparer
        Routes anew.
    prepared : Prepared
        What was prepared, with a route.
    flight : Flight or None
        See `Submitter.submit`.

    Raises
    ------
    RoutingError
        If no machine can take it any more.
    ApiError, TransportError, SubmitUncertainError
        As `Submitter.submit` does.
    """
    flight = flight or Flight()
    refused: frozenset[str] = frozenset()
    meant = prepared.machine_id if prepared.routed is not None and prepared.routed.ok else None
    prepared = await preparer.renewed(prepared)
    while True:
        prepared.check()
        _announce(prepared, meant)
        try:
            submitted = await service.submitter.submit(prepared, flight)
            break
        except ComfyError as error:
            service.workflows.cache.drop("machines")  # whatever it was, they may not be as they were
            if not _no_such_machine(error) or prepared.machine_id is None:
                raise
            log.info("%s was refused on %s: %s", prepared.name, prepared.machine_name, error)
            refused |= {prepared.machine_id}
            flight.turn_back()
            meant = prepared.machine_id
            another = await preparer.renewed(prepared, refused)
            if not another.ok:
                raise RoutingError(f"{prepared.name} was not submitted: {' '.join(another.blockers)}") from error
            prepared = another
    await _compare(service, prepared, submitted.run_id)
    return submitted


def _no_such_machine(error: ComfyError) -> bool:
    """Whether the server refused a run for want of the machine, which it does before it writes the run down."""
    return isinstance(error, ApiError) and error.status == 404 and "machine" in error.detail.casefold()


def _announce(prepared: Prepared, meant: str | None) -> None:
    """Say what is not as the rules would have it, or not as it was prepared."""
    routed = prepared.routed
    if routed is not None and (routed.announced or (meant is not None and prepared.machine_id != meant)):
        notice(RoutingWarning(routed.sentence))


async def _compare(service: ComfyUIService, prepared: Prepared, run_id: str) -> None:
    """Look on which machine the run is."""
    try:
        async with asyncio.timeout(_GLANCE):
            run = await service.client.run(run_id)
    except (ComfyError, TimeoutError) as error:
        log.warning("on which machine the run %s is could not be looked up: %s", run_id, error)
        return
    if run.machine_id is None or run.machine_id == prepared.machine_id:
        return
    names = {machine.id: machine.name for machine in await service.workflows.get_machines()}
    where = names.get(run.machine_id) or run.machine_id
    notice(
        MisroutedRunWarning(
            f"The run {run_id} of {prepared.name} was sent to {prepared.machine_name}, and the server runs it on "
            f"{where}. run.cancel() stops it where that machine can."
        )
    )
