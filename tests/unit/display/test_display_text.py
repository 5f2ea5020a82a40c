"""Plain text: tidied texts, aligned columns, cards."""

from __future__ import annotations

import pytest

from comfynb.display.card import Card, Link, Notes, Pictures, Table
from comfynb.display.text import card_text, columns, display_width, tidy


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


def test_columns_stand_below_each_other_whatever_the_script() -> None:
    """A row may be shorter than others."""
    lines = columns([("狐", "a", "b"), ("fox", "c")], indent="  ").splitlines()
    assert lines == ["  狐   a  b", "  fox  c"]


def test_a_card_is_its_status_its_facts_and_what_follows() -> None:
    """Facts without a value are left out, unknown cells are a dash, pictures are left out."""
    card = Card(
        "ready",
        "Machine gpu-1",
        "good",
        facts=(("GPU", "A10G"), ("type", None), ("note", "")),
        sections=(
            Table("outputs", ("kind", "file"), (("image", Link("a.png", "https://host/a.png")), (None, ""))),
            Table("nothing", ("a",), (), "none"),
            Table("left out", ("a",), ()),
            Notes(("", "One sentence.")),
            Pictures((("a.png", "https://host/a.png"),)),
        ),
        following=("ws.machines()",),
    )
    assert card_text(card).split("\n") == [
        "ready – Machine gpu-1",
        "  GPU  A10G",
        "",
        "outputs:",
        "  kind   file",
        "  image  a.png",
        "  –",
        "",
        "nothing:",
        "  none",
        "",
        "One sentence.",
        "",
        "next:",
        "  ws.machines()",
    ]
