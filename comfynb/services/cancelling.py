"""Cancelling a run, and saying truthfully what came of it.

The server answers "success" for runs that had ended, and an error for machines that cannot cancel; so the run is read
before and after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comfynb.api.client import ComfyDeployClient
from comfynb.errors import ApiError, AuthenticationError, ComfyError, PermissionDeniedError, TransportError
from comfynb.rules.status import is_terminal
from comfynb.services.watching import Looks


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What a cancel did. True in a condition only if the run was cancelled.

    Attributes
    ----------
    outcome : {"cancelled", "already ended", "cannot cancel", "unconfirmed"}
        "cannot cancel": the run's machine has no way to, and the run goes on.
    message : str
        The same as a sentence.
    """

    outcome: Literal["cancelled", "already ended", "cannot cancel", "unconfirmed"]
    message: str

    def __bool__(self) -> bool:
        return self.outcome == "cancelled"

    def __str__(self) -> str:
        return self.message


async def cancel(client: ComfyDeployClient, looks: Looks, run_id: str) -> CancelResult:
    """Cancel a run.

    Parameters
    ----------
    client : ComfyDeployClient
        The server.
    looks : Looks
        Tells how the run stands.
    run_id : str
        Which run.
    """
    before = await looks.check_status(run_id)
    if is_terminal(before.status):
        return CancelResult("already ended", f"The run {run_id} had ended already: {before.status}.")
    trouble: ComfyError | None = None
    try:
        await client.cancel(run_id)
    except (AuthenticationError, PermissionDeniedError):
        raise
    except (ApiError, TransportError) as error:
        trouble = error  # an answer that is lost, or bad, does not say what became of the run
    after = await looks.check_status(run_id)
    if after.status == "cancelled":
        return CancelResult("cancelled", f"The run {run_id} was cancelled.")
    if is_terminal(after.status):
        return CancelResult("already ended", f"The run {run_id} ended before it could be cancelled: {after.status}.")
    if isinstance(trouble, ApiError) and "modal function" in trouble.detail:
        kind = after.machine_type or "its kind of"
        return CancelResult(
            "cannot cancel",
            f"The run {run_id} goes on: a {kind} machine cannot cancel a run, only serverless ones can.",
        )
    why = f"{trouble} " if trouble is not None else "The server accepted the cancel. "
    return CancelResult(
        "unconfirmed",
        f"{why}The run {run_id} is still {after.status} and may be billing; look again with run.refresh().",
    )
