"""Lists, single things and changes, where the server has its own ways."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from sandbox_client import Client

from comfynb.sandbox import Sandbox


def by_name(client: Client, path: str) -> dict[str, Any]:
    """Return the rows of a list by their names."""
    return {row["name"]: row for row in client.get(path).json()}


SHAPES = {
    "spaced": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}",
    "naive": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}",
    "padded": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}000Z",
    "millis": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "broken": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00Z",
}


def test_times_come_in_five_shapes(client: Client) -> None:
    """One of them is no valid time."""
    workflow = client.get("/workflows").json()[0]
    version = client.get(f"/workflow/{workflow['id']}/versions").json()[0]
    created = client.post(f"/workflow/{workflow['id']}/version", json={"workflow": {}, "workflow_api": {}}).json()
    shapes = {
        "spaced": workflow["created_at"],
        "naive": client.get("/workflows/all").json()[0]["created_at"],
        "padded": client.get("/deployments").json()[0]["created_at"],
        "millis": version["created_at"],
        "broken": created["created_at"],
    }
    assert {name: bool(re.fullmatch(SHAPES[name], text)) for name, text in shapes.items()} == dict.fromkeys(
        SHAPES, True
    )


def test_pinned_workflows_come_first(client: Client) -> None:
    """Then the last changed; the other list goes by age."""
    listed = client.get("/workflows").json()
    assert (listed[0]["name"], listed[0]["pinned"]) == ("text2img", True)
    rest = [row["updated_at"] for row in listed[1:]]
    assert rest == sorted(rest, reverse=True)
    ages = [row["created_at"] for row in client.get("/workflows/all").json()]
    assert ages == sorted(ages, reverse=True)


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("IMAGE", {"MAKEIMAGE", "Text to Image"}),
        ("t_xt", {"text2img", "Text to Image"}),
        ("te%img", {"text2img"}),
        ("(", {"poster print (BROKEN)"}),
        ("nothing like it", set()),
    ],
)
def test_a_search_has_the_wildcards_of_the_database(client: Client, search: str, names: set[str]) -> None:
    """Percent and underline stand for others, without regard to case."""
    for path in ("/workflows", "/workflows/all"):
        assert {row["name"] for row in client.get(path, params={"search": search}).json()} == names


def test_pages(client: Client) -> None:
    """Limit and offset cut the list; there is no total anywhere."""
    whole = client.get("/workflows").json()
    paged = [client.get("/workflows", params={"limit": 3, "offset": start}).json() for start in (0, 3, 6, 9)]
    assert [row for page in paged for row in page] == whole
    assert client.get("/workflows", params={"limit": 0}).json() == []


def test_the_list_of_deployments_ignores_a_limit(client: Client) -> None:
    """And an offset without a page size."""
    whole = client.get("/deployments").json()
    assert client.get("/deployments", params={"limit": 2}).json() == whole
    assert client.get("/deployments", params={"offset": 2}).json() == whole
    assert client.get("/deployments", params={"page_size": 2, "offset": 2}).json() == whole[2:4]


def test_a_workflow_embeds_as_many_versions_as_asked(client: Client) -> None:
    """One by default; null stands for none."""
    workflow_id = by_name(client, "/workflows")["text2img"]["id"]
    assert [each["version"] for each in client.get(f"/workflow/{workflow_id}").json()["versions"]] == [3]
    three = client.get(f"/workflow/{workflow_id}", params={"limit": 9}).json()["versions"]
    assert [each["version"] for each in three] == [3, 2, 1]
    assert client.get(f"/workflow/{workflow_id}", params={"limit": 0}).json()["versions"] == [None]
    assert client.get(f"/workflow/{workflow_id}/version/2").json()["version"] == 2
    assert client.get(f"/workflow/{workflow_id}/version/9").status_code == 404


def test_input_definitions_leave_out_what_the_server_does_not_know(client: Client) -> None:
    """Seeds, and where the default of a picture stands."""
    text2img = client.deployment("text2img")
    assert [each["input_id"] for each in text2img["input_types"]] == ["prompt", "negative_prompt", "width", "height"]
    picture = next(each for each in client.deployment("inpaint")["input_types"] if each["input_id"] == "input_image")
    assert picture["default_value"] is None
    assert "default_value_url" not in picture
    choice = next(each for each in client.deployment("upscale_esrgan")["input_types"] if each["enum_options"])
    assert (choice["type"], len(choice["enum_options"])) == ("string", 3)
    assert client.deployment("upscale_esrgan")["output_types"] != []
    assert text2img["output_types"] == []


def test_the_deployments_of_a_workflow_have_a_machine_and_no_output_types(client: Client) -> None:
    """The other way round than in the list of all."""
    listed = client.deployment("text2img")
    rows = client.get(f"/workflow/{listed['workflow_id']}/deployments").json()
    row = next(each for each in rows if each["id"] == listed["id"])
    assert row["machine"] == {"id": listed["machine_id"], "name": "studio-classic-a"}
    assert (listed["machine"], row["output_types"]) == (None, None)


def test_creating_a_deployment_replaces_the_one_that_stands_there(client: Client) -> None:
    """The id stays, version and machine change, and nothing says so."""
    old = client.deployment("text2img")
    version = client.get(f"/workflow/{old['workflow_id']}/version/1").json()["id"]
    machine = by_name(client, "/machines")["serverless-h100"]["id"]
    body = {"workflow_id": old["workflow_id"], "workflow_version_id": version, "machine_id": machine}
    reply = client.post("/deployment", json={**body, "environment": "production"})
    assert reply.status_code == 200
    new = client.deployment("text2img")
    assert (new["id"], new["created_at"]) == (old["id"], old["created_at"])
    assert (new["workflow_version_id"], new["machine_id"]) == (version, machine)
    fresh = client.post("/deployment", json={**body, "environment": "private-share"}).json()
    assert fresh["share_slug"] == "ada_text2img"
    assert client.post("/deployment", json={**body, "environment": "prod"}).status_code == 500
    unknown = {**body, "machine_id": "00000000-0000-4000-8000-000000000000", "environment": "production"}
    assert client.post("/deployment", json=unknown).json()["detail"].endswith("404: Machine not found")


def test_changing_and_deleting_deployments(client: Client) -> None:
    """A change is for everybody; only shared ones can be deleted."""
    deployment = client.deployment("text2img")
    changed = client.patch(f"/deployment/{deployment['id']}", json={"gpu": "L4", "concurrency_limit": 5}).json()
    assert (changed["gpu"], changed["concurrency_limit"]) == ("L4", 5)
    assert client.patch(f"/deployment/{deployment['id']}", json={"gpu": "4090"}).status_code == 422
    assert client.delete(f"/deployment/{deployment['id']}").status_code == 500
    shared = client.deployment("text2img", "public-share")
    assert client.delete(f"/deployment/{shared['id']}").status_code == 200
    assert client.delete(f"/deployment/{shared['id']}").status_code == 500


def test_a_workflow_is_created_from_texts(client: Client) -> None:
    """With a machine it gets a preview deployment, which nobody asked for."""
    machine = by_name(client, "/machines")["studio-classic-a"]["id"]
    graph = {"1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "x"}}}
    body = {"name": "mine", "workflow_json": "{}", "workflow_api": json.dumps(graph), "machine_id": machine}
    created = client.post("/workflow", json=body).json()
    assert list(created) == ["workflow_id", "machine_id"]
    assert client.deployment("mine", "preview")["input_types"][0]["input_id"] == "x"
    assert client.post("/workflow", json={**body, "workflow_json": "{bad"}).json() == {"error": "Invalid JSON format"}
    assert client.post("/workflow", json={**body, "workflow_json": {}}).status_code == 422
    unknown = client.post("/workflow", json={**body, "machine_id": "00000000-0000-4000-8000-000000000000"})
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Machine not found"})


def test_a_new_version_moves_the_preview_deployment(client: Client) -> None:
    """With a machine; and the workflow goes there too."""
    workflow = by_name(client, "/workflows")["text2img"]
    machine = by_name(client, "/machines")["serverless-h100"]["id"]
    body = {"workflow": {}, "workflow_api": {}, "comment": "new", "machine_id": machine}
    created = client.post(f"/workflow/{workflow['id']}/version", json=body).json()
    assert created["version"] == 4
    preview = client.deployment("text2img", "preview")
    assert (preview["workflow_version_id"], preview["machine_id"]) == (created["id"], machine)
    assert by_name(client, "/workflows")["text2img"]["selected_machine_id"] == machine


def test_pinning_drops_every_other_change(client: Client) -> None:
    """Silently; without it the change is made."""
    workflow = by_name(client, "/workflows")["inpaint"]
    path = f"/workflow/{workflow['id']}"
    assert client.patch(path, json={"pinned": True, "name": "other"}).json()["name"] == "inpaint"
    assert client.patch(path, json={"name": "other"}).json()["name"] == "other"


def test_a_deleted_workflow_is_gone(client: Client) -> None:
    """From the lists, and by its id."""
    workflow = by_name(client, "/workflows")["inpaint"]
    client.delete(f"/workflow/{workflow['id']}")
    assert "inpaint" not in by_name(client, "/workflows")
    assert client.get(f"/workflow/{workflow['id']}").status_code == 404
    assert len(client.get("/deployments").json()) == 14


def test_a_copy_of_a_workflow_has_its_newest_version(client: Client) -> None:
    """Under another name."""
    workflow = by_name(client, "/workflows")["text2img"]
    copy = client.post(f"/workflow/{workflow['id']}/clone", json={"name": "copy"}).json()
    versions = client.get(f"/workflow/{copy['id']}/versions").json()
    assert (copy["name"], len(versions)) == ("copy", 1)


def test_machines_are_created_without_a_look_at_them(client: Client) -> None:
    """Ready at once, with the token in the answer; and a status that is sent does nothing."""
    body = {"name": "mine", "type": "classic", "endpoint": "http://nowhere.invalid", "auth_token": "u:p"}
    created = client.post("/machine/custom", json=body).json()
    assert (created["status"], created["auth_token"]) == ("ready", "u:p")
    assert "auth_token" not in client.get(f"/machine/{created['id']}").json()
    changed = client.patch(f"/machine/custom/{created['id']}", json={"status": "paused", "name": "yours"}).json()
    assert (changed["status"], changed["name"]) == ("ready", "yours")
    assert client.post("/machine/custom", json={**body, "type": "local"}).status_code == 422
    assert client.post("/machine/serverless", json={"name": "new", "gpu": "H100"}).json()["status"] == "building"


def test_a_machine_in_use_is_deleted_only_by_force(client: Client) -> None:
    """Then it cannot be found, and its deployments cannot run."""
    machine = by_name(client, "/machines")["studio-classic-a"]["id"]
    refused = client.delete(f"/machine/{machine}")
    assert refused.status_code == 402
    assert "text2img" in refused.json()["detail"]
    assert client.delete(f"/machine/{machine}", params={"force": "true"}).status_code == 200
    assert client.get(f"/machine/{machine}").status_code == 404
    reply = client.queue("text2img")
    assert (reply.status_code, reply.json()) == (404, {"detail": "Machine not found for this deployment"})


def test_filters_of_machines(client: Client) -> None:
    """By kind, by name, and with the question whether they have workflows."""
    kinds = {
        "is_docker": {"comfy-deploy-serverless"},
        "is_self_hosted": {"classic"},
        "is_workspace": set(),
    }
    for name, types in kinds.items():
        assert {row["type"] for row in client.get("/machines", params={name: "true"}).json()} == types
    rows = client.get("/machines", params={"include_has_workflows": "true", "search": "BOX"}).json()
    assert {row["name"]: row["has_workflows"] for row in rows} == {"office-box": False, "old-box": False}


def test_lists_of_runs_differ(client: Client) -> None:
    """The old one is heavy and knows errors; the new one is light; an unknown workflow is empty or 404."""
    workflow_id = by_name(client, "/workflows")["text2img"]["id"]
    old = client.get(f"/workflow/{workflow_id}/runs", params={"limit": 5}).json()
    new = client.get(f"/v2/workflow/{workflow_id}/runs", params={"limit": 5}).json()
    assert [row["id"] for row in old] == [row["id"] for row in new]
    assert {"workflow_inputs", "outputs", "version", "progress", "machine_id"} <= old[0].keys()
    assert not {"workflow_inputs", "outputs", "version", "progress", "machine_id"} & new[0].keys()
    assert isinstance(old[0]["duration"], str)
    bare = client.get(f"/workflow/{workflow_id}/runs", params={"with_outputs": "false", "with_inputs": "false"}).json()
    assert not {"workflow_inputs", "outputs"} & bare[0].keys()
    unknown = "00000000-0000-4000-8000-000000000000"
    assert client.get(f"/workflow/{unknown}/runs").json() == []
    assert client.get(f"/v2/workflow/{unknown}/runs").status_code == 404


def test_the_new_list_filters(client: Client) -> None:
    """By status and by deployment; an unknown status breaks it."""
    deployment = client.deployment("text2img")
    path = f"/v2/workflow/{deployment['workflow_id']}/runs"
    client.queued("text2img", {"prompt": "__fail__"})
    client.sandbox.advance(60)
    failed = client.get(path, params={"status": "failed"}).json()
    assert {row["status"] for row in failed} == {"failed"}
    mine = client.get(path, params={"deployment_id": deployment["id"]}).json()
    assert {row["deployment_id"] for row in mine} == {deployment["id"]}
    assert client.get(path, params={"status": "done"}).status_code == 500


def test_the_list_of_a_deployment_counts_nothing(client: Client) -> None:
    """Its numbers are always 0, and a status does nothing."""
    deployment = client.deployment("text2img")
    for _ in range(6):
        client.queued("text2img")
    body = client.get(f"/deployment/{deployment['id']}/runs", params={"status": "failed", "limit": 5}).json()
    assert body["meta"] == {"totalRowCount": 0, "filterRowCount": 0, "chartData": []}
    assert len(body["data"]) == 5
    assert {row["status"] for row in body["data"]} != {"failed"}


def test_runs_are_counted_for_everybody(client: Client) -> None:
    """With filters; a status breaks it, and a time must be one."""
    machine = by_name(client, "/machines")["serverless-h100"]["id"]
    some = client.get("/runs/count", params={"machine_id": machine}).json()
    assert 0 < some["count"] < client.sandbox.knobs.history
    assert some["filters"] == {"machine_id": machine}
    assert client.get("/runs/count", params={"start_time": "2031-01-01T00:00:00Z"}).json()["count"] == 0
    assert client.get("/runs/count", params={"start_time": "yesterday"}).status_code == 400
    broken = client.get("/runs/count", params={"status": "success"})
    assert (broken.status_code, broken.json()) == (500, {"error": "Internal server error"})


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("a.png", "img"), ("a.mp4", "vid"), ("a.mp3", "audio"), ("a.zip", "zip"), ("a.json", "file"), ("blob", "file")],
)
def test_the_kind_of_an_upload_follows_from_its_name(client: Client, name: str, prefix: str) -> None:
    """Not from what the form says; it is then served to everybody."""
    reply = client.post("/file/upload", files={"file": (name, b"content", "text/plain")}).json()
    assert reply["file_id"].startswith(f"{prefix}_")
    assert reply["file_name"] == name
    assert httpx.get(reply["file_url"]).content == b"content"


def test_some_uploads_are_refused(client: Client) -> None:
    """Texts by their name; a form without a file, or with another field."""
    assert client.post("/file/upload", files={"file": ("a.txt", b"", "image/png")}).status_code == 400
    assert client.post("/file/upload", files={"image": ("a.png", b"", "image/png")}).status_code == 422
    assert client.post("/file/upload").status_code == 422


def test_assets(client: Client) -> None:
    """Uploaded at once, or put to an address and registered; found, and deleted."""
    first = client.post("/assets/upload", files={"file": ("cat.png", b"cat", "image/png")}).json()
    assert httpx.get(first["url"]).content == b"cat"
    place = client.get("/assets/presigned-url", params={"file_name": "dog.png", "type": "image/png"}).json()
    httpx.put(place["url"], content=b"dog", headers={"content-type": "image/png"})
    assert httpx.get(place["download_url"]).content == b"dog"
    assert httpx.put(place["download_url"], content=b"cat").status_code == 405
    body = {
        "file_id": place["file_id"],
        "file_name": "dog.png",
        "file_size": 3,
        "db_path": place["db_path"],
        "url": place["download_url"],
        "mime_type": "image/png",
    }
    client.post("/assets/register", json=body)
    assert [row["name"] for row in client.get("/assets").json()] == ["dog.png", "cat.png"]
    assert [row["name"] for row in client.get("/assets/search", params={"query": "CAT"}).json()] == ["cat.png"]
    client.delete(f"/assets/{first['id']}")
    assert client.get(f"/assets/{first['id']}").status_code == 404


def test_prices(client: Client) -> None:
    """A second on each GPU costs something."""
    prices = client.get("/platform/gpu-pricing").json()
    assert prices["H100"] > prices["A10G"] > 0


def test_counters_tell_routes_apart(client: Client, sandbox: Sandbox) -> None:
    """By template, by status, by machine."""
    run_id = client.queued("text2img")
    for _ in range(3):
        client.run(run_id)
    client.get("/nope")
    assert sandbox.counters.requests["GET /run/{run_id}"] == 3
    assert sandbox.counters.requests["GET ?"] == 1
    assert sandbox.counters.statuses[404] == 1
    assert sandbox.counters.prompts == {"studio-classic-a": 1}
    assert sandbox.counters.runs_created == 1


def test_another_process_can_turn_the_knobs(sandbox: Sandbox) -> None:
    """Without a key, below /sandbox."""
    base = f"{sandbox.url}/sandbox"
    assert httpx.post(f"{base}/knobs", json={"fail_next": 2, "offline": ["office-box"]}).json()["fail_next"] == 2
    assert sandbox.knobs.offline == {"office-box"}
    assert httpx.get(f"{base}/knobs").json()["speed"] == 0
    wrong = httpx.post(f"{base}/knobs", json={"sped": 1})
    assert wrong.status_code == 422
    assert "No such knob: sped" in wrong.json()["detail"]
    assert httpx.post(f"{base}/knobs", json={"seed": 9}).status_code == 422
    assert httpx.post(f"{base}/knobs", json=[]).status_code == 422


def test_another_process_can_move_time_and_begin_anew(sandbox: Sandbox, client: Client) -> None:
    """And read the counters."""
    base = f"{sandbox.url}/sandbox"
    run_id = client.queued("text2img")
    assert httpx.post(f"{base}/advance", json={"seconds": 60}).status_code == 200
    assert client.run(run_id)["status"] == "success"
    assert httpx.post(f"{base}/advance", json={"seconds": -1}).status_code == 422
    assert httpx.get(f"{base}/counters").json()["runs_created"] == 1
    httpx.post(f"{base}/reset")
    assert client.get(f"/run/{run_id}").status_code == 404
