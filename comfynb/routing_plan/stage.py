"""Where a case takes place: a workspace with rules that the case writes, and what it may cost."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.connecting import connect
from comfynb.errors import ComfyError
from comfynb.routing_plan.case import NotHere, OutOfBudget
from comfynb.runs.run import Run
from comfynb.services.routing import ROUTING_FILE
from comfynb.warnings import ComfyWarning
from comfynb.workspace import Workspace

if TYPE_CHECKING:
    from comfynb.sandbox import Sandbox

__all__ = ["Stage", "Target"]

_PICTURE = "https://example.com/picture.png"
_READY = ("ready", "running")


class Target:
    """A workflow that can be run, and where it runs without rules.

    Parameters
    ----------
    name, id : str
        The workflow.
    standard : str
        Its standard name.
    home : str or None
        The machine of its production deployment, or its own without one.
    deployed : bool
        Whether it has that deployment.
    inputs : mapping
        What it cannot do without.
    """

    def __init__(
        self, name: str, id: str, standard: str, home: str | None, deployed: bool, inputs: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.id = id
        self.standard = standard
        self.home = home
        self.deployed = deployed
        self.inputs = dict(inputs)


class Stage:
    """A workspace with a file of rules of its own.

    Parameters
    ----------
    folder : pathlib.Path
        Where the rules are written.
    sandbox : Sandbox, optional
        The sandbox; without it, the server that the environment says.
    execute : bool
        Whether runs are submitted; else a case sees where they would go.
    budget : list of int
        How many runs may still be submitted, in one element that all stages share.
    """

    def __init__(
        self, folder: Path, sandbox: Sandbox | None = None, *, execute: bool = True, budget: list[int] | None = None
    ) -> None:
        self.folder = folder
        self.path = folder / ROUTING_FILE
        self.execute = execute
        self._sandbox = sandbox
        self._budget = budget if budget is not None else [1_000_000]
        self.warned: list[str] = []
        self.rules({})
        # What a machine says of itself is asked for each time here, so that no case waits for it to get old.
        self.ws: Workspace = connect(sandbox=sandbox or False, routing=self.path, names=False, machines_ttl=0.0)

    def close(self) -> None:
        """Let go of the workspace."""
        self.ws.close()

    # -- what there is ------------------------------------------------------------------------------------------

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox, whose knobs a case may turn."""
        if self._sandbox is None:
            raise NotHere("a sandbox")
        return self._sandbox

    def machine(self, name: str) -> Any:
        """Return a machine of the sandbox's world, which a case may change."""
        return self.sandbox.world.machine_named(name)

    def targets(self, kind: str | None = None, *, deployed: bool | None = True) -> list[Target]:
        """Return the workflows that can be run with what is known of their inputs, by name.

        Parameters
        ----------
        kind : str, optional
            Only those that make this: "image", "video".
        deployed : bool, optional
            Only those with a production deployment, or only those with none at all.
        """
        found = []
        rows: Any = self.ws.catalog().sort_values(["name", "id"]).itertuples()
        for row in rows:
            production = any(place == "production" for place, _ in row.deployments)
            standing = len(row.deployments) > 0
            if (kind is not None and row.output_kind != kind) or not isinstance(row.standard_name, str):
                continue
            if (deployed is True and not production) or (deployed is False and standing):
                continue
            inputs = dict.fromkeys(row.required_inputs, _PICTURE)
            target = Target(
                row.name, row.id, row.standard_name, _text(row.machine), production, inputs if self._sandbox else {}
            )
            if self._runs(target, row.required_inputs):
                found.append(target)
        return found

    def _runs(self, target: Target, required: Sequence[str]) -> bool:
        if required and self._sandbox is None:
            return False  # nobody knows what would be a sensible value there
        same = [name for name in self.ws.catalog()["standard_name"] if name == target.standard]
        return len(same) == 1 and not self.ws.prepare(target.id, target.inputs, route=False).problems

    def target(self, kind: str | None = None, *, deployed: bool = True) -> Target:
        """Return the first of them whose machine is ready, or, without a deployment, the first."""
        ready = self.ready()
        for target in self.targets(kind, deployed=deployed):
            if target.home in ready:
                return target
        what = f" that makes {kind}" if kind is not None else ""
        how = "with a production deployment on a machine that is ready" if deployed else "without any deployment"
        raise NotHere(f"a workflow{what} {how}")

    def ready(self) -> list[str]:
        """Return the names of the machines that are ready, sorted; names that several have are left out."""
        machines = self.ws.machines()
        names = machines["name"].tolist()
        statuses = zip(names, machines["status"], strict=True)
        return sorted(name for name, status in statuses if status in _READY and names.count(name) == 1)

    def others(self, target: Target, number: int = 1) -> list[str]:
        """Return machines that are ready and not the home of a workflow."""
        found = [name for name in self.ready() if name != target.home]
        if len(found) < number:
            raise NotHere(f"{number + 1} machines that are ready" if number else "a machine that is ready")
        return found[:number]

    def named(self, status: str) -> str:
        """Return a machine with this status."""
        machines = self.ws.machines()
        found = sorted(machines.loc[machines["status"] == status, "name"])
        if not found:
            raise NotHere(f"a machine that is {status}")
        return str(found[0])

    # -- what is done -------------------------------------------------------------------------------------------

    def rules(self, content: Mapping[str, Any] | str) -> None:
        """Write the rules, as TOML or as what TOML would say."""
        import tomlkit

        text = content if isinstance(content, str) else tomlkit.dumps(content)
        self.path.write_text(text, encoding="utf-8")

    def run(self, target: Target, **options: Any) -> str:
        """Run it, and return how that ended and on which machine, as the server says; or where it would run."""
        with self.collecting():
            prepared = self.ws.prepare(target.id, {**target.inputs, **options.pop("given", {})}, **options)
            if not self.execute:
                prepared.check()
                how = "its deployment" if prepared.deployment is not None else "its version"
                return f"would run on {prepared.machine_name}, by {how}"
            if self._budget[0] < 1:
                raise OutOfBudget
            self._budget[0] -= 1
            run = self.ws.submit(target.id, prepared.inputs.send, **options)
            self.wait(run)
        return self.told(run, "its deployment" if run.prepared and run.prepared.deployment else "its version")

    def wait(self, run: Run) -> None:
        """Wait until a run has ended, well or not."""
        if self._sandbox is not None:
            self._sandbox.ended()  # which knows it at once
            run.refresh()
        run.wait(check=False, progress=False)

    def expect(self, machine: str | None, how: str) -> str:
        """Return what `run` says when a run went well there: how is "its deployment" or "its version"."""
        return f"{'success' if self.execute else 'would run'} on {machine}, by {how}"

    def told(self, run: Run, how: str) -> str:
        """Return how a run ended, and where the server says that it ran."""
        names = dict(zip(self.ws.machines()["id"], self.ws.machines()["name"], strict=True))
        return f"{run.status} on {names.get(run.machine_id, run.machine_id)}, by {how}"

    def refused(self, do: Callable[[], object]) -> str:
        """Return the name of the error, and how many runs came of it all the same."""
        before = self.submits()
        try:
            with self.collecting():
                do()
        except ComfyError as error:
            self.error = str(error)
            after = self.submits()
            runs = "" if before is None or after is None else f", {after - before} runs"
            return f"{type(error).__name__}{runs}"
        return "no error"

    def refusal(self, error: str) -> str:
        """Return what `refused` says when a submit was refused and left nothing behind."""
        return f"{error}, 0 runs" if self._sandbox is not None else error

    def submits(self) -> int | None:
        """Return how many runs the sandbox created; None elsewhere, where others may run things, too."""
        return self._sandbox.counters.runs_created if self._sandbox is not None else None

    def collecting(self) -> Any:
        """Keep warnings instead of showing them, and the routes of runs to themselves."""
        stage = self

        class Collecting(warnings.catch_warnings):
            def __enter__(self) -> None:
                super().__enter__()
                self.quiet = ExitStack()
                for redirect in (redirect_stderr, redirect_stdout):  # where the route of each run would be shown
                    self.quiet.enter_context(redirect(StringIO()))
                warnings.simplefilter("always", ComfyWarning)
                warnings.showwarning = lambda message, *_, **__: stage.warned.append(type(message).__name__)

            def __exit__(self, *error: Any) -> None:
                self.quiet.__exit__(*error)
                super().__exit__(*error)

        return Collecting()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
