"""How a workspace looks."""

from __future__ import annotations

from datetime import UTC, datetime

from comfynb.display.workspace import WorkspaceFacts, workspace_text

WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def test_before_anything_was_asked_it_says_so() -> None:
    """And what one can do."""
    text = workspace_text(WorkspaceFacts("https://api.comfydeploy.com"))
    assert text.splitlines()[0] == "not asked yet – ComfyDeploy at https://api.comfydeploy.com"
    assert "ws.catalog()" in text


def test_it_says_where_as_whom_how_healthy_and_how_fresh() -> None:
    """All of it in a few lines."""
    facts = WorkspaceFacts(
        "http://127.0.0.1:3011",
        sandbox=True,
        prefix="/api",
        users=("Ada", "Grace"),
        workflows=8,
        deployments=20,
        machines={"paused": 1, "ready": 4},
        as_of=WHEN,
        webhook="https://hooks.example/run?token=x",
        last_run="r-1",
    )
    assert workspace_text(facts).split("\n\n")[0].split("\n") == [
        "connected – sandbox: a local ComfyDeploy at http://127.0.0.1:3011",
        "  routes        below /api",
        "  workflows of  Ada, Grace",
        "  has           8 workflows, 20 deployments",
        "  machines      4 ready, 1 paused",
        "  read          2026-05-04 03:02:01 UTC",
        "  webhook       https://hooks.example/run",
        "  last run      r-1",
    ]
    assert 'ws.get_run("r-1")' in workspace_text(facts)


def test_what_is_broken_is_pointed_out() -> None:
    """Deployments that cannot be listed, and a workspace where nothing can run."""
    text = workspace_text(WorkspaceFacts("https://host", workflows=1, deployments=1, broken=2, machines={"error": 1}))
    assert text.startswith("connected, with problems")
    assert "1 deployment and 2 that the server cannot list" in text
    assert "No machine is ready" in text


def test_an_empty_workspace_is_no_broken_one() -> None:
    """Nothing there is not nothing known."""
    text = workspace_text(WorkspaceFacts("https://host", prefix="", workflows=0, deployments=0, machines={}))
    assert text.startswith("connected – ")
    assert "no workflows, no deployments" in text
    assert "at the root" in text


def test_a_server_that_is_away_is_said_first() -> None:
    """With what is known from before, and how old that is."""
    text = workspace_text(WorkspaceFacts("https://host", workflows=8, as_of=WHEN, trouble="Connection refused."))
    assert text.startswith("not reachable – ")
    assert "8 workflows" in text
    assert "2026-05-04 03:02:01 UTC" in text
    assert "Connection refused." in text
