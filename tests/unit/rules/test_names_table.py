"""Tables of names: what means what, and everything that can be wrong with one."""

from __future__ import annotations

import tomllib
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from comfynb.errors import AmbiguousNameError, ConfigurationError, InputError, NotFoundError
from comfynb.rules.lookup import Candidate, resolve
from comfynb.rules.names_table import NO_NAMES, NameRow, NamesTable, checked_names, toml_text
from comfynb.rules.naming import standardize_all, standardize_workflow_name

EXAMPLE = NamesTable(
    {
        "text2img": ["makeimage", "Text to Image"],
        "upscale": {"aliases": ["upscale_esrgan"], "api": "Upscaler (new)", "database": "up-scale"},
        "star": ["★"],
    }
)

# Few letters, so that names meet.
WORDS = st.text("abAB1", min_size=1, max_size=2)
NAMES = st.lists(WORDS, min_size=1, max_size=3).flatmap(
    lambda words: st.sampled_from([" ", "_", " - ", ".", ""]).map(lambda separator: separator.join(words))
)
STANDARD_NAMES = NAMES.map(standardize_workflow_name)
ROWS = st.dictionaries(
    STANDARD_NAMES,
    st.fixed_dictionaries({"aliases": st.lists(NAMES, min_size=1, max_size=3)}, optional={"api": NAMES}),
    max_size=4,
)
TABLES = ROWS.map(lambda rows: checked_names(rows)[0]).filter(lambda table: table is not None).map(lambda table: table)
ANY_NAME = st.text(max_size=20).filter(lambda text: any(unicodedata.category(c)[0] in "LN" for c in text))


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("makeimage", "text2img"),
        ("MAKEIMAGE", "text2img"),
        ("text-to-image", "text2img"),
        ("Upscale ESRGAN", "upscale"),
        ("upscaler new", "upscale"),
        ("Up Scale", "upscale"),
        ("★", "star"),
        (" ★ ", "star"),
        ("text2img", "text2img"),
        ("Something Else 2", "something_else_2"),
    ],
)
def test_the_table_goes_before_the_rule(name: str, standard: str) -> None:
    """Aliases and the names of both sources mean the standard name, in any case and with any separators."""
    assert EXAMPLE.standardize(name) == standard
    assert EXAMPLE.standardize_all([name, "other"]) == [standard, "other"]


def test_it_says_which_names_it_decides() -> None:
    """What the rule makes the same of is the rule's."""
    assert EXAMPLE.renames("MAKEIMAGE")
    assert EXAMPLE.renames("★")
    assert not EXAMPLE.renames("Text2Img")
    assert not EXAMPLE.renames("→")


@pytest.mark.parametrize("name", ["", "  ", "→", None, 7])
def test_what_has_no_standard_name_is_an_error(name: Any) -> None:
    """As without a table."""
    with pytest.raises(InputError):
        EXAMPLE.standardize(name)


def test_source_names_go_back() -> None:
    """None where the table does not say."""
    assert EXAMPLE.source_name("upscale", "api") == "Upscaler (new)"
    assert EXAMPLE.source_name("upscale", "database") == "up-scale"
    assert EXAMPLE.source_name("text2img", "api") is None
    assert EXAMPLE.source_name("nothing", "database") is None


def test_its_text_is_the_same_table() -> None:
    """Also with names that TOML has to write out."""
    table = NamesTable(
        {
            "größe": ['a "quoted" name', "back\\slash"],
            "two": {"api": "line\nbreak \x7f \u202e", "database": "# no comment"},
        }
    )
    assert NamesTable(tomllib.loads(table.toml())["names"]) == table
    assert all(line.isprintable() for line in table.toml().splitlines())
    assert tomllib.loads(f"x = {toml_text(chr(0xD800))}")["x"] == "�"


