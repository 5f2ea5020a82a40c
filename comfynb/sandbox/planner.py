"""Works out what will become of a run, as ComfyUI and the plugin would have it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from comfynb.sandbox.failure import Failure, failure_data, find_failure, number
from comfynb.sandbox.plan import Output, Plan, Situation, State, float4, single
from comfynb.sandbox.prompt import Prompt, Verdict
from comfynb.sandbox.rejection import half_rejection, rejection
from comfynb.sandbox.values import is_input, is_link

__all__ = ["make_plan"]

GPU_FACTOR = {"T4": 1.8, "L4": 1.3, "A10G": 1.0, "L40S": 0.7, "A100": 0.6, "A100-80GB": 0.55, "H100": 0.45, "H200": 0.4}
CLASSIC_FACTOR = 1.2
COLD_START = 8.0
"""Reported seconds until a serverless machine that slept has started."""
WARM_START = 0.4
PIXELS = 512 * 512
SLOW_FACTOR = 6.0


def make_plan(prompt: Prompt, situation: Situation) -> Plan:
    """Work out what becomes of a run.

    Parameters
    ----------
    prompt : Prompt
        What is executed.
    situation : Situation
        Where and how.
    """
    if "__machine_down__" in situation.words:
        return single("failed", answer=500)
    if prompt.verdict is Verdict.UNKNOWN or "__never_start__" in situation.words:
        return single("not-started")
    if prompt.verdict is Verdict.REJECTED or "__reject__" in situation.words:
        rejected = single("failed", ended=True, answer=400)
        rejected.outputs = [Output("error", rejected.states[-1].at, rejection(prompt), inside=True)]
        return rejected
    return _Planner(prompt, situation).plan()


@dataclass(slots=True)
class _Step:
    """A node that a machine executes."""

    node_id: str
    class_type: str
    seconds: float
    kept: bool
    """Whether its result is left from the prompt before this one."""
    repeated: bool
    """Whether it is the same as a node before it."""
    signature: str
    """What it is and what it is given: the machine's cache goes by it."""

    def execute(self) -> None:
        """Have it executed: what fails or is stopped is in no cache."""
        self.kept = self.repeated = False


