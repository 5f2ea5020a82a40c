"""What webhooks told: which runs had an event, and who is to look at them now.

An event is never believed. It makes whoever watches its run look sooner, and what depends on runs be read again; how a
run stands comes from asking for it alone.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from comfynb.rules.status import is_terminal

__all__ = ["RunEvents"]

GRACE: Final = 3.0
"""Seconds after the end of a run in which an event of it should have come."""
DROPS_APART: Final = 1.0
"""Seconds between two times that the cache is told, however many events come."""
_KEPT: Final = 10_000
_STRANGERS: Final = 1_000


class RunEvents:
    """What the receiver of a connection was told, and who wants to know.

    Parameters
    ----------
    ended : callable
        Called when a run is said to have ended, at most once a second: what depends on runs is out of date.

    Attributes
    ----------
    silent : bool
        Whether a run ended of which no event came, and none came of another one since.
    """

    def __init__(self, ended: Callable[[], object]) -> None:
        self._ended = ended
        self._lock = threading.Lock()
        self._address: Callable[[], str] | None = None
        self._stands_for: str | None = None
        self._watchers: dict[str, list[Callable[[], None]]] = {}
        self._ours: OrderedDict[str, bool] = OrderedDict()
        self._strangers: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[str, asyncio.Event] = {}
        self._dropped = -DROPS_APART
        self._drop_due: asyncio.TimerHandle | None = None
        self.silent = self._said = False
        self._last = -math.inf

    # -- who listens --------------------------------------------------------------------------------------------

    def open(self, address: Callable[[], str], stands_for: str | None) -> None:
        """Begin: `address` gives the URL for the server, which stands for the connection's own if that is named."""
        self._address, self._stands_for = address, stands_for
        self.silent = self._said = False

    def close(self) -> None:
        """End: nobody listens any more."""
        self._address = self._stands_for = None
        if self._drop_due is not None:
            self._drop_due.cancel()
            self._drop_due = None
        with self._lock:
            self._ours.clear()
            self._strangers.clear()

    @property
    def url(self) -> str | None:
        """The URL that the server is to call; None while nobody listens."""
        return self._address() if self._address is not None else None

    def stands_for(self, own: str | None) -> bool:
        """Whether somebody listens in the place of the connection's own webhook."""
        return self._address is not None and own is not None and self._stands_for == own

    # -- who wants to know --------------------------------------------------------------------------------------

    def subscribe(self, run_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called at each event of a run, until what is returned is called."""
        with self._lock:
            self._watchers.setdefault(run_id, []).append(wake)

        def unsubscribe() -> None:
            with self._lock:
                watchers = self._watchers.get(run_id, [])
                with suppress(ValueError):
                    watchers.remove(wake)
                if not watchers:
                    self._watchers.pop(run_id, None)

        return unsubscribe

    def expect(self, run_id: str) -> None:
        """Note a run that was submitted with our URL. Its first events may have come before its id was known."""
        if self._address is None:
            return
        with self._lock:
            heard = run_id in self._strangers
            self._strangers.pop(run_id, None)
            self._ours[run_id] = heard
            if len(self._ours) > _KEPT:
                self._ours.popitem(last=False)
        if heard:
            self._note_event()

    def heard(self, run_id: str, status: str | None) -> bool:
        """Take in an event; return whether its run is known here. Called on the loop of the receiver."""
        with self._lock:
            watchers = tuple(self._watchers.get(run_id, ()))
            ours = run_id in self._ours
            if ours:
                self._ours[run_id] = True
            elif not watchers:
                self._strangers[run_id] = None
                if len(self._strangers) > _STRANGERS:
                    self._strangers.popitem(last=False)
                return False
        if ours:
            self._note_event()
            if (first := self._waiting.get(run_id)) is not None:
                first.set()
        for wake in watchers:
            with suppress(RuntimeError):  # its event loop has ended
                wake()
        if status is not None and is_terminal(status):
            self._drop()
        return True

    def _drop(self) -> None:
        wait = self._dropped + DROPS_APART - time.monotonic()
        if wait <= 0:
            self._drop_now()
        elif self._drop_due is None:
            self._drop_due = asyncio.get_running_loop().call_later(wait, self._drop_now)

    def _drop_now(self) -> None:
        if self._drop_due is not None:
            self._drop_due.cancel()
            self._drop_due = None
        self._dropped = time.monotonic()
        self._ended()

    # -- what did not come --------------------------------------------------------------------------------------

    async def missed(self, run_id: str, patience: float = GRACE) -> bool:
        """Whether no event came of a run that has ended; waits for one. Says so of one run only, since once is enough.

        Parameters
        ----------
        run_id : str
            A run whose end was seen by looking.
        patience : float
            Seconds to wait for an event.
        """
        if self._address is None or self._ours.get(run_id, True):
            return False
        if self._said:
            asyncio.get_running_loop().call_later(patience, self._note_silence, run_id, time.monotonic())
            return False
        first = self._waiting.setdefault(run_id, asyncio.Event())
        try:
            async with asyncio.timeout(max(0.0, patience)):
                await first.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.pop(run_id, None)
        self._note_silence(run_id)
        if not self.silent or self._said:
            return False
        self._said = True
        return True

    def _note_event(self) -> None:
        self.silent, self._last = False, time.monotonic()

    def _note_silence(self, run_id: str, since: float = math.inf) -> None:
        """Note that nothing came of a run, unless something has come of another one since."""
        if self._address is not None and not self._ours.get(run_id, True) and self._last < since:
            self.silent = True
