"""What a workspace keeps of what it read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from comfynb.core import Core
from comfynb.display.card import Card
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.words import count, seconds
from comfynb.face import Twin, calls
from comfynb.rules.sizes import size_words

if TYPE_CHECKING:
    import pandas as pd


def _core(cache: WorkspaceCache) -> Core:
    return cache._core


async def _clear(core: Core) -> None:
    """Forget everything that was read, also on disk and in Redis, and the last known answers. Nothing is asked."""
    core.catalogue.cache.drop()
    if core.catalogue.cache.keeper is not None:
        await core.catalogue.cache.keeper.clear()


async def _size(core: Core) -> tuple[int, int]:
    """Return how many answers are kept for when the server is away, and their bytes."""
    keeper = core.catalogue.cache.keeper
    if keeper is None or keeper.book is None:
        return 0, 0
    await keeper.flush()
    return await keeper.book.size()


class WorkspaceCache:
    """What was read and is kept. See `Workspace.cache`.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> machines, again = ws.machines(), ws.machines()
    >>> ws.cache.hits, ws.cache.misses, len(ws.cache)
    (1, 1, 1)
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._face = core.face

    @property
    def aio(self) -> Twin:
        """The methods that do I/O as coroutine functions, for any event loop."""
        return Twin(self, "ws.cache")

    @property
    def where(self) -> str:
        """Where answers are that are good still: memory, a file, or a Redis server."""
        keeper = self._core.catalogue.cache.keeper
        return keeper.shared.name if keeper is not None and keeper.shared is not None else "memory"

    @property
    def hits(self) -> int:
        """How many reads were answered without the server."""
        return sum(number for how, number in self._core.catalogue.cache.counts.items() if how != "miss")

    @property
    def misses(self) -> int:
        """How many reads the server answered."""
        return self._core.catalogue.cache.counts["miss"]

    @property
    def counts(self) -> dict[str, int]:
        """How many reads were answered by what: "hit", "stale", "shared", "last known", "miss"."""
        return dict(self._core.catalogue.cache.counts)

    @property
    def size(self) -> int:
        """Bytes of the answers in memory, as they came."""
        return sum(entry.size for entry in self._core.catalogue.cache.entries().values())

    @property
    def age(self) -> float | None:
        """Seconds since the oldest of what is in memory was read; None when nothing is."""
        times = [entry.stored for entry in self._core.catalogue.cache.entries().values()]
        return max(0.0, time.time() - min(times)) if times else None

    def __len__(self) -> int:
        return len(self._core.catalogue.cache.entries())

    def entries(self) -> pd.DataFrame:
        """Return what is in memory, one row an entry.

        Returns
        -------
        pandas.DataFrame
            ``comfynb.TABLES["cache"].describe()`` tells the columns.
        """
        from comfynb.frames.cache import cache_frame

        cache = self._core.catalogue.cache
        return cache_frame(cache.entries(), cache.hits, now=time.time())

    clear = calls(_core, _clear)
    on_disk = calls(_core, _size)

    def __repr__(self) -> str:
        return card_text(self._card())

    def _repr_html_(self) -> str:
        return card_html(self._card())

    def _card(self) -> Card:
        age, counts = self.age, self.counts
        return Card(
            status="empty" if age is None else "in use",
            tone="plain" if age is None else "good",
            title="What was read",
            facts=(
                ("where", self.where),
                ("has", f"{count(len(self), 'answer')}, {size_words(self.size)}"),
                ("oldest", None if age is None else f"{seconds(age)} ago"),
                ("used", ", ".join(f"{number} {how}" for how, number in counts.items() if number) or "not yet"),
            ),
            following=("ws.cache.entries()", "ws.reload()", "ws.cache.clear()"),
        )
