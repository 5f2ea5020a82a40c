"""Exploring says which path patterns answer, whether the key is accepted, and what differs from what is known."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import comfynb
from comfynb.cli.app import run
from comfynb.rules.probing import judge
from comfynb.sandbox import Sandbox


def explored(sandbox: Sandbox, key: str | None = None) -> pd.DataFrame:
    with comfynb.connect(sandbox.url, key or sandbox.api_key, retries=0) as ws:
        return ws.explore()


def test_the_routes_are_found_where_they_are(sandbox: Sandbox) -> None:
    """Below /api on a server like the real one, and nowhere else; that of four routes the path begins with /v2."""
    found = explored(sandbox)
    there = found[found["exists"].fillna(False)]
    assert set(there["prefix"]) == {"/api"}
    assert "/v2/workflow/{id}/runs" in set(there["resource"])
    assert not found["path"].duplicated().any()
    assert found.attrs["prefix"] == "/api"
    assert found.attrs["key_accepted"] is True
    assert found.attrs["differences"] == []


def test_a_server_without_the_prefix_is_explored_too() -> None:
    """The conclusion names the root."""
    with Sandbox(prefix="") as server:
        found = explored(server)
    assert found.attrs["prefix"] == ""
    assert "Calls go below the root." in found.attrs["findings"]


def test_a_page_at_the_root_is_said_and_is_no_error(sandbox: Sandbox) -> None:
    """People paste that address, and it works."""
    assert any("serves a web page" in line for line in explored(sandbox).attrs["findings"])


def test_a_refused_key_proves_no_route(sandbox: Sandbox) -> None:
    """The server asks for the key before it looks at the path, so a 401 is no answer to whether there is one."""
    found = explored(sandbox, "not-a-key-of-this-server")
    assert found.attrs["key_accepted"] is False
    assert found[found["status"] == 401]["exists"].isna().all()
    assert any("refused" in line for line in found.attrs["findings"])


def test_a_server_that_is_not_there_is_a_table_and_a_sentence() -> None:
    """Exploring is for when things do not work, so it does not fail."""
    with comfynb.connect("http://127.0.0.1:9", "a-key-that-is-not-used", retries=0) as ws:
        found = ws.explore()
    assert found["status"].isna().all()
    assert found.attrs["findings"] == ["Nothing answers at http://127.0.0.1:9; check url= or COMFY_DEPLOY_API_URL."]


def test_what_the_server_has_that_is_not_known_is_named(sandbox: Sandbox) -> None:
    """Unknown fields are no error anywhere, so this is where one hears of them."""
    sandbox.knobs.extra_fields = True
    differences = explored(sandbox).attrs["differences"]
    assert any("GET /machines has fields that comfynb does not know" in line for line in differences)


def test_exploring_changes_nothing(sandbox: Sandbox) -> None:
    """Only GETs are sent."""
    explored(sandbox)
    assert {key.split()[0] for key in sandbox.counters.requests} == {"GET"}


@pytest.mark.parametrize(
    ("status", "json", "detail", "exists"),
    [
        (200, True, "", True),
        (200, False, "", False),
        (307, False, "", None),
        (401, True, "Invalid or missing token", None),
        (403, True, "", None),
        (404, True, "Not Found", False),
        (404, True, "Run not found", True),
        (404, False, "nginx", False),
        (405, True, "Method Not Allowed", True),
        (422, True, "value is not a valid uuid", True),
        (429, True, "", None),
        (500, True, "Internal server error", True),
        (502, False, "", None),
    ],
)
def test_each_answer_is_judged_for_what_it_proves(status: int, json: bool, detail: str, exists: bool | None) -> None:
    """A route, no route, or no proof."""
    verdict = judge(status, is_json=json, is_page=False, detail=detail)
    assert verdict.exists is exists
    assert verdict.words


def test_the_command_writes_what_it_found(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Markdown, with the conclusions first."""
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", sandbox.url)
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.api_key)
    report = tmp_path / "explore.md"
    assert run(["api", "--explore", "--out", str(report)]) == 0
    assert "Calls go below /api." in capsys.readouterr().out
    text = report.read_text(encoding="utf-8")
    assert "- The key is accepted." in text
    assert "| /api/workflows | 200 |" in text
    assert sandbox.api_key not in text


def test_a_report_without_exploring_is_wrong_usage() -> None:
    """Nothing is written that nobody asked for."""
    assert run(["api", "--out", "explore.md"]) == 2
