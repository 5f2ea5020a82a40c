"""What a real server answered parses into our models, comes out of the tables, and becomes the right error."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import httpx
import pandas as pd
import pytest
from pydantic import BaseModel

from comfynb.api import models
from comfynb.api.answers import Answer, raise_for
from comfynb.errors import (
    ApiError,
    AuthenticationError,
    CreditsError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from comfynb.frames.deployments import deployments_frame
from comfynb.frames.machines import machines_frame
from comfynb.frames.outputs import outputs_frame
from comfynb.frames.runs import runs_frame
from comfynb.frames.versions import versions_frame
from comfynb.frames.workflows import workflows_frame
from comfynb.rules.inputs import input_definitions
from comfynb.services.catalogue.inputs import definitions_of
from comfynb.services.isolation import DeploymentList
from comfynb.services.results import result_files
from tests.contract.recorded import Recording, exchanges, folder, load_all

WHERE = folder()
CONTENTS = load_all(WHERE) if WHERE is not None else {}
RECORDED = [each for each in exchanges(CONTENTS) if each.in_scope]

LISTS: tuple[tuple[str, type[BaseModel]], ...] = (
    (r"GET /api/workflows(/all)?", models.Workflow),
    (r"GET /api/workflow/[^/]+/versions", models.Version),
    (r"GET /api/workflow/[^/]+/deployments", models.Deployment),
    (r"GET /api/deployments", models.Deployment),
    (r"GET /api/machines(/all)?", models.Machine),
    (r"GET /api/workflow/[^/]+/runs", models.ListedRun),
    (r"GET /api/v2/workflow/[^/]+/runs", models.ListedRun),
    (r"GET /api/workflow/[^/]+/(runs/day|run/latest)", models.ListedRun),
    (r"GET /api/workflow/[^/]+/gallery", models.Output),
    (r"GET /api/machine/[^/]+/workflows", models.Workflow),
    (r"GET /api/assets(/search)?", models.Asset),
)
OBJECTS: tuple[tuple[str, type[BaseModel]], ...] = (
    (r"GET /api/workflow/[0-9a-f-]{36}", models.WorkflowDetail),
    (r"GET /api/workflow/[^/]+/version/\d+", models.Version),
    (r"GET /api/workflow-version/[^/]+", models.Version),
    (r"POST /api/workflow/[^/]+/version", models.Version),
    (r"POST /api/workflow", models.CreatedWorkflow),
    (r"GET /api/deployment/[0-9a-f-]{36}", models.Deployment),
    (r"POST /api/deployment", models.Deployment),
    (r"PATCH /api/deployment/[^/]+", models.Deployment),
    (r"GET /api/deployment/[^/]+/runs", models.DeploymentRuns),
    (r"GET /api/machine/[0-9a-f-]{36}", models.Machine),
    (r"GET /api/run(/[0-9a-f-]{36})?", models.Run),
    (r"POST /api/run(/deployment/queue|/workflow/queue|/queue)?", models.Queued),
    (r"POST /api/run/[^/]+/cancel", models.Cancelled),
    (r"POST /api/file/upload", models.Upload),
    (r"GET /api/(file-upload|assets/presigned-url)", models.UploadTarget),
    (r"(GET /api/assets/[^/]+|POST /api/assets/(register|upload))", models.Asset),
    (r"(PATCH /api/workflow/[^/]+|POST /api/workflow/[^/]+/clone)", models.Workflow),
    (r"(POST /api/machine/(custom|serverless)|PATCH /api/machine/custom/[^/]+)", models.Machine),
    (r"DELETE /api/.*", models.Done),
    (r"GET /api/runs/count", models.RunCount),
)
RAW = r"GET /api/(workflow/[^/]+/export|machine/[^/]+/events|platform/gpu-pricing)"
"""Routes whose answers are handed on as they come."""

pytestmark = pytest.mark.skipif(
    WHERE is None, reason="no recordings of a real server here; COMFYNB_RECORDINGS names their folder"
)


def model_of(recording: Recording, table: tuple[tuple[str, type[BaseModel]], ...]) -> type[BaseModel] | None:
    request = f"{recording.method} {recording.path}"
    return next((model for pattern, model in table if re.fullmatch(pattern, request)), None)


def good(recording: Recording) -> bool:
    return recording.status < 300 and not (isinstance(recording.answer, dict) and "__text__" in recording.answer)


def names(recordings: list[Recording]) -> list[str]:
    return [recording.name for recording in recordings]


LISTED = [each for each in RECORDED if good(each) and model_of(each, LISTS) and isinstance(each.answer, list)]
SINGLE = [each for each in RECORDED if good(each) and model_of(each, OBJECTS) and isinstance(each.answer, dict)]
REFUSED = [each for each in RECORDED if each.status >= 400]


def table_of(rows: list[Any]) -> pd.DataFrame:
    first = rows[0]
    if isinstance(first, models.Workflow):
        return workflows_frame(rows)
    if isinstance(first, models.Deployment):
        return deployments_frame(DeploymentList(tuple(rows)), [], [])
    if isinstance(first, models.Machine):
        return machines_frame(rows)
    if isinstance(first, models.Version):
        return versions_frame(rows)
    if isinstance(first, models.Asset | models.Output):
        return pd.DataFrame([row.model_dump() for row in rows])
    return runs_frame(rows, workflows=[], machines=[], deployments=[])


@pytest.mark.parametrize("recording", LISTED, ids=names(LISTED))
def test_a_recorded_list_parses_and_comes_out_of_its_table(recording: Recording) -> None:
    """Every row is there, with its id, its times and no value that had to be dropped."""
    model = model_of(recording, LISTS)
    assert model is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = models.decode_list(model, json.dumps(recording.answer).encode())
    assert [row.id for row in rows] == [each["id"] for each in recording.answer]
    for row, each in zip(rows, recording.answer, strict=True):
        for name in ("created_at", "updated_at", "ended_at", "queued_at", "started_at"):
            if each.get(name) is not None and name in model.model_fields:
                assert getattr(row, name).tzinfo is not None
    if rows:
        table = table_of(rows)
        assert table["id"].tolist() == [each["id"] for each in recording.answer]


@pytest.mark.parametrize("recording", SINGLE, ids=names(SINGLE))
def test_a_recorded_object_parses(recording: Recording) -> None:
    """Nothing had to be dropped, and what it says of inputs and outputs can be read."""
    model = model_of(recording, OBJECTS)
    assert model is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = models.decode(model, json.dumps(recording.answer).encode())
    if isinstance(found, models.Deployment) and found.version is not None:
        given = {row["input_id"] for row in recording.answer.get("input_types") or ()}
        assert given <= {definition.name for definition in definitions_of(found)}
    if isinstance(found, models.Version):
        assert isinstance(input_definitions(None, found.workflow_api), tuple)
    if isinstance(found, models.Run):
        files = result_files(found.outputs, found.id)
        urls = {item["url"] for item in _files(recording.answer["outputs"]) if "url" in item}
        assert urls == {file.url for file in files if file.url is not None}
        assert len(outputs_frame(files)) == len(files)


def _files(outputs: Any) -> list[dict[str, Any]]:
    found = []
    for row in outputs:
        data = row["data"] if isinstance(row["data"], dict) else {}
        lists = (items for items in data.values() if isinstance(items, list))
        found += [item for items in lists for item in items if isinstance(item, dict)]
    return found


@pytest.mark.parametrize("recording", REFUSED, ids=names(REFUSED))
def test_a_recorded_error_becomes_its_class_and_keeps_the_servers_words(recording: Recording) -> None:
    """The message says what was called; the class says what kind of error it is."""
    body = recording.answer
    text = isinstance(body, dict) and "__text__" in body
    content = body["__text__"].encode() if text else json.dumps(body).encode()
    headers = httpx.Headers(recording.answer_headers)
    answer = Answer(recording.status, content, headers.get("content-type", "").lower(), headers)
    with pytest.raises(ApiError) as caught:
        raise_for(answer, method=recording.method, path=recording.path, server="https://host")
    error = caught.value
    assert type(error) is expected(recording)
    assert error.status == recording.status
    if isinstance(body, dict) and isinstance(body.get("detail"), str) and len(body["detail"]) < 200:
        assert " ".join(body["detail"].split()) in error.detail
    if isinstance(body, dict) and isinstance(body.get("detail"), list):
        assert all(problem["msg"] in error.detail for problem in body["detail"][:1])


def expected(recording: Recording) -> type[ApiError]:
    words = json.dumps(recording.answer)
    if recording.status == 403 and "credit" in words:
        return CreditsError
    return {
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        429: RateLimitError,
    }.get(recording.status, ApiError)


LIVES = sorted(name for name, content in CONTENTS.items() if isinstance(content, dict) and "distinct_states" in content)


@pytest.mark.parametrize("name", LIVES)
def test_a_recorded_life_of_a_run_is_shown_without_a_step_back(name: str) -> None:
    """Whatever order the server's answers came in, status and progress only go on, and the end is the server's."""
    from comfynb.services.watching import State

    state, shown = State(), []
    for seen in CONTENTS[name]["distinct_states"]:
        if seen["status"] != 200:
            continue
        run = models.decode(models.Run, json.dumps(seen["body"]).encode())
        state.take(run)
        shown.append((state.seen.status, state.seen.progress))
    order = ["not-started", "queued", "started", "running", "uploading", "success", "failed", "timeout", "cancelled"]
    positions = [order.index(status) for status, _ in shown]
    assert positions == sorted(positions)
    assert [progress for _, progress in shown] == sorted(progress for _, progress in shown)
    assert shown[-1][0] == run.status


def test_no_recording_in_scope_is_left_out() -> None:
    """Each is a list, an object or an error that is looked at above, or no answer of the API at all."""
    looked_at = {each.name for each in (*LISTED, *SINGLE, *REFUSED)}
    left = [each for each in RECORDED if each.name not in looked_at]
    assert [each.name for each in left if not _needs_no_model(each)] == []
    assert looked_at or not RECORDED


def _needs_no_model(recording: Recording) -> bool:
    body = recording.answer
    text = body is None or (isinstance(body, dict) and "__text__" in body)  # a redirect, or a page
    return text or re.fullmatch(RAW, f"{recording.method} {recording.path}") is not None
