"""What a person gives for an input that takes a file: a path, bytes, a picture, an array, an output of another run."""

from __future__ import annotations

import io
import re
import sys
from os import PathLike, fspath
from pathlib import Path, PurePath
from typing import Any, Final

from comfynb.errors import InputError
from comfynb.rules.coercion import RefusedValueError
from comfynb.rules.given_file import GivenFile, upload_problem
from comfynb.rules.input_classes import FILE_KINDS, Kind
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.text import tidy
from comfynb.services.results import ResultFile

__all__ = ["TAKES_FILES", "file_to_upload", "is_address", "read_given", "result_of"]

TAKES_FILES: Final = FILE_KINDS | {"images"}
"""Kinds of inputs that a file can be given for."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")
_TEXT_KINDS: Final = frozenset({"text", "line"})
_SIGNATURES: Final = (
    (0, b"\x76\x2f\x31\x01", ".exr"),
    (4, b"ftypM4A", ".m4a"),
    (4, b"ftypqt", ".mov"),
    (4, b"ftyp", ".mp4"),
    (0, b"\x1a\x45\xdf\xa3", ".webm"),
    (8, b"WAVE", ".wav"),
    (8, b"AVI ", ".avi"),
    (0, b"fLaC", ".flac"),
    (0, b"OggS", ".ogg"),
    (0, b"ID3", ".mp3"),
    (0, b"\xff\xfb", ".mp3"),
    (0, b"PK\x03\x04", ".zip"),
)
"""Where in a file its format stands, and the ending that it gets. Pictures are told by Pillow."""


def is_address(text: str) -> bool:
    r"""Whether a text is meant as a web address, a data URI or the like, and not as a path.

    Examples
    --------
    >>> is_address("https://host/a.png"), is_address("pictures/a.png"), is_address("C:\\a.png")
    (True, False, False)
    """
    return _SCHEME.match(text.lstrip()) is not None


def result_of(value: Any) -> ResultFile | None:
    """Return what a run made, if a value stands for that: an `Output`, or the entry itself."""
    file = value if isinstance(value, ResultFile) else getattr(value, "file", None)
    return file if isinstance(file, ResultFile) else None


def read_given(definition: InputDefinition, value: Any) -> Any:
    """Return what was given for an input, with a `GivenFile` in the place of each file that has no address.

    Parameters
    ----------
    definition : InputDefinition
        The input.
    value : object
        What was given. What is no file comes back as it is.

    Raises
    ------
    RefusedValueError
        If a file is not there, or cannot be read, or is none.
    """
    made = result_of(value)
    if made is not None and definition.kind in _TEXT_KINDS and made.text is not None:
        return made.text
    if definition.kind not in TAKES_FILES:
        return value
    if definition.kind == "images":
        several = _several(value)
        return several if several is None else [_one("image", each) for each in several]
    return _one(definition.kind, value)


def file_to_upload(value: Any, name: str | None = None) -> GivenFile:
    """Return a file for an upload of its own.

    Parameters
    ----------
    value : str, pathlib.Path, bytes, PIL image or array
        A path, or the content.
    name : str, optional
        What it is called; its own name, or one by its content, without.

    Raises
    ------
    InputError
        If there is no such file, or the server would not take it.
    """
    try:
        given = _one("file", Path(value).expanduser() if isinstance(value, str) else value)
        if not isinstance(given, GivenFile):
            raise RefusedValueError(
                f"is of type {type(value).__name__}, which is no file; give a path, bytes or a picture"
            )
    except RefusedValueError as refused:
        raise InputError(f"Nothing was uploaded: what was given {refused}.") from None
    if name:
        given = GivenFile(PurePath(name).name or name, given.size, given.source)
    problem = upload_problem(given)
    if problem:
        raise InputError(f"Nothing was uploaded: what was given {problem}.")
    return given


def _several(value: Any) -> list[Any] | None:
    """Return the items of a batch; one alone is a batch of one."""
    if value is None or isinstance(value, list | tuple):
        return value if value is None else list(value)
    if len(getattr(value, "shape", ())) == 4:
        return list(value)
    return [value]


def _one(kind: Kind, value: Any) -> Any:
    made = result_of(value)
    if made is not None:
        if made.url is None:
            why = "is a text" if made.text is not None else "was not uploaded, so only its machine has it"
            raise RefusedValueError(f"is an output that has no address: {made.filename!r} {why}")
        return made.url
    if isinstance(value, str):
        text = value.strip()
        if not text or "\x00" in text or is_address(text) or "\n" in text:
            return value
        path = Path(text)
        return _of_path(path, must=False) or value
    if isinstance(value, PathLike):
        return _of_path(Path(fspath(value)))
    if isinstance(value, bytes | bytearray | memoryview):
        return _of_bytes(kind, bytes(value), getattr(value, "name", None))
    if isinstance(value, io.BytesIO):
        return _of_bytes(kind, value.getvalue(), getattr(value, "name", None))
    if isinstance(value, io.IOBase) and isinstance(getattr(value, "name", None), str):
        return _of_path(Path(value.name))  # type: ignore[attr-defined]
    picture = _picture(value)
    if picture is None:
        return value
    return _of_bytes(kind, _png(picture), "picture.png")


def _of_path(path: Path, *, must: bool = True) -> GivenFile | None:
    shown = repr(tidy(path, 200))
    try:
        path = path.expanduser()
        if path.is_file():
            size = path.stat().st_size
            with path.open("rb"):
                return GivenFile(path.name, size, path.absolute())
        if path.is_dir():
            raise RefusedValueError(f"is a folder: {shown}")
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: "~somebody" who is not there
        if isinstance(error, RefusedValueError):
            raise
        if must:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise RefusedValueError(f"cannot be read: {shown} ({why})") from None
        return None
    if must:
        raise RefusedValueError(f"is not there: there is no file {shown} on the machine where this runs")
    return None


def _of_bytes(kind: Kind, content: bytes, name: Any) -> GivenFile:
    if not isinstance(name, str) or not name:
        ending = _ending(content)
        if not ending and content and kind != "file":
            raise RefusedValueError("is bytes of no format that is known here; give the path of a file instead")
        name = f"file{ending or '.bin'}"
    return GivenFile(PurePath(name).name or "file", len(content), content)


def _ending(content: bytes) -> str:
    for place, mark, ending in _SIGNATURES:
        if content[place : place + len(mark)] == mark:
            return ending
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            format = (picture.format or "").lower()
    except (OSError, ValueError, SyntaxError):
        return ""
    return {"jpeg": ".jpg", "tiff": ".tif"}.get(format, f".{format}" if format else "")


def _picture(value: Any) -> Any:
    """Return a PIL image or an array as a PIL image; None for anything else."""
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(value, pillow.Image):
        return value
    if hasattr(value, "__array__") and len(getattr(value, "shape", ())) > 0:
        return _of_array(value)
    return None


def _of_array(value: Any) -> Any:
    import numpy as np
    from PIL import Image

    array = np.asarray(value)
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    shape = " × ".join(map(str, array.shape))
    if array.ndim == 4:
        raise RefusedValueError(f"is an array of {len(array)} pictures, and the input takes one")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise RefusedValueError(f"is an array of {shape}; a picture is height × width, with 3 or 4 channels after that")
    if array.dtype == bool:
        array = array * np.uint8(255)
    elif array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise RefusedValueError("is an array of floats that are not all between 0 and 1")
        array = np.rint(array.astype("float64") * 255)
    elif array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 255:
        raise RefusedValueError(
            f"is an array of {array.dtype}; a picture has whole numbers from 0 to 255, or floats from 0 to 1"
        )
    return Image.fromarray(np.ascontiguousarray(array.astype("uint8")))


def _png(picture: Any) -> bytes:
    from PIL import ImageOps

    buffer = io.BytesIO()
    try:
        picture = ImageOps.exif_transpose(picture)  # as machines turn the photograph when it is given as a file
        if picture.mode == "I":
            picture = picture.convert("I;16")
        kept = picture.mode in ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")
        (picture if kept else picture.convert("RGB")).save(buffer, "PNG", compress_level=4)
    except (OSError, ValueError) as error:
        raise RefusedValueError(f"is a picture that cannot be written as PNG ({error})") from None
    return buffer.getvalue()
