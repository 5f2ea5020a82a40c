"""What all tests share: an environment without settings of the user's, and a sandbox."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import service_for
from recordings_tally import Tally

from comfynb.sandbox import Knobs, Sandbox
from comfynb.services.comfyui import ComfyUIService

UNIT = Path(__file__).parent / "unit"
SETTINGS = (
    "COMFY_DEPLOY_API_KEY",
    "COMFY_DEPLOY_API_URL",
    "COMFY_DEPLOY_WEBHOOK_SECRET",
    "WEBHOOK_URL",
    "COMFYNB_SANDBOX",
    "COMFYNB_NAMES",
    "COMFYNB_ROUTING",
    "COMFYNB_SNAPSHOT",
)
SPEED = 1000.0


def pytest_configure(config: pytest.Config) -> None:
    """Begin to collect what the comparisons with the recordings find."""
    config.pluginmanager.register(Tally(config), "recordings-tally")


@pytest.fixture(autouse=True)
def no_settings(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Take the settings out of the environment of unit tests, and give all tests a data folder of their own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "data"))
    if UNIT in request.path.parents:
        for name in SETTINGS:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def _server() -> Iterator[Sandbox]:
    with Sandbox(speed=SPEED) as server:
        yield server


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """Return a local ComfyDeploy as it is at its start, whose machines are quick."""
    _server.knobs.change(**{knob.name: getattr(Knobs(speed=SPEED), knob.name) for knob in dataclasses.fields(Knobs)})
    _server.reset()
    return _server


@pytest.fixture
def service(sandbox: Sandbox) -> ComfyUIService:
    """Both services on the sandbox, with short waits."""
    return service_for(sandbox.url, sandbox.api_key)
