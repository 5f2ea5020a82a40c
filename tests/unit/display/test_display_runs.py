"""How runs and their explanations look."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from comfynb.display.explanation import Explanation
from comfynb.display.runs import RunFacts, run_html, run_text
from comfynb.rules.diagnosis import Failure

FAILURE = Failure("out of memory", "3", "KSampler", "torch.OutOfMemoryError", "Ask for a smaller picture.")


@pytest.mark.parametrize(
    ("facts", "head"),
    [
        (RunFacts("r", "w", "success", "finished", 0.9), "finished"),
        (RunFacts("r", "w", "failed", "failed", failure=FAILURE), "failed at KSampler (node 3)"),
        (RunFacts("r", "w", "failed", "failed", failure=Failure("x")), "failed"),
        (RunFacts("r", "w", "timeout", "timed out"), "timed out"),
        (RunFacts("r", "w", "running", "Executing KSampler", 0.456), "running: Executing KSampler, 46%"),
        (RunFacts("r", "w", "running", "running", 0.0), "running, 0%"),
        (RunFacts("r", "w", "running", "running", 1.0, stalled="silent"), "running, 100% (stalled)"),
        (RunFacts("r", "w", "queued", "queued, 3 before it"), "queued, 3 before it"),
        (RunFacts("r", "w", "not-started", "waiting", stalled="silent"), "waiting (stalled)"),
        (RunFacts("r", "w", "brand-new", "brand-new"), "brand-new"),
    ],
)
def test_the_status_is_said_in_words(facts: RunFacts, head: str) -> None:
    """A share is shown only of a run that executes."""
    assert run_text(facts).splitlines()[0] == f"{head} – run of w"


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_a_bad_end_is_never_left_without_a_word(status: str, page: Callable) -> None:
    """Without the machine's words, both twins say who can be asked."""
    facts = RunFacts("r", "w", status, status)
    assert "run.explain() asks the server" in run_text(facts)
    assert "run.explain() asks the server" in page(run_html(facts)).text


def test_a_failure_is_told_with_its_node_and_what_to_do() -> None:
    """But without the class of the error, which seldom helps."""
    text = run_text(RunFacts("r", "w", "failed", "failed", failure=FAILURE))
    assert "KSampler (node 3): out of memory" in text
    assert "Ask for a smaller picture." in text
    assert "torch" not in text


def test_outputs_are_named_in_text_and_shown_in_html(page: Callable) -> None:
    """Pictures are thumbnails, films have players; all are links; a file without an address is a name."""
    outputs = (
        ("image", "a.png", "https://host/a.png"),
        ("video", "b.mp4", "https://host/b.mp4"),
        ("text", "c.txt", None),
    )
    facts = RunFacts("r", "w", "success", "finished", outputs=outputs)
    found = page(run_html(facts))
    assert found.values("src") == ["https://host/a.png", "https://host/b.mp4"]
    assert found.values("href") == ["https://host/a.png", "https://host/b.mp4"]
    assert all(name in run_text(facts) for name in ("a.png", "b.mp4", "c.txt"))
    assert "run.images()" in run_text(facts)


def test_a_success_without_outputs_is_not_passed_over() -> None:
    """Because something is wrong then."""
    text = run_text(RunFacts("r", "w", "success", "finished"))
    assert "none came, although the run ended well" in text
    assert "run.explain()" in text


def test_what_is_left_out_is_counted() -> None:
    """A batch of hundreds does not fill the notebook."""
    outputs = tuple(("image", f"{n}.png", f"https://host/{n}.png") for n in range(100))
    text = run_text(RunFacts("r", "w", "success", "finished", outputs=outputs, inputs={str(n): n for n in range(100)}))
    assert "and 76 more: run.outputs" in text
    assert "and 60 more: run.inputs" in text


def test_an_explanation_says_what_happened_and_what_to_do() -> None:
    """The rest is in its attributes."""
    why = Explanation.of(run_id="r", name="w", status="failed", stage="failed", failure=FAILURE, hint="Use another.")
    assert repr(why).split("\n") == [
        "failed at KSampler (node 3) – run of w",
        "  id  r",
        "",
        "The machine said: out of memory",
        "",
        "Use another.",
    ]
    assert why.exception_type == "torch.OutOfMemoryError"
    assert why.node == "KSampler (node 3)"


@pytest.mark.parametrize(
    ("status", "hint", "sentence"),
    [
        ("success", "", "It ended well; there is nothing to explain."),
        ("success", "Nothing was uploaded.", "Nothing was uploaded."),
        ("running", "", "It goes on, as far as known"),
        ("running", "Nothing has changed for 130 s.", "Nothing has changed for 130 s."),
        ("failed", "", "Nothing more is known about its end."),
    ],
)
def test_an_explanation_is_never_empty(status: str, hint: str, sentence: str) -> None:
    """Whatever is known of the run."""
    assert sentence in repr(Explanation.of(run_id="r", name="w", status=status, stage=status, hint=hint))


def test_outputs_of_a_run_that_did_not_end_well_are_pointed_out() -> None:
    """They are there, and somebody paid for them."""
    why = Explanation.of(
        run_id="r", name="w", status="failed", stage="failed", hint="x", outputs=1, trouble="no answer"
    )
    assert "1 output is there all the same: run.outputs" in repr(why)
    assert "no answer" in repr(why)
