"""One scenario prints the same on a server and on a sandbox that was made of it, but for what is masked."""

from __future__ import annotations

import ast
import asyncio
import os
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import comfynb
from comfynb import Sandbox, Workspace
from comfynb.api.opening import open_client
from comfynb.sandbox import save_world
from comfynb.services.capturing import capture_world
from comfynb.warnings import PartialResultWarning

from . import recorded, scenario, scenes
from .recorded_server import Recorded, serving
from .scenario import Scenario

WHERE = recorded.folder()
CONTENTS = recorded.load_all(WHERE) if WHERE else {}
SCRIPT = Path(scenario.__file__)
KEY = "no.such.key"
WORLDS = {"its own": lambda: None, "everything": scenes.everything, "hostile": lambda: scenes.hostile(scenes.HOSTILE)}


def capture(url: str, key: str) -> dict[str, Any]:
    """Copy a workspace; what is not in the copy shows in the comparison."""

    async def copy() -> dict[str, Any]:
        async with comfynb.WorkflowsService(open_client(url, key)) as service:
            return await capture_world(service)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialResultWarning)
        return asyncio.run(copy())


def read(ws: Workspace, *, runs: bool = True) -> list[str]:
    """Return what the scenario reads."""
    with ws:
        return list(Scenario(ws).read(runs=runs))


