"""Texts of other people, made harmless."""

from __future__ import annotations

import pytest

from comfynb.rules.text import display_width, tidy


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (None, ""),
        (7, "7"),
        ("  two\n\twords ", "two words"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("a\u202eb\u2066c", "abc"),
        ("a\u200db", "a\u200db"),
        ("a\udc00b", "a�b"),
        ("a\x00b", "a b"),
    ],
)
def test_a_text_is_made_harmless(raw: object, clean: str) -> None:
    """Escape sequences go as a whole, white space becomes single spaces, None is empty."""
    assert tidy(raw) == clean


def test_a_text_is_shortened_to_the_width_it_takes() -> None:
    """Wide characters count twice, and the ellipsis is within the width."""
    assert tidy("abcdef", 6) == "abcdef"
    assert tidy("abcdef", 5) == "abcd…"
    assert tidy("狐狐狐", 5) == "狐狐…"
    assert display_width(tidy("狐" * 100, 20)) <= 20


def test_a_huge_text_says_that_it_was_cut() -> None:
    """Also when little is left of what was looked at."""
    assert tidy("\x1b[31m" * 100_000 + "end", 20) == "…"
    assert tidy("x" * 10**6, 20) == "x" * 19 + "…"


def test_no_width_means_that_all_is_kept() -> None:
    """For texts whose length is known to be good."""
    assert tidy("x" * 5000, None) == "x" * 5000
