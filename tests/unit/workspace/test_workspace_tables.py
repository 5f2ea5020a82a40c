"""The tables of a workspace: their schema, their copies, their age, and what reading them costs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pandas as pd
import pytest
from worlds import begin_anew

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.warnings import PartialResultWarning

READS: dict[str, Callable[[comfynb.Workspace], pd.DataFrame]] = {
    "workflows": lambda ws: ws.workflows(),
    "deployments": lambda ws: ws.deployments(),
    "machines": lambda ws: ws.machines(),
    "catalog": lambda ws: ws.catalog(),
    "runs": lambda ws: ws.runs(limit=20),
    "versions": lambda ws: ws.versions("text2img"),
    "inputs": lambda ws: ws.inputs("text2img"),
}
CACHED = ("workflows", "deployments", "machines", "catalog", "versions", "inputs")


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """Return a sandbox with some runs in its last thirty days."""
    return begin_anew(_server, history=60)


def declared(frame: pd.DataFrame, kind: str) -> pd.Series:
    """Return the types of the columns that a kind of table declares."""
    return frame.dtypes[list(comfynb.TABLES[kind].names())].astype(str)


# What a table is


@pytest.mark.parametrize("kind", READS)
def test_a_table_has_the_columns_and_types_that_it_declares(ws: comfynb.Workspace, kind: str) -> None:
    """In their order, name and id first, with a RangeIndex."""
    frame = READS[kind](ws)
    assert tuple(frame.columns)[: len(comfynb.TABLES[kind].names())] == comfynb.TABLES[kind].names()
    assert {column.name: column.dtype for column in comfynb.TABLES[kind]} == declared(frame, kind).to_dict()
    assert isinstance(frame.index, pd.RangeIndex)
    assert len(frame) > 0
    assert frame.attrs["kind"] == kind


@pytest.mark.parametrize("kind", ["workflows", "deployments", "machines", "catalog", "runs"])
def test_an_empty_workspace_has_the_same_tables_without_rows(
    ws: comfynb.Workspace, empty: comfynb.Workspace, kind: str
) -> None:
    """Same columns, same types; code that works on full ones works on these."""
    nothing = READS[kind](empty)
    assert len(nothing) == 0
    assert isinstance(nothing.index, pd.RangeIndex)
    pd.testing.assert_series_equal(declared(nothing, kind), declared(READS[kind](ws), kind))
    assert nothing.attrs.keys() == READS[kind](ws).attrs.keys()


def test_outputs_and_timeline_keep_their_schema_when_there_are_none(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """A run that has just been submitted has made nothing."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img")
    nothing = ws.outputs(run)
    sandbox.advance(100)
    something = ws.outputs(run)
    assert (len(nothing), len(something)) == (0, 1)
    pd.testing.assert_series_equal(nothing.dtypes, something.dtypes)
    assert {column.name: column.dtype for column in comfynb.TABLES["timeline"]} == run.timeline.dtypes.astype(
        str
    ).to_dict()


@pytest.mark.parametrize("kind", READS)
def test_times_are_utc_texts_are_texts_and_cells_of_several_things_are_tuples(ws: comfynb.Workspace, kind: str) -> None:
    """So that they can be compared, hashed and grouped."""
    frame = READS[kind](ws)
    for column in comfynb.TABLES[kind]:
        if column.dtype == "object" and not column.name.startswith(("default", "min", "max")):
            cells = frame[column.name].dropna()
            assert all(isinstance(cell, tuple | str | int | float | bool) for cell in cells), column.name
    assert all(str(dtype) != "datetime64[ns]" for dtype in frame.dtypes)


