"""Files of rules in TOML: where they are found, what is in them, and at which line."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import platformdirs

from comfynb.errors import ConfigurationError

T = TypeVar("T")

_MOST_PLACES: Final = 64
_places: dict[tuple[str | None, ...], tuple[float, tuple[str, ...]]] = {}

_HEADER: Final = re.compile(r"\[(?P<double>\[)?(?P<path>[^\[\]]*)\]")
_KEY: Final = re.compile(r"""(?P<path>(?:[\w-]+|"(?:[^"\\]|\\.)*"|'[^']*'|\s*\.\s*)+?)\s*=""")
_STRINGS: Final = re.compile(r'''""".*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|#[^\n]*''', re.DOTALL)


def find_rules_file(
    name: str, *, named: str | Path | None = None, by: str = "", start: Path | None = None
) -> Path | None:
    """Return the file of rules that holds here, or None if there is none.

    Parameters
    ----------
    name : str
        What the file is called by default. It is searched from the working directory upwards to the project's folder,
        which has ``.git`` or ``pyproject.toml``; in each of them first itself, then in ``config``; then in the user's
        configuration folder.
    named : str or pathlib.Path, optional
        A file that was named, which has to be there; nothing is searched then.
    by : str
        What named it, for the message: an option or a variable.
    start : pathlib.Path, optional
        Where the search begins, instead of the working directory.

    Raises
    ------
    ConfigurationError
        If the named file is not there.
    """
    if named is not None:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"{path} is no file; {by or 'the file of rules'} names it.")
        return path
    for candidate in _candidates(name, start):
        if os.path.isfile(candidate):  # noqa: PTH113 - ten times as fast, and asked with every read of a table
            return Path(candidate)
    return None


def _candidates(name: str, start: Path | None) -> tuple[str, ...]:
    """Return where a file of rules can be. Which folder is the project's is looked up once a second at most."""
    here = str(start) if start is not None else os.getcwd()  # noqa: PTH109 - as above
    key = (name, here, os.environ.get("XDG_CONFIG_HOME"), os.environ.get("HOME"))
    known = _places.get(key)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    found = [str(place) for folder in upwards(start) for place in (folder / name, folder / "config" / name)]
    found.append(str(platformdirs.user_config_path("comfynb") / name))
    if len(_places) > _MOST_PLACES:
        _places.clear()
    _places[key] = (time.monotonic() + 1.0, tuple(found))
    return tuple(found)


def upwards(start: Path | None = None) -> Iterator[Path]:
    """Yield a folder and those above it, up to the project's, which has ``.git`` or ``pyproject.toml``."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        yield folder
        if (folder / ".git").exists() or (folder / "pyproject.toml").exists():
            return


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it.

    Raises
    ------
    OSError
        If it cannot be written; it stays as it was then.
    """
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@dataclass(frozen=True)
class RulesFile:
    """A TOML file that was read.

    Attributes
    ----------
    path : pathlib.Path
        Where it is.
    text : str
        All of it.
    data : dict
        What it says.
    """

    path: Path
    text: str
    data: dict[str, Any]

    @classmethod
    def read(cls, path: str | Path) -> RulesFile:
        """Read a file.

        Raises
        ------
        ConfigurationError
            If it cannot be read, or is no TOML; the message has the line.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
            return cls(path, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"\(at (?:line (\d+)|end of document)", str(error))
            line = place[1] if place is not None and place[1] else str(text.count("\n") + 1)
            raise ConfigurationError(f"{path}, line {line}: {str(error).partition(' (at ')[0]}.") from None
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{path} cannot be read: byte {error.start} is not UTF-8.") from None
        except RecursionError:
            raise ConfigurationError(f"{path} cannot be read: its lists or tables are nested too deep.") from None
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None

    def line(self, keys: Sequence[str], text: str | None = None) -> int:
        """Return the line, from 1, where a key stands, or the nearest one above it that stands somewhere.

        Parameters
        ----------
        keys : sequence of str
            The path of the key.
        text : str, optional
            An element of the list that is its value; then the line of that.
        """
        path = tuple(keys)
        while path and path not in self._lines:
            path = path[:-1]
        first = self._lines.get(path, 1)
        if text is None or path != tuple(keys):
            return first
        after = min((line for line in self._lines.values() if line > first), default=self.text.count("\n") + 2)
        for number, line in enumerate(self.text.splitlines()[first - 1 : after - 1], first):
            if any(_unquoted(found[0]) == text for found in _STRINGS.finditer(line)):
                return number
        return first

    def problem(self, keys: Sequence[str], what: str, text: str | None = None) -> str:
        """Return a sentence about a key, with the file and the line in front."""
        return f"{self.path}, line {self.line(keys, text)}: {what}"

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        """Line of each key and table; made only for messages, since nobody else asks."""
        found: dict[tuple[str, ...], int] = {}
        # Strings of several lines, and comments, are blanked, so that nothing in them looks like a key.
        plain = _STRINGS.sub(
            lambda part: part[0] if "\n" not in part[0] and part[0][0] != "#" else _blank(part[0]), self.text
        )
        table: tuple[str, ...] = ()
        depth = 0
        for number, line in enumerate(plain.split("\n"), 1):
            stripped = line.strip()
            if depth == 0 and (header := _HEADER.match(stripped)):
                table = _path(header["path"])
                for end in range(1, len(table) + 1):
                    found.setdefault(table[:end], number)
                continue
            if depth == 0 and (key := _KEY.match(stripped)):
                path = _path(key["path"])
                for end in range(1, len(path) + 1):
                    found.setdefault((*table, *path[:end]), number)
            bare = _STRINGS.sub("", line)
            depth = max(0, depth + sum(map(bare.count, "[{")) - sum(map(bare.count, "]}")))
        return found


def _blank(text: str) -> str:
    return "\n" * text.count("\n")


def _path(text: str) -> tuple[str, ...]:
    """Return the keys of a dotted key."""
    try:
        inner: Any = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    found: list[str] = []
    while isinstance(inner, dict):
        ((key, inner),) = inner.items()
        found.append(key)
    return tuple(found)


def _unquoted(text: str) -> str | None:
    if text[0] == "#":
        return None
    return str(tomllib.loads(f"x = {text}")["x"])


class Watched(Generic[T]):
    """What is made of a file of rules, made again when another file holds or the file has changed.

    Parameters
    ----------
    find : callable
        Returns the path that holds now, or None.
    make : callable
        Makes something of a path, or of None if there is no file.
    """

    def __init__(self, find: Callable[[], Path | None], make: Callable[[Path | None], T]) -> None:
        self._find = find
        self._make = make
        self._lock = threading.Lock()
        self._kept: tuple[object, T] | None = None

    def get(self) -> T:
        """Return what the file says now.

        Raises
        ------
        ConfigurationError
            If it cannot be used; also when it could be before.
        """
        path = self._find()
        mark = (path, _mark(path)) if path is not None else None
        kept = self._kept
        if kept is not None and kept[0] == mark:
            return kept[1]
        with self._lock:
            kept = self._kept
            if kept is None or kept[0] != mark:
                # The mark is taken before the file is read: what changes in between is read again the next time.
                kept = self._kept = (mark, self._make(path))
        return kept[1]


def _mark(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
