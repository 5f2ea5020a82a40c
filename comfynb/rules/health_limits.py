"""From what a file of limits says to limits, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final, NamedTuple

from comfynb.errors import ConfigurationError
from comfynb.rules.health import HealthLimits
from comfynb.rules.text import tidy

__all__ = ["read_limits"]

_MOST_TOLD: Final = 20
Locate = Callable[[tuple[str, ...], str], str]
"""Puts file and line in front of a sentence about a key."""


class _Setting(NamedTuple):
    field: str
    needs: str
    good: Callable[[Any], bool]


def _number(low: float, high: float = inf) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_TIMES = ("a number, 1 or more", _number(1))
_SHARE = ("a share, from 0 to 1", _number(0, 1))
_SECONDS = ("a number of seconds, 0 or more", _number(0))
_LOOKS = ("a whole number, 1 or more", _count)
_SETTINGS: Final[Mapping[str, Mapping[str, _Setting]]] = {
    "latency": {
        "warn": _Setting("latency_warn", *_TIMES),
        "bad": _Setting("latency_bad", *_TIMES),
        "floor": _Setting("latency_floor", *_SECONDS),
    },
    "requests": {"warn": _Setting("requests_warn", *_SHARE), "bad": _Setting("requests_bad", *_SHARE)},
    "clock": {"warn": _Setting("clock_warn", *_SECONDS), "bad": _Setting("clock_bad", *_SECONDS)},
    "runs": {
        "stale_after": _Setting("stale_after", *_SECONDS),
        "forget_after": _Setting("forget_after", *_SECONDS),
    },
    "alerts": {
        "level": _Setting("level", '"warn" or "bad"', lambda value: value in ("warn", "bad")),
        "after": _Setting("after", *_LOOKS),
        "over": _Setting("over", *_LOOKS),
        "ignore": _Setting("ignore", "a list of names of checks", _texts),
    },
}


def read_limits(content: Mapping[str, Any], locate: Locate | None = None) -> HealthLimits:
    """Read what a file of limits says.

    Parameters
    ----------
    content : mapping
        The tables `latency`, `requests`, `clock`, `runs` and `alerts`; what is not said stays as it is by default.
    locate : callable, optional
        Puts file and line in front of a sentence about a key.

    Raises
    ------
    ConfigurationError
        With everything that is wrong.

    Examples
    --------
    >>> read_limits({"alerts": {"level": "warn", "ignore": ["machine render-farm-*"]}}).level
    'warn'
    >>> read_limits({"clock": {"warn": "late"}})
    Traceback (most recent call last):
    comfynb.errors.ConfigurationError: clock.warn: 'late' has to be a number of seconds, 0 or more.
    """
    locate = locate or (lambda keys, what: f"{'.'.join(keys)}: {what}")
    problems: list[str] = []
    found: dict[str, Any] = {}
    for name, table in content.items():
        known = _SETTINGS.get(name)
        if known is None:
            problems.append(locate((name,), f"{_shown(name)} is no table; there are {', '.join(_SETTINGS)}."))
            continue
        if not isinstance(table, Mapping):
            problems.append(locate((name,), f"{name} has to be a table: [{name}]."))
            continue
        for key, value in table.items():
            setting = known.get(key)
            if setting is None:
                problems.append(locate((name, key), f"{_shown(key)} is no setting; [{name}] has {', '.join(known)}."))
            elif not setting.good(value):
                problems.append(locate((name, key), f"{_shown(value)} has to be {setting.needs}."))
            else:
                found[setting.field] = tuple(value) if isinstance(value, list) else value
    limits = HealthLimits(**found)
    for name in ("latency", "requests", "clock"):
        if not problems and getattr(limits, f"{name}_warn") > getattr(limits, f"{name}_bad"):
            problems.append(locate((name,), f"warn has to be at most bad in [{name}]."))
    if problems:
        more = [f"And {len(problems) - _MOST_TOLD} more."] if len(problems) > _MOST_TOLD else []
        raise ConfigurationError("\n".join([*problems[:_MOST_TOLD], *more]))
    return limits


def _shown(value: object) -> str:
    return tidy(repr(value), 60)
