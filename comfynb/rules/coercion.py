"""Checking one given value against its input, and turning it into what is sent.

The API checks nothing, and the nodes swallow what they do not understand: a negative number for an integer input, a
slider out of range or the text "false" for a boolean become something else without a word. So every such value is a
problem here, and what passes is sent as a real JSON type.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Final, TypeAlias

from comfynb.rules.given_file import GivenFile, upload_problem
from comfynb.rules.input_classes import INPUT_CLASSES, LARGEST_SEED, Kind
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.lookup import nearest
from comfynb.rules.scalars import JSON, parse_color, parse_number, plain

__all__ = ["RefusedValueError", "Sent", "coerce", "is_image_data_uri", "is_random_seed", "seed_range"]

Sent: TypeAlias = JSON | GivenFile
"""What is sent; of a file its address, once it is uploaded."""

_URL: Final = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_DATA_URI: Final = re.compile(r"data:([^;,\s]*)", re.IGNORECASE)
# As the server looks for it: in lower case, and without parameters.
_IMAGE_DATA_URI: Final = re.compile(r"data:image/(?:png|jpe?g);base64,[A-Za-z0-9+/]")
_TAKES_DATA_URI: Final = frozenset({"image", "images", "file"})
_LONGEST_SHOWN: Final = 60
_MOST_OPTIONS_SHOWN: Final = 20
_MOST_BITS: Final = 63


class RefusedValueError(ValueError):
    """An input cannot take a value; the message is a phrase such as "must be a whole number, not 4.6"."""


def coerce(definition: InputDefinition, value: object) -> Sent:
    """Return a given value as it is sent.

    Parameters
    ----------
    definition : InputDefinition
        The input that it is for.
    value : object
        What was given. NumPy scalars are taken for what they hold.

    Returns
    -------
    JSON value, or GivenFile
        Of the type that the input takes; a file comes back as it is, since it has no address yet.

    Raises
    ------
    RefusedValueError
        The input cannot take it; the message is a phrase such as "must be a whole number, not 4.6".

    Examples
    --------
    >>> coerce(InputDefinition("steps", "Steps", "ComfyUIDeployExternalNumberInt", "integer"), "20")
    20
    """
    value = plain(value)
    if value is None:
        raise RefusedValueError("None is no value; leave the input out to use its default")
    if isinstance(value, str):
        _check_text(value)
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise RefusedValueError("is too large a number")
    if definition.kind == "line" and definition.class_type not in INPUT_CLASSES:
        return _unknown_class(value)
    return _COERCE[definition.kind](definition, value)


def seed_range(definition: InputDefinition) -> tuple[int, int]:
    """Return the smallest and the largest seed that may be drawn for an input.

    Examples
    --------
    >>> seed_range(InputDefinition("seed", "Seed", "ComfyUIDeployExternalSeed", "seed", minimum=0, maximum=10))
    (1, 10)
    """
    smallest = 1 if definition.minimum is None else max(math.ceil(definition.minimum), 1)
    largest = LARGEST_SEED if definition.maximum is None else min(math.floor(definition.maximum), LARGEST_SEED)
    return smallest, largest


def is_random_seed(value: object) -> bool:
    """Whether a seed means "any": it is None, or -1.

    Examples
    --------
    >>> is_random_seed(None), is_random_seed("-1"), is_random_seed(7)
    (True, True, False)
    """
    value = plain(value)
    return value is None or parse_number(value) == -1


def is_image_data_uri(text: str) -> bool:
    """Whether a text is a picture in itself, of a kind that the server takes.

    Examples
    --------
    >>> is_image_data_uri("data:image/png;base64,iVBORw0KGgo="), is_image_data_uri("data:text/html;base64,PGI+")
    (True, False)
    """
    return _IMAGE_DATA_URI.match(text) is not None


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise RefusedValueError("contains a NUL character, which the server cannot store")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusedValueError("contains half of a surrogate pair, which cannot be sent") from None


def _shown(value: object) -> str:
    if isinstance(value, str | int | float | bool):
        text = repr(value)
        return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
    return f"a {type(value).__name__}"


def _unknown_class(value: object) -> JSON:
    # Nothing is known about such a node, so whatever the API takes is passed on.
    if isinstance(value, float) and not math.isfinite(value):
        raise RefusedValueError(f"must be a finite number, not {value}")
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple):
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise RefusedValueError("is a list that holds something that is no JSON") from None
        return list(value)
    raise RefusedValueError(f"must be text, a number, true or false, or a list, not {_shown(value)}")


def _text(_: InputDefinition, value: object) -> JSON:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and parse_number(value) is not None:
        return str(value)
    raise RefusedValueError(f"must be text, not {_shown(value)}")


def _number(definition: InputDefinition, value: object) -> JSON:
    number = parse_number(value)
    if number is None:
        raise RefusedValueError(f"must be a number, not {_shown(value)}")
    _check_range(definition, number)
    return number


def _integer(definition: InputDefinition, value: object) -> JSON:
    number = _whole(value)
    # What the node ignores it replaces by its default, so the default itself is safe even if it is negative.
    if number < 0 and number != definition.default:
        raise RefusedValueError(f"must be 0 or more, not {number}{_ignored(definition)}")
    _check_range(definition, number)
    return number


def _slider_integer(definition: InputDefinition, value: object) -> JSON:
    number = _whole(value)
    _check_range(definition, number)
    return number


def _whole(value: object) -> int:
    number = parse_number(value)
    if number is None or number != int(number):
        raise RefusedValueError(f"must be a whole number, not {_shown(value)}")
    return int(number)


def _check_range(definition: InputDefinition, number: float) -> None:
    low, high = definition.minimum, definition.maximum
    if number == definition.default or ((low is None or number >= low) and (high is None or number <= high)):
        return
    if low is not None and high is not None:
        limits = f"{low} to {high}"
    else:
        limits = f"{low} or more" if low is not None else f"{high} or less"
    ignored = _ignored(definition) if definition.kind in ("slider", "slider_integer") else ""
    raise RefusedValueError(f"must be {limits}, not {number}{ignored}")


def _ignored(definition: InputDefinition) -> str:
    return f"; the node would ignore it and use {definition.default}" if definition.has_default else ""


def _boolean(_: InputDefinition, value: object) -> JSON:
    if isinstance(value, str):
        word = {"true": True, "false": False}.get(value.strip().lower())
        if word is not None:
            return word
    elif isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
        return bool(value)
    raise RefusedValueError(f"must be true or false, not {_shown(value)}")


def _enum(definition: InputDefinition, value: object) -> JSON:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RefusedValueError(f"must be one of the options, as text, not {_shown(value)}")
    text = str(value)
    if not definition.options or text in definition.options or text == definition.default:
        return text
    near = nearest(text, definition.options, limit=1)
    unlisted = len(definition.options) - _MOST_OPTIONS_SHOWN
    listed = ", ".join(definition.options[:_MOST_OPTIONS_SHOWN])
    more = f" and {unlisted} more" if unlisted > 0 else ""
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise RefusedValueError(f"{_shown(value)} is not an option; the options are {listed}{more}{guess}")


def _file(definition: InputDefinition, value: object) -> Sent:
    return _url(value, definition.kind)


def _files(definition: InputDefinition, value: object) -> Sent:
    if isinstance(value, str | GivenFile):
        value = [value]
    if not isinstance(value, list | tuple):
        raise RefusedValueError(f"must be a list of images, not {_shown(value)}")
    if not value:
        raise RefusedValueError("is an empty list; give at least one image, or leave the input out")
    urls: list[Sent] = []
    for place, item in enumerate(value, start=1):
        try:
            urls.append(_url(plain(item), definition.kind))
        except RefusedValueError as error:
            raise RefusedValueError(f"item {place}: {error}") from None
    return urls


def _url(value: object, kind: Kind) -> str | GivenFile:
    if isinstance(value, GivenFile):
        problem = upload_problem(value, kind)
        if problem:
            raise RefusedValueError(problem)
        return value
    takes_data = kind in _TAKES_DATA_URI
    wanted = "a public URL (http or https)" + (", or a PNG or JPEG data URI" if takes_data else "")
    if not isinstance(value, str):
        raise RefusedValueError(f"must be {wanted}, or a file, not {_shown(value)}")
    _check_text(value)
    text = value.strip()
    if not text:
        raise RefusedValueError(f"is empty; it must be {wanted}")
    data = _DATA_URI.match(text)
    if data:
        if takes_data and is_image_data_uri(text):
            return text
        given = f"{data[1] or 'text/plain'}{'' if ';base64,' in text[:100].lower() else ' without base64'}"
        raise RefusedValueError(f"must be {wanted}, not a data URI of {given}; give its bytes, or the path of a file")
    if _URL.fullmatch(text):
        return text
    if text.lower().startswith(("http:", "https:")):
        raise RefusedValueError(f"must be {wanted}; {_shown(value)} is not a valid one")
    raise RefusedValueError(
        f"must be {wanted}, or a file; {_shown(value)} is no URL, and there is no file of that name here"
    )


def _model(definition: InputDefinition, value: object) -> JSON:
    if not isinstance(value, str) or not value.strip():
        raise RefusedValueError(
            f"must be the name or the URL of a {definition.kind.replace('_', ' ')}, not {_shown(value)}"
        )
    return value


def _seed(definition: InputDefinition, value: object) -> JSON:
    number = _whole(value)
    low = 1 if definition.minimum is None else definition.minimum
    high = LARGEST_SEED if definition.maximum is None else min(definition.maximum, LARGEST_SEED)
    if not low <= number <= high:
        raise RefusedValueError(f"must be {low} to {high}, or -1 for a random one, not {number}")
    return number


def _color(_: InputDefinition, value: object) -> JSON:
    color = parse_color(value)
    if color is None:
        raise RefusedValueError(f"must be a color such as '#ff8000' or (255, 128, 0), not {_shown(value)}")
    return color


def _realtime(definition: InputDefinition, _: object) -> JSON:
    raise RefusedValueError(
        f"{definition.name!r} is a realtime image, which cannot be given to a queued run; leave it out"
    )


_COERCE: Final[dict[Kind, Callable[[InputDefinition, object], Sent]]] = {
    "text": _text,
    "line": _text,
    "float": _number,
    "integer": _integer,
    "slider": _number,
    "slider_integer": _slider_integer,
    "boolean": _boolean,
    "enum": _enum,
    "image": _file,
    "images": _files,
    "video": _file,
    "audio": _file,
    "exr": _file,
    "file": _file,
    "lora": _model,
    "checkpoint": _model,
    "face_model": _model,
    "seed": _seed,
    "color": _color,
    "realtime": _realtime,
}
