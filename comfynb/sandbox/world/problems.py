"""What is wrong with a world's file, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from comfynb.sandbox.world.entries import (
    OF_A_VERSION,
    DeploymentEntry,
    InputEntry,
    MachineEntry,
    VersionEntry,
    WorkflowEntry,
    WorldEntry,
)

__all__ = ["near", "sentences"]

_ENTRIES: Final[Mapping[str, type[BaseModel]]] = {
    "machines": MachineEntry,
    "workflows": WorkflowEntry,
    "versions": VersionEntry,
    "inputs": InputEntry,
    "deployments": DeploymentEntry,
}


def near(word: str, words: Sequence[str]) -> str:
    """Return the end of a sentence about a word that is none of those that there are.

    Examples
    --------
    >>> near("intger", ["integer", "float"]), near("x", ["integer", "float"])
    ("; did you mean 'integer'?", "; there are 'integer', 'float'")
    """
    close = get_close_matches(word, words, 1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(map(repr, words[:24]))}" if words else ""


def sentences(error: ValidationError, content: Mapping[str, Any]) -> Iterator[str]:
    """Yield each problem with its place in what was written, once."""
    seen: set[str] = set()
    for fault in error.errors(include_url=False):
        sentence = f"{_place(fault['loc'], content)}: {_problem(fault)}"
        if sentence not in seen:
            seen.add(sentence)
            yield sentence


def _place(loc: Sequence[str | int], content: Any) -> str:
    where, here = "", content
    steps = list(loc)
    while steps:
        step = steps.pop(0)
        if step == "versions" and isinstance(here, dict) and not isinstance(here.get("versions"), list):
            # The list was made of what stands in the workflow itself.
            del steps[:1]
        elif isinstance(step, int):
            here = here[step] if isinstance(here, list) and step < len(here) else None
            where += f"[{step + 1}]"
            name = here.get("name") if isinstance(here, dict) else None
            where += f" ({name!r})" if isinstance(name, str) else ""
        else:
            here = here.get(step) if isinstance(here, dict) else None
            where += f".{step}" if where else step
    return where


def _problem(fault: Any) -> str:
    kind, given = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        return f"there is no such setting{near(str(fault['loc'][-1]), _settings(fault['loc']))}"
    if kind in {"literal_error", "enum"}:
        words = [each.strip(" '") for each in str(fault["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        return f"there is no {given!r}{near(str(given), words)}"
    if kind == "missing":
        return "it is missing"
    if kind == "value_error":
        return str(fault["ctx"]["error"])
    return f"{fault['msg'][0].lower()}{fault['msg'][1:]}, and is {given!r:.60}"


def _settings(loc: Sequence[str | int]) -> list[str]:
    """Return the settings that there are where one is that there is not."""
    owner = next((str(step) for step in reversed(loc[:-1]) if isinstance(step, str)), "")
    found = list(_ENTRIES.get(owner, WorldEntry).model_fields)
    return [*found, *OF_A_VERSION] if owner == "workflows" else found
