"""One submit on its way: until when it can be called off, and who hears of its run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfynb.services.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run that exists.

    Attributes
    ----------
    run_id : str
        Its id.
    trouble : str or None
        What went wrong with the submit, when the run was found in the run list; None when all went well.
    prepared : Prepared or None
        What was sent; it need not be what was asked for, since a run may have been routed anew.
    """

    run_id: str
    trouble: str | None = None
    prepared: Prepared | None = field(default=None, compare=False, repr=False)


class Flight:
    """A submit on its way.

    On the ground nothing of it was sent, and it can be called off. In the air it cannot, since a run may exist already
    that is paid for: then it is seen through to its end, whether or not anybody still waits. Who calls it off may be
    on another thread than who sends it; who comes first decides.

    Parameters
    ----------
    landed : callable, optional
        Called with the run as soon as that is known, also when nobody waits for it any more.
    """

    def __init__(self, landed: Callable[[Submitted], None] | None = None) -> None:
        self.landed = landed
        self._lock = threading.Lock()
        self._in_the_air = False
        self._called_off = False

    def check_in(self) -> None:
        """Go on with what has to be done before, unless it was called off.

        Raises
        ------
        asyncio.CancelledError
            If it was called off.
        """
        if self._called_off:
            raise asyncio.CancelledError

    def take_off(self) -> None:
        """Leave the ground, just before anything is sent.

        Raises
        ------
        asyncio.CancelledError
            If it was called off.
        """
        with self._lock:
            if self._called_off:
                raise asyncio.CancelledError
            self._in_the_air = True

    def turn_back(self) -> None:
        """Stand on the ground again: it is certain that nothing was sent."""
        with self._lock:
            self._in_the_air = False

    def call_off(self) -> bool:
        """Keep it on the ground, and return whether that is where it is: nothing was sent, and nothing will be."""
        with self._lock:
            self._called_off = True
            return not self._in_the_air

    def land(self, taken: Submitted) -> None:
        """Tell of the run that came of it."""
        if self.landed is not None:
            self.landed(taken)
