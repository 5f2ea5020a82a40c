"""Watching a run: often, patiently, and undisturbed by a server that is away for a while."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace

import pytest

import comfynb
from comfynb.api.models import Run as RunModel
from comfynb.sandbox import Sandbox
from comfynb.services import watching
from comfynb.services.watching import MOST_FAILURES, State, Watch
from comfynb.warnings import UnknownStatusWarning

LOOKS = "GET /api/run/"
"""Which requests a fault is to strike."""
LOOK = "GET /run/{run_id}"
"""How they are counted."""


@pytest.fixture
def unknown_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget which statuses were warned of in this process."""
    monkeypatch.setattr(watching, "_unknown_seen", set())


@pytest.mark.parametrize(
    "fault",
    [
        {"fail_next": 9, "fail_status": 500},
        {"drop_next": 2, "drop": "before"},
        {"drop_next": 2, "drop": "middle"},
        {"drop_next": 2, "drop": "after"},
        {"truncate_next": 5},
        {"fail_next": 1, "fail_status": 503, "retry_after": 0.0},
        {"limit_next": 1, "retry_after": 0.0},
    ],
)
def test_a_look_that_fails_is_not_a_failed_run(
    ws: comfynb.Workspace, sandbox: Sandbox, fault: dict[str, object]
) -> None:
    """It is repeated, and the run ends as it ends."""
    sandbox.knobs.change(**fault, faults_on=LOOKS)
    assert ws.run("text2img", prompt="x", progress=False).status == "success"
    assert sandbox.counters.runs_created == 1
    assert sandbox.counters.faults.total() >= 1


def test_after_many_failed_looks_the_wait_ends_and_the_handle_stays_good(
    ws: comfynb.Workspace, sandbox: Sandbox
) -> None:
    """The error is the server's, not the run's; the next wait begins anew."""
    run = ws.submit("text2img")
    sandbox.knobs.change(fail_next=MOST_FAILURES, fail_status=500, faults_on=LOOKS)
    with pytest.raises(comfynb.ApiError) as caught:
        run.wait()
    assert not isinstance(caught.value, comfynb.RunError)
    assert sandbox.counters.of(LOOK) == MOST_FAILURES
    sandbox.knobs.change(fail_next=MOST_FAILURES - 1)
    assert run.wait().status == "success"


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"api_key": "revoked"}, comfynb.AuthenticationError),
        ({"api_key": "other"}, comfynb.PermissionDeniedError),
    ],
)
def test_a_run_that_may_not_be_seen_ends_the_wait_at_once(
    ws: comfynb.Workspace, sandbox: Sandbox, answers: dict[str, str], error: type[Exception]
) -> None:
    """To ask again would not help."""
    keys = {"revoked": sandbox.revoked_api_key, "other": sandbox.other_api_key}
    run = ws.submit("text2img")
    with comfynb.connect(sandbox.url, keys[answers["api_key"]]) as stranger:
        handle = comfynb.Run(stranger._core, run.id)
        with pytest.raises(error):
            handle.wait(10)
    assert sandbox.counters.statuses.keys() & {401, 403}


@pytest.mark.meets("unknown_status")
@pytest.mark.usefixtures("unknown_again")
def test_an_unknown_status_is_no_end_and_warns_once(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The server may learn new words; one warning for each of them is enough."""
    sandbox.knobs.change(unknown_status=True, speed=0)
    run = ws.submit("text2img")
    sandbox.advance(0.3)
    with pytest.warns(UnknownStatusWarning, match="'warming-up', which comfynb does not know") as told:
        run.refresh()
    assert told[0].filename == __file__
    assert (run.status, run.ended, run.stage) == ("warming-up", False, "warming-up")
    second = ws.submit("text2img")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sandbox.advance(100)
        assert run.wait().status == second.wait().status == "success"


def test_the_queue_position_is_shown_while_it_waits(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """And is asked for only then."""
    sandbox.knobs.speed = 0
    first, second = ws.submit("text2img", prompt="a"), ws.submit("text2img", prompt="b")
    second.refresh()
    assert second.queue_position == 1
    assert second.stage == "waiting, 1 before it"
    sandbox.advance(1)
    assert first.refresh().queue_position is None
    sandbox.advance(100)
    assert second.refresh().queue_position is None


def test_the_timeline_is_a_table_of_what_was_seen(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Oldest first, by the server's time."""
    sandbox.knobs.speed = 0
    run = ws.submit("MAKEIMAGE")
    for _ in range(12):
        run.refresh()
        sandbox.advance(2)
    run.refresh()
    timeline = run.timeline
    assert tuple(timeline.columns) == comfynb.TABLES["timeline"].names()
    assert timeline["status"].iloc[0] == "not-started"
    assert timeline["status"].iloc[-1] == "success"
    assert timeline["at"].is_monotonic_increasing
    assert timeline.attrs["kind"] == "timeline"
    timeline.loc[0, "status"] = "mine"
    assert run.timeline["status"].iloc[0] == "not-started"


def test_several_who_wait_share_the_looks(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Ten threads cost no more than one."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img")
    threads = [threading.Thread(target=run.wait, args=(30,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    while run.model is None:
        time.sleep(0.001)
    before = sandbox.counters.of(LOOK)
    sandbox.advance(100)
    for thread in threads:
        thread.join(10)
    assert run.status == "success"
    assert sandbox.counters.of(LOOK) - before < 10


# The watch itself, over answers that are made up


class Answers:
    """A service that gives one answer after the other, and the last one for ever."""

    def __init__(self, *answers: RunModel | Exception) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def check_status(self, run_id: str, *, queue_position: bool = False) -> RunModel:
        """Give the next answer."""
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def model(status: str) -> RunModel:
    """Return an answer about a run."""
    return RunModel(id="r1", status=status)


@pytest.fixture
def quick(short_looks: None) -> Iterator[Callable[[Answers], State]]:
    """Watch a run to its end."""

    def watch(answers: Answers) -> State:
        return asyncio.run(asyncio.wait_for(Watch(answers, "r1").until(lambda state: state.ended), 10))

    return watch


def test_failures_in_between_start_counting_anew(quick: Callable[[Answers], State]) -> None:
    """Only many in a row end a watch."""
    away = comfynb.TransportError("away")
    answers = Answers(*[away] * 9, model("running"), *[away] * 9, model("success"))
    assert quick(answers).seen.status == "success"


def test_a_fault_of_ours_is_heard_and_not_waited_for(quick: Callable[[Answers], State]) -> None:
    """A watch that broke must not look like a run that goes on."""
    with pytest.raises(ZeroDivisionError):
        quick(Answers(ZeroDivisionError()))


def test_looks_become_rarer_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """From half a second up to five; a change makes them frequent again."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(watching, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": note}))
    answers = Answers(*[model("not-started")] * 9, model("running"), model("success"))
    asyncio.run(Watch(answers, "r1").until(lambda state: state.ended))
    assert 0.45 <= waits[0] <= 0.55
    assert 4.5 <= waits[8] <= 5.5
    assert 0.45 <= waits[9] <= 0.55
    assert all(earlier < later * 1.25 for earlier, later in pairwise(waits[:8]))
