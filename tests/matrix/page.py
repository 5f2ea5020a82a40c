"""The page of the documentation that shows the matrix: written from what was seen, and read as what is to be seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from cells import AS_ALWAYS, FAULTS, NEVER, OPERATIONS, Seen

from comfynb.display.markdown import markdown_table
from comfynb.documents import Document, Section, write_document

PAGE: Final = Path(__file__).parents[2] / "docs" / "how_to" / "when_things_go_wrong.md"
NONE: Final = "–"

WHAT: Final = {
    "read": "a table that was not read before: `ws.workflows()`",
    "read again": "one that was: `ws.workflows(refresh=True)`",
    "submit": "`ws.submit(…)`; the fault strikes the submit itself",
    "poll once": "`run.wait()`; the fault strikes one look at the run, or lasts less than a second",
    "poll on": "`run.wait(timeout)`; the fault strikes every look, for as long as it is waited",
    "upload": "`ws.upload(file)`, and every file that is given for an input",
    "download": "`run.download(folder)`",
    "webhook": "`run.wait()` after `submit(…, webhook=True)`; the fault strikes what the server posts to `ws.listen()`",
}
FAULT_NOTES: Final = {
    "lost on the way": "the connection is reset before the server has the request",
    "reset before the answer": "the server does it, and its answer is lost",
    "reset after the answer": "the connection that was kept open is reset",
    "500 as text": "after the server has done it, as it does when a machine cannot be reached; then it hangs up",
    "500 as JSON": "instead of doing it",
    "502 as HTML": "of a gateway, after the server has done it",
    "truncated JSON": "half of it, with a length that fits",
    "wrong content type": "what is right, called a web page or a text",
    "clock an hour off": "what the server calls now, against this machine",
    "disk full": "where the journal, the cache and the downloads are",
    "Redis gone": "where the cache is",
    "SQLite locked": "the journal and the cache on disk, by another process",
}


def write(played: Mapping[str, Mapping[str, Seen]]) -> bool:
    """Write the page; return whether it changed."""
    grid = pd.DataFrame(
        {
            "fault": list(FAULTS),
            "which is": [FAULT_NOTES.get(fault, "") for fault in FAULTS],
            **{
                name: [of[fault].what if fault in (of := played[name]) else NONE for fault in FAULTS]
                for name in OPERATIONS
            },
        }
    )
    sections = [Section(text=_INTRODUCTION), Section("All at a glance", (_GLANCE,), grid)]
    for name, seen in played.items():
        rows = [(fault, said) for fault in FAULTS if fault in seen for said in seen[fault].said]
        table = pd.DataFrame(_grouped(rows), columns=["fault", "what is said"])
        text = [f"This is {WHAT[name]}."]
        text += [f"“{fault}” makes no sense here: {why}." for (of, fault), why in NEVER.items() if of == name]
        sections.append(Section(name.capitalize(), tuple(text), table))
    return write_document(PAGE, Document("When things go wrong", tuple(sections)))


def read() -> dict[tuple[str, str], str]:
    """Return what the page says of each operation and fault."""
    lines = PAGE.read_text(encoding="utf-8").split("## All at a glance")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][2:]
    return {(name, row[0]): row[2 + at] for row in rows for at, name in enumerate(OPERATIONS)}


def said_in(operation: str, fault: str) -> list[str]:
    """Return the messages that the page has for a cell, as they stand there."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {operation.capitalize()}\n")[1].split("\n## ")[0]
    rows = [line.removeprefix("| ").removesuffix(" |").partition(" | ") for line in text.splitlines()]
    return [said for faults, _, said in rows if fault in faults.split(", ")]


def as_written(said: tuple[str, ...]) -> list[str]:
    """Return messages as they stand in a page."""
    lines = markdown_table(pd.DataFrame({"said": list(said)}, dtype="str")).splitlines()[2:]
    return [line.removeprefix("| ").removesuffix(" |") for line in lines]


def _grouped(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return each message once, with the faults after which it is said."""
    faults: dict[str, list[str]] = {}
    for fault, said in rows:
        faults.setdefault(said, []).append(fault)
    return [(", ".join(them), said) for said, them in faults.items()]


_INTRODUCTION: Final = (
    "What can be wrong with a server, the network or this machine, and what one sees then. Everything on this page was "
    "seen by `tests/matrix`, with real connections that are refused, reset or fed byte by byte; the tests fail if "
    "anything else is seen. `python tests/matrix/renew.py` writes it anew.",
    "In every cell it holds that no run is submitted twice and none is lost; that what was asked for ends in time, "
    "with what is wanted or with an error that says what to do; that no file is half; that no message has the key; and "
    "that the same handle, workspace or receiver works again as soon as the fault is over.",
)
_GLANCE: Final = (
    f"“{AS_ALWAYS}” is what one wants, without a word: comfynb has tried again, gone on asking, or not needed what is "
    "away. A warning comes with the result, an error instead of it."
)
