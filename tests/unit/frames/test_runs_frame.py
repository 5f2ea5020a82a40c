"""The table of runs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from comfynb.api.models import Deployment, ListedRun, Machine, Workflow
from comfynb.frames import TABLES, runs_frame


def run(**fields: Any) -> ListedRun:
    """Return a successful run on a serverless machine, with the given fields changed."""
    row = {
        "id": "r1",
        "status": "success",
        "workflow_id": "w1",
        "machine_id": "m1",
        "machine_type": "comfy-deploy-serverless",
        "deployment_id": "d1",
        "workflow_version_id": "v1",
        "gpu": "A10G",
        "progress": 1.0,
        "created_at": "2026-03-01T10:00:00.000Z",
        "queued_at": "2026-03-01T10:00:01.500Z",
        "started_at": "2026-03-01T10:00:05.500Z",
        "ended_at": "2026-03-01T10:00:15.500Z",
        "duration": "15.500000",
        "cold_start_duration": "4.000000",
        "cold_start_duration_total": "5.500000",
        "run_duration": "10.000000",
        "version": {"id": "v1", "version": 3},
    }
    return ListedRun.model_validate({**row, **fields})


def only(**fields: Any) -> pd.Series:
    """Return the row of one run."""
    return runs_frame([run(**fields)]).iloc[0]


def test_names_come_from_what_else_is_known() -> None:
    """The names of workflow, machine and environment are looked up by their ids."""
    row = runs_frame(
        [run()],
        workflows=[Workflow(id="w1", name="Text to Image")],
        machines=[Machine(id="m1", name="fast one")],
        deployments=[Deployment(id="d1", environment="staging")],
    ).iloc[0]
    assert (row["name"], row["machine"], row["environment"], row["version"]) == (
        "Text to Image",
        "fast one",
        "staging",
        3,
    )


def test_a_deleted_machine_keeps_its_id() -> None:
    """What cannot be looked up is NA, and its id stays."""
    row = runs_frame([run()], workflows=[], machines=[Machine(id="m2", name="other")], deployments=[]).iloc[0]
    assert row[["name", "machine", "environment"]].isna().all()
    assert (row["machine_id"], row["deployment_id"]) == ("m1", "d1")


def test_the_three_spans_add_up_to_the_duration() -> None:
    """A run waits, its container starts, and it runs."""
    row = only()
    spans = [row["queue_seconds"], row["cold_start_seconds"], row["run_seconds"]]
    assert spans == [1.5, 4.0, 10.0]
    assert sum(spans) == row["duration_seconds"]


def test_a_classic_machine_reports_no_spans() -> None:
    """Only the duration is known there: what its rows may have of the others are placeholders."""
    for row in (
        only(machine_type="classic"),
        only(machine_type="classic", queued_at=None, started_at=None, cold_start_duration=None, run_duration=None),
    ):
        assert row[["queued", "started", "queue_seconds", "cold_start_seconds", "run_seconds"]].isna().all()
        assert row["duration_seconds"] == 15.5


@pytest.mark.parametrize("machine_type", ["classic", "comfy-deploy-serverless"])
def test_placeholders_of_a_run_that_has_not_started_are_not_shown(machine_type: str) -> None:
    """A run that is not started has no start time, whatever the row says."""
    row = only(
        status="not-started",
        machine_type=machine_type,
        queued_at="2026-03-01T09:59:59.999Z",
        started_at="2026-03-01T09:59:59.999Z",
        ended_at=None,
        cold_start_duration="0.000007",
        run_duration=None,
        duration=None,
    )
    assert row[["queued", "started", "queue_seconds", "cold_start_seconds", "run_seconds", "ended"]].isna().all()


def test_a_run_in_the_queue_shows_when_it_was_queued() -> None:
    """What is known of a waiting run is shown."""
    row = only(status="queued", started_at=None, ended_at=None, cold_start_duration=None, run_duration=None)
    assert row["queue_seconds"] == 1.5
    assert row[["started", "cold_start_seconds", "run_seconds"]].isna().all()


def test_negative_spans_are_not_known() -> None:
    """Clocks that disagree give no negative waiting times."""
    row = only(queued_at="2026-03-01T09:59:59.000Z", cold_start_duration="-0.001155", run_duration=-3)
    assert row[["queue_seconds", "cold_start_seconds", "run_seconds"]].isna().all()


def test_inputs_are_columns_with_their_real_values() -> None:
    """One column for each name in the order of first appearance, typed by its values."""
    table = runs_frame(
        [
            run(workflow_inputs={"Negative Prompt": "blurry", "seed": 999999999999999, "cfg": 7}),
            run(workflow_inputs={"seed": 1, "cfg": 7.5, "images": ["http://a", "http://b"], "hires": True}),
            run(workflow_inputs={"size": "512", "color": [{"r": 1, "g": 2, "b": 3}]}),
            run(workflow_inputs={"size": 512}),
            run(workflow_inputs=None),
        ]
    )
    added = table.columns[len(TABLES["runs"].columns) :]
    assert {name: str(table[name].dtype) for name in added} == {
        "input.Negative Prompt": "str",
        "input.seed": "Int64",
        "input.cfg": "Float64",
        "input.images": "object",
        "input.hires": "boolean",
        "input.size": "object",
        "input.color": "object",
    }
    assert list(added)[:3] == ["input.Negative Prompt", "input.seed", "input.cfg"]
    assert table["input.seed"][0] == 999999999999999
    assert table["input.images"][1] == ("http://a", "http://b")
    assert table["input.color"][2] == ({"r": 1, "g": 2, "b": 3},)
    assert table["input.size"].dropna().tolist() == ["512", 512]
    assert table.loc[4, list(added)].isna().all()


def test_outputs_are_urls_in_their_order() -> None:
    """Timings, errors and texts among the outputs have no URL."""
    row = only(
        outputs=[
            {"data": [{"id": "1", "time": 0.1, "class_type": "KSampler"}]},
            {"data": {"images": [{"url": "http://h/a.png", "filename": "a.png"}, {"filename": "no-url.png"}]}},
            {"data": {"text": ["hello"]}},
            {"data": {"gifs": [{"url": "http://h/b.mp4", "filename": "b.mp4"}]}},
            None,
        ]
    )
    assert row["outputs"] == ("http://h/a.png", "http://h/b.mp4")


def test_outputs_that_are_not_told_are_not_none() -> None:
    """A list that does not carry outputs is told from a run without any."""
    assert only(outputs=[])["outputs"] == ()
    assert pd.isna(only(outputs=None)["outputs"])


def test_a_failed_run_says_why() -> None:
    """The machine's message stands in one line without control characters, with the class of the node."""
    raised = {"exception_message": "bad\n\x1b[31m value " + "x" * 5000, "node_type": "ImageScale", "traceback": ["…"]}
    row = only(status="failed", outputs=[{"data": raised}])
    assert row["error"].startswith("bad value xxx")
    assert len(row["error"]) <= 300
    assert row["error_node"] == "ImageScale"


def test_only_failed_runs_have_errors() -> None:
    """What stands in the outputs of a run that ended well is no error of it."""
    row = only(outputs=[{"data": {"exception_message": "bad", "node_type": "ImageScale"}}])
    assert row[["error", "error_node"]].isna().all()


def test_a_failed_run_without_a_reason_has_none() -> None:
    """A machine that could not be reached leaves no message."""
    assert only(status="failed", outputs=[])[["error", "error_node"]].isna().all()


def test_an_empty_row_is_a_row_of_na() -> None:
    """Every field may be missing."""
    table = runs_frame([ListedRun()])
    assert table.isna().all(axis=None)


def test_the_rows_stay_in_the_given_order() -> None:
    """The table neither sorts nor merges."""
    assert runs_frame([run(id="b"), run(id="a"), run(id="b")])["id"].tolist() == ["b", "a", "b"]
