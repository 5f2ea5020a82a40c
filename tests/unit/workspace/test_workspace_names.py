"""What an argument may be: an id, a name, an object of ours, a row of one of our tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import comfynb
from comfynb.sandbox import Sandbox

GRAPH = {"1": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}}}


def forms(frame: pd.DataFrame, column: str, value: str) -> list[Any]:
    """Return a row of a table in all the forms in which an analyst holds one."""
    rows = frame[frame[column] == value]
    return [
        rows.iloc[0],
        rows.iloc[0].to_dict(),
        rows.to_dict("records")[0],
        next(rows.itertuples()),
        next(rows.itertuples(index=False)),
        next(row for _, row in rows.iterrows()),
    ]


def test_a_workflow_may_be_given_in_every_form(ws: comfynb.Workspace) -> None:
    """Id, name, other spelling, object, row of the workflows, of the catalog, of its deployments."""
    frame = ws.workflows()
    identifier = frame.set_index("name").loc["img2vid - wan 2.1", "id"]
    names = [identifier, f" {identifier} ", "img2vid - wan 2.1", "IMG2VID - Wan 2.1", "img2vid_wan_2_1"]
    objects = [ws.workflow(identifier), ws.deployment("img2vid - wan 2.1"), ws.prepare("img2vid - wan 2.1").workflow]
    rows = [
        *forms(frame, "id", identifier),
        *forms(ws.catalog(), "id", identifier),
        *forms(ws.deployments(), "workflow_id", identifier),
    ]
    for given in (*names, *objects, *rows):
        assert ws.workflow(given).id == identifier
        assert ws.versions(given)["version"].tolist() == [1]
        assert ws.inputs(given)["name"].tolist()[:2] == ["image_url", "positive_prompt"]
        assert ws.prepare(given).workflow.id == identifier
        assert set(ws.deployments(workflow=given)["environment"]) == {"production", "staging"}
    run = ws.submit(rows[0])
    assert ws.runs(workflow=rows[-1], limit=3)["id"].tolist() == [run.id]


def test_a_deployment_may_be_given_in_every_form(ws: comfynb.Workspace) -> None:
    """Each of its forms stands for that very deployment, not for its workflow's in production."""
    frame = ws.deployments(workflow="text2img")
    staging = frame[frame["environment"] == "staging"].iloc[0]["id"]
    found = ws.deployment(staging)
    for given in (staging, found, *forms(frame, "id", staging), *ws.workflow("text2img").deployments):
        if getattr(given, "environment", "staging") != "staging":
            continue
        assert ws.deployment(given).id == staging
        prepared = ws.prepare(given)
        assert prepared.deployment is not None
        assert prepared.deployment.id == staging
        assert len(ws.inputs(given)) == 5


def test_a_machine_may_be_given_in_every_form(ws: comfynb.Workspace) -> None:
    """Also the row of a deployment stands for its machine."""
    frame = ws.machines()
    identifier = frame.set_index("name").loc["Serverless A100", "id"]
    names = [identifier, "Serverless A100", "serverless a100", "serverless_a100"]
    rows = [*forms(frame, "id", identifier), *forms(ws.deployments(), "machine_id", identifier)]
    for given in (*names, ws.machine(identifier), *rows):
        assert ws.machine(given).id == identifier
        assert ws.prepare("text2img", machine=given).machine_id == identifier


def test_a_run_may_be_given_in_every_form(ws: comfynb.Workspace) -> None:
    """Id, handle, row of the runs."""
    run = ws.run("text2img", prompt="x")
    frame = ws.runs(workflow="text2img", limit=5)
    for given in (run.id, run, *forms(frame, "id", run.id)):
        assert ws.get_run(given).id == run.id
        assert ws.outputs(given)["kind"].tolist() == ["image"]


def test_a_version_may_be_a_number_or_an_id(ws: comfynb.Workspace) -> None:
    """A number may be numpy's, as it stands in a table."""
    number = ws.versions("MAKEIMAGE").loc[1, "version"]
    identifier = ws.versions("MAKEIMAGE").loc[1, "id"]
    for given in (1, "1", "v1", number, identifier):
        assert ws.prepare("MAKEIMAGE", version=given).version.id == identifier


