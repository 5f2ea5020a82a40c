"""Why a run ended, or stands, as it does, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from comfynb.display.card import Card, Notes, Section, Tone
from comfynb.display.html import card_html
from comfynb.display.runs import failed_node, found_again
from comfynb.display.text import card_text
from comfynb.display.words import count, status_tone
from comfynb.rules.diagnosis import Failure
from comfynb.rules.status import is_terminal
from comfynb.rules.text import tidy

__all__ = ["Explanation", "explanation_card", "explanation_html", "explanation_text"]


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Why a run ended, or stands, as it does. Displaying it says so in words; its attributes have the rest.

    Parameters
    ----------
    run_id, name, status : str
        The run, the name of its workflow, and its status.
    headline : str
        What happened, in one line: "failed at KSampler (node 3)".
    message : str or None
        What the machine said, shortened.
    node : str or None
        The node that failed: "KSampler (node 3)".
    hint : str
        The usual cause, and what to do; empty if there is nothing to explain.
    outputs : int
        How many outputs are there.
    trouble : str or None
        What went wrong with the run's submit.
    exception_type : str or None
        The class of the error on the machine. It is not displayed, since it seldom helps.
    """

    run_id: str
    name: str
    status: str
    headline: str
    message: str | None = None
    node: str | None = None
    hint: str = ""
    outputs: int = 0
    trouble: str | None = None
    exception_type: str | None = None

    @classmethod
    def of(
        cls,
        *,
        run_id: str,
        name: str,
        status: str,
        stage: str,
        failure: Failure | None = None,
        hint: str = "",
        outputs: int = 0,
        trouble: str | None = None,
    ) -> Explanation:
        """Put it together from what is known.

        Parameters
        ----------
        run_id, name, status, stage : str
            The run; `stage` is its status in words.
        failure : Failure or None
            What its machine said.
        hint : str
            The usual cause, and what to do.
        outputs : int
            How many outputs are there.
        trouble : str or None
            What went wrong with its submit.
        """
        node = failed_node(failure) if failure is not None else None
        words = stage or status
        return cls(
            run_id=run_id,
            name=name,
            status=status,
            headline=f"{words} at {node}" if node and status == "failed" else words,
            message=failure.message if failure is not None else None,
            node=node,
            hint=hint or (failure.hint if failure is not None else ""),
            outputs=outputs,
            trouble=trouble,
            exception_type=failure.exception_type if failure is not None else None,
        )

    def __repr__(self) -> str:
        return explanation_text(self)

    def _repr_html_(self) -> str:
        return explanation_html(self)


def explanation_text(explanation: Explanation) -> str:
    """Return an explanation as plain text, which is also the message of the error that a bad end raises.

    Examples
    --------
    >>> why = Explanation("0a1b", "text2img", "failed", "failed at KSampler (node 3)", "out of memory")
    >>> print(explanation_text(why))
    failed at KSampler (node 3) – run of text2img
      id  0a1b
    <BLANKLINE>
    The machine said: out of memory
    """
    return card_text(explanation_card(explanation))


def explanation_html(explanation: Explanation) -> str:
    """Return an explanation as HTML."""
    return card_html(explanation_card(explanation))


def explanation_card(explanation: Explanation) -> Card:
    """Return what a display of an explanation says."""
    sections: list[Section] = []
    if explanation.message:
        sections.append(Notes((f"The machine said: {explanation.message}",), "bad"))
    if explanation.hint:
        sections.append(Notes((explanation.hint,)))
    elif explanation.status == "success":
        sections.append(Notes(("It ended well; there is nothing to explain.",)))
    elif not is_terminal(explanation.status):
        sections.append(Notes(("It goes on, as far as known: run.wait() waits for its end.",)))
    elif not explanation.message and explanation.status != "cancelled":
        sections.append(Notes(("Nothing more is known about its end.",)))
    if explanation.trouble:
        sections.append(Notes((found_again(explanation.trouble),), "warn"))
    if explanation.outputs and explanation.status != "success":
        verb = "is" if explanation.outputs == 1 else "are"
        sections.append(Notes((f"{count(explanation.outputs, 'output')} {verb} there all the same: run.outputs",)))
    return Card(
        status=explanation.headline,
        tone=_tone(explanation),
        title=f"run of {tidy(explanation.name, 80) or 'a workflow'}",
        facts=(("id", explanation.run_id),),
        sections=tuple(sections),
    )


def _tone(explanation: Explanation) -> Tone:
    if is_terminal(explanation.status):
        return status_tone(explanation.status)
    return "warn" if explanation.hint else "busy"
