"""The cache: how long, for whom, and what is dropped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from comfynb.api.transport import NeedsNetwork
from comfynb.services.cache import Cache, Entry, served, together


class Clock:
    """Seconds that go by when told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Source:
    """Something to fetch: each fetch gives the next number, when its gate is open."""

    def __init__(self, *, closed: bool = False) -> None:
        self.fetches = 0
        self.closed = closed
        self.gates: list[asyncio.Event] = []

    async def __call__(self) -> int:
        self.fetches += 1
        number, gate = self.fetches, asyncio.Event()
        self.gates.append(gate)
        if self.closed:
            await gate.wait()
        return number


class Failing(Source):
    """The first fetch fails."""

    async def __call__(self) -> int:
        number = await super().__call__()
        if number == 1:
            raise ConnectionError("the first one fails")
        return number


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks go on until a condition holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")


def in_loop(function: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine function on an event loop of its own."""

    async def main() -> Any:
        return await function()

    return asyncio.run(main())


# How long


def test_what_was_read_is_served_until_it_is_too_old() -> None:
    """Within its time one fetch serves all; after it, there is another one."""
    clock, source = Clock(), Source()
    cache = Cache(timer=clock)

    async def ask() -> int:
        return (await cache.get("k", source, ttl=10)).value

    assert [in_loop(ask), in_loop(ask)] == [1, 1]
    clock.seconds += 9.9
    assert in_loop(ask) == 1
    clock.seconds += 0.2
    assert cache.peek("k") is None
    assert in_loop(ask) == 2


def test_each_entry_has_a_time_of_its_own() -> None:
    """Machines are good for seconds while workflows are good for minutes."""
    clock = Clock()
    cache = Cache(timer=clock)
    in_loop(lambda: cache.get("machines", Source(), ttl=15))
    in_loop(lambda: cache.get("workflows", Source(), ttl=300))
    clock.seconds += 20
    assert cache.peek("machines") is None
    assert cache.peek("workflows") is not None


def test_a_time_of_nothing_keeps_nothing() -> None:
    """Each read fetches then."""
    cache, source = Cache(), Source()
    for expected in (1, 2):
        assert in_loop(lambda: cache.get("k", source, ttl=0)).value == expected
    assert len(cache) == 0


def test_refresh_fetches_although_something_is_kept() -> None:
    """And what it fetched is kept from then on."""
    cache, source = Cache(), Source()
    first = in_loop(lambda: cache.get("k", source, ttl=10))
    fresh = in_loop(lambda: cache.get("k", source, ttl=10, refresh=True))
    assert (first.value, fresh.value) == (1, 2)
    assert cache.peek("k") == fresh
    assert fresh.number > first.number


def test_the_least_recently_used_goes_first() -> None:
    """The cache never holds more than its size."""
    cache = Cache(size=2)
    for key in "ab":
        in_loop(lambda key=key: cache.get(key, Source(), ttl=10))
    cache.peek("a")
    in_loop(lambda: cache.get("c", Source(), ttl=10))
    assert [cache.peek(key) is not None for key in "abc"] == [True, False, True]


def test_an_error_is_not_kept() -> None:
    """Who asks again fetches again."""
    cache, source = Cache(), Failing()
    with pytest.raises(ConnectionError):
        in_loop(lambda: cache.get("k", source, ttl=10))
    assert in_loop(lambda: cache.get("k", source, ttl=10)).value == 2


# For whom


def test_simultaneous_askers_share_one_fetch() -> None:
    """Twenty of them, one fetch, one answer."""
    cache, source = Cache(), Source(closed=True)

    async def ask() -> list[int]:
        askers = [asyncio.create_task(cache.get("k", source, ttl=10)) for _ in range(20)]
        await until(lambda: source.gates != [])
        source.gates[0].set()
        return [(await asker).value for asker in askers]

    assert in_loop(ask) == [1] * 20
    assert source.fetches == 1


def test_simultaneous_askers_share_an_error() -> None:
    """Each of them is told of it."""
    cache, source = Cache(), Failing(closed=True)

    async def ask() -> list[Any]:
        askers = [asyncio.create_task(cache.get("k", source, ttl=10)) for _ in range(3)]
        await until(lambda: source.gates != [])
        source.gates[0].set()
        return await asyncio.gather(*askers, return_exceptions=True)

    assert [type(error) for error in in_loop(ask)] == [ConnectionError] * 3
    assert source.fetches == 1


def test_an_asker_that_gives_up_takes_nothing_from_the_others() -> None:
    """Not even the one that asked first."""
    cache, source = Cache(), Source(closed=True)

    async def ask() -> int:
        first, second = (asyncio.create_task(cache.get("k", source, ttl=10)) for _ in range(2))
        await until(lambda: source.gates != [])
        first.cancel()
        await asyncio.wait([first])
        source.gates[0].set()
        assert first.cancelled()
        return (await second).value

    assert in_loop(ask) == 1
    assert source.fetches == 1
    assert cache.peek("k") is not None


def test_a_fetch_that_fails_after_all_gave_up_bothers_nobody() -> None:
    """No "exception was never retrieved", which the tests would take for an error."""
    cache, source = Cache(), Failing(closed=True)

    async def ask() -> None:
        asker = asyncio.create_task(cache.get("k", source, ttl=10))
        await until(lambda: source.gates != [])
        asker.cancel()
        await asyncio.wait([asker])
        source.gates[0].set()
        await asyncio.sleep(0.01)

    in_loop(ask)
    assert cache.peek("k") is None


def test_a_refresh_does_not_take_the_answer_of_an_older_fetch() -> None:
    """It begins a fetch of its own, and who asks after it is given that one."""
    cache, source = Cache(), Source(closed=True)

    async def ask() -> list[int]:
        old = asyncio.create_task(cache.get("k", source, ttl=10))
        await until(lambda: len(source.gates) == 1)
        fresh = asyncio.create_task(cache.get("k", source, ttl=10, refresh=True))
        await until(lambda: len(source.gates) == 2)
        later = asyncio.create_task(cache.get("k", source, ttl=10))
        await asyncio.sleep(0)
        for gate in source.gates:
            gate.set()
        return [(await asker).value for asker in (old, fresh, later)]

    assert in_loop(ask) == [1, 2, 2]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_fetch_that_began_last_is_the_one_that_is_kept(order: tuple[int, int]) -> None:
    """Whichever lands first."""
    cache, source = Cache(), Source(closed=True)

    async def ask() -> None:
        askers = [asyncio.create_task(cache.get("k", source, ttl=10))]
        await until(lambda: len(source.gates) == 1)
        askers.append(asyncio.create_task(cache.get("k", source, ttl=10, refresh=True)))
        await until(lambda: len(source.gates) == 2)
        for place in order:
            source.gates[place].set()
            await askers[place]

    in_loop(ask)
    kept: Entry[int] | None = cache.peek("k")
    assert kept is not None
    assert kept.value == 2


def test_threads_with_loops_of_their_own_can_share_a_cache() -> None:
    """Eight threads read, refresh and drop at once; none of them fails, none is given nothing."""
    cache = Cache(size=8)
    begin = threading.Barrier(8)

    def work(seed: int) -> int:
        async def ask() -> int:
            found = 0
            for step in range(300):
                key = f"k{(seed + step) % 12}"
                found += (await cache.get(key, Source(), ttl=10, tags=[key, "all"], refresh=step % 7 == 0)).value
                if step % 5 == seed % 5:
                    cache.drop(key)
                if step % 50 == 0:
                    cache.drop()
            return found

        begin.wait()
        return asyncio.run(ask())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [300] * 8


# What is dropped


def test_a_tag_drops_what_has_it_and_nothing_else() -> None:
    """The number of entries that went is returned."""
    cache = Cache()
    for key, tags in (("a", ["x"]), ("b", ["x", "y"]), ("c", ["z"])):
        in_loop(lambda key=key, tags=tags: cache.get(key, Source(), ttl=10, tags=tags))
    assert cache.drop("x", "unknown") == 2
    assert [cache.peek(key) is not None for key in "abc"] == [False, False, True]
    assert cache.drop() == 1
    assert len(cache) == 0


@pytest.mark.parametrize("tags", [["x"], []], ids=["its tag", "all"])
def test_what_is_dropped_while_being_fetched_is_not_kept(tags: list[str]) -> None:
    """It may be out of date when it lands: its asker gets it, and the next one fetches anew."""
    cache, source = Cache(), Source(closed=True)

    async def ask() -> list[int]:
        before = asyncio.create_task(cache.get("k", source, ttl=10, tags=["x"]))
        await until(lambda: len(source.gates) == 1)
        cache.drop(*tags)
        after = asyncio.create_task(cache.get("k", source, ttl=10, tags=["x"]))
        await until(lambda: len(source.gates) == 2)
        source.gates[1].set()
        await after
        source.gates[0].set()
        return [(await asker).value for asker in (before, after)]

    assert in_loop(ask) == [1, 2]
    kept: Entry[int] | None = cache.peek("k")
    assert kept is not None
    assert kept.value == 2


@pytest.mark.parametrize("tags", [["x"], []], ids=["its tag", "all"])
def test_what_nobody_asks_for_again_is_not_kept_either(tags: list[str]) -> None:
    """After the drop there is nothing kept, although a fetch lands later."""
    cache, source = Cache(), Source(closed=True)

    async def ask() -> None:
        asker = asyncio.create_task(cache.get("k", source, ttl=10, tags=["x"]))
        await until(lambda: len(source.gates) == 1)
        cache.drop(*tags)
        source.gates[0].set()
        await asker

    in_loop(ask)
    assert cache.peek("k") is None


def test_a_drop_of_another_tag_does_not_spoil_a_fetch() -> None:
    """Only what may have changed is fetched again."""
    cache, source = Cache(), Source(closed=True)

    async def ask() -> None:
        asker = asyncio.create_task(cache.get("k", source, ttl=10, tags=["x"]))
        await until(lambda: len(source.gates) == 1)
        cache.drop("y")
        source.gates[0].set()
        await asker

    in_loop(ask)
    assert cache.peek("k") is not None


# Served here and now


def test_what_is_kept_is_served_without_an_event_loop() -> None:
    """In the calling thread, several reads at once included."""
    cache = Cache()
    in_loop(lambda: cache.get("a", Source(), ttl=10))
    in_loop(lambda: cache.get("b", Source(), ttl=10))

    async def both() -> int:
        a, b = await together(cache.get("a", Source(), ttl=10), cache.get("b", Source(), ttl=10))
        return int(a.value + b.value)

    assert served(both) == 2


@pytest.mark.parametrize("refresh", [False, True])
def test_what_is_not_kept_is_not_fetched_while_serving(refresh: bool) -> None:
    """The caller is told to go where the network is; nothing was begun."""
    cache, source = Cache(), Source()
    if refresh:
        in_loop(lambda: cache.get("b", source, ttl=10))

    async def both() -> list[Any]:
        return await together(
            cache.get("b", source, ttl=10, refresh=refresh), cache.get("b", source, ttl=10, refresh=refresh)
        )

    before = source.fetches
    with pytest.raises(NeedsNetwork):
        served(both)
    assert source.fetches == before


def test_a_read_that_waits_for_something_is_not_served() -> None:
    """It cannot be driven to its end without a loop, so it is given up and cleaned up."""
    cleaned: list[bool] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            cleaned.append(True)

    with pytest.raises(NeedsNetwork):
        served(waits)
    assert cleaned == [True]


def test_an_error_of_a_served_read_is_the_callers() -> None:
    """An unknown name is an error whether or not the list came from the cache."""

    async def wrong() -> None:
        raise LookupError("no such name")

    with pytest.raises(LookupError, match="no such name"):
        served(wrong)


def test_serving_leaves_no_trace() -> None:
    """After it, a read in the same thread may use the network again."""
    with pytest.raises(NeedsNetwork):
        served(lambda: Cache().get("k", Source(), ttl=10))
    assert in_loop(lambda: Cache().get("k", Source(), ttl=10)).value == 1


# Together


def test_reads_go_on_at_the_same_time() -> None:
    """Each waits for the other, which would take for ever one after the other."""

    async def both() -> list[int]:
        here, there = asyncio.Event(), asyncio.Event()

        async def one() -> int:
            here.set()
            await there.wait()
            return 1

        async def two() -> int:
            await here.wait()
            there.set()
            return 2

        return await together(one(), two())

    assert in_loop(both) == [1, 2]


def test_the_first_error_ends_the_others_and_is_raised_alone() -> None:
    """Not as a group: who calls expects the errors of the API."""
    ended: list[str] = []

    async def fails() -> None:
        raise ConnectionError("no")

    async def waits() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def both() -> None:
        await together(waits(), fails())

    with pytest.raises(ConnectionError, match="no"):
        in_loop(both)
    assert ended == ["cancelled"]
