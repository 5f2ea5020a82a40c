"""What a person gives for an input that takes a file becomes one file, or a sentence that says why not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from comfynb.errors import InputError
from comfynb.rules.coercion import RefusedValueError
from comfynb.rules.given_file import GivenFile
from comfynb.rules.input_classes import Kind
from comfynb.rules.inputs import InputDefinition
from comfynb.services.given_files import file_to_upload, read_given
from comfynb.services.results import ResultFile


def for_input(kind: Kind) -> InputDefinition:
    """Return an input of that kind."""
    return InputDefinition("x", "x", "ComfyUIDeployExternalX", kind)


def encoded(format: str, **options: Any) -> bytes:
    """Return a small picture in a format."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, format, **options)
    return buffer.getvalue()


def pixels(file: GivenFile) -> Image.Image:
    """Return the picture that a file holds."""
    return Image.open(io.BytesIO(file.source))


def test_a_path_is_a_path_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object or a text, relative to where one is, with a tilde; not an address that looks like one."""
    (tmp_path / "fox.png").write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in (tmp_path / "fox.png", str(tmp_path / "fox.png"), Path("fox.png"), "fox.png", "~/fox.png"):
        found = read_given(for_input("image"), value)
        assert (found.name, found.size, found.source.read_bytes()) == ("fox.png", 7, b"content")
    (tmp_path / "https:").mkdir()
    assert read_given(for_input("image"), "https://host/fox.png") == "https://host/fox.png"
    assert read_given(for_input("image"), "nothing.png") == "nothing.png"


def test_a_path_that_was_taken_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the folder is changed before it is uploaded."""
    (tmp_path / "fox.png").write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    found = read_given(for_input("image"), "fox.png")
    monkeypatch.chdir("/")
    assert found.source.read_bytes() == b"content"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Path("nothing.png"), "is not there: there is no file 'nothing.png' on the machine where this runs"),
        (Path(), "is a folder"),
        (Path("a\x00b"), "is not there|cannot be read"),
        (Path("~nobody-of-that-name/x"), "is not there|cannot be read"),
        (b"no format at all", "bytes of no format that is known here; give the path of a file instead"),
        (np.zeros((2, 2, 2)), "is an array of 2 × 2 × 2; a picture is height × width"),
        (np.zeros((0, 4)), "is an array of 0 × 4"),
        (np.zeros(4), "is an array of 4;"),
        (np.full((2, 2), 1.5), "floats that are not all between 0 and 1"),
        (np.full((2, 2), np.nan), "floats that are not all between 0 and 1"),
        (np.full((2, 2), 300), "a picture has whole numbers from 0 to 255"),
        (np.full((2, 2), "x"), "a picture has whole numbers from 0 to 255"),
        (np.zeros((3, 4, 4, 3)), "is an array of 3 pictures, and the input takes one"),
    ],
)
def test_what_is_no_file_is_told(value: Any, words: str) -> None:
    """In a phrase that can stand beside the input."""
    with pytest.raises(RefusedValueError, match=words):
        read_given(for_input("image"), value)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (encoded("PNG"), "file.png"),
        (encoded("JPEG"), "file.jpg"),
        (encoded("WEBP"), "file.webp"),
        (encoded("TIFF"), "file.tif"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(20), "file.mp4"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "file.wav"),
        (b"\x76\x2f\x31\x01" + bytes(20), "file.exr"),
        (b"PK\x03\x04" + bytes(20), "file.zip"),
    ],
)
def test_bytes_are_called_by_what_is_in_them(content: bytes, name: str) -> None:
    """The server goes by the ending alone, so it has to be the right one."""
    for value in (content, bytearray(content), memoryview(content), io.BytesIO(content)):
        found = read_given(for_input("file"), value)
        assert (found.name, found.source) == (name, content)


def test_an_open_file_is_the_file(tmp_path: Path) -> None:
    """Whoever comes from another library gives one."""
    (tmp_path / "fox.mp4").write_bytes(b"film")
    with (tmp_path / "fox.mp4").open("rb") as opened:
        found = read_given(for_input("video"), opened)
    assert (found.name, found.source.read_bytes()) == ("fox.mp4", b"film")


