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
SHORT: Final = {
    AS_ALWAYS: "✓",
    "StaleDataWarning": "last known",
    "RecoveredSubmitWarning": "found",
    "SubmitUncertainError": "unsure",
    "OfflineError": "not sent",
    "WaitTimeout": "in time",
}
"""What is seen often, in a word or two."""

WHAT: Final = {
    "read": "a table that was not read before: `ws.workflows()`; the fault strikes every try",
    "read again": "one that was: `ws.workflows(refresh=True)`; the fault strikes every try",
    "submit": "`ws.submit(…)`; the fault strikes the submit itself",
    "poll once": "`run.wait()`; the fault strikes one look at the run, or lasts less than a second",
    "poll on": "`run.wait(timeout)`; the fault strikes every look, for as long as it is waited",
    "upload": "`ws.upload(file)`, and every file that is given for an input",
    "download": "`run.download(folder)`",
    "webhook": "`run.wait()` after `submit(…, webhook=True)`; the fault strikes what the server posts to "
    "`ws.listen()`: its address refuses the connection, what is posted is cut, and so on",
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
            **{
                name: [in_short(of[fault].what) if fault in (of := played[name]) else NONE for fault in FAULTS]
                for name in OPERATIONS
            },
        }
    )
    notes = pd.DataFrame(list(FAULT_NOTES.items()), columns=["fault", "which is"])
    sections = [
        Section(text=_INTRODUCTION),
        Section("All at a glance", _GLANCE, grid),
        Section("The faults", ("Those whose names do not say it all:",), notes),
    ]
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
    return {(name, row[0]): row[1 + at] for row in rows for at, name in enumerate(OPERATIONS)}


def in_short(what: str) -> str:
    """Return what was seen in a word or two."""
    if what in SHORT:
        return SHORT[what]
    return "told" if all(name.endswith("Warning") for name in what.split(", ")) else "error"


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
    "- **✓** is what one wants, without a word: comfynb has tried again, gone on asking, or not needed what is away.\n"
    "- **told** is what one wants, and a warning that says what is wrong.\n"
    '- **last known** is what was read before, with a warning, its age, and `df.attrs["stale"]`.\n'
    "- **found** is the run of a submit whose answer was lost: it was looked for in the run list, and not sent again.\n"
    "- **unsure** is an error that says that a run may have been started, and that nobody knows.\n"
    "- **not sent** is an error: nothing has left this machine.\n"
    "- **in time** is an error at the end of the time for which was waited; the run goes on, and so can waiting.\n"
    "- **error** is any other one. Below stands what it says.",
)
