"""Finding out why a run ended, or stands, as it does."""

from __future__ import annotations

from contextlib import suppress

from comfynb.display.explanation import Explanation
from comfynb.errors import ApiError, TransportError
from comfynb.rules.diagnosis import hint_for
from comfynb.runs.tracked import Tracked


async def explain(tracked: Tracked) -> Explanation:
    """Return why it ended, or stands, as it does, and what to do about it.

    The error of a failed run is asked for, since the run itself does not tell it.
    """
    if not tracked.state.ended:
        await tracked.look()
    elif tracked.state.seen.status != "success":
        with suppress(ApiError, TransportError):  # also after another end outputs can still come
            await tracked.look()
    run, provenance, untold = tracked.model, tracked.core.comfyui.provenance, None
    status = tracked.state.seen.status
    if run is not None and status == "failed" and tracked.failure is None:
        try:
            tracked.failure = await provenance.failure(run)
        except (ApiError, TransportError) as error:
            untold = str(error)
    definitions = await provenance.definitions(run) if run is not None else ()
    if untold is not None:
        return tracked.explained(f"What the machine said could not be asked: {untold} run.explain() asks again.")
    hint = hint_for(
        tracked.failure,
        status=status,
        machine_type=run.machine_type if run is not None else None,
        has_outputs=bool(tracked.files),
        definitions=definitions,
        ended=None if run is None else run.ended_at is not None,
    )
    return tracked.explained(hint if tracked.state.ended else tracked.stalled or "")
