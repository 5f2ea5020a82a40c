"""How the documentation is built: `python docs/build.py`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import comfynb

DOCS = Path(__file__).parent
PROJECT = DOCS.parent

project = "comfynb"
author = "The comfynb developers"
version = release = comfynb.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "pydata_sphinx_theme"
html_title = "comfynb"
smartquotes = False  # two hyphens before a word are an option
html_theme_options: dict[str, Any] = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
    "navbar_align": "left",
    "show_prev_next": True,
}
html_context = {"default_mode": "auto"}
html_sidebars = {"index": []}
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

# The outputs are those that were committed, which the tests compare with what the notebooks show when they are run.
nb_execution_mode = "off"
nb_merge_streams = True
# Widgets are shown by their plain twins: no script is fetched from anywhere.
nb_ipywidgets_js: dict[str, Any] = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
suppress_warnings = ["mystnb.unknown_mime_type"]

# Words in single backticks are code; those that name something of ours are written with its role.
default_role = "code"
# The types in docstrings are for people ("str, object or row"); everything else that is referred to has to be there.
nitpicky = True
nitpick_ignore_regex = [("py:class", r".*")]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": True}
# Its reading of docstrings is used by `_numpy` below: by itself it takes "In words: …" of a property for a type.
napoleon_google_docstring = False
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = False


def _tables() -> str:
    """Return the page of all tables and their columns."""
    from comfynb.display.markdown import markdown_table

    parts = [
        "# Tables\n\nEvery table has the same columns, in the same order and of the same types, also when it is empty. "
        "What is not known is NA. `df.attrs` says the kind, the source and the time of reading. "
        '`comfynb.TABLES["runs"].describe()` gives the same in a notebook.\n'
    ]
    for kind, table in comfynb.TABLES.items():
        meaning = table.meaning[0].upper() + table.meaning[1:]
        parts.append(f"## {kind}\n\n{meaning}\n\n{markdown_table(table.describe().reset_index(drop=True))}\n")
    return "\n".join(parts)


def _commands() -> str:
    """Return the page of all commands, by what they say of themselves."""
    import typer

    from comfynb.cli.app import app

    group: Any = typer.main.get_command(app)
    context = group.make_context("comfynb", ["--help"], resilient_parsing=True, max_content_width=100)
    options = group.get_help(context).partition("\nCommands:")[0].rstrip()
    summaries = [
        f"| [comfynb {name}](#comfynb-{name}) | {(command.help or '').partition(chr(10))[0]} |"
        for name, command in group.commands.items()
    ]
    parts = [
        "# Command line\n\nEvery command exits with 0 if all went well, 1 for what failed, and 2 for wrong usage. "
        "What it says of itself:\n",
        "| command | what it does |\n| --- | --- |\n" + "\n".join(summaries) + "\n",
        f"```text\n{options}\n```\n",
    ]
    for name, command in group.commands.items():
        inner = command.make_context(f"comfynb {name}", [], resilient_parsing=True, max_content_width=100)
        parts.append(f"## comfynb {name}\n\n```text\n{command.get_help(inner)}\n```\n")
    return "\n".join(parts)


def _api() -> str:
    """Return the page of the public names, from their docstrings."""
    groups: dict[str, list[str]] = {
        "The way in": ["connect", "Workspace", "Run", "Output", "Prepared"],
        "Widgets": ["RunForm", "RunView", "Gallery"],
        "Namespaces of a workspace": [
            "comfynb.workspace.names.WorkspaceNames",
            "comfynb.rules.names_suggest.NamesSuggestion",
            "comfynb.widgets.names_review.NamesReview",
            "comfynb.workspace.routing.WorkspaceRouting",
            "comfynb.core.listener.Listener",
            "comfynb.rules.routing.Route",
            "comfynb.rules.routing.RoutingRules",
        ],
        "The two services": ["WorkflowsService", "ComfyUIService"],
        "A local ComfyDeploy": ["Sandbox", "Knobs"],
        "Documents": [
            "comfynb.documents.Document",
            "comfynb.documents.Section",
            "comfynb.documents.write_document",
            "comfynb.documents.catalog_document",
            "comfynb.documents.names_document",
        ],
        "The testing plan": [
            "comfynb.routing_plan.run_on_sandbox",
            "comfynb.routing_plan.run_on_server",
            "comfynb.routing_plan.plan_document",
        ],
    }
    named = {name for names in groups.values() for name in names}
    errors = [name for name in comfynb.__all__ if name.endswith("Error") or name in ("RunFailed", "RunTimedOut")]
    errors += [name for name in comfynb.__all__ if name in ("RunCancelled", "RunStalled", "WaitTimeout")]
    others = [name for name in comfynb.__all__ if name not in named and name not in errors and name != "TABLES"]
    groups["Names, and what else there is"] = others
    parts = [
        "# API reference\n\nWhat `import comfynb` has, from the docstrings. The tests run every example in them.\n"
    ]
    for title, names in groups.items():
        parts.append(f"## {title}\n")
        for name in names:
            full = name if "." in name else f"comfynb.{name}"
            value = _resolve(full)
            kind = "autoclass" if isinstance(value, type) else "autofunction" if callable(value) else "autodata"
            parts.append(f"```{{eval-rst}}\n.. {kind}:: {full}\n```\n")
    parts.append("## Errors\n\n```{eval-rst}\n.. automodule:: comfynb.errors\n   :no-members:\n```\n")
    parts += [f"```{{eval-rst}}\n.. autoclass:: comfynb.{name}\n   :no-members:\n```\n" for name in errors]
    parts.append("## Warnings\n\n```{eval-rst}\n.. automodule:: comfynb.warnings\n```\n")
    return "\n".join(parts)


def _resolve(full: str) -> Any:
    from importlib import import_module

    module, _, name = full.rpartition(".")
    return getattr(import_module(module), name)


_GONE = r"""(?:src|href)="http://127\.0\.0\.1:[^"]*\""""
"""An address on a sandbox that was there only while the notebook ran."""


def _notebook(path: Path) -> str:
    """Return a notebook as it was committed, without pictures and links of a sandbox that is no more."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                text = "".join(output["data"]["text/html"])
                text = re.sub(rf"<img [^>]*{_GONE}[^>]*>", "", text)
                output["data"]["text/html"] = re.sub(rf"<a [^>]*{_GONE}[^>]*>(.*?)</a>", r"\1", text)
    return json.dumps(content)