class _Planner:
    """Walks through a prompt and writes down what is seen of it."""

    def __init__(self, prompt: Prompt, situation: Situation) -> None:
        self.prompt = prompt
        self.situation = situation
        self.words = situation.words
        self.states = [State(0.0, "not-started")]
        self.outputs: list[Output] = []
        self.uploads: list[float] = []
        self.timings: list[dict[str, Any]] = []
        self.signatures: set[str] = set()
        self.at = situation.wait
        self.total = max(1, len(prompt.graph))
        self.half = prompt.verdict is Verdict.HALF or "__half_reject__" in self.words

    def plan(self) -> Plan:
        """Return the plan."""
        queued, started = self._begin()
        steps = self._steps()
        failing = self._failing(steps)
        frozen = self._freezing(steps)
        interrupted = self._interrupted(steps)
        # What is left counts as begun, and is handed over again before anything is executed.
        begun = self._hand_over([step for step in steps if step.kept])
        for step in steps:
            if step.kept:
                continue
            if step.repeated:
                self._uploads_of(step, self.at)
                continue
            begun += 1
            self._add(progress=float4(round(begun / self.total, 2)), live=step.class_type, event="progress")
            if step.node_id == frozen:
                return self._finish(queued, started)
            if failing and failing.node_id == step.node_id:
                self._fail(step, failing, [done.node_id for done in steps[: steps.index(step)]])
                return self._finish(queued, started)
            if step.node_id == interrupted:
                self._interrupt(step)
            self.at += step.seconds
            self.signatures.add(step.signature)
            self.timings.append(
                {
                    "id": step.node_id,
                    "time": round(step.seconds, 6),
                    "vram_used": 0,
                    "class_type": step.class_type,
                }
            )
            self._uploads_of(step, self.at)
        self._end()
        return self._finish(queued, started)

    # The parts of a life, in order.

    def _begin(self) -> tuple[float | None, float | None]:
        """Let the run reach its machine; return when it was queued and started, if the machine tells that."""
        queued = started = None
        if self.situation.serverless:
            queued = 0.28
            self.at = self.situation.wait + queued
            self._add(status="queued")
            self.at += COLD_START if self.situation.cold else WARM_START
            started = self.at
            self._unknown_status()
            self._add(status="started")
            self.at += 0.35
        else:
            self.at = self.situation.wait + 0.12
            if "__step_back__" in self.words:
                # Callbacks overtake each other: a node is reported before the run is said to run.
                first = self.prompt.class_of(self.prompt.order[0]) if self.prompt.order else None
                share = float4(round(1 / self.total, 2))
                self._add(status="not-started", live=first, progress=share, event="progress")
                self.at += 0.3
            self._unknown_status()
        self._add(status="running", live=None, progress=0.0)
        if self.half:
            self.at += 0.05
            # By the server itself, since the machine's answer is an error.
            self._add(status="failed", event="marked")
            self.outputs.append(Output("error", self.at, half_rejection(self.prompt), inside=True))
        self.at += 0.07 if self.situation.serverless else 0.02
        return queued, started

    def _unknown_status(self) -> None:
        if self.situation.unknown_status:
            self._add(status="warming-up")
            self.at += 0.6

    def _steps(self) -> list[_Step]:
        """Return the nodes in order, with what the cache holds of them."""
        factor = self.situation.factor * (SLOW_FACTOR if "__slow__" in self.words else 1.0)
        gpu = self.situation.gpu
        factor *= GPU_FACTOR.get(gpu, 1.0) if gpu else CLASSIC_FACTOR
        by_node: dict[str, str] = {}
        seen: set[str] = set()
        steps = []
        for node_id in self.prompt.order:
            class_type = self.prompt.class_of(node_id)
            signature = self._signature(node_id, by_node)
            by_node[node_id] = signature
            seconds = self._seconds(node_id, class_type) * factor * self.situation.vary(node_id)
            kept = signature in self.situation.cached
            steps.append(_Step(node_id, class_type, round(seconds, 6), kept, signature in seen, signature))
            seen.add(signature)
        return steps

    def _signature(self, node_id: str, by_node: dict[str, str]) -> str:
        class_type = self.prompt.class_of(node_id)
        inputs = []
        for name, value in sorted(self.prompt.graph[node_id]["inputs"].items()):
            link = by_node.get(value[0]) if is_link(value) else None
            inputs.append((name, (hash(link), value[1]) if link else repr(value)))
        if is_input(class_type):
            inputs.append(("value", repr(self.prompt.values.get(node_id))))
        return f"{class_type}{inputs}"

    def _seconds(self, node_id: str, class_type: str) -> float:
        seconds = self.prompt.installed.of(class_type).seconds
        if class_type != "KSampler":
            return seconds
        steps = number(self.prompt.inputs_of(node_id).get("steps"), 20)
        frames = number(self.prompt.find("length"), 1)
        pixels = number(self.prompt.find("width"), 512) * number(self.prompt.find("height"), 512)
        size = min(4.0, max(0.5, (max(0.0, pixels) / PIXELS) ** 0.5))
        return float(0.4 + 0.12 * min(max(steps, 1), 150) * size * (1 + min(max(frames, 0), 1000) / 40))

    def _failing(self, steps: list[_Step]) -> Failure | None:
        """Return what fails: by itself, or because a word asks for it."""
        failure = find_failure(self.prompt, self.situation.unreadable)
        if failure is None and "__fail__" in self.words and steps:
            heavy = [step for step in steps if not is_input(step.class_type)] or steps
            worst = max(heavy, key=lambda step: step.seconds)
            message = "CUDA out of memory. Tried to allocate 2.00 GiB.\n"
            failure = Failure(worst.node_id, "torch.OutOfMemoryError", message)
        if failure:
            next(step for step in steps if step.node_id == failure.node_id).execute()
        return failure

    def _freezing(self, steps: list[_Step]) -> str | None:
        if "__freeze__" not in self.words or not steps:
            return None
        frozen = steps[len(steps) // 2]
        frozen.execute()
        return frozen.node_id

    def _interrupted(self, steps: list[_Step]) -> str | None:
        if "__interrupt__" not in self.words or not steps:
            return None
        interrupted = steps[len(steps) // 2]
        interrupted.execute()
        return interrupted.node_id

    def _interrupt(self, step: _Step) -> None:
        """Let the run be called cancelled; ComfyUI hears nothing of it and goes on."""
        at = self.at
        self.at += step.seconds * 0.4
        self._add(status="cancelled", ended=True)
        self.at = at

    def _hand_over(self, kept: list[_Step]) -> int:
        for step in kept:
            self.signatures.add(step.signature)
            self._uploads_of(step, self.at)
        return len(kept)

    def _uploads_of(self, step: _Step, done: float) -> None:
        """Write down when the files of an output node will be there."""
        made = self.prompt.installed.of(step.class_type)
        silent = self.words & {"__no_outputs__", "__preview_only__", "__text_only__"}
        if not made.makes or made.makes == "preview" or (silent and made.makes != "text"):
            return
        if made.makes == "text":
            text = self._text_of(step.node_id)
            self._output(done + 0.09, {"text": [text]}, step, with_class=True)
            return
        if self.situation.uploads_fail:
            self.uploads.append(done + 31.0)
            return
        upload = round(0.08 + 0.3 * abs(self.situation.vary(step.node_id + "upload") - 1), 9)
        files = self.situation.make(step.node_id, made.makes, made.extension)
        for each in files:
            each["upload_duration"] = upload
        at = done + upload
        self.uploads.append(at)
        data: dict[str, Any] = {made.makes: files}
        if step.class_type == "SaveAnimatedWEBP":
            data["animated"] = [True]
        self._output(at, data, step, with_class=False)

    def _text_of(self, node_id: str) -> str:
        inputs = self.prompt.inputs_of(node_id)
        return str(next((value for value in inputs.values() if value is not None), ""))

    def _output(self, at: float, data: dict[str, Any], step: _Step, *, with_class: bool) -> None:
        output_id = self.prompt.graph[step.node_id]["inputs"].get("output_id")
        self.outputs.append(
            Output(
                f"output {step.node_id}",
                at,
                data,
                step.node_id,
                step.class_type if with_class else None,
                str(output_id) if output_id else None,
            )
        )

    def _fail(self, step: _Step, failure: Failure, executed: list[str]) -> None:
        self.at += step.seconds * 0.4
        self._show(self.at)
        self._add(status="failed", ended=True)
        self.outputs.append(Output("error", self.at, failure_data(self.prompt, failure, executed), inside=True))

    def _end(self) -> None:
        """Let the prompt end. Success is said only by an upload that ends after it."""
        over = self.at
        if "__early_save__" in self.words and self.uploads:
            self._early(over)
            return
        if self.words & {"__preview_only__", "__text_only__"}:
            if "__text_only__" in self.words:
                text = str(self.prompt.find("text") or "text")
                self.outputs.append(Output("text", over, {"text": [text]}, self.prompt.order[-1], "PreviewAny"))
            self._show(over + 0.1)
            return
        last = max(self.uploads, default=0.0)
        if "__no_outputs__" in self.words:
            last = over + 0.2
        shown = max([over, last, *(output.at for output in self.outputs)])
        self._show(shown)
        if last > over and "__interrupt__" not in self.words:
            self.at = shown + 0.09
            self._add(status="success" if not self.half else "failed", ended=not self.half)

    def _early(self, over: float) -> None:
        """Let the picture be there halfway, and the run never end."""
        middle = self.states[len(self.states) // 2].at
        self.outputs = [replace(each, at=middle) for each in self.outputs]
        kept = [state for state in self.states if state.at <= middle]
        later = [state for state in self.states if state.at > middle]
        seen = kept[-1]
        shown = len(self.outputs)
        self.states = [
            *kept,
            replace(seen, at=middle + 0.01, outputs=shown, event="output"),
            *(replace(state, outputs=shown, at=max(state.at, middle + 0.02)) for state in later),
        ]
        self.at = max(over, middle + 0.1)

    def _show(self, until: float) -> None:
        """Let the outputs appear that are there by then, in order."""
        for output in sorted(self.outputs, key=lambda each: each.at):
            if output.inside or output.at > until + 0.001:
                continue
            self._insert_output(output)

    def _insert_output(self, output: Output) -> None:
        before = [state for state in self.states if state.at <= output.at]
        after = [state for state in self.states if state.at > output.at]
        shown = before[-1].outputs + 1
        state = replace(before[-1], at=output.at, outputs=shown, event="output")
        self.states = [*before, state, *(replace(each, outputs=each.outputs + 1) for each in after)]

    def _finish(self, queued: float | None, started: float | None) -> Plan:
        if "__step_back__" in self.words:
            self._wobble()
        self.outputs.sort(key=lambda each: (each.inside, each.at))
        busy = max(self.at, self.states[-1].at)
        self.outputs.append(Output("timings", busy, list(self.timings), inside=True))
        if busy > self.states[-1].at:
            self.states.append(replace(self.states[-1], at=busy, event="times"))
        return Plan(
            [replace(state, at=round(state.at, 6)) for state in self.states],
            self.outputs,
            queued,
            started,
            answer=400 if self.half else 200,
            busy_until=round(busy, 6),
            signatures=frozenset(self.signatures),
        )

    def _wobble(self) -> None:
        """Let progress step back once, for a moment."""
        moving = [index for index, state in enumerate(self.states) if state.event == "progress"]
        if len(moving) < 4:
            return
        index = moving[len(moving) // 2]
        earlier, state = self.states[moving[0]], self.states[index]
        third = (self.states[index + 1].at - state.at) / 3
        back = replace(earlier, at=state.at + third, status="not-started", outputs=state.outputs)
        again = replace(state, at=state.at + 2 * third)
        self.states[index + 1 : index + 1] = [back, again]

    def _add(
        self,
        *,
        status: str | None = None,
        live: str | None = "",
        progress: float | None = None,
        ended: bool = False,
        event: str = "status",
    ) -> None:
        last = self.states[-1]
        self.states.append(
            State(
                self.at,
                status or last.status,
                last.live_status if live == "" else (f"Executing {live}" if live else None),
                last.progress if progress is None else progress,
                last.outputs,
                ended or last.ended,
                event,
            )
        )
