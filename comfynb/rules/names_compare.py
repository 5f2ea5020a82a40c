"""Names of two sides against each other: the workflows of the API, and what a database lists."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from comfynb.rules.lookup import Candidate
from comfynb.rules.names_table import NO_NAMES, NamesTable
from comfynb.rules.naming import display_name, standardize_all

__all__ = ["LEAST_LIKENESS", "Match", "NamePair", "compare_names", "differences", "likeness"]

Match: TypeAlias = Literal["exact", "case", "rule", "alias", "fuzzy", "none"]
"""How two names were found to mean the same: the first of these that fits."""

LEAST_LIKENESS: Final = 65.0
"""The least likeness, of 100, of two names that is worth a suggestion."""

_LONGEST_COMPARED: Final = 200
_SERIAL: Final = 250_000
"""Pairs up to which more threads would cost more than they save."""
_VERSION: Final = re.compile(r"(?<=.)_(v?\d+(?:_\d+)*)$")
_WORDS: Final = re.compile(r"[^\W_]+")
_SEPARATORS: Final = re.compile(r"[\W_]+")


class NamePair(NamedTuple):
    """A name of the API and one of the database that belong together, or one that has no partner.

    Parameters
    ----------
    api : Candidate or None
        The workflow.
    database : str or None
        The database's name.
    standard : str or None
        The standard name of the workflow, else of the database's name.
    match : Match
        How they were matched.
    score : float or None
        Likeness of a fuzzy match, of 100.
    notes : tuple of str
        In what they differ, and whether others have the same standard name.
    """

    api: Candidate | None
    database: str | None
    standard: str | None
    match: Match
    score: float | None = None
    notes: tuple[str, ...] = ()


def compare_names(
    workflows: Iterable[Candidate], database: Iterable[str], names: NamesTable = NO_NAMES
) -> list[NamePair]:
    """Match the workflows of the API with the names of a database.

    Every workflow and every name of the database is in the result. Names that are only alike are paired as "fuzzy",
    which is a suggestion: the most like first, each once.

    Parameters
    ----------
    workflows : iterable of Candidate
        The workflows; two of one name stay two.
    database : iterable of str
        The names that the database has; what is there twice is noted.
    names : NamesTable
        The names that mean others.

    Returns
    -------
    list of NamePair
        By standard name; the same in whatever order the two sides came.

    Examples
    --------
    >>> pairs = compare_names([Candidate("a", "Text to Image"), Candidate("b", "toon")], ["text_to_image", "tune"])
    >>> [(pair.standard, pair.match, pair.notes) for pair in pairs][0]
    ('text_to_image', 'rule', ('case', 'separators'))
    """
    api = sorted({workflow.id: workflow for workflow in workflows}.values(), key=lambda each: (each.name, each.id))
    counts = Counter(database)
    listed = sorted(counts)
    spelled = list({*listed, *(each.name for each in api)})
    by_rule = dict(zip(spelled, standardize_all(spelled), strict=True))
    standard = dict(zip(spelled, names.standardize_all(spelled), strict=True))
    pairs: list[NamePair] = []
    levels: tuple[tuple[Match, Callable[[str], str | None]], ...] = (
        ("exact", lambda name: name),
        ("case", str.casefold),
        ("rule", by_rule.__getitem__),
        ("alias", standard.__getitem__),
    )
    for match, key in levels:
        api, listed = _matched(api, listed, match, key, pairs)
    _add_fuzzy(api, listed, standard, pairs)
    shared = _shared(pairs, standard)
    return sorted((_noted(pair, standard, shared, counts) for pair in pairs), key=_place)


def differences(one: str, other: str) -> tuple[str, ...]:
    """Return in what two names differ: "case", "separators", "words", "version suffix", "characters".

    Examples
    --------
    >>> differences("img2vid - wan 2.1", "IMG2VID_wan")
    ('case', 'separators', 'version suffix')
    >>> differences("text2img", "makeimage")
    ('words',)
    """
    if one == other:
        return ()
    plain = [unicodedata.normalize("NFKC", name) for name in (one, other)]
    (core, version), (other_core, other_version) = map(_split_version, plain)
    words = [_WORDS.findall(name) for name in plain]
    same_words = core.replace("_", "") == other_core.replace("_", "")
    notes = []
    if _differ_in_case(*words):
        notes.append("case")
    if all(words) and _differ_in_separators(*plain, alike=same_words and version == other_version):
        notes.append("separators")
    if not same_words:
        notes.append("words")
    if version != other_version:
        notes.append("version suffix")
    return tuple(notes) or ("characters",)


def likeness(one: Sequence[str], other: Sequence[str], least: float = 0.0) -> Any:
    """Return the likeness of each of these to each of those, as an array of numbers up to 100; below `least`, 0."""
    from rapidfuzz import fuzz, process

    workers = -1 if len(one) * len(other) > _SERIAL else 1
    return process.cdist(one, other, scorer=fuzz.WRatio, score_cutoff=least, workers=workers)


def _matched(
    api: list[Candidate],
    listed: list[str],
    match: Match,
    key: Callable[[str], str | None],
    pairs: list[NamePair],
) -> tuple[list[Candidate], list[str]]:
    """Add the pairs of one level, and return what is left."""
    theirs: defaultdict[str, list[str]] = defaultdict(list)
    for name in listed:
        spelled = key(name)
        if spelled is not None:
            theirs[spelled].append(name)
    ours: defaultdict[str, list[Candidate]] = defaultdict(list)
    left = []
    for workflow in api:
        spelled = key(workflow.name)
        if spelled is not None and spelled in theirs:
            ours[spelled].append(workflow)
        else:
            left.append(workflow)
    taken: set[str] = set()
    for spelled, workflows in ours.items():
        found = theirs[spelled]
        taken.update(found)
        if len(workflows) == 1 or len(found) == 1:
            pairs += [NamePair(workflow, name, None, match) for workflow in workflows for name in found]
        else:
            # Which belongs to which cannot be told.
            pairs += [NamePair(workflow, None, None, match) for workflow in workflows]
            pairs += [NamePair(None, name, None, match) for name in found]
    return left, [name for name in listed if name not in taken]


def _add_fuzzy(api: list[Candidate], listed: list[str], standard: dict[str, str | None], pairs: list[NamePair]) -> None:
    """Add those that are alike, then what has no partner."""
    # Without a standard name there is nothing but signs to compare.
    ours = [workflow for workflow in api if standard[workflow.name]]
    theirs = [name for name in listed if standard[name]]
    paired_api: set[str] = set()
    paired_names: set[str] = set()
    if ours and theirs:
        scores = likeness(
            [_compared(standard[workflow.name]) for workflow in ours],
            [_compared(standard[name]) for name in theirs],
            LEAST_LIKENESS,
        )
        for row, column, score in _best_first(scores):
            pairs.append(NamePair(ours[row], theirs[column], None, "fuzzy", round(score, 1)))
            paired_api.add(ours[row].id)
            paired_names.add(theirs[column])
    pairs += [NamePair(workflow, None, None, "none") for workflow in api if workflow.id not in paired_api]
    pairs += [NamePair(None, name, None, "none") for name in listed if name not in paired_names]


def _best_first(scores: Any) -> Iterator[tuple[int, int, float]]:
    """Yield the places of the highest score, then of the highest outside its row and column, and so on."""
    waiting = [(-float(line.max()), row, int(line.argmax())) for row, line in enumerate(scores)]
    heapify(waiting)
    while waiting and waiting[0][0] < 0:
        score, row, column = heappop(waiting)
        if scores[row, column] > 0:
            scores[:, column] = 0
            yield row, column, -score
        else:
            # Its column went to another row, so its next best one has to do.
            line = scores[row]
            heappush(waiting, (-float(line.max()), row, int(line.argmax())))


def _shared(pairs: list[NamePair], standard: dict[str, str | None]) -> set[str]:
    """Return the standard names that more than one workflow has, or more than one name of the database."""
    ours: defaultdict[str, set[str]] = defaultdict(set)
    theirs: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        if pair.api is not None:
            ours[standard[pair.api.name] or pair.api.name].add(pair.api.id)
        if pair.database is not None:
            theirs[standard[pair.database] or pair.database].add(pair.database)
    return {name for side in (ours, theirs) for name, having in side.items() if len(having) > 1}


def _noted(pair: NamePair, standard: dict[str, str | None], shared: set[str], counts: Counter[str]) -> NamePair:
    notes: list[str] = []
    sides = [name for name in (pair.api and pair.api.name, pair.database) if name is not None]
    if len(sides) == 2:
        notes += differences(*sides)
    if any((standard[name] or name) in shared for name in sides):
        notes.append("collision")
    if pair.database is not None and counts[pair.database] > 1:
        notes.append("duplicate")
    if pair.match == "none":
        notes.append("only on one side")
    return pair._replace(standard=standard[sides[0]], notes=tuple(notes))


def _place(pair: NamePair) -> tuple[str, str, str, str]:
    name = pair.api.name if pair.api is not None else ""
    identifier = pair.api.id if pair.api is not None else ""
    return pair.standard or name or pair.database or "", name, identifier, pair.database or ""


def _compared(standard: str | None) -> str:
    return (standard or "")[:_LONGEST_COMPARED].replace("_", " ")


def _split_version(name: str) -> tuple[str, str]:
    standard = standardize_all([name])[0] or display_name(name)
    found = _VERSION.search(standard)
    return (standard[: found.start()], found[1]) if found else (standard, "")


def _differ_in_case(words: list[str], other_words: list[str]) -> bool:
    ours, theirs = "".join(words), "".join(other_words)
    if ours.casefold() == theirs.casefold():
        return ours != theirs
    written = _written(words)
    return any(written.get(folded, forms) != forms for folded, forms in _written(other_words).items())


def _written(words: Iterable[str]) -> dict[str, set[str]]:
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for word in words:
        forms[word.casefold()].add(word)
    return dict(forms)


def _differ_in_separators(one: str, other: str, *, alike: bool) -> bool:
    if alike:
        return one.casefold() != other.casefold()
    ours, theirs = set(_separators(one)), set(_separators(other))
    return bool(ours and theirs and ours.isdisjoint(theirs))


def _separators(name: str) -> Iterator[str]:
    return (found[0] for found in _SEPARATORS.finditer(name))
