"""What the server sends is decoded with tolerance: a value that does not fit costs itself and nothing else."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from comfynb.api import models
from comfynb.api.models import DecodeError, decode, decode_list
from comfynb.warnings import SchemaDriftWarning

MODELS = [
    models.Workflow,
    models.WorkflowDetail,
    models.Version,
    models.Deployment,
    models.Machine,
    models.Run,
    models.ListedRun,
    models.DeploymentRuns,
    models.Queued,
    models.Cancelled,
    models.CreatedWorkflow,
    models.Upload,
]


def dumped(value: object) -> bytes:
    """Return JSON."""
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("written", "microsecond"),
    [
        ("2026-11-23 12:55:01.195138", 195138),
        ("2026-11-23T12:55:01.307523", 307523),
        ("2026-11-23T12:55:01.788000Z", 788000),
        ("2026-11-23T12:55:01.356Z", 356000),
        ("2026-11-23T12:55:01.356604+00Z", 356604),
    ],
)
def test_the_five_shapes_of_a_time_become_utc(written: str, microsecond: int) -> None:
    """One of them is no valid time, two have no zone; all are the same second in UTC."""
    row = decode(models.Workflow, dumped({"id": "w", "created_at": written}))
    assert row.created_at == datetime(2026, 11, 23, 12, 55, 1, microsecond, tzinfo=UTC)


@pytest.mark.parametrize("written", ["yesterday", "", 17.5e30, [], {}, True])
def test_what_is_no_time_is_missing(written: object) -> None:
    """Without a warning, since it may be any word."""
    assert decode(models.Run, dumped({"id": "r", "ended_at": written})).ended_at is None


@pytest.mark.parametrize("model", MODELS)
def test_every_field_may_be_missing_or_null(model: type[BaseModel]) -> None:
    """An empty object and one of nulls are read in silence, but for an id that is null."""
    decode(model, b"{}")
    nulls = {name: None for name in model.model_fields if name != "id"}
    decode(model, dumped(nulls))


@pytest.mark.parametrize("model", [models.Workflow, models.Deployment, models.Machine, models.Run, models.Version])
def test_unknown_fields_are_kept(model: type[BaseModel]) -> None:
    """What a newer server adds is there, under its name."""
    row = decode(model, dumped({"id": "x", "brand_new": {"since": 2027}}))
    assert row.brand_new == {"since": 2027}  # type: ignore[attr-defined]


def test_unknown_words_stay_what_they_are() -> None:
    """Statuses, types and environments are open sets."""
    row = decode(models.Machine, dumped({"id": "m", "status": "hibernating", "type": "orbital", "gpu": "Z9"}))
    assert (row.status, row.type, row.gpu) == ("hibernating", "orbital", "Z9")


def test_numbers_may_come_as_text_and_text_as_numbers() -> None:
    """A version "3", a progress "0.5", an id 17."""
    version = decode(models.Version, dumped({"id": 17, "version": "3", "comment": 4}))
    assert (version.id, version.version, version.comment) == ("17", 3, "4")
    assert decode(models.Run, dumped({"id": "r", "progress": "0.5", "queue_position": "2"})).progress == 0.5


def test_a_workflow_without_versions_has_a_null_among_them() -> None:
    """That is how the server says it."""
    assert decode(models.WorkflowDetail, dumped({"id": "w", "versions": [None]})).versions == [None]


def test_a_value_that_does_not_fit_costs_only_itself() -> None:
    """The other rows and the other fields are read, and one warning says what is missing."""
    rows = [
        {"id": "a", "name": "one", "version": 1},
        {"id": "b", "name": ["no", "name"], "pinned": "perhaps", "created_at": "2026-11-23 12:55:01.195138"},
        "no row",
        None,
        {"id": "c", "name": "three"},
    ]
    with pytest.warns(SchemaDriftWarning) as caught:
        found = decode_list(models.Workflow, dumped(rows), "GET /workflows")
    assert [(row.id, row.name) for row in found] == [("a", "one"), ("b", None), ("c", "three")]
    assert found[1].created_at is not None
    (warning,) = caught
    assert str(warning.message).startswith(
        "GET /workflows has values that comfynb does not know; they are shown as mis"
    )
    assert "Workflow.name" in str(warning.message)


def test_an_output_that_does_not_fit_costs_no_other_output() -> None:
    """The picture of a run is not lost over a row of another shape beside it."""
    good = {"id": "o1", "data": {"images": [{"filename": "a.png"}]}}
    rows = ["text", {"id": {}, "data": {"text": ["kept"]}}, good, 7]
    with pytest.warns(SchemaDriftWarning, match="Run.outputs"):
        found = decode(models.Run, dumped({"id": "r", "outputs": rows, "progress": "much"}))
    assert found.progress is None
    assert [(o.id, o.data) for o in found.outputs or []] == [(None, {"text": ["kept"]}), ("o1", good["data"])]


def test_a_field_in_an_embedded_thing_costs_only_itself() -> None:
    """A deployment's version keeps its graph although its number is no number."""
    row = {"id": "d", "version": {"id": "v", "version": "newest", "workflow_api": {"1": {}}}, "workflow": {"id": [1]}}
    with pytest.warns(SchemaDriftWarning, match="Deployment.version"):
        found = decode(models.Deployment, dumped(row))
    assert found.version is not None
    assert (found.version.id, found.version.version, found.version.workflow_api) == ("v", None, {"1": {}})
    assert found.workflow == models.NamedRef()


