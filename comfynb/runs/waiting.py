"""Waiting for the end of a run, which may be a bad one, or not come."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from comfynb.display.explanation import explanation_text
from comfynb.display.html import bare_url
from comfynb.display.words import count
from comfynb.errors import (
    ApiError,
    RunCancelled,
    RunError,
    RunFailed,
    RunStalled,
    RunTimedOut,
    TransportError,
    WaitTimeout,
)
from comfynb.notices import notice
from comfynb.rules.observing import STALL
from comfynb.rules.waiting import DEFAULT_TIMEOUT, check_seconds
from comfynb.runs.explaining import explain
from comfynb.runs.progress import progress_for
from comfynb.runs.tracked import LOOKUP, Tracked
from comfynb.services.events import GRACE
from comfynb.services.watching import State
from comfynb.warnings import StalledRunWarning, WebhookWarning

if TYPE_CHECKING:
    from comfynb.runs.run import Run

_BAD_ENDS: dict[str, type[RunError]] = {"failed": RunFailed, "timeout": RunTimedOut, "cancelled": RunCancelled}


@contextmanager
def shown(tracked: Tracked, progress: bool | None) -> Iterator[None]:
    """Show how a run goes on while this is entered; see `Run.wait` for `progress`."""
    bar = progress_for(tracked.name, progress)

    def listener(state: State) -> None:
        bar.show(state.seen, tracked.pacer.describe())

    tracked.watch.listeners.append(listener)
    try:
        with bar:
            yield
    finally:
        tracked.watch.listeners.remove(listener)


async def until_end(
    tracked: Tracked,
    run: Run,
    timeout: float | None = DEFAULT_TIMEOUT,
    *,
    check: bool = True,
    stall: float = STALL,
) -> Run:
    """Wait as `Run.wait` does, without a display.

    Parameters
    ----------
    tracked : Tracked
        What is known of the run.
    run : Run
        Its handle, for the errors to carry.
    timeout, check, stall
        As in `Run.wait`.
    """
    check_seconds(timeout=timeout, stall=stall)
    tracked.patience = stall
    tracked.state.seen.changed = time.monotonic()  # a new wait is new patience
    deadline = time.monotonic() + timeout if timeout is not None else math.inf
    try:
        async with asyncio.timeout(timeout):
            await tracked.watch.until(lambda state: state.is_stalled(stall))
    except TimeoutError:
        raise WaitTimeout(
            f"{tracked.name} was not done after {timeout:g} s ({tracked.state.seen.stage}); the run {tracked.id} goes "
            "on and may be billing. run.wait() waits on, run.cancel() stops it where its machine can.",
            run=run,
        ) from None
    except (ApiError, TransportError) as error:
        # The same error, which says now what it means for the run.
        error.args = (
            f"{error} The run {tracked.id} was waited for; it goes on and may be billing. run.wait() waits on, and "
            f"ws.get_run({tracked.id!r}) finds it again.",
            *error.args[1:],
        )
        raise
    tracked.lookup = min(LOOKUP, max(1.0, deadline - time.monotonic()))
    await tracked.take_outputs()
    await _say_if_unheard(tracked, deadline)
    if not tracked.state.ended:
        _stalled(tracked, run, check=check)
    elif check and tracked.state.seen.status != "success":
        await _raise_bad_end(tracked, run)
    return run


async def _say_if_unheard(tracked: Tracked, deadline: float) -> None:
    """Say, once, that the end of a run was seen by asking alone, although its webhook should have told of it.

    What fails may be called failed by the server itself, which tells nobody then.
    """
    prepared = tracked.prepared
    if prepared is None or not prepared.listened or tracked.state.seen.status not in ("success", "cancelled"):
        return
    patience = min(GRACE, deadline - time.monotonic())
    if await tracked.core.comfyui.events.missed(tracked.id, patience):
        notice(
            WebhookWarning(
                f"{tracked.name} ({tracked.id}) has ended, and no webhook of it has come: the server cannot reach "
                f"{bare_url(prepared.webhook)}, or what it posted was lost. Runs are asked for as always, so nothing "
                "is missed. ws.listen(public_url=…) says how the server reaches this machine; this is said once."
            )
        )


def _stalled(tracked: Tracked, run: Run, *, check: bool) -> None:
    """Hand over what a run that is stuck has made, or say that it is stuck."""
    if tracked.files:
        notice(
            StalledRunWarning(
                f"{tracked.name} ({tracked.id}) is still called {tracked.state.seen.status!r}, but "
                f"{tracked.stall_text()} Handed over: {count(len(tracked.files), 'output')}. This is not known to be a "
                "success."
            )
        )
    elif check:
        raise RunStalled(
            f"{tracked.name} ({tracked.id}) is stuck: {tracked.stall_text()} It may be billing: run.cancel() stops it "
            "where its machine can, run.wait() waits on.",
            run=run,
        )


async def _raise_bad_end(tracked: Tracked, run: Run) -> None:
    try:
        async with asyncio.timeout(tracked.lookup):
            why = await explain(tracked)
    except (ApiError, TransportError, TimeoutError):
        why = tracked.explained("What the machine said could not be asked in time; run.explain() asks again.")
    raise _BAD_ENDS.get(tracked.state.seen.status, RunError)(explanation_text(why), run=run)
