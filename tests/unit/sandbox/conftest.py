"""A sandbox whose machines are moved by hand, and clients of it; and one whose machines work, and a workspace on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from receivers import Receiver
from sandbox_client import Client
from worlds import begin_anew

import comfynb
from comfynb.sandbox import Knobs, Sandbox

START: dict[str, Any] = {"speed": 0, "history": 40}
"""A short past, so that a test does not wait for it."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """Run one sandbox for the tests of a module; its machines stand still unless they are advanced."""
    with Sandbox(Knobs(**START)) as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    """Give the module's sandbox, as new."""
    shared.reset()
    yield shared
    shared.knobs.change(**dataclasses.asdict(Knobs(**START)))


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    """Give a client of the sandbox."""
    with Client(sandbox) as client:
        yield client


@pytest.fixture
def lively(_server: Sandbox) -> Sandbox:
    """Give the sandbox that all tests share, as new, without a past; its machines are quick."""
    return begin_anew(_server, history=0)


@pytest.fixture
def ws(lively: Sandbox, short_looks: None) -> Iterator[comfynb.Workspace]:
    """Connect the library to it."""
    with comfynb.connect(sandbox=lively) as workspace:
        yield workspace


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Listen for webhooks."""
    receiver = Receiver()
    yield receiver
    receiver.close()
