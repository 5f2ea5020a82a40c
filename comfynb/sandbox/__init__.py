"""A local ComfyDeploy: the same routes, answers and oddities, without a key, a network or a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfynb.sandbox.counters import Counters
    from comfynb.sandbox.knobs import Knobs
    from comfynb.sandbox.server import Sandbox
    from comfynb.sandbox.world.saving import save_world

__all__ = ["Counters", "Knobs", "Sandbox", "save_world"]

_HOMES = {"Counters": "counters", "Knobs": "knobs", "Sandbox": "server", "save_world": "world.saving"}


def __getattr__(name: str) -> Any:
    # Imported on first use: a client that talks to a real server needs none of this.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
