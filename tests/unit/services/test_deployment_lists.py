"""All deployments are listed: fluid or not, and around those that break the server's list."""

from __future__ import annotations

import pytest
from faults import DROP, QUICK, RawServer, Request, Step, json_answer, run, service_for, text_answer

from comfynb.api.client import ComfyDeployClient
from comfynb.api.connections import Limits
from comfynb.errors import ApiError, AuthenticationError, NotFoundError, TransportError
from comfynb.rules.environments import ENVIRONMENTS
from comfynb.sandbox import Sandbox
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.isolation import DeploymentList, name_broken, read_list
from comfynb.services.workflows import WorkflowsService
from comfynb.warnings import PartialResultWarning

BAD_ENUM = {
    "class_type": "ComfyUIDeployExternalEnum",
    "inputs": {"input_id": "style", "options": "oil, ink", "default_value": "oil"},
}


@pytest.fixture
def workflows(service: ComfyUIService) -> WorkflowsService:
    """Return the workflows of the sandbox."""
    return service.workflows


def break_workflow(sandbox: Sandbox, name: str) -> str:
    """Give all versions of a workflow an enum that the server cannot read; return its id."""
    workflow = sandbox.world.workflow_named(name)
    for version in workflow.versions:
        version.workflow_api["999"] = BAD_ENUM
    return workflow.id


def places(sandbox: Sandbox, *, but: str = "") -> set[str]:
    """Return the ids of all deployments in the sandbox, but for those of a workflow."""
    return {each.id for each in sandbox.world.deployments.values() if each.workflow_id != but}


async def read(client: ComfyDeployClient) -> DeploymentList:
    """Read one of the lists, broken rows named."""
    reading = await read_list(client, is_fluid=None)
    return DeploymentList(tuple(reading.healthy.values()), await name_broken(client, [reading]))


# Both lists


