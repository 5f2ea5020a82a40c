"""Names with wildcards: `*` stands for any characters, `?` for one; all else is what standard names are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Generic, TypeVar

from comfynb.rules.naming import standardize_workflow_name

T = TypeVar("T")

_WILD: Final = re.compile(r"([*?])")


def is_glob(key: str) -> bool:
    """Whether a key has a wildcard.

    Examples
    --------
    >>> is_glob("upscale_*"), is_glob("poster [v2]")
    (True, False)
    """
    return "*" in key or "?" in key


def standard_glob(key: str) -> str:
    """Return a glob as it is compared with standard names: its literal parts are spelled as they are there.

    Examples
    --------
    >>> standard_glob("Upscale *"), standard_glob("img2vid - wan ?.1")
    ('upscale_*', 'img2vid_wan_?_1')
    """
    parts = _WILD.split(key)
    # Letters around a part keep the separators at its ends, which belong to the name as a whole.
    spelled = [part if place % 2 else standardize_workflow_name(f"x{part}x")[1:-1] for place, part in enumerate(parts)]
    return "".join(spelled).strip("_")


class Names(Generic[T]):
    """Finds what belongs to a name: what has exactly it comes before globs, the most specific glob before others.

    A glob is more specific the more characters of it are no wildcards; of two alike the first one holds.

    Parameters
    ----------
    exact : mapping of str to object
        By name.
    globs : iterable of (str, object)
        By glob, in their order.

    Examples
    --------
    >>> names = Names({"upscale": 1}, [("*", 2), ("up*", 3)])
    >>> names.find("upscale"), names.find("upscale_4x"), names.find("inpaint")
    (1, 3, 2)
    """

    def __init__(self, exact: Mapping[str, T], globs: Iterable[tuple[str, T]]) -> None:
        self._exact = dict(exact)
        ranked = sorted(globs, key=lambda each: len(_WILD.sub("", each[0])), reverse=True)
        # By what stands before the first wildcard, so that a name is compared with few of many globs.
        self._globs: dict[str, list[tuple[int, Callable[[str], object], T]]] = {}
        for rank, (glob, value) in enumerate(ranked):
            matches = re.compile(_regex(glob), re.DOTALL).fullmatch
            self._globs.setdefault(_WILD.split(glob)[0], []).append((rank, matches, value))
        self._lengths = sorted({len(start) for start in self._globs})

    def find(self, name: str) -> T | None:
        """Return what belongs to a name; None if nothing does."""
        found = self._exact.get(name)
        if found is not None or not self._globs:
            return found
        best = len(self._globs) + sum(map(len, self._globs.values()))
        for length in self._lengths:
            for rank, matches, value in self._globs.get(name[:length], ()):
                if rank >= best:
                    break
                if matches(name):
                    best, found = rank, value
                    break
        return found


def _regex(glob: str) -> str:
    # Neighbouring stars would make a regular expression that takes for ever.
    parts = _WILD.split(re.sub(r"\*+", "*", glob))
    return "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
