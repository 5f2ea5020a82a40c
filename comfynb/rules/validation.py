"""Given inputs and definitions together: what is sent, what the run will use, and every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from comfynb.errors import InputError
from comfynb.rules.coercion import RefusedValueError, Sent, coerce, is_random_seed, seed_range
from comfynb.rules.given_file import GivenFile, files_in
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.lookup import nearest
from comfynb.rules.text import tidy

__all__ = ["MergedInputs", "check_problems", "merge_inputs"]

_MOST_NAMES_SHOWN: Final = 12
_WIDEST_NAME: Final = 80
_WIDEST_PROBLEM: Final = 1000


@dataclass(frozen=True)
class MergedInputs:
    """What comes of the given inputs.

    Parameters
    ----------
    send : dict of str to JSON value or GivenFile
        What goes to the server: the given inputs and the drawn seeds, nothing else. Files are uploaded before that.
    effective : dict of str to JSON value
        What the run will use, as far as known: `send`, and the defaults of the rest.
    drawn : dict of str to int
        The seeds that were drawn here.
    problems : dict of str to str
        What keeps the inputs from being sent, by input name. Empty means that they can go.
    notes : tuple of str
        What is worth knowing, and no problem.
    """

    send: dict[str, Sent] = field(default_factory=dict)
    effective: dict[str, Sent] = field(default_factory=dict)
    drawn: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[GivenFile, ...]:
        """The files that are to be uploaded, each once."""
        return tuple(dict.fromkeys(file for files in files_in(self.send).values() for file in files))


def merge_inputs(
    definitions: Sequence[InputDefinition],
    given: Mapping[str, Any],
    *,
    draw: Callable[[int, int], int],
    read: Callable[[InputDefinition, Any], Any] | None = None,
) -> MergedInputs:
    """Check given inputs, and make of them what is sent.

    A seed that is given as -1 or None, or is not given and has no fixed default, is drawn within its range.

    Parameters
    ----------
    definitions : sequence of InputDefinition
        What the workflow asks for.
    given : mapping
        Values by input name. Nothing else is sent but drawn seeds: the server's defaults stay the server's.
    draw : callable
        `draw(low, high)` returns an integer from low to high, both included.
    read : callable, optional
        `read(definition, value)` returns what is given for an input, with a `GivenFile` in the place of each file; it
        may refuse it as `coerce` does.

    Returns
    -------
    MergedInputs
        With every problem, not only the first.

    Examples
    --------
    >>> prompt = InputDefinition("prompt", "Prompt", "ComfyUIDeployExternalText", "text")
    >>> merge_inputs([prompt], {"promt": "a red fox"}, draw=lambda low, high: low).problems
    {'promt': "unknown input 'promt'; did you mean 'prompt'?", 'prompt': 'is required and not given (text)'}
    """
    known = {definition.name: definition for definition in definitions}
    send: dict[str, Sent] = {}
    drawn: dict[str, int] = {}
    problems: dict[str, str] = {}
    notes: list[str] = []
    # First what was given, as it was given; then what was not.
    for name in (*given, *(name for name in known if name not in given)):
        definition = known.get(name)
        if definition is None:
            problems[str(name)] = _unknown(name, known)
            continue
        try:
            if definition.uses > 1:
                raise RefusedValueError(f"{definition.problem}; rename one of them in the workflow")
            if _wants_drawing(definition, given):
                send[name] = drawn[name] = _draw(definition, draw)
                notes.append(f"The seed {drawn[name]} was drawn for {name!r}.")
            elif name in given:
                send[name] = coerce(definition, read(definition, given[name]) if read is not None else given[name])
                if definition.kind == "enum" and not definition.options:
                    notes.append(f"The options of {name!r} cannot be read, so its value was not checked.")
            elif definition.required:
                raise RefusedValueError(f"is required and not given ({definition.type_word})")
        except RefusedValueError as refused:
            problems[name] = str(refused)
    effective = {
        name: send.get(name, definition.default)
        for name, definition in known.items()
        if name in send or (definition.has_default and name not in problems)
    }
    return MergedInputs(send, effective, drawn, problems, tuple(notes))


def check_problems(merged: MergedInputs, what: str) -> None:
    """Raise an error that lists every problem, if there is one.

    Parameters
    ----------
    merged : MergedInputs
        What `merge_inputs` returned.
    what : str
        What the inputs are for, as it stands in the message: "text2img".

    Raises
    ------
    InputError
        With one problem a line, and `problems` by input name.
    """
    if not merged.problems:
        return
    count = "One input" if len(merged.problems) == 1 else f"{len(merged.problems)} inputs"
    lines = [f"{count} of {tidy(what, _WIDEST_NAME)} cannot be sent, so nothing was submitted:"]
    lines += [
        f"  {tidy(name, _WIDEST_NAME)}: {tidy(problem, _WIDEST_PROBLEM)}" for name, problem in merged.problems.items()
    ]
    raise InputError("\n".join(lines), problems=merged.problems)


def _wants_drawing(definition: InputDefinition, given: Mapping[str, Any]) -> bool:
    if definition.kind != "seed":
        return False
    if definition.name in given:
        return is_random_seed(given[definition.name])
    # A default that is missing or out of range makes the machine draw a seed that nobody gets to know.
    return not definition.has_fixed_seed


def _draw(definition: InputDefinition, draw: Callable[[int, int], int]) -> int:
    low, high = seed_range(definition)
    if low > high:
        raise RefusedValueError(f"has no seed to draw: the range in the workflow is {low} to {high}")
    return draw(low, high)


def _unknown(name: object, known: Mapping[str, InputDefinition]) -> str:
    if not known:
        return f"unknown input {name!r}; this workflow takes none"
    near = nearest(str(name), known)
    if near:
        return f"unknown input {name!r}; did you mean {' or '.join(repr(each) for each in near)}?"
    more = ", …" if len(known) > _MOST_NAMES_SHOWN else ""
    return f"unknown input {name!r}; the inputs are {', '.join(list(known)[:_MOST_NAMES_SHOWN])}{more}"
