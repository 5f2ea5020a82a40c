"""A run is watched by asking for it; a look that fails is not a failed run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from faults import run, service_for

from comfynb.api.models import Run
from comfynb.errors import ApiError, AuthenticationError, NotFoundError, TransportError, WaitTimeout
from comfynb.sandbox import Sandbox
from comfynb.services import watching
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.watching import MOST_FAILURES, MOST_MISSED, State, Watch
from comfynb.warnings import UnknownStatusWarning


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and forget which unknown statuses were told."""
    monkeypatch.setattr(watching, "SHORTEST", 0.005)
    monkeypatch.setattr(watching, "LONGEST", 0.01)
    monkeypatch.setattr(watching, "_unknown_seen", set())


class Told:
    """Gives prepared answers, one a look; the last one for ever."""

    def __init__(self, *answers: Run | Exception) -> None:
        self.answers = list(answers)
        self.looks: list[bool] = []

    async def check_status(self, run_id: str, *, queue_position: bool = False) -> Run:
        self.looks.append(queue_position)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def seen(status: str, **more: Any) -> Run:
    """Return a run."""
    return Run(id="r1", status=status, **more)


def ended(watch: Watch) -> State:
    """Watch until the run has ended."""
    return asyncio.run(asyncio.wait_for(watch.until(lambda state: state.ended), 5))


FAULT = TransportError("no answer")


@pytest.mark.parametrize("fault", [FAULT, ApiError("busy", status=503), ApiError("broken", status=500)])
def test_a_look_that_fails_is_repeated(fault: Exception) -> None:
    """Nine in a row are forgiven, since the run goes on whether or not it is seen."""
    told = Told(seen("running"), *[fault] * (MOST_FAILURES - 1), seen("running"), fault, seen("success"))
    assert ended(Watch(told, "r1")).seen.status == "success"


def test_too_many_looks_that_fail_end_the_watch() -> None:
    """The last fault is raised, and what was known is still known."""
    told = Told(seen("running", progress=0.5), FAULT)
    watch = Watch(told, "r1")
    with pytest.raises(TransportError, match="no answer"):
        ended(watch)
    assert len(told.looks) == MOST_FAILURES + 1
    assert (watch.state.seen.status, watch.state.seen.progress) == ("running", 0.5)


def test_a_run_that_is_not_known_is_asked_for_a_few_times() -> None:
    """A server of several machines may not know everywhere at once what it has just made."""
    told = Told(NotFoundError("gone"))
    with pytest.raises(NotFoundError):
        ended(Watch(told, "r1"))
    assert len(told.looks) == MOST_MISSED


@pytest.mark.parametrize("error", [AuthenticationError("key"), ValueError("a bug")])
def test_what_cannot_get_better_ends_the_watch_at_once(error: Exception) -> None:
    """A key that is refused, an error that nobody expects."""
    told = Told(error)
    with pytest.raises(type(error)):
        ended(Watch(told, "r1"))
    assert len(told.looks) == 1


def test_a_listener_that_fails_does_not_end_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    """A display that is broken costs nobody the run; the log tells of it."""

    def broken(_: State) -> None:
        raise RuntimeError("no display")

    watch = Watch(Told(seen("running"), seen("success")), "r1")
    watch.listeners.append(broken)
    assert ended(watch).seen.status == "success"
    assert "no display" in caplog.text


def test_listeners_are_told_after_each_look() -> None:
    """With what is known then."""
    heard: list[str] = []
    watch = Watch(Told(seen("queued"), seen("running"), seen("success")), "r1")
    watch.listeners.append(lambda state: heard.append(state.seen.status))
    ended(watch)
    assert heard == ["queued", "running", "success"]


def test_the_place_in_the_queue_is_asked_for_while_it_waits() -> None:
    """Not any more once it runs."""
    told = Told(seen("not-started", queue_position=3), seen("running"), seen("running"), seen("success"))
    ended(Watch(told, "r1"))
    assert told.looks == [True, True, False, False]


