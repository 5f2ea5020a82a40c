"""Answers that no server has sent yet: no row is lost, no error is raised that is not ours, and tables come out."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from comfynb.api import models
from comfynb.api.models import DecodeError, decode, decode_list
from comfynb.frames.catalog import catalog_frame
from comfynb.frames.deployments import deployments_frame
from comfynb.frames.machines import machines_frame
from comfynb.frames.runs import runs_frame
from comfynb.frames.versions import versions_frame
from comfynb.frames.workflows import workflows_frame
from comfynb.services.isolation import DeploymentList
from comfynb.warnings import ComfyWarning, SchemaDriftWarning

MEGABYTE = "x" * 1_000_000
TIME = "2026-11-23T12:55:01.356Z"
GRAPH = {
    "1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "prompt", "default_value": "a fox"}},
    "2": {"class_type": "KSampler", "inputs": {"seed": 5, "text": ["1", 0]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}},
}
DRAWN = {"nodes": [{"id": 1, "type": "Note", "widgets_values": ["Read me."]}], "links": []}
VERSION = {"id": "v", "workflow_id": "w", "version": 3, "created_at": TIME, "workflow": DRAWN, "workflow_api": GRAPH}
INPUT = {"type": "string", "class_type": "ComfyUIDeployExternalText", "input_id": "prompt", "default_value": "a fox"}
OUTPUT = {
    "id": "o",
    "run_id": "r",
    "data": {"images": [{"filename": "a.png", "url": "http://x/a.png"}]},
    "node_meta": {"node_id": "3", "node_class": "SaveImage"},
}
RUN = {
    "id": "r",
    "status": "success",
    "live_status": "Executing SaveImage",
    "progress": 0.5,
    "workflow_id": "w",
    "machine_id": "m",
    "created_at": TIME,
    "ended_at": TIME,
    "duration": "3.5",
    "workflow_inputs": {"prompt": "a fox", "seed": 7, "list": [1]},
    "outputs": [OUTPUT],
    "version": {"id": "v", "version": 3},
}
WORKFLOW = {"id": "w", "name": "text2img", "created_at": TIME, "pinned": True, "selected_machine_id": "m"}

Rows = list[dict[str, Any]]
ROWS: dict[type[BaseModel], dict[str, Any]] = {
    models.Workflow: WORKFLOW,
    models.WorkflowDetail: {**WORKFLOW, "versions": [VERSION, None]},
    models.Version: VERSION,
    models.Deployment: {
        "id": "d",
        "workflow_id": "w",
        "workflow_version_id": "v",
        "machine_id": "m",
        "environment": "production",
        "concurrency_limit": 2,
        "created_at": TIME,
        "workflow": {"id": "w", "name": "text2img"},
        "version": VERSION,
        "input_types": [INPUT],
        "output_types": [],
    },
    models.Machine: {
        "id": "m",
        "name": "studio",
        "type": "classic",
        "status": "ready",
        "gpu": "A100",
        "deleted": False,
    },
    models.Output: OUTPUT,
    models.Run: RUN,
    models.ListedRun: RUN,
    models.DeploymentRuns: {"data": [RUN], "meta": {"totalRowCount": 0}},
    models.Queued: {"run_id": "r", "batch_id": None},
    models.Cancelled: {"status": "success", "message": "Function cancelled"},
    models.CreatedWorkflow: {"workflow_id": "w", "machine_id": "m"},
    models.Upload: {"message": "ok", "file_id": "f", "file_name": "a.png", "file_url": "http://x/a.png"},
}
"""A plausible row of each model."""

TABLES: dict[type[BaseModel], Callable[[Sequence[Any]], pd.DataFrame]] = {
    models.Workflow: workflows_frame,
    models.Machine: machines_frame,
    models.Version: versions_frame,
    models.Deployment: lambda rows: deployments_frame(DeploymentList(tuple(rows))),
    models.ListedRun: runs_frame,
}

NUMBERS = (
    st.integers()
    | st.sampled_from(
        [0, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**40, 1e308, -0.0, 0.1, math.inf, -math.inf, math.nan]
    )
    | st.floats(allow_nan=False)
)
WORDS = st.sampled_from(
    [
        "",
        " ",
        "null",
        "None",
        "NaN",
        "true",
        "3",
        "3.5",
        "1e400",
        "-1",
        "warming-up",
        "<b>",
        "\x00",
        "é",
        "🦊",
        "\ud800",
    ]
) | st.text(max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
QUICK = settings(max_examples=60, deadline=None, database=None, derandomize=True)


def dumped(value: object) -> bytes:
    """Return JSON, with whatever Python's own writer lets through."""
    return json.dumps(value).encode()


