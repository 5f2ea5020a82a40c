"""Workflows, versions and machines by id and by name, through the cache, and changes to them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from faults import run, service_for

from comfynb.errors import AmbiguousNameError, ApiError, ConflictError, InputError, NotFoundError
from comfynb.sandbox import Sandbox
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.workflows import Times, WorkflowsService
from comfynb.warnings import PartialResultWarning

UNKNOWN = "00000000-0000-4000-8000-000000000000"
GRAPH = {"1": {"class_type": "SaveImage", "inputs": {}}}


@pytest.fixture
def workflows(service: ComfyUIService) -> WorkflowsService:
    """Return the workflows of the sandbox."""
    return service.workflows


# By name


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("text2img", "text2img"),
        ("TEXT2IMG", "text2img"),
        (" text2img ", "text2img"),
        ("Text to Image", "Text to Image"),
        ("text_to_image", "Text to Image"),
        ("img2vid_wan_2_1", "img2vid - wan 2.1"),
        ("makeimage", "MAKEIMAGE"),
        ({"id": "", "name": "inpaint"}, "inpaint"),
    ],
)
def test_a_workflow_is_found_by_whatever_names_it(workflows: WorkflowsService, given: Any, found: str) -> None:
    """Its name, in any case, or its standard name; a row of a table."""
    assert run(workflows, workflows.find_workflow(given)).name == found


def test_a_workflow_is_found_by_its_id(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """And by anything that holds its id: itself, and a deployment of it."""
    one = sandbox.world.workflow_named("inpaint")
    deployment = next(each for each in sandbox.world.deployments.values() if each.workflow_id == one.id)
    for given in (one.id, one, {"id": one.id}, deployment):
        assert run(workflows, workflows.find_workflow(given)).id == one.id


def test_two_of_a_name_are_ambiguous(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """The error lists both with their ids, and an id decides."""
    first = sandbox.world.workflow_named("inpaint")
    second = sandbox.world.workflow_named("wallpaper of the day")
    second.name = "In Paint"
    first.name = "in-paint"
    with pytest.raises(AmbiguousNameError) as caught:
        run(workflows, workflows.find_workflow("in_paint"))
    assert {each[1] for each in caught.value.candidates} == {first.id, second.id}
    assert first.id in str(caught.value)
    assert not run(workflows, workflows.has_workflow("in_paint"))
    assert run(workflows, workflows.find_workflow(second.id)).name == "In Paint"


def test_an_unknown_name_comes_with_the_nearest_ones(workflows: WorkflowsService) -> None:
    """Similar names are suggested, never taken."""
    with pytest.raises(NotFoundError, match=r"No workflow is called 'text2imgs'\. Nearest: text2img") as caught:
        run(workflows, workflows.get_workflow_by_name("text2imgs"))
    assert caught.value.near[0] == "text2img"


@pytest.mark.parametrize("given", ["", "  ", None, 7, [], {"id": 3}])
def test_what_names_nothing_is_said_so(workflows: WorkflowsService, given: Any) -> None:
    """No request is made for it."""
    with pytest.raises(InputError, match="stands for no workflow"):
        run(workflows, workflows.find_workflow(given))


def test_a_workflow_that_was_made_since_is_found(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """A name that is not in an old list is looked for in a fresh one, once."""
    run(workflows, workflows.get_workflows())
    entry = workflows.cache.peek("workflows")
    assert entry is not None
    object.__setattr__(entry, "stored", entry.stored - 60)
    sandbox.world.workflow_named("inpaint").name = "brand new"
    assert run(workflows, workflows.has_workflow("brand new"))
    before = sandbox.counters.of("GET /workflows")
    assert not run(workflows, workflows.has_workflow("not there"))
    assert sandbox.counters.of("GET /workflows") == before, "the list is fresh, so it is not read again"


def test_the_standard_name_is_that_of_the_rule(workflows: WorkflowsService) -> None:
    """One function, in the rules."""
    assert workflows.standardize_workflow_name("img2vid - wan 2.1") == "img2vid_wan_2_1"


def test_descriptions_come_from_the_other_list(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """`GET /workflows` has none; without the other list there is a warning and a table all the same."""
    described = {each.name for each in run(workflows, workflows.get_workflows()) if each.description}
    assert described == {each.name for each in sandbox.world.workflows.values() if each.description} != set()
    sandbox.knobs.change(fail_next=1, faults_on="GET /api/workflows/all")
    with pytest.warns(PartialResultWarning, match="without descriptions"):
        rows = run(workflows, workflows.get_workflows(refresh=True))
    assert len(rows) == len(sandbox.world.workflows)


# Versions


def test_versions_are_found_by_number_and_by_id(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """The newest without either; `v2` and "2" are the number 2."""
    made = sandbox.world.workflow_named("text2img").versions
    assert [each.version for each in run(workflows, workflows.get_versions("text2img"))] == [3, 2, 1]
    for given, number in [(None, 3), (1, 1), ("2", 2), ("v2", 2), (made[0].id, 1)]:
        found = run(workflows, workflows.get_workflow_version("text2img", given))
        assert found.id == made[number - 1].id


@pytest.mark.parametrize("version", [0, 99, "nonsense", UNKNOWN, -1])
def test_an_unknown_version_is_one_clear_error(workflows: WorkflowsService, version: Any) -> None:
    """Whatever the server makes of it: 404, 422 or 500."""
    with pytest.raises(NotFoundError, match=f"The workflow 'text2img' has no version {version!r}"):
        run(workflows, workflows.get_workflow_version("text2img", version))


def test_a_version_of_another_workflow_is_refused(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """An id that exists, but not here."""
    other = sandbox.world.workflow_named("inpaint").versions[0].id
    with pytest.raises(NotFoundError, match="belongs to another workflow than 'text2img'"):
        run(workflows, workflows.get_workflow_version("text2img", other))


def test_a_workflow_without_versions_says_so(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """The server then lists a null."""
    sandbox.world.workflow_named("wallpaper of the day").versions.clear()
    with pytest.raises(NotFoundError, match="'wallpaper of the day' has no version yet"):
        run(workflows, workflows.newest_version("wallpaper of the day"))


# Deployments of a workflow


def test_production_is_chosen_without_a_word(workflows: WorkflowsService) -> None:
    """Another environment where it is asked for."""
    assert run(workflows, workflows.find_deployment("text2img")).environment == "production"
    assert run(workflows, workflows.find_deployment("text2img", environment="staging")).environment == "staging"


def test_the_only_deployment_is_chosen_whatever_its_environment(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Where there is but one, there is nothing to ask."""
    remove(sandbox, "inpaint", "production", "preview")
    assert run(workflows, workflows.find_deployment("inpaint")).environment == "staging"


