"""Workspaces without a past, whose building would take most of the time of a test."""

from __future__ import annotations

import pytest
from worlds import begin_anew

from comfynb.sandbox import Sandbox


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """Return a sandbox without a past."""
    return begin_anew(_server, history=0)
