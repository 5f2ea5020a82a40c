"""Finding the one thing that a name stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from comfynb.errors import AmbiguousNameError, InputError, NotFoundError
from comfynb.rules.naming import display_name, standardize_workflow_name
from comfynb.rules.text import tidy

__all__ = ["Candidate", "nearest", "resolve"]

_MOST_LISTED: Final = 10
_LONGEST_SHOWN: Final = 80
_LONGEST_COMPARED: Final = 200
"""Characters of a name that are compared: a name of a megabyte would take seconds."""
_NEAR_ENOUGH: Final = 60.0
"""The least likeness, of 100, of a name that is suggested."""
_NEXT_BEST: Final = 25.0
"""How much less like than the best one a further suggestion may be."""


class Candidate(NamedTuple):
    """A thing that a name can stand for.

    Parameters
    ----------
    id : str
        Its id.
    name : str
        Its name, as it is on the server.
    """

    id: str
    name: str


def resolve(
    wanted: str,
    candidates: Iterable[Candidate],
    *,
    what: str = "workflow",
    standardize: Callable[[str], str] = standardize_workflow_name,
) -> Candidate:
    """Return the candidate that `wanted` stands for.

    The first of these that fits decides: the id; the exact name; the name without regard to case; the standard name,
    which a table of names may decide. Similar names are only suggested.

    Parameters
    ----------
    wanted : str
        An id or a name.
    candidates : iterable of Candidate
        What there is.
    what : str
        The word for such a thing, for messages: "workflow", "machine".
    standardize : callable
        Makes a standard name; may raise `InputError` for a name that has none.

    Raises
    ------
    AmbiguousNameError
        More than one candidate fits.
    NotFoundError
        None fits; `near` holds the nearest names.
    InputError
        `wanted` is no text.

    Examples
    --------
    >>> resolve("Text2Img", [Candidate("a1", "text2img"), Candidate("b2", "inpaint")]).id
    'a1'
    """
    if not isinstance(wanted, str):
        raise InputError(f"The id or the name of a {what} is text, not {type(wanted).__name__}.")
    unique = _once_each(candidates)
    for candidate in unique:
        if candidate.id == wanted.strip():
            return candidate
    folded = wanted.casefold()
    levels: tuple[Callable[[], list[Candidate]], ...] = (
        lambda: [c for c in unique if c.name == wanted],
        lambda: [c for c in unique if c.name.casefold() == folded],
        lambda: _same_standard_name(wanted, unique, standardize),
    )
    for level in levels:
        found = level()
        if len(found) == 1:
            return found[0]
        if found:
            raise _ambiguous(wanted, found, what)
    raise _not_found(wanted, unique, what, standardize)


def nearest(name: str, names: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Return the names most like `name`, best first; none of them if none is much like it.

    Examples
    --------
    >>> nearest("promt", ["seed", "prompt", "steps"])
    ('prompt',)
    """
    # Needed only for messages, so it is not part of what `import comfynb` costs.
    from rapidfuzz import fuzz, process

    known = list(dict.fromkeys(text for text in names if text))
    hits = process.extract(
        name,
        known,
        scorer=fuzz.WRatio,
        processor=lambda text: text[:_LONGEST_COMPARED].casefold(),
        limit=limit,
        score_cutoff=_NEAR_ENOUGH,
    )
    return tuple(near for near, likeness, _ in hits if likeness >= hits[0][1] - _NEXT_BEST)


def _once_each(candidates: Iterable[Candidate]) -> list[Candidate]:
    by_id: dict[str, Candidate] = {}
    for candidate in candidates:
        by_id.setdefault(candidate.id, candidate)
    return list(by_id.values())


def _same_standard_name(wanted: str, candidates: list[Candidate], standardize: Callable[[str], str]) -> list[Candidate]:
    name = _standard(wanted, standardize)
    return [] if name is None else [c for c in candidates if _standard(c.name, standardize) == name]


def _standard(name: str, standardize: Callable[[str], str]) -> str | None:
    try:
        return standardize(name)
    except InputError:
        return None


def _ambiguous(wanted: str, found: list[Candidate], what: str) -> AmbiguousNameError:
    listed = ", ".join(f"{_shown(c.name)} (id {c.id})" for c in found[:_MOST_LISTED])
    more = f" and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
    return AmbiguousNameError(
        f"{_shown(wanted)} fits {len(found)} {what}s: {listed}{more}. Use the id of the one you mean.",
        candidates=[(c.name, c.id) for c in found],
    )


def _not_found(wanted: str, candidates: list[Candidate], what: str, standardize: Callable[[str], str]) -> NotFoundError:
    near = nearest(wanted, [c.name for c in candidates])
    message = f"No {what} is called {_shown(wanted)}."
    meant = _standard(wanted, standardize)
    if meant is not None and meant != _standard(wanted, standardize_workflow_name):
        message = f"{message[:-1]}, nor {_shown(meant)}, which the table of names says that it means."
    if near:
        message += f" Nearest: {', '.join(tidy(name, _LONGEST_SHOWN) for name in near)}."
    message += f" ws.{what}s() lists all {len(candidates)}." if candidates else f" There are no {what}s here."
    return NotFoundError(message, near=near)


def _shown(name: str) -> str:
    tidy = display_name(name)
    return repr(tidy if len(tidy) <= _LONGEST_SHOWN else tidy[:_LONGEST_SHOWN] + "…")
