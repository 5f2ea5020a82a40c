"""`ws.metrics`: what a workspace has counted of itself."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

import comfynb
from comfynb.sandbox import Sandbox


def test_routes_are_told_by_their_templates(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """As often as the server saw them, and never by the ids of things."""
    ws.catalog()
    ws.run("text2img", prompt="a red fox", seed=7)
    table = ws.metrics()
    told = dict(zip(table["route"], table["calls"], strict=True))
    assert told == {route.replace("/api", ""): number for route, number in sandbox.counters.requests.items()}
    assert table["errors"].sum() == 0
    assert (table["median_seconds"] <= table["p95_seconds"]).all()
    assert (table["received_bytes"] > 0).all()
    assert table.attrs["source"] == sandbox.url


def test_runs_are_told_by_workflow_and_machine(ws: comfynb.Workspace) -> None:
    """Those that were seen to end, once each: another handle of a run adds nothing, nor does one that is history."""
    good = ws.run("text2img", prompt="a red fox", seed=7)
    ws.run("text2img", prompt="__fail__", check=False)
    ws.run("MAKEIMAGE", {"PROMPT": "a red fox", "seed": 7})
    ws.get_run(good.id).refresh()
    table = ws.metrics(by="runs").set_index(["name", "machine"])
    one = table.loc[("text2img", "studio-classic-a")]
    assert (one["runs"], one["succeeded"], one["success_rate"]) == (2, 1, 0.5)
    assert one["statuses"] == (("failed", 1), ("success", 1))
    other = table.loc[("MAKEIMAGE", "Serverless A100")]
    assert other["run_seconds"] > 0
    with comfynb.connect(ws.url, ws.sandbox.api_key) as another:
        another.get_run(good.id)
        assert another.metrics(by="runs").empty


def test_the_cache_is_told(ws: comfynb.Workspace) -> None:
    """By what each look brought."""
    ws.machines()
    ws.machines()
    counts = ws.metrics(by="counts").set_index(["kind", "what"])["number"]
    assert counts[("cache", "miss")] == 1
    assert counts[("cache", "hit")] == 1


def test_both_plots_can_be_drawn(ws: comfynb.Workspace) -> None:
    """Also of nothing at all, and of names that look like formulas or have letters that no font has."""
    from comfynb.display.metrics import Bar, plot_bars

    assert len(ws.metrics.plot().axes) == 2
    ws.run("text2img", prompt="a red fox", seed=7)
    hostile = [Bar("$x^2_ and \x1b[31m 狐 \ud800" + "x" * 1000, 3, 1, None, None)]
    for figure in (ws.metrics.plot(), ws.metrics.plot(by="runs"), plot_bars(hostile, "runs")):
        figure.canvas.draw()
    labels = [label.get_text() for label in ws.metrics.plot(by="runs").axes[0].get_yticklabels()]
    assert labels == ["text2img on studio-classic-a"]


def test_other_words_are_refused(ws: comfynb.Workspace) -> None:
    """With those that there are."""
    with pytest.raises(comfynb.InputError, match='it is "routes", "runs" or "counts"'):
        ws.metrics(by="weather")  # type: ignore[arg-type]
    with pytest.raises(comfynb.InputError, match="cannot be plotted"):
        ws.metrics.plot(by="counts")  # type: ignore[arg-type]


def test_the_text_for_prometheus_has_no_key(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """And displaying it shows the routes."""
    ws.workflows()
    assert 'comfynb_requests_total{route="GET /workflows",status="200"} 1.0' in ws.metrics.text()
    for text in (ws.metrics.text(), repr(ws.metrics), ws.metrics._repr_html_()):
        assert sandbox.api_key not in text
    assert "GET /workflows" in repr(ws.metrics)


def test_counting_keeps_no_workspace_alive(sandbox: Sandbox) -> None:
    """What nobody holds is closed, although its transport holds the hook."""
    ws = comfynb.connect(sandbox=sandbox)
    ws.workflows()
    ws.metrics()
    core = weakref.ref(ws._core)
    del ws
    gc.collect()
    assert core() is None


def test_prometheus_client_is_loaded_when_somebody_looks(sandbox: Sandbox) -> None:
    """A script that only runs something does without."""
    code = (
        "import sys, comfynb\n"
        f"ws = comfynb.connect({sandbox.url!r}, {sandbox.api_key!r}, journal=False)\n"
        "ws.workflows()\n"
        "print('prometheus_client' in sys.modules)\n"
        "ws.metrics()\n"
        "print('prometheus_client' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True"]
