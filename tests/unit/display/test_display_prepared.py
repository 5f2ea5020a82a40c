"""How a prepared run looks: what would be sent, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from comfynb.rules.inputs import InputDefinition
from comfynb.rules.validation import merge_inputs

INPUTS = (
    InputDefinition("prompt", "Prompt", "ComfyUIDeployExternalText", "text", node_id="1"),
    InputDefinition("steps", "Steps", "", "integer", default=20, has_default=True, minimum=1, maximum=50, node_id="2"),
    InputDefinition("seed", "Seed", "ComfyUIDeployExternalSeed", "seed", minimum=1, maximum=9, node_id="3"),
    InputDefinition("style", "Style", "", "text", used=False, node_id="4"),
)


@pytest.fixture
def made(prepared: Callable) -> Callable[..., str]:
    def make(*, given: dict[str, object], **changes: object) -> str:
        inputs = merge_inputs(INPUTS, given, draw=lambda low, high: high)
        clean = {"blockers": (), "notes": (), "webhook": None}
        return repr(prepared("text2img", definitions=INPUTS, inputs=inputs, **(clean | changes)))

    return make


def test_it_says_what_would_be_sent_and_where_each_value_is_from(made: Callable[..., str]) -> None:
    """Given, drawn, the default of the workflow, or nothing at all."""
    text = made(given={"prompt": "a red fox"})
    assert text.splitlines()[0] == "ready to submit – a run of text2img"
    assert [
        line.split() for line in text.splitlines() if line.startswith(("  prompt", "  steps", "  seed", "  style"))
    ] == [
        ["prompt", "'a", "red", "fox'", "given"],
        ["steps", "20", "default"],
        ["seed", "9", "drawn"],
        ["style", "–", "not", "given"],
    ]
    assert text.splitlines()[-1] == 'This submits nothing; ws.submit("text2img", …) with the same arguments does.'


def test_each_problem_stands_beside_its_input(made: Callable[..., str]) -> None:
    """Unknown names stand below the known ones."""
    lines = made(given={"promt": "x", "steps": 70}, price=None).splitlines()
    assert lines[0] == "cannot be submitted – a run of text2img"
    rows = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert "is required and not given" in rows["prompt"]
    assert "must be 1 to 50, not 70" in rows["steps"]
    assert "did you mean 'prompt'" in rows["promt"]
    assert rows["price"].split() == ["price", "unknown"]
    assert lines[-1] == "Nothing can be submitted: 3 problems of the inputs."


def test_what_the_machine_lacks_is_said(made: Callable[..., str]) -> None:
    """A machine that does not exist has only an id."""
    text = made(given={"prompt": "x"}, machine=None, machine_id="m-9", deployment=None, blockers=("It is gone.",))
    assert "m-9, which does not exist" in text
    assert "none: the version is sent to the machine" in text
    assert "It is gone." in text
    assert text.splitlines()[-1] == "Nothing can be submitted: the machine."
