"""What the checks say of what was seen."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.errors import ConfigurationError
from comfynb.rules.health import Finding, HealthFacts, HealthLimits, MachineSeen, StaleRun, judge, worst
from comfynb.rules.health_limits import read_limits

WELL = HealthFacts(
    "https://host", status=200, is_api=True, machines=(MachineSeen("m1", "gpu-1", "ready"),), clock_offset=0.4
)


def found(check: str, **changes: Any) -> Finding:
    """Return one finding of a connection that is well but for what is said."""
    return {finding.check: finding for finding in judge(replace(WELL, **changes))}[check]


def test_all_is_well_with_what_is_well() -> None:
    """And nothing is to be done."""
    findings = judge(WELL)
    assert worst(findings) == "ok"
    assert {finding.advice for finding in findings} == {""}


@pytest.mark.parametrize(
    ("check", "changes", "state", "words"),
    [
        ("server", {"status": None, "trouble": "nothing answers there."}, "bad", "nothing answers there"),
        ("server", {"status": 502}, "bad", "answers 502"),
        ("server", {"status": 429}, "warn", "too many requests"),
        ("server", {"is_api": False}, "bad", "not as the API does"),
        ("server", {"status": 404, "is_api": False}, "bad", "answers 404"),
        ("key", {"status": 401}, "bad", "refused (401)"),
        ("key", {"status": None}, "warn", "not known"),
        ("requests", {"failed": 1, "calls": 50}, "ok", "1 of the last 50"),
        ("requests", {"failed": 6, "calls": 50}, "warn", "6 of the last 50"),
        ("requests", {"failed": 30, "calls": 50}, "bad", "30 of the last 50"),
        ("requests", {"failed": 2, "calls": 2}, "warn", "2 of the last 2"),
        ("requests", {"failed": 1, "calls": 5}, "ok", "1 of the last 5"),
        ("machines", {"machines": None}, "warn", "could not be read"),
        ("machines", {"machines": ()}, "warn", "there are none"),
        ("runs", {"stale": (StaleRun("r1", "text2img", "running", 7500.0),)}, "warn", "text2img r1 (running, 2 h)"),
        ("runs", {"unresolved": 2}, "warn", "2 submits"),
        ("runs", {"runs_trouble": "it broke"}, "warn", "it broke"),
        ("webhooks", {"listening": True, "webhooks": {"taken": 3, "forged": 0}}, "ok", "runs; 3 taken"),
        ("webhooks", {"listening": False}, "bad", "does not run"),
        ("clock", {"clock_offset": -45.0}, "warn", "45.0 s ahead of"),
        ("clock", {"clock_offset": 3600.0}, "bad", "60 min behind"),
        ("clock", {"clock_offset": 3600.0, "simulated": True}, "ok", "a time of its own"),
        ("version drift", {"unknown": ["the field 'x'"] * 5}, "warn", "and 2 more"),
        ("journal", {"journal": "j", "journal_trouble": "disk full"}, "bad", "disk full"),
        ("cache", {"entries": 3, "hits": 3, "misses": 1}, "ok", "75% of 4 looks"),
    ],
)
def test_what_is_not_well_is_said(check: str, changes: dict[str, Any], state: str, words: str) -> None:
    """With what to do, where something can be done."""
    finding = found(check, **changes)
    assert finding.state == state
    assert words in finding.seen
    assert bool(finding.advice) == (state != "ok") or "runs_trouble" in changes


@pytest.mark.parametrize(
    ("status", "state"),
    [("ready", "ok"), ("running", "ok"), ("paused", "warn"), ("error", "bad"), ("brand-new", "warn"), (None, "warn")],
)
def test_each_machine_has_a_row(status: str | None, state: str) -> None:
    """Two of one name are told apart by their ids, and a status that is not known is no error."""
    twins = (MachineSeen("m1", "gpu", status, 2), MachineSeen("m2", "gpu", "ready"))
    finding = found("machine gpu (m1)", machines=twins)
    assert finding.state == state
    assert state == "ok" or "2 deployments on it" in finding.seen
    assert found("machine gpu (m2)", machines=twins).state == "ok"


@pytest.mark.parametrize(
    ("past", "now", "state"),
    [(0.1, 0.1, "ok"), (0.1, 0.5, "warn"), (0.1, 1.5, "bad"), (0.001, 0.2, "ok"), (1.0, 0.1, "ok")],
)
def test_latency_is_held_against_its_own_past(past: float, now: float, state: str) -> None:
    """By medians, so that one slow call is no slowdown; what is quick all the same is not slow."""
    finding = found("latency", latencies={"GET /run": [past] * 20 + [now] * 5, "GET /machines": [0.1] * 25})
    assert finding.state == state
    assert found("latency", latencies={"GET /run": [past] * 24 + [99.0]}).state == "ok"
    assert found("latency", latencies={"GET /run": [past] * 5 + [99.0] * 5}).state == "ok"


@given(st.lists(st.sampled_from(["a", "b", ""]), max_size=6))
def test_no_check_has_two_rows(names: list[str]) -> None:
    """Whatever machines are called."""
    machines = tuple(MachineSeen(f"id-{number}", name, "ready") for number, name in enumerate(names))
    checks = [finding.check for finding in judge(replace(WELL, machines=machines))]
    assert len(set(checks)) == len(checks)


def test_limits_are_read_and_all_that_is_wrong_is_told() -> None:
    """At once; what is not said stays as it is by default."""
    limits = read_limits({"clock": {"warn": 5}, "alerts": {"level": "warn", "ignore": ["machine *"]}})
    assert limits == HealthLimits(clock_warn=5, level="warn", ignore=("machine *",))
    wrong = {
        "clock": {"warn": True, "late": 3},
        "latency": 3,
        "alerts": {"after": 0, "level": "ok", "ignore": "x"},
        "more": {},
    }
    with pytest.raises(ConfigurationError) as raised:
        read_limits(wrong)
    assert len(str(raised.value).splitlines()) == 7
    with pytest.raises(ConfigurationError, match=r"clock: warn has to be at most bad"):
        read_limits({"clock": {"warn": 500}})


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_whatever_a_file_says_is_limits_or_an_error_of_ours(content: Any) -> None:
    """Never another one."""
    content = content if isinstance(content, dict) else {"alerts": content, "clock": {"warn": content}}
    with suppress(ConfigurationError):
        assert isinstance(read_limits(content), HealthLimits)
