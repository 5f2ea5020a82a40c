"""The documents under version control are what the commands write, and no link in a page leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import comfynb
from comfynb.documents import Document, catalog_document, endpoints_document, write_document
from comfynb.routing_plan import plan_document, run_on_sandbox

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = [path for path in (*DOCS.rglob("*.md"), *PROJECT.glob("*.md")) if not {"_build", "_made"} & set(path.parts)]


def written(document: Document, folder: Path) -> str:
    """Return a document as it is written."""
    write_document(folder / "page.md", document)
    return (folder / "page.md").read_text(encoding="utf-8")


def test_the_list_of_routes_is_what_the_table_of_routes_says(tmp_path: Path) -> None:
    """`python docs/build.py --documents` writes it anew."""
    path = DOCS / "comfyui-deploy" / "API" / "OPENAPI_ENDPOINTS_LIST.md"
    assert path.read_text(encoding="utf-8") == written(endpoints_document(), tmp_path)


def test_every_route_in_that_list_has_a_function_of_ours() -> None:
    """One at least; what starts runs has one in common."""
    table = endpoints_document().sections[0].table
    assert table is not None
    assert table["ours"].map(len).min() >= 1


def test_the_catalog_is_that_of_the_sandbox(tmp_path: Path) -> None:
    """Written anew, it changes no byte."""
    with comfynb.connect(sandbox=True) as ws:
        text = written(catalog_document(ws.catalog()), tmp_path)
    assert (DOCS / "comfyui-deploy" / "WORKFLOWS_CATALOG.md").read_text(encoding="utf-8") == text


def test_the_tests_of_routing_are_what_the_plan_sees(tmp_path: Path) -> None:
    """All but the section on load."""
    kept = (DOCS / "testing" / "WORKFLOW_ROUTING_TESTS.md").read_text(encoding="utf-8")
    assert kept.partition("\n## Load\n")[0] == written(plan_document(run_on_sandbox()), tmp_path).rstrip("\n") + "\n"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_link_to_a_file_leads_to_it(path: Path) -> None:
    """Pages that are made when the site is built stand for the notebooks and parts that they are made of."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        place = target.partition("#")[0]
        if not place or "://" in place:
            continue
        found = (path.parent / place).resolve()
        if "_made" in found.parts:
            found = PROJECT / found.relative_to(DOCS / "_made")
        assert found.exists(), target
