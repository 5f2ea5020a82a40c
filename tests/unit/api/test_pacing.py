"""Turns: who goes first, how fast, and how long all wait when the server asks for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from faults import RawServer, Request, json_answer, run, transport_to

from comfynb.api import routes
from comfynb.api.connections import Limits
from comfynb.api.pacing import Pacer, Slots, Turn, as_turn
from comfynb.api.transport import Call
from comfynb.errors import RateLimitError


def noting(times: list[float]) -> Callable[[], None]:
    """Return what notes the time when it is called."""
    return lambda: times.append(time.monotonic())


async def taken(pacer: Pacer, its: Turn, slots: Slots, said: Callable[[], object]) -> None:
    """Wait for a turn, say so, and give it back."""
    await pacer.take(its, slots)
    said()
    pacer.give_back(slots)


# The rate


def test_requests_are_spaced_by_the_rate() -> None:
    """Twenty requests that come at once, at 200 a second, begin 5 ms apart, none sooner."""
    pacer, slots, times = Pacer(200.0), Slots(50), []

    async def main() -> None:
        await asyncio.gather(*(taken(pacer, Turn.CALL, slots, noting(times)) for _ in "x" * 20))

    asyncio.run(main())
    assert len(times) == 20
    assert times[-1] - times[0] >= 19 * 0.005 - 0.002
    assert slots.free == 50


def test_what_is_idle_is_not_saved_up() -> None:
    """After a pause no burst of requests follows: there are never more in a second than asked for."""
    pacer, slots, times = Pacer(50.0), Slots(50), []

    async def main() -> None:
        await taken(pacer, Turn.CALL, slots, lambda: None)
        await asyncio.sleep(0.1)
        await asyncio.gather(*(taken(pacer, Turn.CALL, slots, noting(times)) for _ in "x" * 4))

    asyncio.run(main())
    assert times[-1] - times[0] >= 3 * 0.02 - 0.002


def test_submits_go_first_and_looks_last() -> None:
    """Of those that wait, whoever came first goes first, but every submit before every call before every look."""
    pacer, slots, order = Pacer(100.0), Slots(50), []

    async def main() -> None:
        await pacer.take(Turn.CALL, slots)
        kinds = [Turn.LOOK, Turn.CALL, Turn.SUBMIT] * 3
        waits = [
            asyncio.ensure_future(taken(pacer, its, slots, lambda mine=(its, i): order.append(mine)))
            for i, its in enumerate(kinds)
        ]
        await asyncio.gather(*waits)

    asyncio.run(main())
    assert order == sorted(order)


def test_who_is_called_off_leaves_its_turn_to_others() -> None:
    """Cancelling those in front lets the next one go at once, and loses no slot."""
    pacer, slots, order = Pacer(4.0), Slots(3), []

    async def main() -> float:
        await pacer.take(Turn.CALL, slots)
        pacer.give_back(slots)
        front = [asyncio.ensure_future(pacer.take(Turn.SUBMIT, slots)) for _ in range(20)]
        last = asyncio.ensure_future(taken(pacer, Turn.LOOK, slots, lambda: order.append("last")))
        await asyncio.sleep(0.01)
        for each in front:
            each.cancel()
        begun = time.monotonic()
        await last
        return time.monotonic() - begun

    assert asyncio.run(main()) < 0.6
    assert order == ["last"]
    assert slots.free == 3
    assert pacer.queued == 0


def test_a_turn_that_came_too_late_is_given_back() -> None:
    """Who is cancelled between its turn and its waking up keeps neither the slot nor the place in the rate."""
    pacer, slots = Pacer(), Slots(1)

    async def main() -> None:
        await pacer.take(Turn.CALL, slots)
        late = asyncio.ensure_future(pacer.take(Turn.CALL, slots))
        await asyncio.sleep(0)
        pacer.give_back(slots)  # which is the turn of the other one
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late
        assert slots.free == 1
        await asyncio.wait_for(pacer.take(Turn.CALL, slots), 1.0)

    asyncio.run(main())


def test_event_loops_share_the_rate_but_not_their_slots() -> None:
    """Two threads with a loop each keep to one rate; one that stands still with all its slots holds up nobody."""
    pacer, times = Pacer(200.0), []

    async def some() -> None:
        slots = Slots(2)
        await asyncio.gather(*(taken(pacer, Turn.CALL, slots, noting(times)) for _ in "x" * 10))

    async def stuck(entered: threading.Event, leave: threading.Event) -> None:
        slots = Slots(1)
        await pacer.take(Turn.CALL, slots)
        waits = asyncio.ensure_future(taken(pacer, Turn.SUBMIT, slots, lambda: None))
        await asyncio.sleep(0.02)
        entered.set()
        leave.wait(10.0)  # the loop itself stands still
        pacer.give_back(slots)
        await waits

    entered, leave = threading.Event(), threading.Event()
    still = threading.Thread(target=lambda: asyncio.run(stuck(entered, leave)))
    still.start()
    assert entered.wait(5.0)
    threads = [threading.Thread(target=lambda: asyncio.run(some())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5.0)
    assert not any(thread.is_alive() for thread in threads)
    leave.set()
    still.join(5.0)
    assert not still.is_alive()
    assert sorted(times)[-1] - min(times) >= 19 * 0.005 - 0.002


def test_those_of_a_loop_that_is_closed_hold_up_nobody() -> None:
    """Who waited on a loop that was closed under it is passed over."""
    pacer, slots = Pacer(50.0), Slots(1)
    gone = asyncio.new_event_loop()

    async def first() -> None:
        await pacer.take(Turn.CALL, slots)

    gone.run_until_complete(first())
    left = gone.create_task(pacer.take(Turn.SUBMIT, slots))
    gone.run_until_complete(asyncio.sleep(0.01))
    left._log_destroy_pending = False  # type: ignore[attr-defined]
    gone.close()
    pacer.give_back(slots)

    async def main() -> None:
        await asyncio.wait_for(pacer.take(Turn.LOOK, slots), 2.0)

    asyncio.run(main())


# What the server asks for


def test_the_server_is_not_asked_before_it_wants_to_be() -> None:
    """A 429 with `Retry-After` holds up the other requests of the connection too, and the time counts as waited."""
    calls: list[Call] = []
    begun: list[float] = []

    def script(request: Request) -> object:
        begun.append(time.monotonic())
        return json_answer({"detail": "slow down"}, 429, Retry_After="1") if len(begun) == 1 else json_answer([])

    with RawServer(script) as server:
        transport = transport_to(server.url)
        transport.hooks.append(calls.append)

        async def main() -> str | None:
            first = asyncio.ensure_future(transport.fetch(routes.MACHINES))
            await asyncio.sleep(0.2)
            said = transport.pacer.describe()
            await asyncio.gather(first, transport.fetch(routes.DEPLOYMENTS))
            return said

        assert run(transport, main()) == "waiting 1 s, as the server asked (429)"
    assert len(begun) == 3
    assert min(begun[1:]) - begun[0] >= 0.95
    assert all(0.7 < call.waited < 1.5 for call in calls)
    assert transport.pacer.describe() is None


def test_a_date_is_as_good_as_seconds() -> None:
    """`Retry-After` as a date is counted from the server's own clock, which may be an hour off."""
    server_time = datetime.now(UTC) - timedelta(hours=1)
    dates = {
        "Date": format_datetime(server_time, usegmt=True),
        "Retry_After": format_datetime(server_time + timedelta(seconds=30), usegmt=True),
    }
    with RawServer(lambda _: json_answer({"detail": "slow down"}, 429, **dates)) as server:
        transport = transport_to(server.url, limits=Limits(retries=0))
        with pytest.raises(RateLimitError) as caught:
            run(transport, transport.fetch(routes.MACHINES))
        assert caught.value.retry_after == pytest.approx(30.0, abs=2.0)
        said = transport.pacer.describe()
    assert said is not None
    assert "as the server asked (429)" in said
    assert 27 <= int(said.split()[1]) <= 31


