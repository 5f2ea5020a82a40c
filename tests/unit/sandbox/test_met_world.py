"""The library meets other worlds: another seed, time, past and pace, and answers that say more or hide something."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pandas as pd
import pytest
from worlds import begin_anew

import comfynb
from comfynb.sandbox import Sandbox


@pytest.mark.meets("seed")
def test_another_seed_has_the_same_names_and_other_ids(ws: comfynb.Workspace) -> None:
    """The same seed has the same ids, so that what is stored of one sandbox is true of another."""
    here = ws.catalog()
    for seed, same in ((7, True), (8, False)):
        with Sandbox(seed=seed, history=0) as other, comfynb.connect(sandbox=other) as there:
            catalog = there.catalog()
        assert catalog["name"].tolist() == here["name"].tolist()
        assert (catalog["id"].tolist() == here["id"].tolist()) is same


@pytest.mark.meets("start", "history")
def test_the_past_is_as_long_as_it_is_told_and_lies_before_the_start(lively: Sandbox) -> None:
    """Runs come with times in UTC; a run that is made now comes after all of them."""
    start = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
    begin_anew(lively, start=start, history=23)
    with comfynb.connect(sandbox=lively) as ws:
        past = ws.runs()
        assert len(past) == 23
        assert past["created"].max() < pd.Timestamp(start)
        run = ws.submit("text2img")
        run.refresh()
        assert run.created_at is not None
        assert run.created_at >= start


@pytest.mark.meets("run_seconds", "speed")
def test_runs_report_longer_seconds_without_being_waited_for_longer(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """`run_seconds` is what a run says that it took; `speed` is how many of them go by in a real second."""
    usual = ws.run("text2img", seed=1).seconds
    lively.reset()
    lively.knobs.change(run_seconds=100, speed=100_000)
    begun = time.monotonic()
    long = ws.run("text2img", seed=1).seconds
    assert usual is not None
    assert long is not None
    assert long > 50 * usual
    assert time.monotonic() - begun < long / 10


@pytest.mark.meets("speed", "__slow__")
def test_a_slow_run_is_waited_for_until_its_end(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """At a standstill the wait ends by its own deadline; it goes on where the run has not stalled."""
    quick = ws.run("text2img", prompt="a red fox", seed=1)
    lively.knobs.speed = 0
    slow = ws.submit("text2img", prompt="a red fox __slow__", seed=2)
    assert quick.seconds is not None
    lively.advance(2 * quick.seconds)
    with pytest.raises(comfynb.WaitTimeout, match="may be billing"):
        slow.wait(0.05)
    assert slow.status == "running"
    lively.knobs.speed = 1000
    assert slow.wait().seconds > 2 * quick.seconds  # type: ignore[operator]


@pytest.mark.meets("latency")
def test_a_slow_server_is_waited_for_as_long_as_was_told(lively: Sandbox) -> None:
    """A read that takes longer than `timeout` says so; one that takes less is answered."""
    lively.knobs.latency = 0.15
    with comfynb.connect(sandbox=lively, timeout=5) as patient:
        assert not patient.machines().empty
    with (
        comfynb.connect(sandbox=lively, timeout=0.05, retries=1) as hasty,
        pytest.raises(comfynb.TransportError, match=r"No whole answer from http://127\.0\.0\.1:\d+ .* within 0\.05 s"),
    ):
        hasty.machines()


@pytest.mark.meets("html_root")
@pytest.mark.parametrize("page", [True, False])
def test_the_page_at_the_root_is_told_from_the_api(ws: comfynb.Workspace, lively: Sandbox, page: bool) -> None:
    """People paste that address; it works whatever stands there."""
    lively.knobs.html_root = page
    found = ws.explore()
    assert any("itself serves a web page" in line for line in found.attrs["findings"]) is page
    assert found.attrs["prefix"] == "/api"


@pytest.mark.meets("hide_fluid")
@pytest.mark.parametrize("hidden", [True, False])
def test_fluid_deployments_are_in_the_table_each_once(ws: comfynb.Workspace, lively: Sandbox, hidden: bool) -> None:
    """Whether or not the server leaves them out of its plain list."""
    lively.knobs.hide_fluid = hidden
    frame = ws.deployments()
    fluid = {each.id for each in lively.world.deployments.values() if each.fluid}
    assert fluid
    assert fluid < set(frame["id"])
    assert sorted(frame["id"]) == sorted(lively.world.deployments)
    assert all(ws.deployment(each).id == each for each in fluid)


@pytest.mark.meets("extra_fields")
def test_a_field_that_nobody_knows_changes_no_table_and_no_run(lively: Sandbox) -> None:
    """Nothing is warned of either: only exploring names what is new."""
    begin_anew(lively, history=20)
    tables = []
    for extra in (False, True):
        lively.knobs.extra_fields = extra
        with comfynb.connect(sandbox=lively) as ws:
            tables.append([ws.catalog(), ws.workflows(), ws.deployments(), ws.machines(), ws.versions("text2img")])
            tables[-1] += [ws.inputs("text2img"), ws.runs(), ws.outputs(ws.runs("text2img").iloc[-1])]
            assert any("x_new_field" in line for line in ws.explore().attrs["differences"]) is extra
    for without, with_more in zip(*tables, strict=True):
        pd.testing.assert_frame_equal(without, with_more)
    with comfynb.connect(sandbox=lively) as ws:
        assert len(ws.run("text2img", prompt="a red fox").images()) == 1