def _prepare(*_: object) -> None:
    """Write what is made from the code, and bring the notebooks here; nothing of it is under version control."""
    made = DOCS / "_made"
    shutil.rmtree(made, ignore_errors=True)
    (made / "notebooks").mkdir(parents=True)
    for path in sorted((PROJECT / "notebooks").glob("*.ipynb")):
        (made / "notebooks" / path.name).write_text(_notebook(path), encoding="utf-8")
    (made / "tables.md").write_text(_tables(), encoding="utf-8")
    (made / "command_line.md").write_text(_commands(), encoding="utf-8")
    (made / "api.md").write_text(_api(), encoding="utf-8")
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    (made / "changelog.md").write_text(changes, encoding="utf-8")


def _numpy(app: Any, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Read a docstring of NumPy's style; what a property says is a text, as that of a method."""
    from sphinx.ext.napoleon import NumpyDocstring

    what = "method" if what in ("property", "attribute") else what
    lines[:] = NumpyDocstring(lines, app.config, app, what, name, obj, options).lines()


def _made_here(_: Any, __: str, source: list[str]) -> None:
    """Let links to notebooks lead to the pages that are made of them; in the repository they lead to the notebooks."""
    source[0] = re.sub(r"\]\(\.\./((?:\.\./)*)notebooks/", r"](\1_made/notebooks/", source[0])


def setup(app: Any) -> None:
    """Let Sphinx call us."""
    app.connect("source-read", _made_here)
    app.connect("builder-inited", _prepare)
    app.connect("autodoc-process-docstring", _numpy)
