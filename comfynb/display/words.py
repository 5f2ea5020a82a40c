"""Values, times and calls as people read them."""

from __future__ import annotations

import json
import keyword
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from comfynb.display.card import Tone
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.text import tidy

__all__ = [
    "call",
    "count",
    "input_arguments",
    "is_argument",
    "moment",
    "money",
    "quoted",
    "seconds",
    "shown",
    "status_tone",
    "with_id",
]

_OPTIONS: Final = frozenset(
    {
        "workflow",
        "inputs",
        "environment",
        "version",
        "machine",
        "route",
        "webhook",
        "timeout",
        "check",
        "stall",
        "progress",
    }
)
"""Keywords of `ws.run`, `ws.submit` and `ws.prepare`; an input of such a name is given in `inputs=`."""

_SAMPLES: Final[Mapping[str, str]] = {
    "text": '"…"',
    "line": '"…"',
    "float": "1.0",
    "integer": "1",
    "boolean": "True",
    "images": '["https://…"]',
    "seed": "7",
    "color": '"#ff8800"',
    "lora": '"…"',
    "checkpoint": '"…"',
    "face_model": '"…"',
}
_MOST_SAMPLES: Final = 3
_LONGEST_NAME: Final = 60
_LONGEST_VALUE: Final = 2000

_TONES: Final[Mapping[str, Tone]] = {
    "ready": "good",
    "success": "good",
    "failed": "bad",
    "timeout": "bad",
    "error": "bad",
    "cancelled": "warn",
    "paused": "warn",
    "building": "warn",
}


def status_tone(status: str | None) -> Tone:
    """Return how the status of a run or a machine is meant; words that are not known are plain."""
    return _TONES.get(status or "", "plain")


def moment(time: datetime | None) -> str | None:
    """Return a time in UTC, to the second.

    Examples
    --------
    >>> moment(datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC))
    '2026-05-04 03:02:01 UTC'
    """
    if time is None:
        return None
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def away_since(as_of: datetime | None) -> str | None:
    """Return of when something is that is shown since the server is away; None if it is the server's own word.

    Examples
    --------
    >>> away_since(datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC))
    '2026-05-04 03:02:01 UTC; the server was away'
    """
    return None if as_of is None else f"{moment(as_of)}; the server was away"


def seconds(duration: float | None) -> str | None:
    """Return a duration for people.

    Examples
    --------
    >>> seconds(4.25), seconds(75), seconds(7322)
    ('4.2 s', '1 min 15 s', '2 h 2 min')
    """
    if duration is None or not 0 <= duration < 1e9:
        return None
    if duration < 59.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def money(per_second: float | None) -> str:
    """Return the price of a second on a GPU.

    Examples
    --------
    >>> money(0.00031), money(None)
    ('$0.00031/s', 'unknown')
    """
    if per_second is None:
        return "unknown"
    digits = f"{per_second:.6f}".rstrip("0")
    return f"${digits + '0' if digits.endswith('.') else digits}/s"


def cost(dollars: float | None, *, so_far: bool = False) -> str | None:
    """Return what a run costs, which is an estimate: what it costs in the end is the server's to say.

    Examples
    --------
    >>> cost(0.00432), cost(1.5, so_far=True), cost(None)
    ('about $0.0043', 'about $1.50 so far', None)
    """
    if dollars is None:
        return None
    amount = f"{dollars:.2f}" if dollars >= 0.1 else f"{dollars:.4f}"
    return f"about ${amount}{' so far' if so_far else ''}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> count(1, "run"), count(2, "run"), count(0, "run")
    ('1 run', '2 runs', 'no runs')
    """
    return f"{number or 'no'} {noun if number == 1 else noun + 's'}"


def shown(value: Any) -> str:
    """Return a value as Python writes it, so that `7` and `"7"` differ; a very long text is not written in full.

    Examples
    --------
    >>> shown("a fox"), shown(7), shown(None)
    ("'a fox'", '7', 'None')
    """
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        return f"{value[:_LONGEST_VALUE]!r} and {len(value) - _LONGEST_VALUE} more characters"
    return repr(value)


def quoted(name: str | None, id: str | None = None) -> str:
    r"""Return a name as it stands in a call; the id where the name cannot be typed as it is shown.

    Examples
    --------
    >>> quoted("text2img", "0a1b"), quoted("text\x1b2img", "0a1b")
    ('"text2img"', '"0a1b"')
    """
    usable = bool(name) and tidy(name, _LONGEST_NAME) == name
    return json.dumps(tidy(name if usable or not id else id, _LONGEST_NAME), ensure_ascii=False)


def with_id(name: str | None, id: str | None) -> str | None:
    """Return a name with its id behind it; whichever there is, if one is missing.

    Examples
    --------
    >>> with_id("gpu-1", "0a1b"), with_id(None, "0a1b"), with_id(None, None)
    ('gpu-1 (0a1b)', '0a1b', None)
    """
    tidied = tidy(name, 80)
    if tidied and id and tidied != id:
        return f"{tidied} ({tidy(id, 80)})"
    return tidied or id or None


def call(method: str, subject: str, *arguments: str) -> str:
    """Return a call on the workspace.

    Examples
    --------
    >>> call("run", quoted("text2img"), 'prompt="…"')
    'ws.run("text2img", prompt="…")'
    """
    return f"ws.{method}({', '.join(filter(None, (subject, *arguments)))})"


def input_arguments(definitions: Sequence[InputDefinition], primary: str | None = None) -> str:
    """Return arguments that show how inputs are given: the required ones, else the one that matters most.

    Parameters
    ----------
    definitions : sequence of InputDefinition
        The inputs of a workflow.
    primary : str, optional
        The name of the input that a person fills in first.

    Examples
    --------
    >>> prompt = InputDefinition("Negative Prompt", "", "", "text")
    >>> input_arguments([prompt])
    'inputs={"Negative Prompt": "…"}'
    """
    given = [definition for definition in definitions if definition.required][:_MOST_SAMPLES]
    if not given:
        given = [definition for definition in definitions if definition.name == primary][:1]
    if not given:
        given = [definition for definition in definitions if definition.kind in ("text", "line")][:1]
    plain: list[str] = []
    rest: list[str] = []
    for definition in given:
        name = definition.name
        sample = _sample(definition)
        if tidy(name, _LONGEST_NAME) != name:
            continue
        if is_argument(name):
            plain.append(f"{name}={sample}")
        else:
            rest.append(f"{quoted(name)}: {sample}")
    if rest:
        plain.append(f"inputs={{{', '.join(rest)}}}")
    return ", ".join(plain)


def is_argument(name: str) -> bool:
    """Whether an input of this name can be given as a keyword: it is an identifier, and no option's name.

    Examples
    --------
    >>> is_argument("prompt"), is_argument("class"), is_argument("version"), is_argument("two words")
    (True, False, False, False)
    """
    usable = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    return usable and name != "__debug__" and name not in _OPTIONS


def _sample(definition: InputDefinition) -> str:
    if definition.kind == "enum" and definition.options:
        return quoted(tidy(definition.options[0], _LONGEST_NAME))
    if definition.minimum is not None and definition.kind in ("float", "integer", "slider", "slider_integer"):
        return repr(definition.minimum)
    return _SAMPLES.get(definition.kind, '"https://…"')
