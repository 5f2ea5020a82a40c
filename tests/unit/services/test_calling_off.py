"""Who waits for a submit may be cancelled: before anything was sent there is no run, afterwards none is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from faults import (
    PATIENCE,
    QUICK,
    Proxy,
    RawServer,
    Request,
    Step,
    json_answer,
    run,
    service_for,
    text_answer,
    transport_to,
)

from comfynb.api.client import ComfyDeployClient
from comfynb.sandbox import Sandbox
from comfynb.services.flight import Flight, Submitted
from comfynb.services.prepared import Prepared
from comfynb.services.submitting import Submitter

FOX = {"prompt": "a red fox", "seed": 7}
LOOK = b"GET /api/v2/workflow"
SUBMIT = b"POST /api/run"
LOGGER = "comfynb"


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is true of a server, which is on another thread."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def said(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what comfynb logged."""
    return [record for record in caplog.records if record.name == LOGGER]


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task, which has to end by that."""
    task.cancel()
    async with asyncio.timeout(2):
        with pytest.raises(asyncio.CancelledError):
            await task


# A flight


def test_a_flight_is_called_off_on_the_ground_and_not_in_the_air() -> None:
    """Who comes first decides, and the other is told."""
    flight = Flight()
    assert flight.call_off()
    with pytest.raises(asyncio.CancelledError):
        flight.take_off()
    flight = Flight()
    flight.take_off()
    assert not flight.call_off()


def test_a_flight_that_turned_back_is_on_the_ground() -> None:
    """It starts again, unless it was called off meanwhile."""
    flight = Flight()
    flight.take_off()
    flight.turn_back()
    flight.take_off()
    assert not flight.call_off()
    flight.turn_back()
    with pytest.raises(asyncio.CancelledError):
        flight.take_off()


def test_a_flight_tells_of_its_landing() -> None:
    """To whoever wanted to hear of it."""
    heard: list[Submitted] = []
    Flight(heard.append).land(Submitted("r1"))
    Flight().land(Submitted("r2"))
    assert heard == [Submitted("r1")]


# A submit


def test_cancelled_while_the_run_list_is_looked_at_nothing_is_submitted(sandbox: Sandbox) -> None:
    """That look is there for a submit that goes wrong; nothing was sent so far."""
    with Proxy(sandbox.url, hold=LOOK) as proxy:
        service = service_for(proxy.url, sandbox.api_key)

        async def main() -> None:
            submitting = asyncio.create_task(service.submit_request(workflow="text2img", inputs=FOX))
            await until(proxy.arrived.is_set)
            await cancel(submitting)
            proxy.opened.set()
            await asyncio.sleep(0.2)

        run(service, main())
    assert sandbox.counters.of("POST") == 0
    assert service.last_run_id is None


def test_cancelled_in_the_air_the_submit_is_seen_through(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The task ends at once; the run is the last one of the service, and the log has its id."""
    caplog.set_level(logging.INFO, LOGGER)
    with Proxy(sandbox.url, hold=SUBMIT) as proxy:
        service = service_for(proxy.url, sandbox.api_key)

        async def main() -> None:
            submitting = asyncio.create_task(service.submit_request(workflow="text2img", inputs=FOX))
            await until(proxy.arrived.is_set)
            await cancel(submitting)
            assert service.last_run_id is None
            proxy.opened.set()
            await until(lambda: service.last_run_id is not None)

        run(service, main())
    assert service.last_run_id in sandbox.world.runs
    assert sandbox.counters.runs_created == 1
    assert f"the submit of text2img that was interrupted started the run {service.last_run_id}" in caplog.text


# What may happen meanwhile


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """Return a run that a server would take."""
    with Sandbox() as sandbox:
        service = service_for(sandbox.url, sandbox.api_key)
        return run(service, service.prepare("text2img", FOX))


def answering(seconds: float, reply: bytes) -> RawServer:
    """Return a server without runs that takes its time for submits."""

    def respond(request: Request) -> list[Step]:
        return [seconds, reply] if request.method == "POST" else [json_answer([])]

    return RawServer(respond)


