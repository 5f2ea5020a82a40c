"""What the tests of the upper half share: workspaces on the sandbox, which look at their runs often."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.services import watching
from comfynb.warnings import UploadWarning


@pytest.fixture
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at runs every few milliseconds instead of every few seconds."""
    monkeypatch.setattr(watching, "SHORTEST", 0.01)
    monkeypatch.setattr(watching, "LONGEST", 0.02)


@pytest.fixture
def ws(sandbox: Sandbox, short_looks: None) -> Iterator[comfynb.Workspace]:
    """Connect to all that the sandbox has."""
    with comfynb.connect(sandbox=sandbox) as workspace:
        yield workspace


@pytest.fixture
def empty(sandbox: Sandbox, short_looks: None) -> Iterator[comfynb.Workspace]:
    """Connect as somebody who has nothing yet."""
    with comfynb.connect(sandbox.url, sandbox.other_api_key) as workspace:
        yield workspace


@pytest.fixture
def uploads_are_no_news() -> Iterator[None]:
    """Let files go up without a warning, for tests of something else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UploadWarning)
        yield
