"""Watching many runs that somebody looks at, with few requests.

One task for a connection asks, at most twice a second, whatever the number of views: of a workflow with several
of them the light list of its runs, which tells the status of all; and single runs, for the progress of those that were
shown last, and for what a change of status brought. An event of a webhook makes it ask at once, but not more often.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from comfynb.api.pacing import Turn, turn
from comfynb.errors import AuthenticationError, ComfyError, NotFoundError, PermissionDeniedError
from comfynb.runs.explaining import explain
from comfynb.services.watching import State

if TYPE_CHECKING:
    from comfynb.core import Core
    from comfynb.runs.tracked import Tracked

log = logging.getLogger("comfynb")

TICK: Final = 0.5
"""Seconds between two requests."""
LONGEST_TICK: Final = 2.5
"""The same while nothing changes."""
AWAY_TICK: Final = 15.0
"""The same while the server does not answer; it is asked for as long as somebody looks."""
IN_FOCUS: Final = 5
"""Views, those that were shown last, whose progress is asked for."""
_LISTED: Final = 100
_MOST_MISSED: Final = 4


class LiveView:
    """A run that somebody looks at.

    Parameters
    ----------
    tracked : Tracked
        The run.
    changed : callable
        Called after each look, where the connections live; it must be quick and must not print.
    """

    def __init__(self, tracked: Tracked, changed: Callable[[], None]) -> None:
        self.tracked = tracked
        self.changed = changed
        self.trouble: str | None = None
        self.done = False
        self.listed: str | None = None
        self.failures = 0
        self.unsubscribe: Callable[[], None] | None = None

    def tell(self, _: State | None = None) -> None:
        """Let it show what is known now."""
        try:
            self.changed()
        except Exception:  # a display that fails must not end the watch of the others
            log.exception("a view of the run %s failed", self.tracked.id)


class LiveRuns:
    """Watches the runs of one connection that somebody looks at.

    Parameters
    ----------
    core : Core
        The workspace.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._views: list[LiveView] = []
        self._due: deque[LiveView] = deque()
        self._task: asyncio.Task[None] | None = None
        self._turn = 0
        self._quiet = TICK
        self._called = asyncio.Event()

    def __len__(self) -> int:
        return len(self._views)

    def add(self, view: LiveView) -> None:
        """Watch a run from now on; it is in focus. Called where the connections live."""
        view.tracked.watch.listeners.append(view.tell)
        self._views.append(view)
        self._due.append(view)
        self._quiet = TICK
        view.unsubscribe = self._core.comfyui.events.subscribe(view.tracked.id, lambda: self._call(view))
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._go())
        if self._tell not in view.tracked.pacer.listeners:
            view.tracked.pacer.listeners.append(self._tell)

    def _tell(self) -> None:
        """Let all show what is known now."""
        for view in list(self._views):
            view.tell()

    def _call(self, view: LiveView) -> None:
        """Look at a view next, since an event names its run."""
        if view not in self._due:
            self._due.appendleft(view)
        self._called.set()

    def remove(self, view: LiveView) -> None:
        """Watch it no longer."""
        if view.unsubscribe is not None:
            view.unsubscribe()
            view.unsubscribe = None
        with suppress(ValueError):
            view.tracked.watch.listeners.remove(view.tell)
        if view in self._views:
            self._views.remove(view)
        with suppress(ValueError):
            self._due.remove(view)
        view.done = True
        if not self._views and self._task is not None:
            self._task.cancel()
            self._task = None
            with suppress(ValueError):
                view.tracked.pacer.listeners.remove(self._tell)

    def close(self) -> None:
        """Watch nothing any more, since the connections are closed."""
        for view in list(self._views):
            self._give_up(view, "the workspace was closed.")

    async def _go(self) -> None:
        turn.set(Turn.LOOK)  # of this task alone
        while self._views:
            begun = time.monotonic()
            self._called.clear()
            changes = sum(len(view.tracked.state.seen.changes) for view in self._views)
            answered = await self._step()
            moved = changes != sum(len(view.tracked.state.seen.changes) for view in self._views)
            if not answered:
                self._quiet = min(AWAY_TICK, self._quiet * 1.5)
            else:
                self._quiet = TICK if moved or self._due else min(LONGEST_TICK, self._quiet * 1.15)
            await asyncio.sleep(max(0.05, min(TICK, self._quiet) - (time.monotonic() - begun)))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._quiet - (time.monotonic() - begun))):
                    await self._called.wait()

    async def _step(self) -> bool:
        """Ask once; return whether there was an answer."""
        self._turn += 1
        groups = self._groups()
        asked: list[LiveView] = []
        try:
            if groups and self._turn % 2:
                workflow_id = sorted(groups)[self._turn // 2 % len(groups)]
                asked = groups[workflow_id]
                await self._list(workflow_id, asked)
            elif view := self._next(grouped={view for views in groups.values() for view in views}):
                asked = [view]
                await self._look(view)
        except ComfyError as error:
            self._failed(asked, error)
            return False
        except Exception as error:  # a fault of ours must not end the watch of the others
            log.exception("a look at %d runs failed", len(asked))
            for view in asked:
                self._give_up(view, str(error))
        return True

    def _groups(self) -> dict[str, list[LiveView]]:
        """Return the views of each workflow that has several."""
        found: dict[str, list[LiveView]] = {}
        for view in self._views:
            model, prepared = view.tracked.model, view.tracked.prepared
            workflow_id = (model.workflow_id if model is not None else None) or (
                prepared.workflow.id if prepared else None
            )
            if workflow_id:
                found.setdefault(workflow_id, []).append(view)
        return {workflow_id: views for workflow_id, views in found.items() if len(views) > 1}

    def _next(self, grouped: set[LiveView]) -> LiveView | None:
        """Return whom to look at: first where something happened, else one in focus, else one that no list tells of."""
        while self._due:
            view = self._due.popleft()
            if view in self._views:
                return view
        focus = self._views[-IN_FOCUS:]
        others = [view for view in self._views[:-IN_FOCUS] if view not in grouped]
        known = [*focus, *others]
        return known[self._turn // (2 if grouped else 1) % len(known)] if known else None

    async def _list(self, workflow_id: str, views: list[LiveView]) -> None:
        """Take the statuses of all runs of a workflow from its light list."""
        rows = await self._core.comfyui.client.workflow_runs_v2(workflow_id, limit=_LISTED)
        known = {row.id: row for row in rows}
        now = time.monotonic()
        for view in views:
            row = known.get(view.tracked.id)
            if row is None:
                if view not in self._due:
                    self._due.append(view)  # it is older than the list reaches
                continue
            view.failures = 0
            if view.trouble:
                view.trouble = None
                view.tell()
            state = view.tracked.state
            state.looked = now
            if row.status is None or row.status == view.listed:
                continue
            first, view.listed = view.listed is None, row.status
            if row.status == state.seen.status and first:
                continue
            state.seen.observe(
                status=row.status,
                live_status=None,
                progress=None,
                queue_position=state.seen.queue_position,
                outputs=state.seen.outputs,
                at=row.updated_at,
                now=now,
            )
            if view not in self._due:
                self._due.append(view)
            view.tell()

    async def _look(self, view: LiveView) -> None:
        tracked = view.tracked
        await tracked.look()
        view.failures, view.trouble = 0, None
        if tracked.state.ended:
            if tracked.state.seen.status != "success" and tracked.failure is None:
                with suppress(ComfyError, TimeoutError):
                    async with asyncio.timeout(tracked.lookup):
                        await explain(tracked)
            self.remove(view)
        view.tell()

    def _failed(self, views: list[LiveView], error: ComfyError) -> None:
        """Tell it; a server that is away comes back, but a run that is not there, or a key that is refused, do not."""
        for view in list(views):
            view.failures += 1
            gone = isinstance(error, NotFoundError) and view.failures >= _MOST_MISSED
            if gone or isinstance(error, AuthenticationError | PermissionDeniedError):
                self._give_up(view, str(error))
            else:
                view.trouble = f"It could not be looked at just now: {error}"
                view.tell()

    def _give_up(self, view: LiveView, why: str) -> None:
        self.remove(view)
        view.trouble = f"It is watched no longer, and may go on: {why} run.refresh() looks again."
        view.tell()