def test_a_table_says_where_it_is_from_and_of_when(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """In `attrs`; the age of a cached table is that of its data, not of the call."""
    before = datetime.now(UTC).replace(microsecond=0)
    first = ws.workflows()
    read = datetime.fromisoformat(first.attrs["as_of"])
    assert before <= read <= datetime.now(UTC)
    assert first.attrs["source"] == sandbox.url
    assert ws.workflows().attrs == first.attrs


@pytest.mark.parametrize("kind", READS)
def test_edits_of_a_table_do_not_reach_the_cache(ws: comfynb.Workspace, kind: str) -> None:
    """Each call gives a table of its own, its `attrs` included; nested cells cannot be changed at all."""
    frame = READS[kind](ws)
    kept = frame.copy(deep=True)
    frame.iloc[:, 0] = "mine"
    frame.loc[0, "id" if "id" in frame else "name"] = "mine"
    frame["more"] = 1
    frame.attrs["kind"] = "mine"
    del frame["more"]
    again = READS[kind](ws)
    pd.testing.assert_frame_equal(again, kept)
    assert again.attrs["kind"] == kind


@pytest.mark.parametrize("kind", CACHED)
def test_writing_into_the_arrays_of_a_table_does_not_reach_the_cache(ws: comfynb.Workspace, kind: str) -> None:
    """Below pandas, where its copy on write does not see it."""
    frame = READS[kind](ws)
    kept = frame.copy(deep=True)
    for name in frame:
        for array in (frame[name].array, frame[name].to_numpy()):
            with suppress(ValueError):  # pandas marks some of them as read-only
                array[0] = array[len(array) - 1]
    pd.testing.assert_frame_equal(READS[kind](ws), kept)


def test_a_filtered_table_has_the_deployments_of_one_environment(ws: comfynb.Workspace) -> None:
    """With an index of its own, and the same description."""
    frame = ws.deployments(environment="production")
    assert set(frame["environment"]) == {"production"}
    assert frame.index.equals(pd.RangeIndex(len(frame)))
    assert frame.attrs["kind"] == "deployments"
    assert len(ws.deployments(environment="nowhere")) == 0


# What it has


def test_fluid_deployments_are_listed_too(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The server hides them unless they are asked for."""
    frame = ws.deployments()
    assert len(frame) == 20
    assert frame["fluid"].sum() == 3
    assert frame["id"].is_unique


def test_deleted_machines_are_not_listed(ws: comfynb.Workspace) -> None:
    """Although the server's list has them."""
    assert "old-box" not in set(ws.machines()["name"])
    assert set(ws.machines()["status"]) == {"ready", "building", "error", "paused"}


def test_the_catalog_has_one_row_for_each_workflow(ws: comfynb.Workspace) -> None:
    """Deployed or not, with what its graph tells."""
    catalog = ws.catalog().set_index("name")
    assert set(catalog.index) == set(ws.workflows()["name"])
    assert catalog.loc["inpaint", "required_inputs"] == ("mask_image",)
    assert catalog.loc["inpaint", "description"] == "Paints into the mask of a picture"
    assert catalog.loc["img2vid - wan 2.1", "output_kind"] == "video"
    assert catalog.loc["img2vid - wan 2.1", "standard_name"] == "img2vid_wan_2_1"
    assert bool(catalog.loc["MAKEIMAGE", "uses_lora"])
    assert catalog.loc["text2img", "primary_input"] == "prompt"
    assert catalog.loc["wallpaper of the day", "machine"] == "studio-classic-a"


@pytest.mark.meets("broken_workflow")
def test_one_broken_workflow_does_not_cost_the_others(sandbox: Sandbox) -> None:
    """It is a row with its workflow, its environment, and the problem; its id is not known."""
    sandbox.knobs.broken_workflow = True
    sandbox.reset()
    with comfynb.connect(sandbox=sandbox) as ws:
        frame = ws.deployments()
        broken = frame[frame["id"].isna()]
        assert len(frame) == 21
        assert broken[["name", "environment"]].to_numpy().tolist() == [["style transfer (wip)", "staging"]]
        assert "cannot list" in broken.iloc[0]["problem"]
        catalog = ws.catalog().set_index("name")
        assert catalog.loc["style transfer (wip)", "problems"] != ()
        assert ws.run("text2img").status == "success"
        for row in (broken.iloc[0], broken.to_dict("records")[0], next(broken.itertuples())):
            with pytest.raises(comfynb.ComfyError, match="style transfer"):
                ws.deployment(row)


def test_runs_of_a_workflow_come_with_inputs_and_errors(ws: comfynb.Workspace) -> None:
    """Newest first; what was sent is a column each, and a failed run says why."""
    run = ws.run("text2img", prompt="__fail__", seed=9, check=False)
    frame = ws.runs(workflow="text2img", limit=10)
    row = frame.iloc[0]
    assert (row["id"], row["status"], row["environment"], row["name"]) == (run.id, "failed", "production", "text2img")
    assert (row["input.prompt"], row["input.seed"]) == ("__fail__", 9)
    assert row["error"].startswith("CUDA out of memory")
    assert frame["created"].is_monotonic_decreasing
    assert len(frame) == 10


def test_runs_of_all_workflows_cost_one_request_each_and_say_so(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The newest of all, up to the limit."""
    ws.catalog()
    before = sandbox.counters.requests.copy()
    frame = ws.runs(limit=30)
    asked = sandbox.counters.requests - before
    assert asked == {"GET /workflow/{workflow_id}/runs": 8}
    assert "one request for each of 8 workflows" in frame.attrs["note"]
    assert len(frame) == 30
    assert frame["name"].nunique() > 3
    assert frame["created"].is_monotonic_decreasing


def test_runs_of_a_deployment_are_those_that_were_made_through_it(ws: comfynb.Workspace) -> None:
    """A run on another machine is none of them."""
    through = ws.submit("text2img")
    ws.submit("text2img", machine="serverless-a10g")
    deployment = ws.deployment("text2img")
    frame = ws.runs(deployment=deployment, limit=50)
    assert set(frame["deployment_id"]) == {deployment.id}
    assert frame.iloc[0]["id"] == through.id
    with pytest.raises(comfynb.InputError, match="either workflow= or deployment="):
        ws.runs(workflow="text2img", deployment=deployment)


def test_no_runs_and_less_than_none(ws: comfynb.Workspace) -> None:
    """Zero is a limit, minus one is a mistake (to the server, too, which would fail)."""
    assert len(ws.runs(workflow="text2img", limit=0)) == 0
    for limit in (-1, 2.5, "all"):
        with pytest.raises(comfynb.InputError, match="is no number of runs"):
            ws.runs("text2img", limit=limit)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::comfynb.warnings.PartialResultWarning")
def test_what_the_server_cannot_give_is_told_and_the_rest_is_given(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The runs of one workflow that cannot be listed do not cost those of the others."""
    broken = ws.workflow("inpaint").id
    sandbox.knobs.change(fail_next=1, fail_status=500, faults_on=f"/workflow/{broken}/runs")
    with pytest.warns(PartialResultWarning, match="runs of the workflows 'inpaint' could not be read"):
        frame = ws.runs(limit=200)
    assert "inpaint" not in set(frame["name"])
    assert len(frame) > 30


# What it costs


@pytest.mark.parametrize("kind", CACHED)
def test_a_repeated_read_makes_no_request_within_its_time(ws: comfynb.Workspace, sandbox: Sandbox, kind: str) -> None:
    """And one after `reload`."""
    READS[kind](ws)
    first = sandbox.counters.total
    READS[kind](ws)
    assert sandbox.counters.total == first
    READS[kind](ws.reload())
    assert sandbox.counters.total > first


@pytest.mark.parametrize("kind", ["workflows", "deployments", "machines", "catalog"])
def test_refresh_asks_again(ws: comfynb.Workspace, sandbox: Sandbox, kind: str) -> None:
    """And what it brings is kept for the next read."""
    read = getattr(ws, kind)
    read()
    first = sandbox.counters.total
    read(refresh=True)
    second = sandbox.counters.total
    assert second > first
    read()
    assert sandbox.counters.total == second


def test_after_its_time_a_read_asks_again(sandbox: Sandbox) -> None:
    """Machines, whose state decides where a run can go, have a time of their own."""
    with comfynb.connect(sandbox=sandbox, machines_ttl=0, cache_ttl=300) as ws:
        ws.deployments()
        before = sandbox.counters.requests.copy()
        ws.deployments()
        assert sandbox.counters.requests - before == {"GET /machines": 1}
    with comfynb.connect(sandbox=sandbox, cache_ttl=0) as ws:
        ws.workflows()
        before = sandbox.counters.requests.copy()
        ws.workflows()
        assert sandbox.counters.requests - before == {"GET /workflows": 1, "GET /workflows/all": 1}


def test_own_writes_are_seen_at_once(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """What was read before them is forgotten, and nothing else."""
    graph = {"1": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}}}
    assert len(ws.workflows()) == 8
    ws.upload_workflow("ninth", {"nodes": []}, graph, machine="studio-classic-a")
    assert "ninth" in set(ws.workflows()["name"])
    assert "ninth" in set(ws.catalog()["name"])
    assert ws.deployments(workflow="ninth")["environment"].tolist() == ["preview"]
    ws.create_deployment("ninth", machine="studio-classic-a")
    assert set(ws.deployments(workflow="ninth")["environment"]) == {"preview", "production"}
    ws.update_deployment("ninth", machine="serverless-a10g", replace=True)
    assert ws.deployment("ninth").machine == "serverless-a10g"
    ws.upload_workflow("ninth", {"nodes": []}, graph, replace=True, comment="second")
    assert ws.versions("ninth")["version"].tolist() == [2, 1]


def test_an_analysts_first_look_costs_few_requests(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The catalog of eight workflows, one of them without a deployment."""
    ws.catalog()
    assert sandbox.counters.total <= 7
    ws.workflows()
    ws.deployments()
    ws.machines()
    assert sandbox.counters.total <= 7


def test_the_catalog_says_which_workflow_has_no_version() -> None:
    """Which is not the same as a graph that could not be read."""
    world = {"workflows": [{"name": "begun", "versions": []}, {"name": "bare", "versions": [{"workflow_api": {}}]}]}
    with Sandbox(world=world) as sandbox, comfynb.connect(sandbox=sandbox) as ws:
        problems = dict(zip(*(ws.catalog()[name] for name in ("name", "problems")), strict=True))
    assert problems == {"begun": ("it has no version yet",), "bare": ("its graph is not known",)}
