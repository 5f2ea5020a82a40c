"""How files come and go is shown by their bytes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

import comfynb
from comfynb.rules.given_file import GivenFile
from comfynb.rules.sizes import size_words
from comfynb.runs import transfers
from comfynb.runs.progress import Progress
from comfynb.runs.transfers import Transfer, downloading, uploading
from comfynb.warnings import UploadWarning


class Bar(Progress):
    """Remembers how it was moved."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.moves: list[tuple[float, str, str]] = []

    def move(self, share: float, words: str, style: str = "") -> None:
        """Remember it."""
        self.moves.append((share, words, style))


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    """Return the bars that were shown."""
    shown: list[Bar] = []

    def show(title: str, wanted: bool | None = None, *, what: str = "") -> Bar:
        shown.append(Bar(title))
        return shown[-1]

    monkeypatch.setattr(transfers, "progress_for", show)
    monkeypatch.setattr(transfers, "_APART", 0.0)
    return shown


def test_bytes_are_counted_over_all_files() -> None:
    """Where all sizes are known by bytes, else by files; in words that say how much."""
    known = Transfer(2, 300, "uploaded")
    known.move("a.png", 100, 100)
    known.move("b.png", 50, 200)
    assert (known.share, known.words) == (0.5, "1 of 2 files, 150 bytes of 300 bytes")
    assert known.end == "2 files uploaded, 150 bytes"
    unknown = Transfer(2)
    unknown.move("a.png", 5_000, 10_000)
    assert (unknown.share, unknown.words) == (0.25, "0 of 2 files, 5 kB")
    unknown.move("b.png", 5_000, 0)
    assert unknown.share == 0.25
    one = Transfer(1)
    one.move("a.png", 5_000, 10_000)
    assert one.words == "a.png 5 kB of 10 kB"
    assert Transfer(0).share == 1.0


def test_small_uploads_show_no_bar(bars: list[Bar]) -> None:
    """They are done before it is read."""
    with uploading([GivenFile("a.png", 1000, b"")]) as moved:
        assert moved is None
    assert bars == []
    with uploading([GivenFile("a.png", 5_000_000, b"")]) as moved:
        assert moved is not None
        moved("a.png", 2_500_000, 5_000_000)
    (bar,) = bars
    assert bar.moves == [(0.5, "a.png 2.5 MB of 5.0 MB", ""), (1.0, "1 file uploaded, 2.5 MB", "success")]


def test_a_transfer_that_breaks_off_is_no_success(bars: list[Bar]) -> None:
    """The bar stays where it was."""

    def break_off() -> None:
        with downloading("text2img", 2) as moved:
            assert moved is not None
            moved("a.png", 50, 100)
            raise comfynb.TransportError("gone")

    with pytest.raises(comfynb.TransportError):
        break_off()
    assert bars[0].moves[-1] == (0.25, "0 of 2 files, 50 bytes, and no further", "danger")


def test_a_run_that_is_saved_and_a_file_that_goes_up_show_how_far_they_are(
    ws: comfynb.Workspace, bars: list[Bar], tmp_path: Path
) -> None:
    """From the first byte to the last."""
    run = ws.run("text2img", width=64, height=64)
    (path,) = run.download(tmp_path)
    size = path.stat().st_size
    assert bars[-1].moves[-1] == (1.0, f"1 file saved, {size_words(size)}", "success")
    assert bars[-1].moves[0][0] > 0
    (tmp_path / "large.bin").write_bytes(b"x" * 2_000_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UploadWarning)
        ws.upload(tmp_path / "large.bin")
    shares = [share for share, _, _ in bars[-1].moves]
    assert len(shares) > 5
    assert shares == sorted(shares)


def test_a_bar_can_be_left_out(ws: comfynb.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By progress=False, as of a wait."""
    wanted: list[Any] = []

    def show(_: str, choice: bool | None = None, **__: str) -> Progress:
        wanted.append(choice)
        return Progress()

    monkeypatch.setattr(transfers, "progress_for", show)
    run = ws.run("text2img", width=64, height=64)
    run.download(tmp_path, progress=False)
    run.gallery().download(tmp_path, progress=False)
    assert wanted == [False, False]
