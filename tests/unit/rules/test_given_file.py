"""Files that were given for inputs: what the server and an input would not take is known before anything is sent."""

from __future__ import annotations

import pytest

from comfynb.rules.coercion import RefusedValueError, coerce
from comfynb.rules.given_file import MAX_UPLOAD, GivenFile, files_in, upload_problem
from comfynb.rules.input_classes import FILE_KINDS, INPUT_CLASSES, Kind
from comfynb.rules.inputs import InputDefinition


def given_file(name: str, size: int = 5) -> GivenFile:
    """Return a file of that name and size; nobody reads it here."""
    return GivenFile(name, size, b"")


@pytest.mark.parametrize("name", ["fox.png", "fox.PNG", "fox", "fox.safetensors", "fox.exr", "a.zip", "a.json", ""])
def test_what_the_server_takes_is_no_problem(name: str) -> None:
    """It goes by the name alone, and takes what it does not know."""
    assert upload_problem(given_file(name)) == ""


@pytest.mark.parametrize("name", ["notes.txt", "table.csv", "readme.md", "page.HTML", "mail.eml"])
def test_text_is_refused_by_its_ending(name: str) -> None:
    """As the server does, whatever is in it; the way round is said."""
    assert "is text by its ending" in upload_problem(given_file(name))
    assert "put it into a .zip" in upload_problem(given_file(name))


def test_the_largest_file_is_taken_and_one_byte_more_is_not() -> None:
    """250 MiB; and an empty file is none."""
    assert upload_problem(given_file("a.bin", MAX_UPLOAD)) == ""
    assert "the server takes 250 MiB" in upload_problem(given_file("a.bin", MAX_UPLOAD + 1))
    assert "is an empty file" in upload_problem(given_file("a.bin", 0))


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("image", "a.mp4", "is a video ('a.mp4'), and the input takes an image"),
        ("images", "a.wav", "is sound ('a.wav'), and the input takes images"),
        ("audio", "a.png", "is an image ('a.png'), and the input takes sound"),
        ("video", "a.mp3", "is sound ('a.mp3'), and the input takes a video"),
        ("video", "a.gif", ""),
        ("audio", "a.mp4", ""),
        ("file", "a.mp4", ""),
        ("images", "a.zip", ""),
    ],
)
def test_a_film_is_no_picture(kind: Kind, name: str, words: str) -> None:
    """What the node could not open is told before a GPU is paid for."""
    assert upload_problem(given_file(name), kind) == words


def test_every_class_that_takes_a_file_takes_one_without_an_address() -> None:
    """It comes back as it is, in a list for a batch; the other classes refuse it."""
    file = given_file("fox.bin")
    for class_type, known in INPUT_CLASSES.items():
        definition = InputDefinition("x", "x", class_type, known.kind)
        if known.kind in FILE_KINDS:
            assert coerce(definition, file) is file
        elif known.kind == "images":
            assert coerce(definition, file) == [file]
            assert coerce(definition, [file, "https://host/a.png"]) == [file, "https://host/a.png"]
        else:
            with pytest.raises(RefusedValueError):
                coerce(definition, file)


def test_files_are_found_wherever_they_stand() -> None:
    """By the input that they are for."""
    one, two = given_file("1.png"), given_file("2.png")
    assert files_in({"a": one, "b": ["https://host/x.png", two, one], "c": 7, "d": []}) == {
        "a": (one,),
        "b": (two, one),
    }