def test_several_without_production_are_ambiguous(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """The error lists them with their ids and says how to choose."""
    remove(sandbox, "inpaint", "production")
    with pytest.raises(AmbiguousNameError, match=r"has 2 deployments .* Say which with environment="):
        run(workflows, workflows.find_deployment("inpaint"))


def test_an_environment_without_a_deployment_lists_those_with_one(workflows: WorkflowsService) -> None:
    """Nothing else is taken instead."""
    with pytest.raises(NotFoundError, match=r"no deployment in 'community-share'; it has: preview, production, stag"):
        run(workflows, workflows.find_deployment("inpaint", environment="community-share"))


def test_a_workflow_without_a_deployment_says_what_to_do(workflows: WorkflowsService) -> None:
    """One can be made, or it can be run without."""
    with pytest.raises(NotFoundError, match=r"has no deployment; ws\.create_deployment"):
        run(workflows, workflows.find_deployment("wallpaper of the day"))


def test_deployments_are_filtered_here(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """The server cannot filter by workflow, and its list is kept."""
    assert {each.environment for each in run(workflows, workflows.get_deployments(environment="preview"))} == {
        "preview"
    }
    ids = run(workflows, workflows.get_deployment_ids_by_name("inpaint"))
    assert set(ids) == {"production", "staging", "preview"}
    spent = sandbox.counters.of("GET /deployments")
    run(workflows, workflows.get_deployments(workflow="text2img"))
    assert sandbox.counters.of("GET /deployments") == spent


@pytest.mark.parametrize("given", [UNKNOWN, "malformed"])
def test_an_unknown_deployment_id_is_not_found(workflows: WorkflowsService, sandbox: Sandbox, given: str) -> None:
    """The server says 500; the list, which lacks the id, tells that this means "not found"."""
    with pytest.raises(NotFoundError, match=f"No deployment has the id '{given}'.* lists all 20") as caught:
        run(workflows, workflows.get_deployment_by_id(given))
    assert isinstance(caught.value.__cause__, ApiError)
    assert caught.value.__cause__.status == 500


def test_a_500_of_a_deployment_that_exists_stays_one(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """It is in the list, so it is the server that fails."""
    deployment_id = next(iter(sandbox.world.deployments))
    sandbox.knobs.change(fail_next=1, faults_on=f"/deployment/{deployment_id}")
    with pytest.raises(ApiError, match=r"failed on GET /deployment/{deployment_id} \(500\)") as caught:
        run(workflows, workflows.get_deployment_by_id(deployment_id))
    assert not isinstance(caught.value, NotFoundError)


# Machines


def test_deleted_machines_are_not_listed(workflows: WorkflowsService) -> None:
    """Although the server lists them unless told otherwise."""
    names = {each.name for each in run(workflows, workflows.get_machines())}
    assert "studio-classic-a" in names
    assert "old-box" not in names
    with pytest.raises(NotFoundError, match="No machine is called 'old-box'"):
        run(workflows, workflows.find_machine("old-box"))


def test_a_machine_is_read_by_its_id(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """With its endpoint; a deleted or malformed one is not found."""
    machine = sandbox.world.machine_named("studio-classic-a")
    assert run(workflows, workflows.get_machine_by_id(machine.id)).endpoint == machine.endpoint
    for given in (sandbox.world.machine_named("old-box").id, UNKNOWN, "malformed"):
        with pytest.raises(NotFoundError, match=r"No machine has the id .*, or it is deleted"):
            run(workflows, workflows.get_machine_by_id(given))


def test_the_machine_of_a_workflow_is_its_deployments(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Else the workflow's own."""
    world = sandbox.world
    for name, environment, machine in [
        ("text2img", None, "studio-classic-a"),
        ("text2img", "staging", "serverless-a10g"),
        ("wallpaper of the day", None, "studio-classic-a"),
    ]:
        found = run(workflows, workflows.get_machine_for_workflow(name, environment=environment))
        assert found == world.machine_named(machine).id


def test_prices_are_empty_where_the_server_tells_none(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """A self-hosted server has none; that is no error."""
    assert run(workflows, workflows.get_prices())["A10G"] > 0
    sandbox.knobs.change(fail_next=1, faults_on="gpu-pricing")
    workflows.invalidate_cache()
    assert run(workflows, workflows.get_prices()) == {}


# Inputs


def test_inputs_come_from_the_deployment_and_from_the_graph(workflows: WorkflowsService) -> None:
    """The server's own list lacks the seed, which stands in the graph."""
    names = [each.name for each in run(workflows, workflows.get_workflow_inputs("text2img"))]
    assert {"prompt", "negative_prompt", "seed", "width", "height"} == set(names)
    assert {each.name for each in run(workflows, workflows.get_workflow_inputs("text2img", version=1))} == set(names)
    deployment = run(workflows, workflows.find_deployment("text2img"))
    assert [each.name for each in run(workflows, workflows.get_workflow_inputs(deployment))] == names


def test_the_default_payload_is_what_a_run_would_use(workflows: WorkflowsService) -> None:
    """Defaults, and a seed that is drawn."""
    payload = run(workflows, workflows.create_default_input_payload("text2img"))
    assert payload["width"] == 512
    assert 1 <= payload["seed"] <= 4294967295


def test_a_payload_is_checked_whole(workflows: WorkflowsService) -> None:
    """Every problem at once; a good one comes back as it would be sent."""
    with pytest.raises(InputError) as caught:
        run(workflows, workflows.validate_input_payload("text2img", {"promt": "x", "width": "wide", "seed": 0}))
    assert set(caught.value.problems) == {"promt", "width", "seed"}
    good = run(workflows, workflows.validate_input_payload("text2img", {"prompt": "x", "width": "640", "seed": 7}))
    assert good.send == {"prompt": "x", "width": 640, "seed": 7}


# What a read costs


def test_a_repeated_read_asks_for_nothing(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Within its time everything comes from the cache; refresh, reload and invalidate make one request again."""

    async def read(**how: Any) -> None:
        await workflows.get_workflows(**how)
        await workflows.get_deployments(**how)
        await workflows.get_machines(**how)

    def spent() -> Counter[str]:
        return Counter(sandbox.counters.requests)

    once = {"GET /workflows": 1, "GET /workflows/all": 1, "GET /deployments": 2, "GET /machines": 1}
    run(workflows, read())
    first = spent()
    assert first == once
    run(workflows, read())
    assert spent() == first
    run(workflows, read(refresh=True))
    second = spent()
    assert second - first == Counter(once)
    workflows.invalidate_cache()
    run(workflows, read())
    third = spent()
    assert third - second == Counter(once)
    run(workflows, workflows.reload_workflows())
    assert spent() - third == {"GET /workflows": 1, "GET /workflows/all": 1}


def test_simultaneous_reads_share_their_requests(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Ten who ask at once cost as much as one."""

    async def ten() -> None:
        await asyncio.gather(*(workflows.get_deployments(workflow="text2img") for _ in range(10)))

    run(workflows, ten())
    assert sandbox.counters.of("GET /deployments") == 2
    assert sandbox.counters.of("GET /workflows/all") == 1


def test_times_of_nothing_ask_each_time(sandbox: Sandbox) -> None:
    """Nothing is kept then, and nothing breaks."""
    client = service_for(sandbox.url, sandbox.api_key).client
    workflows = WorkflowsService(client, times=Times(default=0.0, machines=0.0))
    for expected in (1, 2):
        run(workflows, workflows.get_machines())
        assert sandbox.counters.of("GET /machines") == expected
    assert run(workflows, workflows.find_deployment("text2img")).environment == "production"


# Changes


def test_creating_never_replaces_by_accident(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """The server would move production silently; the error says what stands there and what would."""
    with pytest.raises(ConflictError) as caught:
        run(workflows, workflows.create_deployment("text2img", machine="serverless-a10g"))
    message = str(caught.value)
    assert "'text2img' is deployed in production already" in message
    assert "version 2 on 'studio-classic-a'" in message
    assert "replaced by version 3 on 'serverless-a10g' for everybody; say replace=True" in message
    assert sandbox.counters.of("POST") == 0


def test_creating_replaces_when_told_to(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """And the next read shows it, since the old list is forgotten."""
    before = run(workflows, workflows.find_deployment("text2img"))
    made = run(workflows, workflows.create_deployment("text2img", machine="serverless-a10g", version=1, replace=True))
    assert made.id == before.id
    after = run(workflows, workflows.find_deployment("text2img"))
    assert after.machine_id == sandbox.world.machine_named("serverless-a10g").id
    assert after.version is not None
    assert after.version.version == 1


def test_creating_in_an_empty_place_needs_no_word(workflows: WorkflowsService) -> None:
    """There is nothing to replace."""
    made = run(
        workflows, workflows.create_deployment("inpaint", machine="studio-classic-a", environment="private-share")
    )
    assert run(workflows, workflows.find_deployment("inpaint", environment="private-share")).id == made.id


def test_creating_in_an_environment_that_there_is_not_sends_nothing(
    workflows: WorkflowsService, sandbox: Sandbox
) -> None:
    """The server would take any text, and answer with an error of its database."""
    with pytest.raises(InputError, match="There is no environment 'prod'; there are: production, staging"):
        run(workflows, workflows.create_deployment("inpaint", machine="studio-classic-a", environment="prod"))
    assert sandbox.counters.total == 0


def test_creating_sees_what_was_made_a_moment_ago(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """The list is read anew for it, whatever is kept."""
    run(workflows, workflows.get_deployments())
    deployment = sandbox.world.deployments[run(workflows, workflows.find_deployment("inpaint")).id]
    deployment.environment = "private-share"
    with pytest.raises(ConflictError, match="deployed in private-share already"):
        run(workflows, workflows.create_deployment("inpaint", machine="studio-classic-a", environment="private-share"))


def test_creating_over_a_deployment_that_cannot_be_listed_needs_a_word(
    workflows: WorkflowsService, sandbox: Sandbox
) -> None:
    """It stands there although nobody can see what it is."""
    sandbox.knobs.change(broken_workflow=True)
    with pytest.raises(ConflictError, match="in a deployment that the server cannot list"):
        run(
            workflows,
            workflows.create_deployment("style transfer (wip)", machine="studio-classic-a", environment="staging"),
        )


def test_moving_a_deployment_needs_a_word(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Its version and its machine are everybody's."""
    with pytest.raises(ConflictError, match=r"is version 2 on 'studio-classic-a'; it would get version 1 and machine"):
        run(workflows, workflows.update_deployment("text2img", version=1, machine="serverless-a10g"))
    assert sandbox.counters.of("PATCH") == 0
    run(workflows, workflows.update_deployment("text2img", version=1, machine="serverless-a10g", replace=True))
    after = run(workflows, workflows.find_deployment("text2img"))
    assert after.machine_id == sandbox.world.machine_named("serverless-a10g").id


def test_a_setting_of_a_deployment_is_changed_without_a_word(workflows: WorkflowsService) -> None:
    """The read after it shows the change."""
    run(workflows, workflows.update_deployment("text2img", environment="staging", gpu="H100", run_timeout=120))
    assert run(workflows, workflows.find_deployment("text2img", environment="staging")).gpu == "H100"


@pytest.mark.parametrize("changes", [{}, {"run_timout": 5}, {"machine_id": UNKNOWN}, {"workflow_version_id": UNKNOWN}])
def test_an_unknown_setting_is_refused(workflows: WorkflowsService, sandbox: Sandbox, changes: dict[str, Any]) -> None:
    """The server would pass over it, or move the deployment without being asked whether that is meant."""
    with pytest.raises(InputError, match=r"Nothing to change was given|A deployment has no setting"):
        run(workflows, workflows.update_deployment("text2img", **changes))
    assert sandbox.counters.of("PATCH") == 0


@pytest.mark.parametrize("as_text", [False, True])
def test_a_new_workflow_is_uploaded(workflows: WorkflowsService, as_text: bool) -> None:
    """Graphs are given as objects or as JSON text, and the next read shows it."""
    run(workflows, workflows.get_workflows())
    graphs: list[Any] = [{"nodes": []}, GRAPH]
    editor, executed = [json.dumps(graph) for graph in graphs] if as_text else graphs
    made: Any = run(workflows, workflows.upload_workflow("brand new", editor, executed, machine="studio-classic-a"))
    assert run(workflows, workflows.find_workflow("brand new")).id == made.workflow_id
    assert run(workflows, workflows.newest_version("brand new")).workflow_api == GRAPH
    assert run(workflows, workflows.find_deployment("brand new")).environment == "preview", "the server makes one"


def test_uploading_never_makes_a_second_workflow_of_a_name(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """With a word it becomes a new version of the first."""
    with pytest.raises(ConflictError, match=r"is called 'inpaint' already .* say replace=True"):
        run(workflows, workflows.upload_workflow("inpaint", {}, GRAPH))
    assert sandbox.counters.of("POST") == 0
    version: Any = run(workflows, workflows.upload_workflow("inpaint", {}, GRAPH, comment="third", replace=True))
    assert version.version == 2
    assert run(workflows, workflows.newest_version("inpaint")).id == version.id
    assert run(workflows, workflows.get_versions("inpaint"))[0].comment == "third"


def test_a_new_version_of_two_of_a_name_is_ambiguous(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """It is not known which of them is meant."""
    sandbox.world.workflow_named("MAKEIMAGE").name = "inpaint"
    with pytest.raises(AmbiguousNameError, match="2 workflows are called 'inpaint'"):
        run(workflows, workflows.upload_workflow("inpaint", {}, GRAPH, replace=True))


@pytest.mark.parametrize(("graph", "words"), [("{no json", "is no JSON"), ("[]", "JSON object"), (7, "JSON object")])
def test_what_is_no_graph_is_not_uploaded(
    workflows: WorkflowsService, sandbox: Sandbox, graph: Any, words: str
) -> None:
    """The error says which of the two it is, and nothing is sent."""
    with pytest.raises(InputError, match=f"workflow_api .*{words}"):
        run(workflows, workflows.upload_workflow("x", {}, graph))
    assert sandbox.counters.total == 0


def test_a_change_that_fails_forgets_what_was_kept(workflows: WorkflowsService, sandbox: Sandbox) -> None:
    """Its answer may be lost although it was made."""
    run(workflows, workflows.get_deployments())
    sandbox.knobs.change(drop_next=1, drop="after", faults_on="PATCH")
    with pytest.raises(Exception, match="broke before the answer"):
        run(workflows, workflows.update_deployment("text2img", gpu="H100"))
    assert workflows.cache.peek("deployments") is None
    assert run(workflows, workflows.find_deployment("text2img")).gpu == "H100"


def remove(sandbox: Sandbox, name: str, *environments: str) -> None:
    """Take deployments of a workflow out of the sandbox."""
    deployments = sandbox.world.deployments
    owner = sandbox.world.workflow_named(name).id
    for each in list(deployments.values()):
        if each.workflow_id == owner and each.environment in environments:
            del deployments[each.id]