def test_tables_of_the_same_rows_are_equal() -> None:
    """And can be keys."""
    assert NamesTable({"a": ["b"]}) == NamesTable({"a": NameRow(("b",))})
    assert NamesTable({"a": ["b"]}) != NO_NAMES
    assert len({NamesTable({"a": ["b"]}), NamesTable({"a": ["b"]})}) == 1
    assert list(EXAMPLE) == ["text2img", "upscale", "star"]
    assert "star" in EXAMPLE
    assert len(NO_NAMES) == 0


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"Text 2 Img": ["x"]}, "'Text 2 Img' is no standard name; 'text_2_img' is."),
        ({"→": ["x"]}, "'→' is no standard name: it has neither a letter nor a digit."),
        ({"a": ["x"], "b": ["X!"]}, "b.aliases: 'X!' means 'a' already"),
        ({"a": ["x"], "b": {"database": "x"}}, "b.database: 'x' means 'a' already"),
        ({"a": ["★"], "b": ["★"]}, "b.aliases: '★' means 'a' already"),
        ({"a": ["b"], "b": ["c"]}, "a.aliases: 'b' is a standard name of the table itself"),
        ({"a": ["b"], "b": ["a"]}, "goes round: b → a → b"),
        ({"a": ["b"], "b": ["c"], "c": ["A"]}, "goes round: b → a → c → b"),
        ({"a": [" "]}, "a.aliases: a name is empty."),
        ({"a": {"api": ""}}, "a.api: a name is empty."),
        ({"a": []}, "a: it says nothing"),
        ({"a": {}}, "a: it says nothing"),
        ({"a": 7}, "a: it has to be a table that has aliases."),
        ({"a": {"aliases": "x"}}, "a.aliases: the aliases have to be a list of names"),
        ({"a": [7]}, "a.aliases: 7 is no text."),
        ({"a": {"api": ["x"]}}, "a.api: ['x'] is no text."),
        ({"a": {"alias": ["x"]}}, "a.alias: 'alias' is none of aliases, api, database; aliases is meant, perhaps."),
    ],
)
def test_what_is_wrong_is_told(rows: dict[str, Any], told: str) -> None:
    """With the key, and in one sentence."""
    with pytest.raises(ConfigurationError) as caught:
        NamesTable(rows)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """One problem a line; a table that is all wrong does not tell a thousand of them."""
    with pytest.raises(ConfigurationError) as caught:
        NamesTable({"A": ["x"], "b": [" "], "c": {"api": 1}, "d": ["x"]})
    assert len(str(caught.value).splitlines()) == 4
    with pytest.raises(ConfigurationError, match="and 979 more problems") as caught:
        NamesTable({f"a{number}": ["same"] for number in range(1000)})
    assert len(str(caught.value).splitlines()) == 21


def test_an_alias_may_repeat_its_own_standard_name() -> None:
    """Or itself, which does no harm."""
    assert NamesTable({"a": {"aliases": ["A", "x", "X"], "api": "a"}}).standardize("x") == "a"


def test_hostile_names_are_harmless_in_messages() -> None:
    """And short."""
    with pytest.raises(ConfigurationError) as caught:
        NamesTable({"a": ["\x1b[31m" + "x" * 10_000], "b": ["\x1b[31m" + "x" * 10_000]})
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@given(st.lists(st.text(max_size=12), max_size=6))
def test_many_names_become_standard_as_one_by_one_does(names: list[str]) -> None:
    """Whatever is in them."""
    one_by_one: list[str | None] = []
    for name in names:
        try:
            one_by_one.append(standardize_workflow_name(name))
        except InputError:
            one_by_one.append(None)
    assert standardize_all(names) == one_by_one


@given(TABLES, st.one_of(NAMES, ANY_NAME))
def test_standardizing_twice_changes_nothing(table: NamesTable, name: str) -> None:
    """With any table; and every name with a letter or digit has a standard name."""
    standard = table.standardize(name)
    assert standard
    assert table.standardize(standard) == standard


@given(TABLES, st.lists(st.text("abxyäж019", min_size=1, max_size=4), min_size=1, max_size=3))
def test_a_table_is_blind_to_case_and_separators(table: NamesTable, words: list[str]) -> None:
    """As the rule is."""
    standard = table.standardize(" ".join(words))
    for separator in ("_", " - ", ".", "→"):
        assert table.standardize(separator.join(words).upper()) == standard


@given(TABLES, st.lists(NAMES, max_size=6), st.one_of(NAMES, STANDARD_NAMES))
def test_no_two_workflows_are_silently_treated_as_one(table: NamesTable, names: list[str], wanted: str) -> None:
    """A lookup gives the only workflow that has the name in the strictest way in which any has it, or an error."""
    workflows = [Candidate(f"id-{number}", name) for number, name in enumerate(names)]
    ways = (
        lambda each: each.name == wanted,
        lambda each: each.name.casefold() == wanted.casefold(),
        lambda each: table.standardize(each.name) == table.standardize(wanted),
    )
    fitting = next((found for way in ways if (found := [each for each in workflows if way(each)])), [])
    if len(fitting) == 1:
        assert resolve(wanted, workflows, standardize=table.standardize) == fitting[0]
        return
    with pytest.raises(AmbiguousNameError if fitting else NotFoundError) as caught:
        resolve(wanted, workflows, standardize=table.standardize)
    if isinstance(caught.value, AmbiguousNameError):
        assert caught.value.candidates == tuple((each.name, each.id) for each in fitting)


@given(TABLES, st.lists(NAMES, min_size=1, max_size=6))
def test_an_alias_never_hides_a_workflow_of_that_name(table: NamesTable, names: list[str]) -> None:
    """Who asks for the exact name of a workflow gets it, if it is the only one of that name."""
    assume(len(set(names)) == len(names))
    for number, name in enumerate(names):
        workflows = [Candidate(f"id-{place}", each) for place, each in enumerate(names)]
        assert resolve(name, workflows, standardize=table.standardize).id == f"id-{number}"


def test_what_an_unknown_alias_means_is_told() -> None:
    """So that one sees why the name of another workflow is missing."""
    with pytest.raises(NotFoundError, match=r"No workflow is called 'Make_Image', nor 'text2img'"):
        resolve(
            "Make_Image", [Candidate("a", "toon")], standardize=NamesTable({"text2img": ["make image"]}).standardize
        )