def test_no_server_can_ask_for_a_day() -> None:
    """After a minute it is asked again, whatever it said."""
    pacer = Pacer()
    pacer.answered(429, 86_400.0)
    assert pacer.describe() == "waiting 60 s, as the server asked (429)"
    pacer.answered(503, 5.0)
    said = pacer.describe()
    assert said is not None
    assert said.startswith("waiting 60 s")


def test_a_wait_that_begins_is_told_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Eight refusals of requests that were under way together are one wait; displays hear of each."""
    pacer, told = Pacer(), []
    pacer.listeners.append(lambda: told.append(pacer.describe()))
    for _ in range(8):
        pacer.answered(429, 12.0)
    assert told == ["waiting 12 s, as the server asked (429)"] * 8
    assert caplog.messages == ["waiting 12 s, as the server asked (429)"]


def test_without_a_time_only_looks_are_held_back_each_time_longer() -> None:
    """A 429 alone lets calls go on, and looks at runs rest for 1 s, then 2 s; a good answer forgives."""
    pacer, slots, order = Pacer(), Slots(5), []

    async def main() -> float:
        begun = time.monotonic()
        look = asyncio.ensure_future(taken(pacer, Turn.LOOK, slots, lambda: order.append("look")))
        await taken(pacer, Turn.CALL, slots, lambda: order.append("call"))
        await look
        return time.monotonic() - begun

    pacer.answered(429, None)
    assert pacer.describe() == "looking again in 1 s, since the server limits requests (429)"
    assert 0.9 < asyncio.run(main()) < 2.0
    assert order == ["call", "look"]
    pacer.answered(429, None)
    assert pacer.describe() == "looking again in 2 s, since the server limits requests (429)"
    pacer.answered(200, None)
    assert pacer.ahead(Turn.CALL) == 0.0


def test_a_submit_overtakes_the_reads_that_wait() -> None:
    """At ten requests a second, a submit that comes last is sent next, and looks are sent last."""
    with RawServer(lambda request: json_answer({"run_id": "r"} if request.method == "POST" else [])) as server:
        transport = transport_to(server.url, limits=Limits(max_rate=20.0))

        async def look() -> None:
            with as_turn(Turn.LOOK):
                await transport.fetch(routes.RUNS_COUNT)

        async def main() -> None:
            await transport.fetch(routes.WORKFLOWS)
            looks = [asyncio.ensure_future(look()) for _ in range(3)]
            reads = [asyncio.ensure_future(transport.fetch(routes.MACHINES)) for _ in range(3)]
            await asyncio.sleep(0)
            await asyncio.gather(transport.fetch(routes.QUEUE_DEPLOYMENT, json={}), *reads, *looks)

        run(transport, main())
        seen = [request.path.partition("?")[0].removeprefix("/api") for request in server.requests]
    assert seen[1:] == ["/run/deployment/queue", *["/machines"] * 3, *["/runs/count"] * 3]


def test_a_submit_that_is_cancelled_while_it_waits_is_never_sent() -> None:
    """Nothing of it leaves, and `begins`, which makes it irrevocable, is not called."""
    began: list[bool] = []
    with RawServer(lambda _: json_answer([])) as server:
        transport = transport_to(server.url, limits=Limits(max_rate=2.0))

        async def main() -> None:
            await transport.fetch(routes.WORKFLOWS)
            submit = asyncio.ensure_future(
                transport.send(routes.QUEUE_DEPLOYMENT, json={}, begins=lambda: began.append(True))
            )
            await asyncio.sleep(0.05)
            submit.cancel()
            with pytest.raises(asyncio.CancelledError):
                await submit

        run(transport, main())
        assert [request.method for request in server.requests] == ["GET"]
    assert began == []
