"""Builds a world with its machines and its past."""

from __future__ import annotations

from comfynb.sandbox.engine import Engine
from comfynb.sandbox.knobs import Knobs
from comfynb.sandbox.world.history import add_history
from comfynb.sandbox.world.spec import BUILT_IN, WorldSpec
from comfynb.sandbox.world.world import World

__all__ = ["build_world"]


def build_world(knobs: Knobs, files_url: str, spec: WorldSpec = BUILT_IN) -> tuple[World, Engine]:
    """Return a world as it is at the start, and the engine that runs it.

    Parameters
    ----------
    knobs : Knobs
        Seed, start, and everything else.
    files_url : str
        Where files are served.
    spec : WorldSpec
        What is in it.
    """
    world = World(knobs, files_url, spec)
    engine = Engine(world)
    add_history(engine)
    return world, engine
