"""Keys, prefixes, and what is answered to requests that lead nowhere."""

from __future__ import annotations

import httpx
import pytest
from sandbox_client import Client

from comfynb.sandbox import Sandbox

MISSING = {"detail": "Invalid or missing token"}


def get(sandbox: Sandbox, path: str, **more: object) -> httpx.Response:
    """Ask without a key."""
    return httpx.get(f"{sandbox.url}{path}", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, MISSING),
        ({"authorization": "bearer KEY"}, MISSING),
        ({"authorization": "Basic eDp5"}, MISSING),
        ({"authorization": "Bearer nonsense"}, {"detail": "Invalid or expired token"}),
        ({"authorization": "Bearer REVOKED"}, {"detail": "Revoked token"}),
    ],
)
def test_a_wrong_key_is_refused(sandbox: Sandbox, headers: dict[str, str], body: dict[str, str]) -> None:
    """The word Bearer is compared with its case, and each kind of refusal has its words."""
    given = {
        name: value.replace("KEY", sandbox.api_key).replace("REVOKED", sandbox.revoked_api_key)
        for name, value in headers.items()
    }
    reply = get(sandbox, "/api/workflows", headers=given)
    assert (reply.status_code, reply.json()) == (401, body)
    assert "www-authenticate" not in reply.headers


def test_a_key_may_come_in_four_ways(sandbox: Sandbox) -> None:
    """As Bearer, as x-api-key, in the query and in a cookie."""
    key = sandbox.api_key
    assert get(sandbox, "/api/workflows", headers={"authorization": f"Bearer {key}"}).status_code == 200
    assert get(sandbox, "/api/workflows", headers={"x-api-key": key}).status_code == 200
    assert get(sandbox, "/api/workflows", params={"cd_token": key}).status_code == 200
    assert get(sandbox, "/api/workflows", headers={"cookie": f"a=b; __session={key}"}).status_code == 200


def test_the_query_wins_over_the_header(sandbox: Sandbox) -> None:
    """A wrong key in the query is refused, whatever the header says."""
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    assert get(sandbox, "/api/workflows", params={"cd_token": "no"}, headers=headers).status_code == 401


def test_the_key_is_asked_for_before_the_route(sandbox: Sandbox, client: Client) -> None:
    """Below the prefix 401 tells nothing about a route; outside it is 404."""
    assert get(sandbox, "/api/nope").status_code == 401
    assert get(sandbox, "/nope").status_code == 404
    assert client.get("/nope").json() == {"detail": "Not Found"}
    reply = client.delete("/workflows")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "path", ["/workflows", "/v2/workflows", "/api/v1/workflows", "/api/v2/workflows", "/api/api/workflows"]
)
def test_other_prefixes_do_not_exist(client: Client, path: str) -> None:
    """The routes live below /api and nowhere else."""
    reply = httpx.get(f"{client.sandbox.url}{path}", headers=client.headers)
    assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"})


def test_without_a_prefix_the_routes_live_at_the_root(sandbox: Sandbox) -> None:
    """With `prefix=""` they are there, and no more below /api."""
    sandbox.knobs.prefix = ""
    headers = {"x-api-key": sandbox.api_key}
    assert get(sandbox, "/workflows", headers=headers).status_code == 200
    assert get(sandbox, "/api/workflows", headers=headers).status_code == 404


def test_a_slash_at_the_end_is_redirected(client: Client) -> None:
    """The location is absolute, and keeps the query."""
    reply = client.get("/workflows/", params={"limit": 1})
    assert reply.status_code == 307
    assert reply.headers["location"] == f"{client.sandbox.url}/api/workflows?limit=1"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_head_and_options_are_not_allowed(client: Client, method: str) -> None:
    """They are 405, as on the real server."""
    assert client.request(method, "/workflows").status_code == 405


def test_the_root_is_a_page_that_shows_the_world(sandbox: Sandbox) -> None:
    """It is HTML, escapes names, and has no key in it."""
    sandbox.world.workflow_named("inpaint").name = "<script>"
    page = get(sandbox, "/")
    assert page.headers["content-type"].startswith("text/html")
    assert "studio-classic-a" in page.text
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert sandbox.api_key not in page.text
    sandbox.knobs.html_root = False
    assert get(sandbox, "/").status_code == 404


def test_the_other_tenant_sees_nothing(sandbox: Sandbox, client: Client) -> None:
    """Lists are empty, and single things are not found in the way of each route."""
    run_id = client.queued("text2img")
    machine = client.get("/machines").json()[0]["id"]
    deployment = client.deployment("text2img")
    with Client(sandbox, sandbox.other_api_key) as other:
        assert other.get("/workflows").json() == other.get("/machines").json() == other.get("/deployments").json() == []
        assert other.get(f"/run/{run_id}").status_code == 403
        assert other.get(f"/machine/{machine}").status_code == 404
        assert other.get(f"/deployment/{deployment['id']}").status_code == 500
        assert other.post("/run/deployment/queue", json={"deployment_id": deployment["id"]}).status_code == 404
        assert other.get("/runs/count").json()["count"] == sandbox.knobs.history + 1


def test_a_plain_500_drops_the_connection_without_saying_so(sandbox: Sandbox, client: Client) -> None:
    """The answer has no `connection` header, and the connection is gone."""
    client.get("/workflows")
    reply = client.get("/workflow/not-a-uuid/versions")
    assert (reply.status_code, reply.text) == (500, "Internal Server Error")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert "connection" not in reply.headers
    while sandbox._transports:
        pass


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/machine/nope", 422),
        ("/run/nope", 422),
        ("/workflow-version/nope", 422),
        ("/workflow/nope", 500),
        ("/workflow/nope/runs", 500),
        ("/deployment/nope", 500),
        ("/workflows?limit=-1", 500),
        ("/workflows?limit=abc", 422),
        ("/deployments?environment=prod", 422),
    ],
)
def test_malformed_values_are_answered_as_each_route_does(client: Client, path: str, status: int) -> None:
    """Where the server knows the type it is a 422; where it does not, its database breaks."""
    assert client.get(path).status_code == status
