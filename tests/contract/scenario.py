"""Walk through a workspace and print what is there, so that two servers can be compared with `diff`.

::

    python tests/contract/scenario.py > real.txt
    COMFYNB_SANDBOX=1 python tests/contract/scenario.py > sandbox.txt

It asks the server that `COMFY_DEPLOY_API_URL` and `COMFY_DEPLOY_API_KEY` name, or a sandbox with `COMFYNB_SANDBOX=1`,
and only reads. With ``--execute NAME`` it also runs that workflow: one run to its end, and one that is cancelled. Ids,
times, addresses and people are masked: what is left is to be the same on a server and on a sandbox that
``comfynb sandbox --like URL`` made of it, but for past runs, which are not copied; ``--no-runs`` leaves them out.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import comfynb

NOBODY = "00000000-0000-4000-8000-000000000000"
ENVIRONMENTS = ("production", "staging", "preview", "public-share", "private-share", "community-share")
LONGEST = 200
MOST_RUNS = 20
MOST_SHOWN = 3

URL = re.compile(r"https?://[^\s\"'<>\\,)]+")
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
MASKS = (
    (re.compile(r"(?m)^  cost  .*\n"), ""),  # of a run that is cancelled it depends on the moment whether it has one
    (re.compile(r"(?m)^((queued|cold start|running) [\d.]+ (s|min \d+ s)(, )?)+$\n*"), ""),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\$[\d.]+/s\b|(?m:^  price .*)"), "<price>"),
    (re.compile(r"(?m)(?<=  )\d+(?= +drawn$)|(?<=The seed )\d+(?= was drawn)"), "<drawn>"),
    (re.compile(r"(?<=_)\d{5}(?=_)"), "<number>"),
    (re.compile(r"(?m)^  (took|endpoint|share slug)  .*"), r"  \1  <masked>"),
    (re.compile(r" {3,}"), "  "),
)
MASKED = {"user": "<person>", "share_slug": "<slug>", "milliseconds": "<time>"}
"""Columns of which only whether something stands there can be the same."""
RACED = ("queued", "started", "progress", "queue_seconds", "cold_start_seconds", "run_seconds")
"""Columns that tell how far a cancelled run had come, which is a matter of milliseconds."""


def masked(text: str, names: Mapping[str, str]) -> str:
    """Return a text without what is another one on another server: times, prices, drawn seeds, addresses and ids.

    An id that `names` knows becomes what it is the id of.
    """
    text = URL.sub(lambda found: f"<url>/{found[0].partition('?')[0][8:].partition('/')[2].rpartition('/')[2]}", text)
    for pattern, instead in MASKS:
        text = pattern.sub(instead, text)
    return UUID.sub(lambda found: f"<id{names.get(found[0], '')}>", text)


def cell(value: Any, names: Mapping[str, str]) -> str:
    """Return what stands in a cell, on one line; of a very long text its beginning and a checksum."""
    if isinstance(value, tuple | list):
        return f"({', '.join(cell(each, names) for each in value)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {cell(each, names)}' for key, each in value.items())}}}"
    if isinstance(value, str):
        text = masked(value, names)
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}… {len(text)} characters, {zlib.crc32(text.encode('utf-8', 'replace')):08x}"
        return json.dumps(text)
    # What is not known is not equal to itself, or says so.
    return "-" if value is None or str(value) in {"<NA>", "NaT", "nan"} else masked(str(value), names)


class Scenario:
    """What is done, one line after the other.

    Parameters
    ----------
    ws : comfynb.Workspace
        The workspace.
    """

    def __init__(self, ws: comfynb.Workspace) -> None:
        self.ws = ws
        self.names: dict[str, str] = {}

    def read(self, *, runs: bool = True) -> Iterator[str]:
        """Yield what can be read."""
        ws = self.ws
        workflows, machines, deployments = ws.workflows(), ws.machines(), ws.deployments()
        for kind, frame in (("workflow", workflows), ("machine", machines), ("deployment", deployments)):
            for row in frame.dropna(subset="id").to_dict("records"):
                environment = f" {row['environment']}" if kind == "deployment" else ""
                self.names[row["id"]] = f" of {kind} {cell(row['name'], {})}{environment}"
        yield from self.explored()
        yield from self.table("ws.workflows()", lambda: workflows)
        yield from self.table("ws.catalog()", ws.catalog)
        yield from self.table("ws.machines()", lambda: machines)
        yield from self.table("ws.deployments()", lambda: deployments)
        for environment in ENVIRONMENTS:
            yield from self.table(
                f"ws.deployments(environment={environment!r})", lambda at=environment: ws.deployments(environment=at)
            )
        for row in workflows.to_dict("records"):
            yield from self.workflow(row, runs=runs)
        for row in deployments.dropna(subset="id").to_dict("records"):
            what = f"{cell(row['name'], {})} in {row['environment']}"
            yield from self.card(f"ws.deployment({what})", lambda row=row: ws.deployment(row["id"]))
            yield from self.table(f"ws.inputs({what})", lambda row=row: ws.inputs(row["id"]))
        for row in machines.to_dict("records"):
            yield from self.card(f"ws.machine({cell(row['name'], {})})", lambda row=row: ws.machine(row["id"]))
        yield from self.mistakes(workflows)

    def explored(self) -> Iterator[str]:
        """Yield which paths answer, and what follows from it."""
        frame = self.ws.explore()
        yield from self.table("ws.explore()", lambda: frame)
        for what in ("prefix", "key_accepted", "findings", "differences"):
            yield f"{what}: {cell(frame.attrs[what], self.names)}"

    def workflow(self, row: dict[str, Any], *, runs: bool) -> Iterator[str]:
        """Yield everything about one workflow."""
        ws, key, name = self.ws, row["id"], cell(row["name"], {})

        def versions() -> Any:
            frame = ws.versions(key)
            self.names |= {each: f" of {name} v{n}" for each, n in zip(frame["id"], frame["version"], strict=True)}
            return frame

        yield from self.table(f"ws.versions({name})", versions)
        yield from self.card(f"ws.workflow({name})", lambda: ws.workflow(key))
        yield from self.table(f"ws.inputs({name})", lambda: ws.inputs(key))
        yield from self.table(f"ws.deployments(workflow={name})", lambda: ws.deployments(workflow=key))
        yield from self.card(f"ws.prepare({name})", lambda: ws.prepare(key))
        if runs:
            yield from self.runs(key, name)

    def runs(self, key: str, name: str) -> Iterator[str]:
        """Yield the last runs of a workflow, what some of them made, and why some of them failed."""
        ws = self.ws
        frame, told = self.attempt(lambda: ws.runs(workflow=key, limit=MOST_RUNS))
        yield from self.table(f"ws.runs(workflow={name})", lambda: frame)
        yield from told
        if frame is None:
            return
        for row in frame[frame["status"] == "success"].head(MOST_SHOWN).to_dict("records"):
            yield from self.table("ws.outputs(…)", lambda row=row: ws.outputs(row["id"]))
        for row in frame[frame["status"] == "failed"].head(MOST_SHOWN).to_dict("records"):
            yield from self.card("run.explain()", lambda row=row: ws.get_run(row["id"]).explain())

    def mistakes(self, workflows: Any) -> Iterator[str]:
        """Yield what is said of names, ids and values that there are none of."""
        ws = self.ws
        yield "## mistakes"
        for wrong in ("no such thing, really", NOBODY, "not-an-id", "", " "):
            for verb in ("workflow", "deployment", "machine", "get_run", "versions", "inputs", "prepare"):
                yield from self.refused(
                    f"ws.{verb}({wrong!r})", lambda verb=verb, wrong=wrong: getattr(ws, verb)(wrong)
                )
        yield from self.refused("ws.runs(limit=-1)", lambda: ws.runs(limit=-1))
        for row in workflows.to_dict("records")[:MOST_SHOWN]:
            key, name = row["id"], cell(row["name"], {})
            yield from self.refused(f"ws.runs({name}, deployment=…)", lambda key=key: ws.runs(key, deployment=key))
            for options in ({"version": 999}, {"version": NOBODY}, {"environment": "moonbase"}):
                yield from self.refused(f"ws.inputs({name}, {options})", lambda k=key, o=options: ws.inputs(k, **o))
            yield from self.card(
                f"ws.prepare({name}, no_such_input=1)", lambda key=key: ws.prepare(key, {"no_such_input": 1})
            )

    def execute(self, name: str, inputs: Mapping[str, Any]) -> Iterator[str]:
        """Yield what comes of running a workflow."""
        ws = self.ws
        # A seed that is drawn is another one each time.
        seeds = [row["name"] for row in ws.inputs(name).to_dict("records") if row["kind"] == "seed"]
        yield "## nothing is submitted"
        before = set(ws.runs(workflow=name, limit=MOST_RUNS)["id"])
        wrong = {**inputs, "no_such_input": 1}
        yield from self.refused("ws.submit(…, no_such_input=1)", lambda: ws.submit(name, wrong))
        yield f"the same runs are there: {set(ws.runs(workflow=name, limit=MOST_RUNS)['id']) == before}"
        given = {**dict.fromkeys(seeds, 7), **inputs}
        run, told = self.attempt(lambda: ws.run(name, given, check=False, progress=False))
        yield from self.card("ws.run(…)", lambda: run)
        yield from told
        if run is None:
            return
        yield from self.card("run.explain()", run.explain)
        yield from self.table("ws.outputs(run)", lambda: ws.outputs(run))
        yield "## run.cancel()"
        other, told = self.attempt(lambda: ws.submit(name, {**given, **dict.fromkeys(seeds, 8)}))
        yield from told
        if other is not None:
            cancelled, told = self.attempt(other.cancel)
            yield from told
            yield f"cancelled: {cell(str(cancelled), self.names)}"
            yield from self.refused("run.wait(check=False)", lambda: other.wait(check=False, progress=False))
            yield f"it ended: {other.status}, outputs: {len(other.outputs)}"
        yield from self.table("ws.runs(…, limit=2)", lambda: ws.runs(workflow=name, limit=2))

    # How it is printed

    def table(self, title: str, read: Callable[[], Any]) -> Iterator[str]:
        """Yield the rows of a table, a cell a line would be: one line a row, ``column=cell``."""
        yield f"## {title}"
        frame, told = self.attempt(read)
        yield from told
        if frame is None:
            return
        # Some columns are called as an input is.
        names = {name: cell(str(name), {})[1:-1] for name in frame.columns}
        yield f"{len(frame)} rows of {', '.join(names.values())}"
        for row in frame.to_dict("records"):
            raced = RACED if row.get("status") == "cancelled" else ()
            yield "  ".join(
                f"{names[name]}={'<raced>' if name in raced else self.cell(str(name), value)}"
                for name, value in row.items()
            )

    def cell(self, column: str, value: Any) -> str:
        """Return a cell of a table."""
        text = cell(value, self.names)
        if text != "-" and (column in MASKED or column.endswith("_seconds")):
            return MASKED.get(column, "<seconds>")
        return text

    def card(self, title: str, read: Callable[[], Any]) -> Iterator[str]:
        """Yield how something shows itself as plain text."""
        yield f"## {title}"
        thing, told = self.attempt(read)
        yield from told
        if thing is not None:
            yield from masked(repr(thing), self.names).split("\n")

    def refused(self, title: str, call: Callable[[], Any]) -> Iterator[str]:
        """Yield what is said of a mistake, or that it was none."""
        _, told = self.attempt(call)
        yield f"{title}: {' '.join(told) or 'taken'}"

    def attempt(self, call: Callable[[], Any]) -> tuple[Any, list[str]]:
        """Return what a call returned, and what it said in warnings and errors."""
        told: list[str] = []
        result = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = call()
            except comfynb.ComfyError as error:
                told.append(f"{type(error).__name__}: {cell(str(error), self.names)}")
        told += [f"{type(each.message).__name__}: {cell(str(each.message), self.names)}" for each in caught]
        return result, told


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the scenario."""
    parser = argparse.ArgumentParser(description="Print what is in a workspace, for a diff.")
    parser.add_argument("--execute", metavar="NAME", help="run this workflow, too; on a real server that costs money")
    parser.add_argument("--inputs", type=json.loads, default={}, help="inputs of its runs, as JSON")
    parser.add_argument("--no-runs", action="store_true", help="leave out the runs that there were")
    options = parser.parse_args(arguments)
    # Names of other people are printed: no terminal can write all of them.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with comfynb.connect() as ws:
        scenario = Scenario(ws)
        for line in scenario.read(runs=not options.no_runs):
            print(line)
        if options.execute:
            for line in scenario.execute(options.execute, options.inputs):
                print(line)


if __name__ == "__main__":
    main()