def test_several_who_wait_share_the_looks() -> None:
    """Ten of them cost as much as one, and one that gives up disturbs nobody."""

    async def ten(watch: Watch) -> list[str]:
        waiting = [asyncio.create_task(watch.until(lambda state: state.ended)) for _ in range(10)]
        await asyncio.sleep(0.02)
        waiting[0].cancel()
        return [(await each).seen.status for each in waiting[1:]]

    told = Told(*[seen("running", progress=n / 100) for n in range(20)], seen("success"))
    assert asyncio.run(asyncio.wait_for(ten(Watch(told, "r1")), 5)) == ["success"] * 9
    assert len(told.looks) == 21


def test_nobody_is_asked_when_nobody_waits() -> None:
    """The last one to go stops the looking."""

    async def gives_up(watch: Watch, told: Told) -> tuple[int, int]:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch.until(lambda state: state.ended), 0.05)
        at_once = len(told.looks)
        await asyncio.sleep(0.05)
        return at_once, len(told.looks)

    told = Told(seen("running"))
    before, after = asyncio.run(gives_up(Watch(told, "r1"), told))
    assert before == after > 1


def test_a_run_that_is_known_to_have_ended_is_not_asked_for() -> None:
    """Its state does not change any more."""
    watch = Watch(Told(seen("success")), "r1")
    ended(watch)
    ended(watch)
    assert len(watch.service.looks) == 1  # type: ignore[attr-defined]


def test_an_unknown_status_is_told_once_and_is_no_end() -> None:
    """A new word of the server must not end a wait."""
    told = Told(seen("warming-up"), seen("warming-up"), seen("success"))
    with pytest.warns(UnknownStatusWarning, match="'warming-up', which comfynb does not know") as caught:
        assert ended(Watch(told, "r1")).seen.status == "success"
    assert len(caught) == 1


# On a whole server


def test_waiting_for_completion_returns_the_run(service: ComfyUIService) -> None:
    """With its outputs, whether it ended well or not."""
    good = run(service, service.submit_request(workflow="text2img", inputs={"seed": 7}))
    found = run(service, service.wait_for_completion(good, timeout=10))
    assert (found.status, len(found.outputs or [])) == ("success", 1)
    bad = run(service, service.submit_request(workflow="text2img", inputs={"prompt": "x __fail__", "seed": 7}))
    assert run(service, service.wait_for_completion(bad, timeout=10)).status == "failed"


def test_waiting_for_completion_ends_in_time(service: ComfyUIService, sandbox: Sandbox) -> None:
    """The message says that the run goes on and may be billing."""
    sandbox.knobs.change(speed=0)
    run_id = run(service, service.submit_request(workflow="text2img", inputs={"seed": 7}))
    with pytest.raises(WaitTimeout, match=rf"The run {run_id} was not done after 0\.05 s .*may be billing"):
        run(service, service.wait_for_completion(run_id, timeout=0.05))


def test_a_run_is_followed_through_faults_of_the_server(service: ComfyUIService, sandbox: Sandbox) -> None:
    """Steps back, dropped connections and refusals on the way change nothing about its end."""
    sandbox.knobs.change(step_back=True, unknown_status=True, speed=20)
    run_id = run(service, service.submit_request(workflow="text2img", inputs={"seed": 7}))
    sandbox.knobs.change(error_rate=0.3, fail_status=503, retry_after=0.0, faults_on="GET /api/run", drop_next=2)
    with pytest.warns(UnknownStatusWarning, match="warming-up"):
        assert run(service, service.wait_for_completion(run_id, timeout=20)).status == "success"


def test_the_status_of_an_unknown_run_is_not_found(service: ComfyUIService, sandbox: Sandbox) -> None:
    """Malformed or unknown, it is one clear error; another tenant's is refused."""
    for given in ("malformed", "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(NotFoundError, match=f"No run has the id '{given}'; ws.runs"):
            run(service, service.check_status(given))
    other = service_for(sandbox.url, sandbox.other_api_key)
    with pytest.raises(ApiError, match="not authorized"):
        run(other, other.check_status(next(iter(sandbox.world.runs))))
