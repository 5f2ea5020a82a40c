"""Standard names."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.errors import InputError
from comfynb.rules.naming import display_name, standardize_workflow_name

WORDS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)
NAMES = st.text(max_size=30).filter(lambda text: any(unicodedata.category(c)[0] in "LN" for c in text))
SEPARATORS = st.text(st.characters(categories=("Z", "P", "S", "Cc")), min_size=1, max_size=3).filter(
    # Some symbols are written with letters or digits: "№" is "No". A few hide an accent: "´" is " ́".
    lambda text: all(unicodedata.category(c)[0] not in "LNM" for c in unicodedata.normalize("NFKC", text))
)


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("img2vid - wan 2.1", "img2vid_wan_2_1"),
        ("text2img", "text2img"),
        ("Text to Image", "text_to_image"),
        ("MAKEIMAGE", "makeimage"),
        ("upscale_esrgan", "upscale_esrgan"),
        ("  __(Inpaint)__  ", "inpaint"),
        ("flux.1 [dev] / fp8", "flux_1_dev_fp8"),
        ("Größe ändern", "größe_ändern"),
        ("Gro\u0308ße", "größe"),
        ("ﬁne-tune", "fine_tune"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full_width"),
        ("Ⅷ × ２", "viii_2"),
        ("画像 → 動画", "画像_動画"),
        ("Текст в картинку", "текст_в_картинку"),
        ("İstanbul", "i\u0307stanbul"),
    ],
)
def test_names_as_people_write_them(name: str, standard: str) -> None:
    """Each way of writing leads to the standard name."""
    assert standardize_workflow_name(name) == standard


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("हिन्दी मॉडल", "हिन्दी_मॉडल"),
        ("ภาพเป็นวิดีโอ 2", "ภาพเป็นวิดีโอ_2"),
        ("தமிழ்-படம்", "தமிழ்_படம்"),
        ("עִבְרִית", "עִבְרִית"),
    ],
)
def test_marks_stay_with_their_letters(name: str, standard: str) -> None:
    """A word in a script that writes vowels as marks does not fall apart."""
    assert standardize_workflow_name(name) == standard


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("❤️ model", "model"),
        ("1️⃣ first", "1_first"),
        ("👩‍🎨 art", "art"),
        ("葛\U000e0100飾", "葛飾"),
        ("می‌خواهم", "میخواهم"),
    ],
)
def test_invisible_characters_are_no_part_of_a_name(name: str, standard: str) -> None:
    """Variation selectors and joiners neither stay nor split a word."""
    assert standardize_workflow_name(name) == standard


@pytest.mark.parametrize("name", [None, "", "   ", "---", "→ ★", "\u0301", "\ufe0f"])
def test_a_name_without_letter_or_digit_is_an_error(name: str | None) -> None:
    """There is no standard name for nothing, and the error says so in one sentence."""
    with pytest.raises(InputError, match=r"^(A workflow's name|The name) .*\.$"):
        standardize_workflow_name(name)


def test_a_name_that_is_no_text_is_an_error() -> None:
    """A number is not silently taken as a name."""
    with pytest.raises(InputError, match="no text but a int"):
        standardize_workflow_name(7)  # type: ignore[arg-type]


def test_every_letter_and_digit_of_unicode_has_a_standard_name() -> None:
    """Not one letter or digit, alone or in a word, is lost or changes when standardized again."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character)[0] in "LN":
            for name in (character, f"a{character}", f"{character}z"):
                standard = standardize_workflow_name(name)
                assert standardize_workflow_name(standard) == standard


@given(NAMES)
def test_standardizing_twice_changes_nothing(name: str) -> None:
    """A standard name is its own standard name."""
    standard = standardize_workflow_name(name)
    assert standardize_workflow_name(standard) == standard


@given(NAMES)
def test_a_standard_name_has_no_stray_underscores(name: str) -> None:
    """It is not empty, has no underscore at its ends, and never two in a row."""
    standard = standardize_workflow_name(name)
    assert standard
    assert standard.strip("_") == standard
    assert "__" not in standard


@given(NAMES)
def test_lower_case_and_compatible_spellings_are_the_same_name(name: str) -> None:
    """Lower case, NFKC and NFD spellings of a name have the same standard name."""
    standard = standardize_workflow_name(name)
    assert standardize_workflow_name(unicodedata.normalize("NFKC", name)) == standard
    assert standardize_workflow_name(unicodedata.normalize("NFD", name)) == standard
    assert standardize_workflow_name(standard.replace("_", " ")) == standard


@given(st.lists(st.text(st.sampled_from("abcxyzäöñжшλ019"), min_size=1, max_size=6), min_size=1, max_size=4))
def test_names_are_blind_to_case(words: list[str]) -> None:
    """Upper case, lower case and title case have the same standard name."""
    name = " ".join(words)
    assert standardize_workflow_name(name.upper()) == standardize_workflow_name(name)
    assert standardize_workflow_name(name.title()) == standardize_workflow_name(name)


@given(st.lists(WORDS, min_size=1, max_size=4), SEPARATORS, SEPARATORS)
def test_names_are_blind_to_separators(words: list[str], one: str, other: str) -> None:
    """Whatever stands between and around words, the standard name is the same."""
    assert standardize_workflow_name(one + one.join(words)) == standardize_workflow_name(other.join(words) + other)


def test_a_display_name_has_tidy_white_space_only() -> None:
    """Nothing but white space changes in a display name."""
    assert display_name("  Text \t to\n Image – №1 ") == "Text to Image – №1"
    assert display_name(None) == ""