@given(
    st.sampled_from([(5, 3), (5, 3, 3), (5, 3, 4), (5, 3, 1), (1, 5, 3, 3)]),
    st.sampled_from(["uint8", "int64", "float32", "float64", "bool"]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_an_array_becomes_the_picture_that_it_is(shape: tuple[int, ...], dtype: str, seed: int) -> None:
    """Pixel by pixel, whether it counts to 255, to 1.0 or to True; the same array gives the same bytes."""
    numbers = np.random.default_rng(seed).integers(0, 256, shape)
    as_given = {"float32": numbers / 255, "float64": numbers / 255, "bool": numbers > 127}.get(dtype, numbers)
    found = read_given(for_input("image"), np.asarray(as_given).astype(dtype))
    assert found.source == read_given(for_input("image"), np.asarray(as_given).astype(dtype)).source
    wanted = np.where(numbers > 127, 255, 0) if dtype == "bool" else numbers
    assert np.array_equal(np.asarray(pixels(found)), np.squeeze(wanted.reshape(5, 3, -1)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "F", "I", "I;16"])
def test_a_picture_of_any_mode_becomes_a_png(mode: str) -> None:
    """With its alpha, where it has one."""
    found = read_given(for_input("image"), Image.new(mode, (4, 4)))
    assert found.name == "picture.png"
    assert pixels(found).size == (4, 4)
    assert ("A" in pixels(found).mode) is ("A" in mode)


def test_a_photograph_stands_as_its_camera_was_held() -> None:
    """A PNG says nothing of that, so the picture is turned."""
    photograph = Image.new("RGB", (8, 4))
    photograph.getexif()[0x0112] = 6
    buffer = io.BytesIO()
    photograph.save(buffer, "JPEG", exif=photograph.getexif())
    assert pixels(read_given(for_input("image"), Image.open(buffer))).size == (4, 8)


def test_a_batch_takes_all_of_it(tmp_path: Path) -> None:
    """One alone, several of any kind, an array of pictures, an archive."""
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "a.zip").write_bytes(b"PK")
    batch = for_input("images")
    assert [each.name for each in read_given(batch, tmp_path / "a.zip")] == ["a.zip"]
    mixed = read_given(batch, ["https://host/a.png", tmp_path / "a.png", Image.new("L", (2, 2))])
    assert [getattr(each, "name", each) for each in mixed] == ["https://host/a.png", "a.png", "picture.png"]
    assert len(read_given(batch, np.zeros((3, 4, 4, 3)))) == 3


def test_an_output_stands_for_its_address_or_its_text() -> None:
    """What is on the server already is not uploaded again."""
    picture = ResultFile("image", "a.png", "https://host/a.png", None, "9", "S", None, "r1")
    text = ResultFile("text", "t.txt", None, "a caption", "4", "T", None, "r1")
    preview = ResultFile("image", "p.png", None, None, "9", "S", None, "r1")
    assert read_given(for_input("image"), picture) == "https://host/a.png"
    assert read_given(for_input("images"), [picture]) == ["https://host/a.png"]
    assert read_given(for_input("text"), text) == "a caption"
    for kind, file, words in (("image", text, "is a text"), ("image", preview, "only its machine has it")):
        with pytest.raises(RefusedValueError, match=words):
            read_given(for_input(kind), file)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["text", 7, None, Path("x.png"), b"x", ["a"]])
def test_an_input_that_takes_no_file_is_left_alone(value: Any) -> None:
    """What it makes of a path is for the rules to say."""
    assert read_given(for_input("text"), value) is value


def test_a_file_of_its_own_is_named_by_the_caller_or_by_itself(tmp_path: Path) -> None:
    """And never by a folder; what the server would refuse is said before."""
    (tmp_path / "fox.png").write_bytes(b"x")
    assert file_to_upload(tmp_path / "fox.png").name == "fox.png"
    assert file_to_upload(tmp_path / "fox.png", "../up/other.png").name == "other.png"
    assert file_to_upload(b"x").name == "file.bin"
    for value, name, words in [
        (tmp_path / "missing.png", None, "there is no file"),
        (tmp_path, None, "is a folder"),
        (b"x", "table.csv", "put it into a .zip"),
        (b"", "a.png", "is an empty file"),
        (7, None, "is of type int, which is no file"),
        ("missing.png", None, "there is no file"),
    ]:
        with pytest.raises(InputError, match=words):
            file_to_upload(value, name)