def test_the_exact_name_comes_before_other_spellings(ws: comfynb.Workspace) -> None:
    """A name that others fit too, if one is not strict, is no problem."""
    ws.upload_workflow("Text2Img", {"nodes": []}, GRAPH)
    assert ws.workflow("text2img").name == "text2img"
    assert ws.workflow("Text2Img").name == "Text2Img"


@pytest.mark.parametrize("name", ["TEXT2IMG", "text2img!"])
def test_a_name_that_fits_several_is_an_error_that_lists_their_ids(
    ws: comfynb.Workspace, sandbox: Sandbox, name: str
) -> None:
    """And each id can be given instead."""
    ws.upload_workflow("Text2Img", {"nodes": []}, GRAPH)
    with pytest.raises(comfynb.AmbiguousNameError, match="fits 2 workflows") as caught:
        ws.submit(name)
    identifiers = {identifier for _, identifier in caught.value.candidates}
    assert identifiers == {each.id for each in sandbox.world.workflows.values() if each.name.lower() == "text2img"}
    assert all(identifier in str(caught.value) for identifier in identifiers)
    assert {ws.workflow(identifier).id for identifier in identifiers} == identifiers
    assert sandbox.counters.of("POST /run") == 0


@pytest.mark.parametrize(
    ("call", "near"),
    [
        (lambda ws: ws.workflow("text2imgg"), "text2img"),
        (lambda ws: ws.versions("up scale esrgan"), "upscale_esrgan"),
        (lambda ws: ws.machine("serverles-a10g"), "serverless-a10g"),
        (lambda ws: ws.runs(workflow="makeimages"), "MAKEIMAGE"),
        (lambda ws: ws.deployment("in paint"), "inpaint"),
    ],
)
def test_a_wrong_name_is_an_error_with_the_nearest_ones(
    ws: comfynb.Workspace, call: Callable[[comfynb.Workspace], Any], near: str
) -> None:
    """They are suggested, and never taken."""
    with pytest.raises(comfynb.NotFoundError, match=f"Nearest: {near}") as caught:
        call(ws)
    assert caught.value.near[0] == near


@pytest.mark.parametrize(
    "call",
    [
        lambda ws: ws.get_run("not-a-run"),
        lambda ws: ws.get_run("00000000-0000-4000-8000-000000000000"),
        lambda ws: ws.outputs("not/a/run?x=1"),
        lambda ws: ws.deployment("00000000-0000-4000-8000-000000000000"),
        lambda ws: ws.machine("00000000-0000-4000-8000-000000000000"),
        lambda ws: ws.workflow("00000000-0000-4000-8000-00000000000Z"),
        lambda ws: ws.versions("../../machines"),
        lambda ws: ws.prepare("text2img", version="00000000-0000-4000-8000-000000000000"),
        lambda ws: ws.prepare("text2img", version="x y"),
        lambda ws: ws.prepare("text2img", version=-1),
    ],
)
def test_a_malformed_or_unknown_id_is_not_found(
    ws: comfynb.Workspace, call: Callable[[comfynb.Workspace], Any]
) -> None:
    """Whatever the server makes of it: 404, 422 or 500."""
    with pytest.raises(comfynb.NotFoundError) as caught:
        call(ws)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("thing", [None, 7, "", "  ", [], {}, object(), float("nan")])
def test_what_stands_for_nothing_is_an_error(ws: comfynb.Workspace, sandbox: Sandbox, thing: Any) -> None:
    """That says what may be given."""
    for call in (ws.workflow, ws.versions, ws.deployment, ws.machine, ws.get_run, ws.outputs, ws.prepare):
        with pytest.raises(comfynb.InputError, match=r"stands for no .*; give a name, an id, or a row"):
            call(thing)  # type: ignore[operator]


def test_somebody_elses_run_is_refused(ws: comfynb.Workspace, empty: comfynb.Workspace) -> None:
    """As the server says: it exists, and this key may not see it."""
    run = ws.submit("text2img")
    with pytest.raises(comfynb.PermissionDeniedError):
        empty.get_run(run.id)


def test_what_was_made_a_moment_ago_is_found(
    ws: comfynb.Workspace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that the list did not have is looked for once more, if that was read some time ago."""
    ws.workflows()
    with comfynb.connect(sandbox=sandbox) as colleague:
        colleague.upload_workflow("brand new", {"nodes": []}, GRAPH)
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert ws.workflow("brand new").name == "brand new"
