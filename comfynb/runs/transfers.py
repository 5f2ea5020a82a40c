"""Showing how files come and go: one bar for all files of a call, by their bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from comfynb.display.words import count
from comfynb.rules.given_file import GivenFile
from comfynb.rules.sizes import size_words
from comfynb.rules.text import tidy
from comfynb.runs.progress import Progress, progress_for
from comfynb.services.uploading import Moved

__all__ = ["Transfer", "downloading", "uploading"]

_WORTH_A_BAR: Final = 1_000_000
"""Bytes to upload; less is done before a bar is read."""
_APART: Final = 0.2
"""Seconds between two moves of a bar."""


class Transfer:
    """How far several files have come.

    Parameters
    ----------
    files : int
        How many there are.
    total : int
        All their bytes; 0 if that is not known.
    verb : str
        What is done to them: "saved", "uploaded".
    """

    def __init__(self, files: int, total: int = 0, verb: str = "saved") -> None:
        self._expected = files
        self._total = total
        self._verb = verb
        self._come: dict[str, tuple[int, int]] = {}

    def move(self, name: str, come: int, size: int) -> None:
        """Take in how far a file has come; see `comfynb.services.uploading.Moved`."""
        self._come[name] = (come, size)

    @property
    def _files(self) -> int:
        return max(self._expected, len(self._come))  # of a run that was never looked at, none is expected

    @property
    def come(self) -> int:
        """Bytes that have come of all files."""
        return sum(come for come, _ in self._come.values())

    @property
    def share(self) -> float:
        """0 to 1: by bytes where all sizes are known, else by files."""
        if self._total:
            return min(1.0, self.come / self._total)
        return sum(come / size for come, size in self._come.values() if size) / self._files if self._files else 1.0

    @property
    def words(self) -> str:
        """In words: which file, or how many, and how much."""
        of = f" of {size_words(self._total)}" if self._total else ""
        if self._files == 1:
            name = next(iter(self._come), "")
            size = next((size for _, size in self._come.values()), 0)
            return f"{tidy(name, 40)} {size_words(self.come)}{of or (f' of {size_words(size)}' if size else '')}"
        done = sum(1 for come, size in self._come.values() if size and come >= size)
        return f"{done} of {count(self._files, 'file')}, {size_words(self.come)}{of}"

    @property
    def end(self) -> str:
        """In words: what was done."""
        return f"{count(self._files, 'file')} {self._verb}, {size_words(self.come)}"


@contextmanager
def downloading(title: str, files: int, progress: bool | None = None) -> Iterator[Moved | None]:
    """Show a bar while files are saved, where somebody can see it.

    Parameters
    ----------
    title : str
        Whose files they are.
    files : int
        How many there are, as far as known.
    progress : bool, optional
        False shows nothing.
    """
    with _shown(progress_for(title, progress, what=f"the files of {tidy(title, 40)}"), Transfer(files)) as moved:
        yield moved


@contextmanager
def uploading(files: Sequence[GivenFile], progress: bool | None = None) -> Iterator[Moved | None]:
    """Show a bar while files are uploaded, if that takes a while."""
    total = sum(file.size for file in files)
    if total < _WORTH_A_BAR:
        yield None
        return
    bar = progress_for("upload", progress, what=f"the upload of {count(len(files), 'file')}")
    with _shown(bar, Transfer(len(files), total, "uploaded")) as moved:
        yield moved


@contextmanager
def _shown(bar: Progress, transfer: Transfer) -> Iterator[Moved]:
    last = 0.0

    def moved(name: str, come: int, size: int) -> None:
        nonlocal last
        transfer.move(name, come, size)
        if time.monotonic() - last >= _APART:
            last = time.monotonic()
            bar.move(transfer.share, transfer.words)

    with bar:
        try:
            yield moved
        except BaseException:
            bar.move(transfer.share, f"{transfer.words}, and no further", "danger")
            raise
        bar.move(1.0, transfer.end, "success")
