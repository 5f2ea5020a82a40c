"""Takes runs, gives them to machines, and lets them end."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from comfynb.rules.status import is_terminal
from comfynb.sandbox.plan import Situation, State, single, words_in
from comfynb.sandbox.planner import make_plan
from comfynb.sandbox.prompt import prepare
from comfynb.sandbox.signing import sign
from comfynb.sandbox.world.records import Deployment, File, Machine, Tenant, Version
from comfynb.sandbox.world.run import Run
from comfynb.sandbox.world.world import World

__all__ = ["Engine", "Submit"]

DATA_URI = re.compile(r"data:image/(png|jpeg|jpg);base64,(.*)", re.DOTALL)
MAX_BATCH = 8
WAITING = frozenset({"not-started", "queued"})
"""Statuses in which a run has a place in the queue of its machine."""


@dataclass(slots=True)
class Submit:
    """What a client asked to run."""

    tenant: Tenant
    machine: Machine
    workflow_id: str
    workflow_api: dict[str, Any]
    workflow: dict[str, Any] | None
    inputs: dict[str, Any]
    version: Version | None = None
    deployment: Deployment | None = None
    gpu: str | None = None
    webhook: str | None = None
    webhook_intermediate_status: bool = False
    origin: str = "api"
    batch_id: str | None = None


@dataclass(slots=True)
class _Lane:
    """One run at a time goes through a lane of a machine."""

    free_at: datetime | None = None
    free_pace: float = 0.0


class Engine:
    """The machines of a world.

    Parameters
    ----------
    world : World
        Where runs are kept.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._lanes: dict[str, list[_Lane]] = {}
        self._caches: dict[str, frozenset[str]] = {}
        self._files: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._waiting: defaultdict[str, dict[str, Run]] = defaultdict(dict)
        """Runs by machine that may still wait; tidied when somebody asks for a place in the queue."""
        self.announce: Callable[[Run], None] = _tell_nobody
        """Told of each run that has a webhook."""

    def submit(self, asked: Submit) -> Run:
        """Create a run and give it to its machine; `run.plan.answer` says how the submit is answered."""
        world = self.world
        moment = world.write()
        run_id = world.ids.uuid("run")
        asked.inputs = {name: self._uploaded(value) for name, value in asked.inputs.items()}
        pace = world.pace.now()
        run = self._execute(asked, run_id, moment, pace, words_in(asked.inputs))
        world.add_run(run)
        self._waiting[run.machine_id][run.id] = run
        world.counters.runs_created += 1
        return run

    def remember(self, asked: Submit, moment: datetime, run_id: str, words: frozenset[str]) -> Run:
        """Create a run of the past, which has reached its last state. For the history of a world."""
        run = self._execute(asked, run_id, moment, 0.0, words, past=True)
        run.settled = True
        self._waiting[run.machine_id][run.id] = run
        self.world.add_run(run)
        return run

    def cancel(self, run: Run) -> None:
        """Cancel a run of a serverless machine, unless it has ended."""
        moment = self.world.write()
        index = run.index(self.world.pace.now())
        state = run.plan.states[index]
        if is_terminal(state.status):
            return
        # The end follows from the states that were reached, so that it is the same however fast the client was.
        at = round(state.at + 0.25, 6)
        states = [*run.plan.states[: index + 1], replace(state, at=at, status="cancelled", ended=True, event="status")]
        kept = [each for each in run.plan.outputs if each.at <= state.at]
        run.replan(replace(run.plan, states=states, outputs=kept), settled=True)
        self.world.live.pop(run.id, None)
        self.world.clock.reach(max(moment, run.updated_at(states[-1])))

    def queue_position(self, run: Run, pace: float) -> int | None:
        """Return how many older runs of the machine have not started, the dead of the last day included."""
        if run.plan.states[run.index(pace)].status not in WAITING:
            return None
        waiting = self._waiting[run.machine_id]
        for each in list(waiting.values()):
            if each.settled and each.plan.states[-1].status not in WAITING:
                waiting.pop(each.id, None)
        day = run.created_at - timedelta(hours=24)
        return sum(
            day < each.created_at < run.created_at and each.plan.states[each.index(pace)].status in WAITING
            for each in waiting.values()
        )

    # How a machine takes a run

    def _execute(
        self, asked: Submit, run_id: str, moment: datetime, pace: float, words: frozenset[str], *, past: bool = False
    ) -> Run:
        world, machine, knobs = self.world, asked.machine, self.world.knobs
        gpu = self._gpu(asked)
        run = Run(
            id=run_id,
            user_id=asked.tenant.user_id,
            workflow_id=asked.workflow_id,
            workflow_version_id=asked.version.id if asked.version else None,
            machine_id=machine.id,
            machine_type=machine.type,
            deployment_id=asked.deployment.id if asked.deployment else None,
            inputs=asked.inputs,
            created_at=moment,
            plan=single("not-started"),
            born=pace,
            gpu=gpu,
            origin=asked.origin,
            webhook=asked.webhook,
            webhook_intermediate_status=asked.webhook_intermediate_status,
            modal_function_call_id=world.ids.call_id(run_id) if machine.serverless else None,
            batch_id=asked.batch_id,
            workflow=asked.workflow,
        )
        if not past and not self._reachable(machine):
            run.replan(single("failed", answer=500), settled=False)
            run.modal_function_call_id = None
            _fail_at_once(run)
            return run
        if not past:
            world.counters.prompts[machine.name] += 1
        lane = None if past else self._lane(machine, pace)
        if lane and lane.free_at and lane.free_pace > pace:
            run.wait = max(0.0, (lane.free_at - moment).total_seconds())
            run.wait_pace = lane.free_pace - pace
        if not past and knobs.step_back:
            words |= {"__step_back__"}
        if not past and knobs.take("stuck_next"):
            words |= {"__freeze__"}
        run.prompt = prepare(asked.workflow_api, asked.workflow, asked.inputs, self._draw(run_id), world.installed)
        plan = make_plan(
            run.prompt,
            Situation(
                serverless=machine.serverless,
                gpu=gpu,
                wait=run.wait,
                cold=self._is_cold(machine, lane, moment),
                words=words,
                vary=lambda part: 0.85 + 0.3 * world.ids.fraction("seconds", run_id, part),
                make=lambda node, key, extension: self._make_files(run, node, key, extension),
                unreadable=self.unreadable,
                cached=frozenset() if machine.serverless or past else self._caches.get(machine.id, frozenset()),
                factor=knobs.run_seconds,
                uploads_fail=knobs.uploads_fail and not past,
                unknown_status=knobs.unknown_status and not past,
            ),
        )
        outputs = [replace(each, key=world.ids.uuid_of("output", run_id, each.key)) for each in plan.outputs]
        for output in outputs:
            if isinstance(output.data, dict):
                _sign(output.data, run_id, moment + timedelta(seconds=output.at))
        run.replan(replace(plan, outputs=outputs), settled=False)
        if lane and plan.busy_until:
            lane.free_at = moment + timedelta(seconds=plan.busy_until)
            lane.free_pace = pace + run.wait_pace + plan.busy_until - run.wait
            self._caches[machine.id] = plan.signatures
        if plan.answer != 200:
            _fail_at_once(run)
        return run

    def _gpu(self, asked: Submit) -> str | None:
        if asked.deployment and asked.deployment.gpu:
            return asked.deployment.gpu
        return asked.gpu or (asked.machine.gpu if asked.machine.serverless else None)

    def _reachable(self, machine: Machine) -> bool:
        if machine.name in self.world.knobs.offline or machine.id in self.world.knobs.offline:
            return False
        if machine.type not in {"classic"} and not machine.serverless:
            return False
        return machine.status not in {"error", "building"}

    def _lane(self, machine: Machine, pace: float) -> _Lane:
        count = machine.concurrency_limit if machine.serverless else 1
        lanes = self._lanes.setdefault(machine.id, [])
        while len(lanes) < max(1, count):
            lanes.append(_Lane())
        # The one that was used last and is free, since it is warm; else the one that is free first.
        free = [lane for lane in lanes if lane.free_pace <= pace]
        return max(free, key=lambda lane: lane.free_pace) if free else min(lanes, key=lambda lane: lane.free_pace)

    def _is_cold(self, machine: Machine, lane: _Lane | None, moment: datetime) -> bool:
        if lane is None or lane.free_at is None:
            return True
        return (moment - lane.free_at).total_seconds() > machine.idle_timeout

    def _draw(self, run_id: str) -> Any:
        ids = self.world.ids
        return lambda node_id, low, high: low + ids.number("draw", run_id, node_id) % (high - low + 1)

    # Files

    def unreadable(self, address: str) -> bool:
        """Whether a machine cannot read a picture at this address: it has no network but the sandbox's own files."""
        own = self.world.files_url
        if address.startswith(own + "/"):
            path = address[len(own) + 1 :].partition("?")[0]
            if path.startswith(("samples/", "outputs/")):
                return False
            file = self.world.files.get(path)
            return file is None or not file.mime_type.startswith("image/") or not _is_picture(file.content)
        host = re.match(r"https?://([^/:?#]+)", address)
        return host is None or host[1].endswith((".invalid", ".test"))

    def store(
        self, prefix: str, extension: str, content: bytes, mime_type: str, folder: str = "inputs"
    ) -> tuple[str, str]:
        """Keep an uploaded file; return its id and its address."""
        file_id = self.world.ids.file_id(prefix)
        path = f"{folder}/{file_id}{extension}"
        self.world.files[path] = File(content, mime_type)
        if self.world.knobs.private_files:
            self.world.private.add(path)
        return file_id, sign(self.world, f"{self.world.files_url}/{path}")

    def _uploaded(self, value: Any) -> Any:
        match = DATA_URI.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return value
        try:
            content = base64.b64decode(match[2], validate=False)
        except binascii.Error:
            return value
        extension = ".png" if match[1] == "png" else f".{match[1]}"
        return self.store("img", extension, content, f"image/{match[1]}")[1]

    def _make_files(self, run: Run, node_id: str, key: str, extension: str) -> list[dict[str, Any]]:
        prompt = run.prompt
        if prompt is None:
            return []
        prefix = str(prompt.inputs_of(node_id).get("filename_prefix") or "ComfyUI")
        batch = prompt.find("batch_size")
        count = min(MAX_BATCH, batch) if isinstance(batch, int) and key == "images" and extension == "png" else 1
        folder, _, name = prefix.rpartition("/")
        files = []
        for _ in range(max(1, count)):
            counter = self._files[run.machine_id]
            counter[prefix] += 1
            filename = f"{name}_{counter[prefix]:05d}_.{extension}"
            path = f"outputs/runs/{run.id}/{filename}"
            private = self.world.knobs.private_files
            if private:
                self.world.private.add(path)
            files.append(
                {
                    "url": f"{self.world.files_url}/{path}",
                    "type": "output",
                    "filename": filename,
                    "is_public": not private,
                    "subfolder": folder,
                }
            )
        return files

    def state_of(self, run: Run) -> State:
        """Return the state that a run has reached."""
        return run.plan.states[run.index(self.world.pace.now())]


def _fail_at_once(run: Run) -> None:
    """Let a run be failed when its submit is answered, since that is why the answer is an error."""
    run.wait = run.wait_pace = 0.0
    failed = next((state.at for state in run.plan.states if state.status == "failed"), 0.0)
    # A little more, because the difference of two times is not exact.
    run.born -= failed + 1e-6


def _sign(data: dict[str, Any], run_id: str, moment: datetime) -> None:
    """Write the run and the time into what a machine posts about a failure."""
    if "exception_type" in data:
        data["prompt_id"] = run_id
        data["timestamp"] = int(moment.timestamp() * 1000)
    elif "prompt_id" in data.get("error", {}):
        data["error"]["prompt_id"] = run_id


def _tell_nobody(_run: Run) -> None:
    """Stand in until somebody sends webhooks."""


def _is_picture(content: bytes) -> bool:
    return content.startswith((b"\x89PNG", b"\xff\xd8", b"GIF8")) or content[8:12] == b"WEBP"