def test_input_types_that_are_no_list_are_missing() -> None:
    """Then the inputs come from the graph alone."""
    assert decode(models.Deployment, dumped({"id": "d", "input_types": {"a": 1}})).input_types is None


def test_the_graphs_of_listed_runs_are_dropped() -> None:
    """They are kilobytes in every row of the v1 list."""
    row = {"id": "r", "version": {"id": "v", "version": 2, "workflow": {"big": 1}, "workflow_api": {}}, "run_log": "x"}
    found = decode_list(models.ListedRun, dumped([row]))[0]
    assert found.model_dump(exclude_none=True) == {"id": "r", "version": {"id": "v", "version": 2}}


@pytest.mark.parametrize("content", [b"", b"[", b"null", b"7", b'"x"', b"[]", b"{]", b"\xff"])
def test_what_is_no_object_is_an_error(content: bytes) -> None:
    """Nothing is made up for an answer of another shape."""
    with pytest.raises(DecodeError, match=r"it is no JSON|an object was expected"):
        decode(models.Run, content)


@pytest.mark.parametrize("content", [b"", b"[{]", b"null", b"{}", b'{"data": []}'])
def test_what_is_no_list_is_an_error(content: bytes) -> None:
    """The same for lists."""
    with pytest.raises(DecodeError, match=r"it is no JSON|a list was expected"):
        decode_list(models.Run, content)


def test_a_warning_can_be_made_an_error() -> None:
    """A strict notebook turns drift into a failure, with the usual filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", SchemaDriftWarning)
        with pytest.raises(SchemaDriftWarning):
            decode_list(models.Machine, dumped([{"id": "m", "name": {}}]))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("model", MODELS)
def test_no_row_is_ever_lost(model: type[BaseModel]) -> None:
    """Whatever stands in its fields, an object in a list is a row."""
    fields = st.dictionaries(st.sampled_from(sorted(model.model_fields)), ANYTHING, max_size=4)

    @given(st.lists(fields, max_size=4))
    @settings(max_examples=30, deadline=None, database=None, derandomize=True)
    def holds(rows: list[dict[str, Any]]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SchemaDriftWarning)
            found = decode_list(model, dumped(rows))
        assert len(found) == len(rows)

    check: Callable[[], None] = holds
    check()