def test_fluid_deployments_are_listed_too(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """The server hides them unless asked; here they are, each once."""
    found = [each.id for each in run(workflows, workflows.get_deployments())]
    assert any(each.fluid for each in sandbox.world.deployments.values())
    assert len(found) == len(set(found))
    assert set(found) == places(sandbox)


def test_a_server_that_hides_nothing_gives_each_deployment_once(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Then both lists have the fluid ones."""
    sandbox.knobs.change(hide_fluid=False)
    found = [each.id for each in run(workflows, workflows.get_deployments())]
    assert sorted(found) == sorted(places(sandbox))


@pytest.mark.parametrize(
    "fault", [text_answer("Internal Server Error"), json_answer({"detail": []}, 422), [DROP], text_answer("", 503)]
)
def test_without_the_fluid_list_the_other_one_is_given(fault: bytes | list[Step]) -> None:
    """An older server may not know the parameter: one warning, and the rest."""

    def respond(request: Request) -> bytes | list[Step]:
        return fault if "is_fluid=true" in request.target else json_answer([{"id": "d1", "workflow_id": "w1"}])

    with RawServer(respond) as server:
        workflows = service_for(server.url, limits=Limits(retries=0)).workflows
        with pytest.warns(PartialResultWarning, match="Fluid deployments could not be listed"):
            assert [each.id for each in run(workflows, workflows.get_deployments())] == ["d1"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (text_answer("Internal Server Error"), ApiError),
        (json_answer({"detail": "Revoked token"}, 401), AuthenticationError),
        (text_answer("", 503), ApiError),
        ([DROP], TransportError),
    ],
)
def test_a_list_that_fails_for_another_reason_is_an_error(fault: bytes | list[Step], kind: type[Exception]) -> None:
    """No row is to blame when not even an empty page can be read."""

    def respond(request: Request) -> bytes | list[Step]:
        plain = "/deployments" in request.target and "is_fluid=true" not in request.target
        return fault if plain else json_answer([])

    with RawServer(respond) as server:
        workflows = service_for(server.url, limits=Limits(retries=0)).workflows
        with pytest.raises(kind):
            run(workflows, workflows.get_deployments())


# Around a broken workflow


def test_one_broken_workflow_hides_no_other(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Every healthy deployment comes back; the broken one is named with workflow, environment and problem."""
    sandbox.knobs.change(broken_workflow=True)
    entry = run(workflows, workflows.deployments.entry()).value
    broken = sandbox.world.workflow_named("style transfer (wip)")
    assert {each.id for each in entry.deployments} == places(sandbox, but=broken.id)
    (problem,) = run(workflows, workflows.get_broken_deployments())
    assert (problem.workflow_id, problem.environment) == (broken.id, "staging")
    assert "cannot list this deployment (500)" in problem.problem


def test_isolating_costs_few_requests(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Halving, not row by row; and nothing more while it is kept."""
    sandbox.knobs.change(broken_workflow=True)
    run(workflows, workflows.get_deployments())
    spent = sandbox.counters.total
    assert spent < 35
    run(workflows, workflows.get_deployments())
    assert sandbox.counters.total == spent


@pytest.mark.parametrize("fluid", [True, False])
def test_a_workflow_that_is_broken_in_several_environments_is_named_in_each(
    workflows: WorkflowsService, sandbox: Sandbox, fluid: bool
) -> None:
    """Also when some of its deployments are in the other list."""
    name = "img2vid - wan 2.1" if fluid else "upscale_esrgan"
    broken = break_workflow(sandbox, name)
    entry = run(workflows, workflows.deployments.entry()).value
    assert {each.id for each in entry.deployments} == places(sandbox, but=broken)
    assert {(each.workflow_id, each.environment) for each in entry.broken} == {
        (broken, "production"),
        (broken, "staging"),
    }


def test_several_broken_workflows_are_isolated(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Each of them is known by its workflow, whatever is known of its environment."""
    broken = {break_workflow(sandbox, "inpaint"), break_workflow(sandbox, "MAKEIMAGE")}
    sandbox.knobs.change(broken_workflow=True)
    entry = run(workflows, workflows.deployments.entry()).value
    broken.add(sandbox.world.workflow_named("style transfer (wip)").id)
    healthy = {each.id for each in sandbox.world.deployments.values() if each.workflow_id not in broken}
    assert {each.id for each in entry.deployments} == healthy
    assert broken <= {each.workflow_id for each in entry.broken}
    assert len(entry.broken) == len(sandbox.world.deployments) - len(healthy)


def test_the_broken_deployment_cannot_be_chosen(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Asking for it says why; asking for a healthy one is as ever."""
    broken = break_workflow(sandbox, "upscale_esrgan")
    with pytest.raises(NotFoundError, match=r"production deployment of 'upscale_esrgan' cannot be used: the server"):
        run(workflows, workflows.find_deployment("upscale_esrgan"))
    with pytest.raises(NotFoundError, match="staging deployment of 'upscale_esrgan' cannot be used"):
        run(workflows, workflows.find_deployment(broken, environment="staging"))
    assert run(workflows, workflows.find_deployment("inpaint")).environment == "production"


def test_a_fault_while_naming_loses_no_healthy_row() -> None:
    """Whose the broken row is may stay unknown; what can be read is read."""

    def respond(request: Request) -> bytes | list[Step]:
        if request.path == "/api/workflows":
            return json_answer([{"id": "w1", "name": "one"}, {"id": "w2", "name": "two"}])
        if request.path.startswith("/api/workflow/"):
            return [DROP]
        if "is_fluid=true" in request.target:
            return json_answer([])
        query = dict(part.split("=") for part in request.target.partition("?")[2].split("&"))
        rows = [{"id": "d1", "workflow_id": "w1", "environment": "production"}, None][int(query["offset"]) :]
        rows = rows[: int(query["page_size"])]
        return text_answer("Internal Server Error") if None in rows else json_answer(rows)

    with RawServer(respond) as server:
        client = service_for(server.url, limits=QUICK).client
        found = run(client, read(client))
    assert [each.id for each in found.deployments] == ["d1"]
    assert [each.workflow_id for each in found.broken] == [None]


@pytest.mark.parametrize(
    ("count", "bad"),
    [(1, {0}), (40, {0}), (40, {39}), (70, {31, 32}), (64, {63}), (33, {32}), (5, {0, 1, 2, 3, 4})],
)
def test_each_broken_place_is_found_wherever_it_stands(count: int, bad: set[int]) -> None:
    """First, last, alone, on both sides of a border between two readings, or all of them."""
    rows = [{"id": f"d{n}", "workflow_id": f"w{n}", "environment": "preview"} for n in range(count)]

    def respond(request: Request) -> bytes:
        if request.path == "/api/workflows":
            return json_answer([{"id": row["workflow_id"]} for row in rows])
        if request.path.startswith("/api/workflow/"):
            number = int(request.path.split("/")[3][1:])
            return text_answer("Internal Server Error") if number in bad else json_answer([rows[number]])
        query = dict(part.split("=") for part in request.target.partition("?")[2].split("&"))
        if query.get("environment", "preview") != "preview":
            return json_answer([])
        places = range(count)[int(query["offset"]) :][: int(query["page_size"])]
        if bad.intersection(places):
            return text_answer("Internal Server Error")
        return json_answer([rows[place] for place in places])

    with RawServer(respond) as server:
        client = service_for(server.url).client
        found = run(client, read(client))
    assert {each.id for each in found.deployments} == {f"d{n}" for n in range(count) if n not in bad}
    assert {(each.workflow_id, each.environment) for each in found.broken} == {(f"w{n}", "preview") for n in bad}


def test_every_environment_is_looked_at() -> None:
    """The six that the server knows."""
    assert set(ENVIRONMENTS) == {
        "production",
        "staging",
        "preview",
        "public-share",
        "private-share",
        "community-share",
    }