def sections(lines: list[str]) -> dict[str, list[str]]:
    """Return the lines below each title."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("## "):
            below = found[line] = []
        else:
            below.append(line)
    return found


def assert_same(first: list[str], second: list[str]) -> None:
    """Name the first section that differs, since a difference of thousands of lines tells nothing."""
    before, after = sections(first), sections(second)
    for title, lines in before.items():
        assert after.get(title) == lines, title
    assert list(after) == list(before)


# A copy of a sandbox


@pytest.mark.parametrize("name", WORLDS)
def test_a_copy_prints_the_same(name: str, tmp_path: Path) -> None:
    """Whatever is in the workspace, and through files, with another seed: names, places, graphs, problems, mistakes."""
    broken = name != "hostile"
    with Sandbox(world=WORLDS[name](), seed=99, speed=1000, history=0, broken_workflow=broken) as real:
        before = read(comfynb.connect(sandbox=real))
        path = save_world(capture(real.url, real.api_key), tmp_path / "copy.toml")
    with Sandbox(world=path, seed=3, speed=1000) as copied:
        assert_same(before, read(comfynb.connect(sandbox=copied)))


def test_a_copy_of_a_copy_is_the_same() -> None:
    """Nothing is lost that no table shows, such as covers of workflows."""
    with Sandbox(world=scenes.everything(), broken_workflow=True) as real:
        world = capture(real.url, real.api_key)
    assert any("cover_image" in row for row in world["workflows"])
    with Sandbox(world=world, seed=5) as copied:
        assert capture(copied.url, copied.api_key) == world


@pytest.mark.parametrize(("workflow", "end"), [("text2img", "success"), ("MAKEIMAGE", "cancelled")])
def test_a_copy_runs_the_same(workflow: str, end: str) -> None:
    """A run to its end, one that is cancelled (on a classic machine in vain), and one that is not even sent."""
    found = []
    world = None
    for seed in (99, 3):
        with Sandbox(world=world, seed=seed, speed=60, history=0) as sandbox:
            world = capture(sandbox.url, sandbox.api_key)
            with comfynb.connect(sandbox=sandbox) as ws:
                found.append(
                    list(Scenario(ws).execute(workflow, {"cfg": 6.0} if end == "cancelled" else {"width": 640}))
                )
            assert sandbox.counters.runs_created == 2
    assert f"it ended: {end}, outputs: {1 if end == 'success' else 0}" in found[0]
    assert_same(*found)


def test_past_runs_are_not_copied() -> None:
    """They have prompts in them; a copy begins without any, rather than with some that were made up."""
    with Sandbox(history=5, seed=99) as real:
        assert len(real.world.runs) == 5
        world = capture(real.url, real.api_key)
        before = read(comfynb.connect(sandbox=real), runs=False)
    with Sandbox(world=world, seed=3) as copied:
        assert not copied.world.runs
        assert_same(before, read(comfynb.connect(sandbox=copied), runs=False))


# Hostile data


def test_no_text_breaks_a_line() -> None:
    """Names, comments and notes with line breaks, escapes and marks of direction stay on the line where they stand."""
    with Sandbox(world=scenes.hostile(scenes.HOSTILE), speed=1000, history=8) as sandbox:
        lines = read(comfynb.connect(sandbox=sandbox))
    assert sum(scenes.MARK in line for line in lines) > 50
    for line in lines:
        assert not line.strip().startswith(scenes.MARK), line[:200]
        assert not scenes.UNSEEN.search(line), repr(line[:200])


class Elements(HTMLParser):
    """Collects the elements of a page, each with the names of its attributes, and where links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[tuple[str, ...]] = set()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one."""
        self.found.add((tag, *sorted(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_comment(self, data: str) -> None:
        """Keep that there is one."""
        self.found.add(("comment",))


def pages(words: dict[str, str]) -> Elements:
    """Return what is on all displays of a world with these words."""
    shown: list[str] = []
    with Sandbox(world=scenes.hostile(words), speed=1000, history=6) as sandbox, comfynb.connect(sandbox=sandbox) as ws:
        for row in ws.workflows().to_dict("records"):
            shown += [ws.workflow(row["id"])._repr_html_(), ws.prepare(row["id"], {"nothing": 1})._repr_html_()]
        shown += [ws.deployment(each)._repr_html_() for each in ws.deployments()["id"]]
        shown += [ws.machine(each)._repr_html_() for each in ws.machines()["id"]]
        for key in ws.runs()["id"]:
            run = ws.get_run(key)
            shown += [run._repr_html_(), run.explain()._repr_html_()]
        shown += [ws._repr_mimebundle_()["text/html"], ws.catalog()._repr_html_(), ws.runs()._repr_html_()]
    return Elements("\n".join(shown))


def test_no_text_becomes_html() -> None:
    """Displays have the elements that they have of harmless words, and no others."""
    words = {key: text for key, text in scenes.HOSTILE.items() if key not in {"long", "solid"}}
    harmless, hostile = pages(dict(zip(words, map("word {}".format, range(99)), strict=False))), pages(words)
    assert hostile.found <= harmless.found
    assert all(link.startswith(("http://", "https://", "data:image/")) for link in hostile.links)


# A copy of the real server, as far as it was recorded


@pytest.mark.skipif(not CONTENTS, reason="no recordings: set COMFYNB_RECORDINGS to a folder that has recordings/ in it")
def test_a_copy_of_the_recorded_server_prints_the_same() -> None:
    """All but runs, and what was not recorded: the details of some machines, and which paths there are.

    Recordings that do not make a workspace, since deployments name what no list has, are held to the lists of workflows
    and machines alone.
    """
    workspace = Recorded(CONTENTS)
    with serving(workspace) as url:
        world = capture(url, KEY)
        before = sections(read(comfynb.connect(url, KEY), runs=False))
    with Sandbox(world=world, speed=1000) as copied:
        after = sections(read(comfynb.connect(sandbox=copied), runs=False))
    lists = ["## ws.workflows()", "## ws.machines()"]
    whole = [*lists, "## ws.catalog()", "## ws.deployments()", "## mistakes"]
    compared = [
        title
        for title, lines in before.items()
        if title != "## ws.explore()" and not lines[0].startswith(("NotFoundError:", "AnswerError:"))
    ]
    assert set(whole) <= set(compared)
    for title in compared if workspace.coherent else lists:
        assert after.get(title) == before[title], title
    assert not workspace.coherent or len(compared) > 0.5 * len(before)


# The script


def test_the_script_prints_the_scenario() -> None:
    """As a command, on a sandbox of its own."""
    environment = {**os.environ, "COMFYNB_SANDBOX": "1", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--no-runs", "--execute", "text2img", "--inputs", '{"width": 64}'],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    titles = [line for line in done.stdout.splitlines() if line.startswith("## ")]
    assert titles[0] == "## ws.explore()"
    assert "finished" in done.stdout.partition("## ws.run(")[2]


def test_the_script_uses_public_names_alone() -> None:
    """So that it tells what anybody's script would print."""
    nodes = list(ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))))
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and "comfynb" in str(node.module)]
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    used = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "comfynb"}
    assert used <= set(comfynb.__all__)
    assert {node.attr for node in attributes if node.attr.startswith("_")} <= {"__name__"}
