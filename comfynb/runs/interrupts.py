"""What Ctrl-C leaves behind, told on standard error: a run goes on unless nothing of it was sent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from comfynb.services.flight import Flight


@contextmanager
def telling_of_submit(name: str, flight: Flight) -> Iterator[None]:
    """Call a submit off when it is interrupted, and tell whether that was in time.

    Parameters
    ----------
    name : str
        What is submitted.
    flight : Flight
        Its submit.
    """
    try:
        yield
    except KeyboardInterrupt:
        if flight.call_off():
            _tell(f"Interrupted before {name} was submitted: nothing was sent, and there is no run.")
        else:
            _tell(
                f"Interrupted while {name} was being submitted: that goes on, and a run may come of it. It will be "
                f"ws.last_run; ws.runs(workflow={name!r}) shows it, too."
            )
        raise


@contextmanager
def telling_of_run(run_id: str) -> Iterator[None]:
    """Tell when a wait is interrupted that the run goes on.

    Parameters
    ----------
    run_id : str
        Which run is waited for.
    """
    try:
        yield
    except KeyboardInterrupt:
        _tell(
            f"Interrupted: the run {run_id} goes on, and may be billing. ws.get_run({run_id!r}) finds it again, "
            "and its cancel() stops it where its machine can."
        )
        raise


def _tell(words: str) -> None:
    print(words, file=sys.stderr)
