"""The sandbox that the tests share, as it is at its start."""

from __future__ import annotations

import dataclasses
from typing import Any

from comfynb.sandbox import Knobs, Sandbox

SPEED = 1000.0


def begin_anew(server: Sandbox, **knobs: Any) -> Sandbox:
    """Set all knobs of a sandbox to their defaults but these, with quick machines, and build its world anew."""
    fresh = Knobs(speed=SPEED).change(**knobs)
    server.knobs.change(**{knob.name: getattr(fresh, knob.name) for knob in dataclasses.fields(fresh)})
    server.reset()
    return server
