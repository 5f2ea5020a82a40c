"""What a second on a GPU costs, read tolerantly from the server's price table. A price that is unclear is unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from comfynb.rules.scalars import parse_number

__all__ = ["estimate", "price_per_second", "price_table"]

_WRAPPERS: Final = ("data", "pricing", "prices", "gpu_pricing", "gpus", "result")
_NAMES: Final = ("gpu", "gpu_type", "name", "id")
_SECONDS_IN: Final = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "h": 3600}
_PRICE_KEYS: Final = ("price", "usd", "cost", "rate", "amount")
_PER_UNIT: Final = re.compile(
    r"(?:(?:gpu|price|cost|usd|rate)_?)*per_?(second|sec|s|minute|min|hour|hr|h)(?:_?usd)?", re.IGNORECASE
)


def price_table(payload: Any) -> dict[str, float]:
    """Return US dollars per second by GPU.

    Known shapes are a mapping of GPU to number, a mapping of GPU to a mapping with a price, and a list of rows with
    a GPU and a price; a price is per second unless its name or a unit beside it says otherwise. Whatever else comes
    is left out: no price is better than a wrong one.

    Parameters
    ----------
    payload : object
        The answer of `GET /platform/gpu-pricing`.

    Examples
    --------
    >>> price_table({"T4": 0.00018, "H100": {"price_per_hour": 3.6}})
    {'T4': 0.00018, 'H100': 0.001}
    >>> price_table("free")
    {}
    """
    if isinstance(payload, Mapping):
        for wrapper in _WRAPPERS:
            if isinstance(payload.get(wrapper), Mapping | list):
                return price_table(payload[wrapper])
        rows = list(payload.items())
    elif isinstance(payload, list):
        rows = [(_gpu_name(row), row) for row in payload if isinstance(row, Mapping)]
    else:
        return {}
    table: dict[str, float] = {}
    for gpu, row in rows:
        price = _price(row) if isinstance(row, Mapping) else _amount(row)
        if isinstance(gpu, str) and gpu.strip() and price is not None:
            table[gpu.strip()] = price
    return table


def price_per_second(gpu: str | None, table: Mapping[str, float]) -> float | None:
    """Return the price of a GPU, whatever the case of its name; None if the table does not have it.

    Examples
    --------
    >>> price_per_second("a10g", {"A10G": 0.0003})
    0.0003
    """
    if not isinstance(gpu, str):
        return None
    wanted = gpu.strip().casefold()
    return next((price for name, price in table.items() if name.casefold() == wanted), None)


def estimate(seconds: float | None, price: float | None) -> float | None:
    """Return what so many seconds cost at a price per second; None if either is unknown.

    Examples
    --------
    >>> estimate(10, 0.0005), estimate(None, 0.0005)
    (0.005, None)
    """
    known_seconds, known_price = _amount(seconds), _amount(price)
    return None if known_seconds is None or known_price is None else known_seconds * known_price


def _gpu_name(row: Mapping[str, Any]) -> str | None:
    return next((row[key] for key in _NAMES if isinstance(row.get(key), str)), None)


def _price(row: Mapping[str, Any]) -> float | None:
    for key, value in row.items():
        match = _PER_UNIT.fullmatch(str(key))
        amount = _amount(value) if match else None
        if match and amount is not None:
            return amount / _SECONDS_IN[match[1].lower()]
    for key in _PRICE_KEYS:
        amount = _amount(row.get(key))
        if amount is not None:
            return _in_unit(amount, row.get("unit") or row.get("per"))
    return None


def _in_unit(amount: float, unit: object) -> float | None:
    """Return an amount per `unit` as an amount per second; without a unit it is one already."""
    if unit is None:
        return amount
    word = re.split(r"[\s/_]", str(unit).strip().lower())[-1]
    return amount / _SECONDS_IN[word] if word in _SECONDS_IN else None


def _amount(value: object) -> float | None:
    number = parse_number(value)
    return None if number is None or number < 0 else float(number)
