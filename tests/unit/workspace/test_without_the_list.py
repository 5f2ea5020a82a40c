"""Where the server fails on its list of deployments as a whole, single ones are still run and looked at."""

from __future__ import annotations

import warnings

import pytest

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.warnings import PartialResultWarning

LIST = "GET /deployments"


@pytest.fixture
def ids(ws: comfynb.Workspace, sandbox: Sandbox) -> dict[str, str]:
    """Return the deployments of text2img by environment; from now on the list of all fails for good."""
    frame = ws.deployments(workflow="text2img")
    ws.reload()
    sandbox.knobs.change(fail_next=10_000, fail_status=500, faults_on="GET /api/deployments")
    return dict(zip(frame["environment"], frame["id"], strict=True))


def test_a_deployment_runs_by_its_id(ws: comfynb.Workspace, sandbox: Sandbox, ids: dict[str, str]) -> None:
    """It is read by itself; one warning says why."""
    with pytest.warns(PartialResultWarning, match=r"cannot be listed, so they are read one by one: .*\(500\)") as told:
        run = ws.run(ids["staging"], prompt="a red fox")
    assert len(told) == 1
    assert run.status == "success"
    assert sandbox.world.runs[run.id].deployment_id == ids["staging"]


@pytest.mark.filterwarnings("ignore::comfynb.warnings.PartialResultWarning")
@pytest.mark.parametrize(("asked", "chosen"), [(None, "production"), ("preview", "preview")])
def test_a_workflow_runs_by_its_name(
    ws: comfynb.Workspace, sandbox: Sandbox, ids: dict[str, str], asked: str | None, chosen: str
) -> None:
    """Its deployments have a route of their own."""
    run = ws.submit("text2img", environment=asked)
    assert sandbox.world.runs[run.id].deployment_id == ids[chosen]


@pytest.mark.filterwarnings("ignore::comfynb.warnings.PartialResultWarning")
def test_what_is_meant_is_as_clear_as_with_the_list(ws: comfynb.Workspace, ids: dict[str, str]) -> None:
    """No deployment at all, none in that environment, several without production: each is said as ever."""
    assert any("has no deployment" in note for note in ws.prepare("wallpaper of the day").notes)
    with pytest.raises(comfynb.NotFoundError, match="no deployment in 'community-share'; it has: preview, production"):
        ws.prepare("text2img", environment="community-share")
    with pytest.raises(comfynb.NotFoundError, match="No workflow is called 'text2imgs'"):
        ws.prepare("text2imgs")
    assert ws.workflow("text2img").id == ws.prepare(ids["production"]).workflow.id
    assert ws.deployment(ids["staging"]).environment == "staging"


@pytest.mark.filterwarnings("ignore::comfynb.warnings.PartialResultWarning")
def test_an_id_that_the_server_cannot_read_is_the_servers_error(ws: comfynb.Workspace, ids: dict[str, str]) -> None:
    """Without the list nobody knows whether its 500 means that there is no such deployment."""
    unknown = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(comfynb.ApiError, match=r"failed on GET /deployment/\{deployment_id\} \(500\)") as caught:
        ws.submit(unknown)
    assert not isinstance(caught.value, comfynb.NotFoundError)


def test_runs_of_a_workflow_are_listed(ws: comfynb.Workspace, ids: dict[str, str]) -> None:
    """Only the environments of their deployments are not known."""
    with pytest.warns(PartialResultWarning, match="cannot be listed"):
        run = ws.submit("text2img")
    frame = ws.runs(workflow="text2img", limit=5)
    assert frame["id"].tolist() == [run.id]
    assert frame["environment"].isna().all()
    assert ws.runs(deployment=ids["production"], limit=5)["environment"].tolist() == ["production"]


def test_the_list_is_not_asked_for_again_and_again(
    ws: comfynb.Workspace, sandbox: Sandbox, ids: dict[str, str]
) -> None:
    """Who can do without it asks once in a while, and warns as often."""
    with pytest.warns(PartialResultWarning):
        ws.prepare(ids["production"])
    spent = sandbox.counters.of(LIST)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ws.prepare("text2img")
        ws.runs(workflow="text2img")
    assert sandbox.counters.of(LIST) == spent


@pytest.mark.filterwarnings("ignore::comfynb.warnings.PartialResultWarning")
def test_the_table_of_deployments_says_that_it_cannot_be_had(
    ws: comfynb.Workspace, sandbox: Sandbox, ids: dict[str, str]
) -> None:
    """It is no empty table, and is there again as soon as the server lists them."""
    ws.prepare(ids["production"])
    with pytest.raises(comfynb.ApiError, match=r"GET /deployments \(500\)"):
        ws.deployments()
    sandbox.knobs.change(fail_next=0)
    assert len(ws.deployments()) == 20


def test_a_refused_key_is_no_reason_to_go_on(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Single ones would be refused, too; so would everything after a limit."""
    sandbox.knobs.change(limit_next=10_000, retry_after=0.0, faults_on="GET /api/deployments")
    with pytest.raises(comfynb.RateLimitError):
        ws.prepare("text2img")
    assert sandbox.counters.of("GET /workflow/") == 0
