"""Names that stand for things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.errors import AmbiguousNameError, InputError, NotFoundError
from comfynb.rules.lookup import Candidate, nearest, resolve

CANDIDATES = [
    Candidate("id-1", "text2img"),
    Candidate("id-2", "Text to Image"),
    Candidate("id-3", "text_to_image"),
    Candidate("id-4", "img2img"),
    Candidate("id-5", "MAKEIMAGE"),
    Candidate("id-6", "img2vid - wan 2.1"),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("id-4", "id-4"),
        (" id-4 ", "id-4"),
        ("Text to Image", "id-2"),
        ("text_to_image", "id-3"),
        ("TEXT2IMG", "id-1"),
        ("text to image", "id-2"),
        ("makeimage", "id-5"),
        ("img2vid_wan_2_1", "id-6"),
        ("IMG2VID: wan 2.1!", "id-6"),
    ],
)
def test_the_first_level_that_fits_decides(wanted: str, found: str) -> None:
    """Id, exact name, name without regard to case, standard name: in this order."""
    assert resolve(wanted, CANDIDATES).id == found


def test_an_id_wins_over_a_name() -> None:
    """A thing that is named like another one's id does not hide it."""
    assert resolve("id-1", [Candidate("id-9", "id-1"), *CANDIDATES]).name == "text2img"


def test_two_standard_names_are_ambiguous() -> None:
    """A standard name that two things share is an error that lists both, with their ids."""
    with pytest.raises(AmbiguousNameError, match="Use the id") as caught:
        resolve("Text-to-Image", CANDIDATES)
    assert caught.value.candidates == (("Text to Image", "id-2"), ("text_to_image", "id-3"))
    assert "'Text to Image' (id id-2), 'text_to_image' (id id-3)" in str(caught.value)


def test_at_most_ten_are_listed() -> None:
    """A long list of namesakes is cut, and says how many more there are."""
    with pytest.raises(AmbiguousNameError, match=r"fits 14 machines: .* and 4 more") as caught:
        resolve("gpu", [Candidate(f"m{number}", "gpu") for number in range(14)], what="machine")
    assert len(caught.value.candidates) == 14


def test_the_same_thing_twice_is_not_ambiguous() -> None:
    """A thing that was listed twice, as paging may do, is one thing."""
    assert resolve("text2img", [*CANDIDATES, *CANDIDATES]).id == "id-1"


def test_nothing_similar_is_ever_taken() -> None:
    """A name that is only similar is an error with suggestions, best first."""
    with pytest.raises(NotFoundError) as caught:
        resolve("text2imgg", CANDIDATES)
    assert str(caught.value).startswith("No workflow is called 'text2imgg'. Nearest: text2img")
    assert str(caught.value).endswith("ws.workflows() lists all 6.")
    assert caught.value.near[0] == "text2img"


@pytest.mark.parametrize("wanted", ["", "  ", "???", "00000000-0000-0000-0000-00000000000Z", "x" * 10_000, "\x1b[31m"])
def test_malformed_names_are_simply_not_found(wanted: str) -> None:
    """Nonsense gets the same short, printable answer as any wrong name."""
    with pytest.raises(NotFoundError) as caught:
        resolve(wanted, CANDIDATES)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_candidates_without_a_standard_name_do_no_harm() -> None:
    """A workflow that is called "★" is found by its name, and does not disturb the search for others."""
    stars = [Candidate("s", "★"), Candidate("t", "Text!")]
    assert resolve("★", stars).id == "s"
    assert resolve("text", stars).id == "t"


def test_nothing_to_choose_from() -> None:
    """An empty workspace says that it is empty."""
    with pytest.raises(NotFoundError, match=r"No deployment is called 'x'. There are no deployments here."):
        resolve("x", [], what="deployment")


def test_a_name_that_is_no_text_is_an_error() -> None:
    """A number or None is told apart from a name that does not exist."""
    with pytest.raises(InputError, match="id or the name of a run is text, not NoneType"):
        resolve(None, CANDIDATES, what="run")  # type: ignore[arg-type]


def test_another_standard_can_be_given() -> None:
    """Aliases come in as a standard of their own."""
    aliases = {"fast": "text2img"}
    assert resolve("fast", CANDIDATES, standardize=lambda name: aliases.get(name, name)).id == "id-1"


def test_nearest_is_blind_to_case_and_short() -> None:
    """Suggestions are few, without repetition, and only what is much like the name."""
    assert nearest("PROMPTT", ["seed", "prompt", "prompt", "negative_prompt", ""], limit=1) == ("prompt",)
    assert nearest("zzz", ["seed", "prompt"]) == ()


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=8)), max_size=8), st.text(max_size=8))
def test_every_name_ends_in_a_thing_or_one_of_two_errors(pairs: list[tuple[str, str]], wanted: str) -> None:
    """Whatever the names, the answer is a candidate, or one of the two errors."""
    candidates = [Candidate(*pair) for pair in pairs]
    try:
        found = resolve(wanted, candidates)
    except (AmbiguousNameError, NotFoundError):
        return
    assert found in candidates


def test_a_very_long_name_is_compared_by_its_beginning() -> None:
    """A megabyte by mistake, a pasted graph say, must not take seconds to be told that there is no such name."""
    known = "a" * 200 + "b"
    assert nearest("a" * 200 + "x" * 1_000_000, ["seed", known]) == (known,)


def test_names_of_others_are_harmless_and_short_in_a_suggestion() -> None:
    """They come from the server, and end in a terminal."""
    with pytest.raises(NotFoundError) as caught:
        resolve("shoe", [Candidate("1", f"shoes \x1b[31m\u202e{'x' * 1000}")], what="workflow")
    assert "Nearest: shoes xx" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200
