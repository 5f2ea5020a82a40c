"""A sandbox whose machines are moved by hand, and clients of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from sandbox_client import Client

from comfynb.sandbox import Knobs, Sandbox


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """Run one sandbox for the tests of a module; its machines stand still unless they are advanced."""
    with Sandbox(speed=0) as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    """Give the module's sandbox, as new."""
    shared.reset()
    yield shared
    shared.knobs.change(**dataclasses.asdict(Knobs(speed=0)))


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    """Give a client of the sandbox."""
    with Client(sandbox) as client:
        yield client