def submitter_to(url: str, **limits: int) -> Submitter:
    """Return a submitter with short waits."""
    return Submitter(ComfyDeployClient(transport_to(url, limits=replace(QUICK, **limits))), PATIENCE)


def test_a_timeout_of_the_callers_loses_no_run(prepared: Prepared) -> None:
    """It is kept, and the submit that it struck is seen through."""
    with answering(0.3, json_answer({"run_id": "r1"})) as server:
        submitter = submitter_to(server.url)

        async def main() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await submitter.submit(prepared)
            assert submitter.last is None
            await until(lambda: submitter.last is not None)

        run(submitter.client, main())
    assert submitter.last == Submitted("r1")
    assert submitter.known == {"r1"}
    assert len(server.asked("POST")) == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (json_answer({"detail": "Insufficient GPU credits to create run"}, 403), "credits"),
        (text_answer("", 504), "Whether text2img was started is not known"),
    ],
)
def test_what_became_of_it_is_logged_where_nobody_waits(
    prepared: Prepared, caplog: pytest.LogCaptureFixture, reply: bytes, words: str
) -> None:
    """An error that nobody is there to be told must not be lost: it may be about a paid run."""
    with answering(0.1, reply) as server:
        submitter = submitter_to(server.url)

        async def main() -> None:
            submitting = asyncio.create_task(submitter.submit(prepared))
            await until(lambda: bool(server.asked("POST")))
            await cancel(submitting)
            await until(lambda: bool(said(caplog)))

        run(submitter.client, main())
    (record,) = said(caplog)
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("the submit of text2img that was interrupted ended with: ")
    assert words in record.getMessage()


def test_a_loop_that_ends_cuts_it_off_and_says_so(prepared: Prepared, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing can go on without a loop; whether there is a run is for a person to look at."""
    with answering(5.0, json_answer({"run_id": "r1"})) as server:
        submitter = submitter_to(server.url)

        async def main() -> None:
            submitting = asyncio.create_task(submitter.submit(prepared))
            await until(lambda: bool(server.asked("POST")))
            submitting.cancel()

        run(submitter.client, main())
    assert "the submit of text2img was cut off with its event loop; a run may have come of it" in caplog.text


def test_of_many_only_those_in_the_air_are_submitted(prepared: Prepared) -> None:
    """The others waited for their turn, and are called off with the task that awaits them all."""
    with answering(1.0, json_answer({"run_id": "r1"})) as server:
        submitter = submitter_to(server.url, max_concurrent=2)

        async def main() -> None:
            everything = asyncio.gather(*(submitter.submit(prepared) for _ in range(6)))
            await until(lambda: len(server.asked("POST")) == 2)
            everything.cancel()
            with pytest.raises(asyncio.CancelledError):
                await everything
            await until(lambda: submitter.last is not None)

        run(submitter.client, main())
    assert len(server.asked("POST")) == 2
    assert submitter.last == Submitted("r1")


def test_a_submit_that_found_no_connection_is_not_tried_again(
    prepared: Prepared, caplog: pytest.LogCaptureFixture
) -> None:
    """Between two tries nothing of it was sent, and there is nothing to warn of."""
    with answering(0.0, json_answer({"run_id": "r1"})) as server:
        submitter = submitter_to(server.url)

        async def main() -> None:
            await submitter.client.transport.discover()
            server.refuse()
            submitting = asyncio.create_task(submitter.submit(prepared))
            await asyncio.sleep(0.3)
            await cancel(submitting)
            server.listen()
            await asyncio.sleep(0.5)

        run(submitter.client, main())
    assert server.asked("POST") == []
    assert said(caplog) == []


def test_a_flight_that_is_called_off_elsewhere_is_not_sent(prepared: Prepared) -> None:
    """As from the thread that Ctrl-C interrupts: the submit ends as if it were cancelled."""
    with answering(0.0, json_answer({"run_id": "r1"})) as server:
        submitter = submitter_to(server.url)
        flight = Flight()
        assert flight.call_off()
        with pytest.raises(asyncio.CancelledError):
            run(submitter.client, submitter.submit(prepared, flight))
    assert server.asked("POST") == []
