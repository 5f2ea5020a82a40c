"""What is shown of a run: never a step backwards, and a stand-still is noticed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.rules.observing import STALL, WAITING_FACTOR, Observed
from comfynb.rules.status import ORDER, TERMINAL, further, is_terminal

STATUSES = [*ORDER, *sorted(TERMINAL), "warming-up", None]
looks = st.fixed_dictionaries(
    {
        "status": st.sampled_from(STATUSES),
        "live_status": st.sampled_from([None, "Executing KSampler", "Executing SaveImage"]),
        "progress": st.sampled_from([None, 0.0, 0.1, 0.8999999761581421, 1.0]),
        "queue_position": st.sampled_from([None, 0, 3]),
        "outputs": st.integers(0, 2),
    }
)


def observe(seen: Observed, status: str | None = "running", now: float = 0.0, **more: Any) -> bool:
    """Take in a look of which only some things matter."""
    facts: dict[str, Any] = {"live_status": None, "progress": None, "queue_position": None, "outputs": 0, "at": None}
    return seen.observe(status=status, now=now, **{**facts, **more})


@given(st.lists(looks, max_size=12))
def test_status_progress_and_outputs_never_step_back(seen: list[dict[str, Any]]) -> None:
    """Whatever the server says, in whatever order."""
    shown = Observed()
    known, progress, outputs, ended = -1, 0.0, 0, None
    for now, look in enumerate(seen):
        shown.observe(**look, at=None, now=float(now))
        assert shown.progress >= progress
        assert shown.outputs >= outputs
        assert ended in (None, shown.status)
        if shown.status in ORDER:
            assert ORDER[shown.status] >= known
            known = ORDER[shown.status]
        progress, outputs = shown.progress, shown.outputs
        ended = shown.status if shown.ended else None


@given(st.lists(looks, max_size=8))
def test_success_is_never_assumed(seen: list[dict[str, Any]]) -> None:
    """Only the server's word makes one, whatever progress and outputs are."""
    shown = Observed()
    for look in seen:
        shown.observe(**look, at=None, now=0.0)
    ends = [look["status"] for look in seen if is_terminal(look["status"])]
    assert (shown.status == "success") == (ends[:1] == ["success"])


def test_a_status_that_is_not_known_does_not_let_it_step_back() -> None:
    """The known status before it still counts."""
    seen = Observed()
    shown = []
    for status in ("running", "warming-up", "queued", "uploading"):
        observe(seen, status)
        shown.append(seen.status)
    assert shown == ["running", "warming-up", "running", "uploading"]


def test_live_status_of_an_overtaken_callback_is_old_news() -> None:
    """The last node stays shown when an earlier one is reported after it."""
    seen = Observed()
    observe(seen, progress=1.0, live_status="Executing SaveImage")
    observe(seen, progress=0.9, live_status="Executing ImageScale")
    assert (seen.progress, seen.live_status) == (1.0, "Executing SaveImage")


def test_progress_is_within_its_range_and_whole_at_a_success() -> None:
    """The server may end at 0.9, or at 0; on a failure the share of the failing node stays."""
    for status, progress in (("success", 1.0), ("failed", 0.9)):
        seen = Observed()
        observe(seen, progress=0.9)
        observe(seen, status, progress=0.9)
        assert seen.progress == progress
    high = Observed()
    observe(high, progress=1.7)
    assert high.progress == 1.0


def test_changes_are_kept_with_the_servers_times() -> None:
    """A look at which nothing that is shown has changed is no change."""
    seen = Observed()
    when = datetime(2026, 5, 4, tzinfo=UTC)
    assert observe(seen, "not-started", queue_position=2, at=when)
    assert not observe(seen, "not-started", queue_position=2)
    assert observe(seen, "running", progress=0.5)
    assert observe(seen, "not-started", progress=0.5)  # a step back, which is not shown
    assert [(each.at, each.status, each.queue_position) for each in seen.changes] == [
        (when, "not-started", 2),
        (None, "running", None),
    ]


def test_a_run_that_executes_is_stalled_after_a_while_without_a_change() -> None:
    """One that waits for a machine is given longer, one that has ended is never stalled."""
    for status, patience in (("running", STALL), ("not-started", STALL * WAITING_FACTOR), ("queued", 600.0)):
        seen = Observed()
        observe(seen, status, now=100.0)
        assert not seen.is_stalled(100.0 + patience - 1)
        assert seen.is_stalled(100.0 + patience)
        assert seen.is_stalled(101.0 + WAITING_FACTOR, stall=1.0)
    ended = Observed()
    observe(ended, "failed", now=0.0)
    assert not ended.is_stalled(10_000.0)


def test_any_change_of_what_the_server_says_starts_the_patience_anew() -> None:
    """Also one that is not shown: it lives."""
    seen = Observed()
    observe(seen, "running", progress=0.5, now=0.0)
    observe(seen, "not-started", progress=0.1, now=100.0)
    assert seen.silent(150.0) == 50.0
    assert seen.silent(50.0) == 0.0


@pytest.mark.parametrize(
    ("status", "more", "stage"),
    [
        ("not-started", {}, "waiting"),
        ("not-started", {"queue_position": 3}, "waiting, 3 before it"),
        ("not-started", {"queue_position": 0}, "waiting"),
        ("queued", {}, "queued"),
        ("started", {}, "starting"),
        ("running", {}, "running"),
        ("running", {"live_status": "Executing KSampler"}, "Executing KSampler"),
        ("warming-up", {}, "warming-up"),
        ("success", {"live_status": "Executing SaveImage"}, "finished"),
        ("timeout", {}, "timed out"),
        ("cancelled", {}, "cancelled"),
    ],
)
def test_the_stage_is_in_words(status: str, more: dict[str, Any], stage: str) -> None:
    """What it is doing, as one would say it."""
    seen = Observed()
    observe(seen, status, **more)
    assert seen.stage == stage


@pytest.mark.parametrize("first", STATUSES[:-1])
@pytest.mark.parametrize("then", STATUSES[:-1])
def test_an_end_stays_and_wins(first: str, then: str) -> None:
    """The first end that is seen is the end."""
    shown = further(first, then)
    if is_terminal(first):
        assert shown == first
    elif is_terminal(then):
        assert shown == then
