"""Build the documentation, with warnings as errors, and check every link inside it.

Usage: python docs/build.py [--documents]

`--documents` first writes the documents anew that are made from the code and from the sandbox. The site is in
docs/_build/html then. Nothing is asked of the network, and the notebooks are not run: what they show is what the tests
compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

DOCS = Path(__file__).parent
SITE = DOCS / "_build" / "html"


class _Page(HTMLParser):
    """Collects what a page links to, and what can be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("id", "name"):
                self.anchors.add(value)
            elif value and name in ("href", "src"):
                self.links.append(value)
                if name == "src" or tag == "link":
                    self.loads.append(value)


def broken_links(site: Path) -> list[str]:
    """Return the links between pages that lead nowhere, and everything that a page would load from elsewhere."""
    pages: dict[Path, _Page] = {}
    for path in sorted(site.rglob("*.html")):
        pages[path] = _Page()
        pages[path].feed(path.read_text(encoding="utf-8"))
    found = []
    for path, page in pages.items():
        if "_static" in path.parts:
            continue  # parts of the theme, which are no pages
        elsewhere = [link for link in page.loads if urlsplit(link).netloc]
        found += [f"{path.relative_to(site)}: {link} would be loaded from elsewhere" for link in elsewhere]
        for link in page.links:
            parts = urlsplit(link)
            if parts.hostname in ("127.0.0.1", "localhost"):
                found.append(f"{path.relative_to(site)}: {link} is on a machine that is not there")
            if parts.scheme or parts.netloc or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                found.append(f"{path.relative_to(site)}: {link} is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{path.relative_to(site)}: {link} names no place in that page")
    return found


def write_documents() -> None:
    """Write the documents that are made from the code and from the sandbox."""
    from comfynb.documents import endpoints_document, write_document

    write_document(DOCS / "comfyui-deploy" / "API" / "OPENAPI_ENDPOINTS_LIST.md", endpoints_document())
    data = DOCS.parent / "comfynb" / "data"
    sandboxed = {**os.environ, "COMFYNB_SANDBOX": "1"}
    for name in ("COMFY_DEPLOY_API_KEY", "COMFY_DEPLOY_API_URL", "COMFYNB_NAMES", "COMFYNB_ROUTING"):
        sandboxed.pop(name, None)
    named = {**sandboxed, "COMFYNB_NAMES": str(data / "workflow-names.example.toml")}
    database = str(data / "sample_database_names.csv")
    for words, environment in (
        (("catalog", "--out", "comfyui-deploy/WORKFLOWS_CATALOG.md"), sandboxed),
        (("names", "--database", database, "--out", "comfyui-deploy/WORKFLOW_NAME_MAPPING.md"), named),
        (("routing-test", "--out", "testing/WORKFLOW_ROUTING_TESTS.md"), sandboxed),
    ):
        command = [sys.executable, "-c", "from comfynb.cli import main; main()", *words]
        subprocess.run(command, check=True, cwd=DOCS, env=environment)


def main() -> int:
    """Build and check; return 1 if anything is wrong."""
    if "--documents" in sys.argv[1:]:
        write_documents()
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-b", "html", str(DOCS), str(SITE)]
    code = subprocess.run(command, check=False).returncode
    broken = broken_links(SITE) if SITE.exists() else ["nothing was built"]
    for line in broken:
        print(line, file=sys.stderr)
    if not code and not broken:
        print(f"Built {SITE / 'index.html'}")
    return int(bool(code or broken))


if __name__ == "__main__":
    sys.exit(main())
