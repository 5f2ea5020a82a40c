"""`comfynb catalog`: the workflows as a table or a document that changes only when they do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from command_line import Command

from comfynb.sandbox import Sandbox

OUT = Path("docs/comfyui-deploy/WORKFLOWS_CATALOG.md")


def test_the_document_has_the_structure_that_was_asked_for(cli: Command) -> None:
    """Name, display name, deployment ids, required inputs, description; one row a workflow, sorted."""
    done = cli("catalog", "--out", str(OUT))
    assert (done.code, done.out) == (0, f"Wrote {OUT}\n")
    lines = OUT.read_text(encoding="utf-8").splitlines()
    head = next(line for line in lines if line.startswith("|"))
    assert head == "| Workflow name | Display name | Deployment IDs | Required inputs | Description |"
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:]
    assert rows == sorted(rows, key=str.casefold)
    assert "text2img" in rows
    (inpaint,) = [line for line in lines if line.startswith("| inpaint |")]
    assert "production: " in inpaint
    assert "mask\\_image" in inpaint


@pytest.mark.parametrize("ending", ["md", "csv", "json", "html"])
def test_writing_it_again_changes_no_byte(cli: Command, ending: str) -> None:
    """As long as the workspace is the same."""
    path = Path(f"catalog.{ending}")
    assert cli("catalog", "--out", str(path)).code == 0
    os.utime(path, (1, 1))
    done = cli("catalog", "--out", str(path))
    assert (done.code, done.out) == (0, f"{path} says so already; nothing was written.\n")
    assert path.stat().st_mtime == 1


def test_a_new_workflow_is_one_line_of_a_diff(cli: Command, sandbox: Sandbox) -> None:
    """Whatever the order in which the server lists them."""
    cli("catalog", "--out", str(OUT))
    before = OUT.read_text(encoding="utf-8").splitlines()
    sandbox.world.workflow_named("inpaint").name = "in|paint\n<b>"
    cli("catalog", "--out", str(OUT))
    after = OUT.read_text(encoding="utf-8").splitlines()
    (gone,) = set(before) - set(after)
    (new,) = set(after) - set(before)
    assert gone.startswith("| inpaint |")
    assert new.startswith("| in\\|paint &lt;b&gt; |")


def test_tables_keep_their_names_in_csv_and_json(cli: Command) -> None:
    """For those who read them with a program."""
    cli("catalog", "--out", "a.csv")
    cli("catalog", "--out", "a.json")
    columns = ["name", "display_name", "deployments", "required_inputs", "description"]
    assert pd.read_csv("a.csv").columns.tolist() == columns
    assert list(json.loads(Path("a.json").read_text(encoding="utf-8"))[0]) == columns


def test_with_runs_it_tells_the_last_one_and_how_many_ended_well(cli: Command) -> None:
    """In the document and in the table; a workflow that never ran has none."""
    assert cli("workflow", "text2img", "--execute", "--json").code == 0
    cli("catalog", "--runs", "--out", "a.json")
    rows = {row["name"]: row for row in json.loads(Path("a.json").read_text(encoding="utf-8"))}
    assert (rows["text2img"]["success_rate"], rows["text2img"]["ended_runs"]) == (1.0, 1)
    assert rows["text2img"]["last_run"].endswith("UTC")
    assert (rows["inpaint"]["success_rate"], rows["inpaint"]["ended_runs"], rows["inpaint"]["last_run"]) == (
        None,
        0,
        None,
    )
    done = cli("catalog", "--runs")
    assert "success_rate" in done.out
    assert "text2img" in done.out


def test_an_empty_workspace_has_an_empty_catalog(cli: Command, sandbox: Sandbox) -> None:
    """Which says so."""
    sandbox.world.workflows.clear()
    sandbox.world.deployments.clear()
    assert cli("catalog", "--out", str(OUT)).code == 0
    assert OUT.read_text(encoding="utf-8").endswith("No workflows.\n")
    assert cli("catalog", "--runs", "--out", "a.json").code == 0
    assert Path("a.json").read_text(encoding="utf-8") == "[]\n"


def test_an_ending_that_nothing_is_written_with_is_refused_first(cli: Command, sandbox: Sandbox) -> None:
    """Before the server is asked."""
    before = sandbox.counters.of("GET /")
    done = cli("catalog", "--out", "catalog.docx")
    assert done.code == 2
    assert "catalog.docx ends in .docx; a document ends in .md, .csv, .json, .html." in done.said
    assert sandbox.counters.of("GET /") == before
