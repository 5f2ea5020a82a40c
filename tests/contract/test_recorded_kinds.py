"""Every way in which a recorded run went can be had from the sandbox at will: by a word in an input, or by a knob."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from comfynb.sandbox import Sandbox

from . import recorded
from .posted import Json
from .recorded import differences
from .sequences import Life, anew, by_comfyui, comparable, lives, looks

WHERE = recorded.folder()
CONTENTS = recorded.load_all(WHERE) if WHERE else {}
REAL = by_comfyui(WHERE) if WHERE else frozenset()
LIVES = [*lives(CONTENTS), *(each for each in looks(CONTENTS) if each.ended)]

pytestmark = pytest.mark.skipif(not CONTENTS, reason="no recordings: COMFYNB_RECORDINGS names their folder")


@dataclass(frozen=True)
class Recipe:
    """How to have a run that goes so."""

    word: str = ""
    knob: str = ""
    twice: bool = False
    cancel: str = ""
    days: int = 0
    serverless: bool = False


@dataclass
class Had:
    """A run of the sandbox, had by a recipe."""

    answers: list[Json] = field(default_factory=list)


def recipe_for(life: Life) -> Recipe:
    """Return how to have a run that goes like a recorded one, by nothing but how that one went."""
    last, made, cloud = life.last, life.outputs, life.serverless
    begun = last["live_status"] is not None
    words = {"not-started": "__never_start__", "cancelled": "" if cloud else "__interrupt__"}
    if last["status"] == "running":
        texts = all("text" in row["data"] for row in made)
        words["running"] = "__early_save__" if made and not texts else "__text_only__" if made else "__preview_only__"
        if not made and last["progress"] < 0.99:
            words["running"] = "__freeze__"
    if last["status"] == "failed" and last["ended_at"] is not None:
        words["failed"] = "__fail__" if begun else "__reject__"
    elif last["status"] == "failed":
        words["failed"] = "__half_reject__" if begun else "__machine_down__"
    elif last["status"] == "timeout":
        return Recipe("__freeze__" if begun else "__never_start__", days=2, serverless=cloud)
    success = last["status"] == "success"
    return Recipe(
        words.get(last["status"], ""),
        knob="uploads_fail" if success and not made else "",
        twice=success and not begun,
        cancel=("on the way" if begun else "at once") if last["status"] == "cancelled" and cloud else "",
        serverless=cloud,
    )


class Cook:
    """Makes runs by their recipes, each once, on a sandbox whose machines are moved by hand."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        headers = {"authorization": f"Bearer {sandbox.api_key}"}
        limits = httpx.Limits(max_keepalive_connections=0)  # the server drops some after an error
        self.client = httpx.Client(base_url=f"{sandbox.url}/api", headers=headers, timeout=20, limits=limits)
        self.made: dict[Recipe, Had] = {}

    def have(self, recipe: Recipe) -> Had:
        """Return the run of a recipe."""
        if recipe not in self.made:
            self.made[recipe] = self._make(recipe)
        return self.made[recipe]

    def _make(self, recipe: Recipe) -> Had:
        name, prompt = ("MAKEIMAGE", "PROMPT") if recipe.serverless else ("text2img", "prompt")
        self.sandbox.knobs.change(uploads_fail=recipe.knob == "uploads_fail")
        inputs = {prompt: f"{recipe} {recipe.word}", "seed": 7}
        for _ in range(1 + recipe.twice):
            run_id = self._submit(name, inputs)
            had, run = Had([self._look(run_id)]), self.sandbox.world.runs[run_id]
            seen = -1
            while run_id in self.sandbox.world.live:
                self.sandbox.advance(0.02)
                # Asked for when something has changed.
                index = run.index(self.sandbox.world.pace.now())
                if index == seen:
                    continue
                seen = index
                had.answers.append(self._look(run_id))
                if recipe.cancel == "at once" or (recipe.cancel and had.answers[-1]["live_status"]):
                    self.client.post(f"/run/{run_id}/cancel")
            self.sandbox.advance(recipe.days * 86400.0 + 1.0)
            had.answers.append(self._look(run_id))
        return had

    def _submit(self, name: str, inputs: Json) -> str:
        world = self.sandbox.world
        workflow = world.workflow_named(name)
        body = {"workflow_version_id": workflow.versions[-1].id, "machine_id": workflow.selected_machine_id}
        self.client.post("/run", json=body | {"inputs": inputs})
        return str(self.client.get(f"/v2/workflow/{workflow.id}/runs", params={"limit": 1}).json()[0]["id"])

    def _look(self, run_id: str) -> Json:
        return dict(self.client.get(f"/run/{run_id}").json())


@pytest.fixture(scope="module")
def cook() -> Iterator[Cook]:
    """Run a sandbox without a past."""
    with Sandbox(speed=0, history=0) as sandbox:
        yield Cook(sandbox)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_a_run_can_be_had_that_goes_as_a_recorded_one(life: Life, cook: Cook) -> None:
    """The same statuses in their order, and in the end outputs, times, progress and live status there or not."""
    had = cook.have(recipe_for(life))
    ours, theirs = list(dict.fromkeys(anew(each["status"] for each in had.answers))), list(dict.fromkeys(life.statuses))
    if ours[0] in ("failed", "timeout"):
        theirs = theirs[-1:]  # seen first when the submit had been answered
    assert ours[-len(theirs) :] == theirs
    # Of a run that was looked at once, nobody knows whether that was its last change.
    ends = had.answers[-1:] if len(life.answers) > 1 else [each for each in had.answers if each["status"] == ours[-1]]
    assert facts(life.last) in [facts(each) for each in ends]
    if life.whole:
        assert not differences(bare(comparable(life, REAL)[-1]), bare(ends[-1]))


def bare(answer: Json) -> Json:
    """Return an answer without what its graph has made."""
    return answer | {"outputs": [{**row, "data": {}} for row in answer["outputs"]]}


def facts(answer: Json) -> dict[str, Any]:
    """Return what can be said of an end without knowing the graph."""
    nulls = ("ended_at", "duration", "queued_at", "started_at", "run_duration", "modal_function_call_id", "live_status")
    found = {name: answer[name] is None for name in nulls}
    if answer["machine_type"] != "classic":
        del found["modal_function_call_id"]  # none when the cloud could not be reached
    progress = answer["progress"]
    return found | {"outputs": bool(answer["outputs"]), "begun": progress > 0, "status": answer["status"]}


@recorded.of_the_usual_set
def test_each_recipe_is_needed() -> None:
    """A run over a few of them would prove little."""
    assert len({recipe_for(life) for life in LIVES}) >= 12
