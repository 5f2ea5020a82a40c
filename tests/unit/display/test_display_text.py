"""Plain text: aligned columns, cards."""

from __future__ import annotations

from comfynb.display.card import Card, Link, Media, Medium, Notes, Table
from comfynb.display.text import card_text, columns


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
            Media((Medium("image", "a.png", "https://host/a.png"),)),
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