def places_in(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the place of everything in a row."""
    found = [at] if at else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        found += places_in(each, (*at, step))
    return found


def put(row: Any, place: tuple[Any, ...], value: Any) -> None:
    """Put a value where another was, if that place is still there."""
    with suppress(KeyError, IndexError, TypeError):
        for step in place[:-1]:
            row = row[step]
        if isinstance(row, dict | list):
            row[place[-1]] = value


@st.composite
def damaged(draw: st.DrawFn, model: type[BaseModel]) -> dict[str, Any]:
    """Draw a plausible row in which some things, at any depth, are something else, with fields that nobody knows."""
    row = copy.deepcopy(ROWS[model])
    places = places_in(row)
    for place in draw(st.lists(st.sampled_from(places), max_size=4)):
        put(row, place, draw(VALUES))
    more = draw(st.dictionaries(st.text(max_size=8) | st.sampled_from(sorted(model.model_fields)), VALUES, max_size=3))
    return {**row, **more}


def read(model: type[BaseModel], content: bytes) -> list[BaseModel]:
    """Decode a list, where only warnings of ours may be shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComfyWarning)
        return decode_list(model, content)


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_damaged_rows_are_rows(model: type[BaseModel]) -> None:
    """As many as came, in their order, each with what is sound in it; a table of them has as many rows."""

    @given(st.lists(damaged(model), max_size=4))
    @QUICK
    def holds(rows: Rows) -> None:
        found = read(model, dumped(rows))
        assert len(found) == len(rows)
        for row, each in zip(rows, found, strict=True):
            for name in ("id", "name", "status", "environment", "workflow_id"):
                if name in model.model_fields and isinstance(row.get(name), str) and "\ud800" not in row[name]:
                    assert getattr(each, name) == row[name], name
        if model in TABLES:
            assert len(TABLES[model](found)) == len(rows)

    check: Callable[[], None] = holds
    check()


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_one_null_costs_no_more_than_itself(model: type[BaseModel]) -> None:
    """At every place of a row there may be null: the row is there, and the others are as they were."""
    whole = ROWS[model]
    sound = read(model, dumped([whole]))[0]
    for place in places_in(whole):
        row = copy.deepcopy(whole)
        put(row, place, None)
        first, second = read(model, dumped([row, whole]))
        assert second == sound
        untouched = set(model.model_fields) & set(whole) - {place[0]}
        assert all(getattr(first, name) == getattr(sound, name) for name in untouched), place


@pytest.mark.parametrize("value", [MEGABYTE, [MEGABYTE], {MEGABYTE: MEGABYTE}, MEGABYTE + "\n" + "é" * 1000])
@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_a_megabyte_may_stand_anywhere(model: type[BaseModel], value: Any) -> None:
    """In each field, known or not; what is told of it is short."""
    for name in [*ROWS[model], "brand_new"]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = decode_list(model, dumped([{**ROWS[model], name: value}, ROWS[model]]))
        assert len(found) == 2
        assert all(issubclass(each.category, SchemaDriftWarning) for each in caught)
        assert all(len(str(each.message)) < 2000 for each in caught)
    if model in TABLES:
        assert len(TABLES[model](found)) == 2


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_what_is_no_row_is_told_and_takes_no_row_along(model: type[BaseModel]) -> None:
    """Numbers, texts, nulls and lists among the rows."""

    @given(st.lists(st.none() | NUMBERS | WORDS | st.lists(VALUES, max_size=2), min_size=1, max_size=3))
    @QUICK
    def holds(others: list[Any]) -> None:
        content = dumped([*others, ROWS[model], *others])
        with pytest.warns(SchemaDriftWarning, match="a row that is no object"):
            assert len(decode_list(model, content)) == 1

    check: Callable[[], None] = holds
    check()


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_single_answers_are_read_in_the_same_way(model: type[BaseModel]) -> None:
    """An object is read, anything else is an error of ours."""

    @given(damaged(model) | VALUES)
    @QUICK
    def holds(value: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ComfyWarning)
            if isinstance(value, dict):
                assert isinstance(decode(model, dumped(value)), model)
            else:
                with pytest.raises(DecodeError):
                    decode(model, dumped(value))

    check: Callable[[], None] = holds
    check()


def test_half_a_character_costs_only_itself() -> None:
    """As where a text was cut in the middle of an emoji; every row is there."""
    rows = [{**WORKFLOW, "name": "fox \ud83e", "description": "whole 🦊"}, WORKFLOW]
    first, second = read(models.Workflow, dumped(rows))
    assert (first.name, first.description) == ("fox ?", "whole 🦊")  # type: ignore[attr-defined]
    assert second == read(models.Workflow, dumped([WORKFLOW]))[0]
    assert decode(models.ListedRun, dumped({**RUN, "live_status": "\udd8a"})).live_status == "?"


@given(
    st.binary(max_size=60)
    | st.sampled_from([b"[" * 5000, b'{"a":' * 5000, b'[{"id": "\xff"}]', b'[{"id": 1}', b"[1e]"])
)
@QUICK
def test_any_bytes_are_read_or_are_an_error_of_ours(content: bytes) -> None:
    """Cut off, nested without end, in no encoding."""
    for model in (models.Workflow, models.ListedRun):
        for reader in (decode, decode_list):
            with warnings.catch_warnings(), suppress(DecodeError):
                warnings.simplefilter("ignore", ComfyWarning)
                reader(model, content)


@given(
    st.lists(damaged(models.Workflow), max_size=3),
    st.lists(damaged(models.Deployment), max_size=3),
    st.lists(damaged(models.Machine), max_size=2),
    st.lists(damaged(models.Version), max_size=2),
)
@QUICK
def test_a_catalog_comes_out_of_damaged_rows(
    workflows: Rows, deployments: Rows, machines: Rows, versions: Rows
) -> None:
    """One row a workflow, whatever its deployments, machines and graphs look like."""
    found: list[Any] = read(models.Workflow, dumped(workflows))
    listed: Any = tuple(read(models.Deployment, dumped(deployments)))
    places: list[Any] = read(models.Machine, dumped(machines))
    newest: Any = {
        each.id: version for each, version in zip(found, read(models.Version, dumped(versions)), strict=False)
    }
    assert len(catalog_frame(found, DeploymentList(listed), places, newest)) == len(workflows)
