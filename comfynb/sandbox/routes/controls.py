"""Controls of the sandbox itself, under ``/sandbox``: for clients that live in another process. Without a key."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from comfynb.sandbox.counters import Counters
from comfynb.sandbox.http import Answer, Call, HttpError, Routes, answer
from comfynb.sandbox.knobs import Knobs

__all__ = ["register"]

FIXED = frozenset({"history", "seed", "start"})


def register(routes: Routes) -> None:
    """Add the controls."""
    routes.on("GET", "/knobs")(get_knobs)
    routes.on("POST", "/knobs")(set_knobs)
    routes.on("GET", "/counters")(get_counters)
    routes.on("POST", "/advance")(advance)
    routes.on("POST", "/reset")(reset)


def get_knobs(call: Call) -> Answer:
    """All knobs."""
    return answer(_plain(call.world.knobs))


def set_knobs(call: Call) -> Answer:
    """Change some knobs: an object of names and values."""
    body = call.json()
    if not isinstance(body, dict):
        raise HttpError(422, "Send an object of knobs and values.")
    fixed = sorted(FIXED & set(body))
    if fixed:
        raise HttpError(422, f"{', '.join(fixed)} can only be given at the start.")
    try:
        call.world.knobs.change(**body)
    except (TypeError, ValueError) as error:
        raise HttpError(422, str(error)) from None
    return get_knobs(call)


def get_counters(call: Call) -> Answer:
    """Return what was counted."""
    return answer(_plain(call.world.counters))


def advance(call: Call) -> Answer:
    """Let so many reported seconds go by."""
    body = call.json()
    seconds = body.get("seconds") if isinstance(body, dict) else None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        raise HttpError(422, 'Send {"seconds": a number}.')
    call.world.advance(float(seconds))
    return answer({"now": call.world.now().isoformat()})


def reset(call: Call) -> Answer:
    """Begin anew; knobs stay as they are."""
    call.reset()
    return answer({"message": "The sandbox begins anew"})


def _plain(content: Knobs | Counters) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for each in dataclasses.fields(content):
        value = getattr(content, each.name)
        if isinstance(value, set):
            value = sorted(value)
        plain[each.name] = value.isoformat() if isinstance(value, datetime) else value
    return plain
