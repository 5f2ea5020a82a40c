"""Names of two sides against each other."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_names_table import NAMES, TABLES

from comfynb.rules.lookup import Candidate
from comfynb.rules.names_compare import NamePair, compare_names, differences
from comfynb.rules.names_table import NO_NAMES, NamesTable


def workflows(*names: str) -> list[Candidate]:
    """Return workflows of these names."""
    return [Candidate(f"id-{number}", name) for number, name in enumerate(names)]


def told(pairs: list[NamePair]) -> list[tuple[str | None, str | None, str]]:
    """Return both names and the match of each pair."""
    return [(pair.api.name if pair.api else None, pair.database, pair.match) for pair in pairs]


def test_the_first_way_that_fits_decides() -> None:
    """Exact, case, rule, alias, fuzzy, none; and a name is matched once."""
    names = NamesTable({"upscale": ["super-resolution"]})
    pairs = compare_names(
        workflows("text2img", "INPAINT", "Text to Image", "super resolution", "poster print (new)", "zebra"),
        ["text2img", "inpaint", "text_to_image", "Up scale", "upscale", "poster print", "qqq"],
        names,
    )
    assert told(pairs) == [
        ("INPAINT", "inpaint", "case"),
        ("poster print (new)", "poster print", "fuzzy"),
        (None, "qqq", "none"),
        ("text2img", "text2img", "exact"),
        ("Text to Image", "text_to_image", "rule"),
        (None, "Up scale", "none"),
        ("super resolution", "upscale", "alias"),
        ("zebra", None, "none"),
    ]


@pytest.mark.parametrize(
    ("one", "other", "notes"),
    [
        ("text2img", "text2img", ()),
        ("Text2Img", "text2img", ("case",)),
        ("text to image", "text_to_image", ("separators",)),
        ("Text to Image", "text-to-image", ("case", "separators")),
        ("TextToImage", "text_to_image", ("case", "separators")),
        ("text2img", "makeimage", ("words",)),
        ("inpaint v2", "inpaint", ("version suffix",)),
        ("inpaint v2", "inpaint 3", ("version suffix",)),
        ("img2vid - wan 2.1", "IMG2VID_wan", ("case", "separators", "version suffix")),
        ("poster print (BROKEN)", "poster_print", ("separators", "words")),
        ("Poster print new", "poster PRINT", ("case", "words")),
        ("inpaint v2", "inpaint 2", ("version suffix",)),
        ("★", "→", ("words",)),
        ("ｔｅｘｔ", "text", ("characters",)),
    ],
)
def test_differences_are_named(one: str, other: str, notes: tuple[str, ...]) -> None:
    """In whichever order the names come."""
    assert differences(one, other) == notes
    assert differences(other, one) == notes


def test_two_workflows_of_one_standard_name_are_a_collision() -> None:
    """Each is a row of its own, also where only one of them has a partner."""
    pairs = compare_names(
        workflows("text2img", "MAKEIMAGE", "toon"), ["makeimage"], NamesTable({"text2img": ["makeimage"]})
    )
    assert [(pair.api.name if pair.api else "", pair.match, pair.notes) for pair in pairs] == [
        ("MAKEIMAGE", "case", ("case", "collision")),
        ("text2img", "none", ("collision", "only on one side")),
        ("toon", "none", ("only on one side",)),
    ]


def test_what_belongs_to_which_is_not_guessed() -> None:
    """Two of one side and one of the other are shown with it; two and two each for themselves."""
    pairs = compare_names(workflows("same", "same"), ["same"])
    assert told(pairs) == [("same", "same", "exact"), ("same", "same", "exact")]
    assert all("collision" in pair.notes for pair in pairs)
    pairs = compare_names(workflows("a b", "a.b"), ["A_B", "a-b"])
    assert sorted(told(pairs), key=str) == [
        ("a b", None, "rule"),
        ("a.b", None, "rule"),
        (None, "A_B", "rule"),
        (None, "a-b", "rule"),
    ]
    assert all("collision" in pair.notes for pair in pairs)


def test_what_the_database_has_twice_is_noted() -> None:
    """And is one row."""
    (pair,) = compare_names(workflows("toon"), ["toon", "toon"])
    assert pair.notes == ("duplicate",)


def test_names_without_letters_are_matched_as_they_are() -> None:
    """They have no standard name, and nothing is like them."""
    pairs = compare_names(workflows("★", "☆☆", ""), ["★", "☆"])
    assert sorted(told(pairs), key=str) == [
        ("", None, "none"),
        ("★", "★", "exact"),
        ("☆☆", None, "none"),
        (None, "☆", "none"),
    ]
    assert all(pair.standard is None for pair in pairs)


def test_the_most_alike_are_paired_first() -> None:
    """And the next best partner is taken when the best one is gone."""
    pairs = compare_names(workflows("portrait style", "portrait styles b"), ["portrait styles", "portrait styles bb"])
    assert told(pairs) == [
        ("portrait style", "portrait styles", "fuzzy"),
        ("portrait styles b", "portrait styles bb", "fuzzy"),
    ]
    assert all(pair.score is not None and 65 <= pair.score <= 100 for pair in pairs)


def test_the_order_of_the_sides_does_not_matter() -> None:
    """So that a document made of it changes only when names do."""
    draw = random.Random(3)
    api = workflows(*(f"{draw.choice('abc')} {draw.choice('xyz')} {n % 4}" for n in range(20)))
    database = [f"{draw.choice('abc')}_{draw.choice('xyz')}_{n % 5}" for n in range(20)]
    expected = compare_names(api, database)
    for _ in range(5):
        draw.shuffle(api)
        draw.shuffle(database)
        assert compare_names(api, database) == expected


@given(TABLES, st.lists(NAMES, max_size=6), st.lists(NAMES, max_size=6))
def test_nothing_is_lost_and_nothing_is_merged(table: NamesTable, ours: list[str], theirs: list[str]) -> None:
    """Each workflow and each name is there; those who share a standard name are all marked; a suggestion stays one."""
    api = workflows(*ours)
    pairs = compare_names(api, theirs, table)
    assert {pair.api.id for pair in pairs if pair.api} == {each.id for each in api}
    assert {pair.database for pair in pairs if pair.database} == set(theirs)
    standards = [table.standardize(name) for name in ours]
    for pair in pairs:
        if pair.api is not None:
            assert pair.standard == table.standardize(pair.api.name)
            if standards.count(pair.standard) > 1:
                assert "collision" in pair.notes
        if pair.api is not None and pair.database is not None:
            same = table.standardize(pair.database) == pair.standard
            assert same == (pair.match != "fuzzy")


def test_nothing_against_nothing() -> None:
    """Is nothing."""
    assert compare_names([], [], NO_NAMES) == []
