"""A pytest plugin: the fixture `comfynb_sandbox`, a local ComfyDeploy for each test that asks for it.

Installed with comfynb, so that nothing has to be registered::

    def test_my_notebook_function(comfynb_sandbox):
        ws = comfynb.connect()                      # goes to the sandbox: the environment says so
        assert my_function(ws) == "done"
        assert comfynb_sandbox.counters.runs_created == 1   # and nothing was paid for
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from comfynb.sandbox import Sandbox


@pytest.fixture
def comfynb_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Start a sandbox, and make a plain `comfynb.connect()` go to it, in this process and in those that it starts."""
    from comfynb.sandbox import Sandbox

    with Sandbox(speed=200.0) as sandbox:
        monkeypatch.setenv("COMFY_DEPLOY_API_URL", sandbox.url)
        monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.api_key)
        monkeypatch.delenv("COMFYNB_SANDBOX", raising=False)
        monkeypatch.delenv("WEBHOOK_URL", raising=False)
        yield sandbox
