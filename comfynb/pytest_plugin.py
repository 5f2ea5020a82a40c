"""A pytest plugin: the fixture `comfynb_sandbox`, a local ComfyDeploy for each test that asks for it.

Installed with comfynb, so that nothing has to be registered::

    def test_my_notebook_function(comfynb_sandbox):
        ws = comfynb.connect()                      # goes to the sandbox: the environment says so
        assert my_function(ws) == "done"
        assert comfynb_sandbox.counters.runs_created == 1   # and nothing was paid for

What it has is the sandbox's own, or with ``comfynb_world = tests/our_world.toml`` in pytest's configuration what a file
says. A mark says it for one test, class or module, and turns knobs::

    @pytest.mark.comfynb_sandbox(world="my.toml", speed=100, seed=3)
    def test_on_our_names(comfynb_sandbox): ...
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from comfynb.sandbox import Sandbox

SPEED = 200.0
"""Reported seconds per real second, unless a mark says otherwise."""

NAME = "comfynb_sandbox"
"""Of the fixture, and of the mark that says what it has."""

WORLD = "comfynb_world"
"""Of the setting in pytest's configuration."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting."""
    parser.addini(
        WORLD,
        f"TOML file with the machines, workflows and deployments of {NAME}, from the folder of this configuration.",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers",
        f"{NAME}(world=..., **knobs): what the fixture {NAME} gives. The world is a TOML file, from the folder of the "
        "test, or a mapping, or None for the sandbox's own; the knobs are those of comfynb.Knobs.",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test that has the mark itself and does not take the fixture, since it would have no effect."""
    marked = any(mark.name == NAME for mark in item.own_markers)
    if marked and NAME not in getattr(item, "fixturenames", ()):
        pytest.fail(f"{NAME}: this test has the mark and does not take the fixture of that name.", pytrace=False)


@pytest.fixture
def comfynb_sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Start a sandbox, and make a plain `comfynb.connect()` go to it, in this process and in those that it starts."""
    with _made(_options(request)) as sandbox:
        monkeypatch.setenv("COMFY_DEPLOY_API_URL", sandbox.url)
        monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.api_key)
        monkeypatch.delenv("COMFYNB_SANDBOX", raising=False)
        monkeypatch.delenv("WEBHOOK_URL", raising=False)
        yield sandbox


def _made(options: dict[str, Any]) -> Sandbox:
    from comfynb.errors import ConfigurationError
    from comfynb.sandbox import Sandbox

    try:
        return Sandbox(**options)
    except (ConfigurationError, ValueError) as error:
        fault = error
    # Outside of the handler, so that no traceback of it is shown.
    pytest.fail(f"{NAME}: {fault}", pytrace=False)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what a sandbox is made of: what the configuration says, then the marks, the closest one last."""
    options: dict[str, Any] = {"speed": SPEED}
    config = request.config
    if configured := config.getini(WORLD):
        options["world"] = _found(configured, config.inipath.parent if config.inipath else config.rootpath)
    for mark in reversed(list(request.node.iter_markers(NAME))):
        _check(mark)
        options.update(mark.kwargs)
        if isinstance(mark.kwargs.get("world"), str | os.PathLike):
            options["world"] = _found(mark.kwargs["world"], request.path.parent)
    return options


def _found(world: str | os.PathLike[str], folder: Path) -> Path:
    return folder / Path(world).expanduser()


def _check(mark: pytest.Mark) -> None:
    """Fail where a mark says something that the fixture does not take."""
    from comfynb.sandbox import Knobs

    knobs = sorted(each.name for each in dataclasses.fields(Knobs))
    unknown = [repr(name) for name in mark.kwargs if name not in {"world", *knobs}]
    world = mark.kwargs.get("world")
    if mark.args:
        fault = f"give everything by name, as in world={mark.args[0]!r}."
    elif unknown:
        fault = f"there is no {' or '.join(unknown)}; it takes world, and the knobs {', '.join(knobs)}."
    elif not isinstance(world, str | os.PathLike | Mapping | None):
        fault = f"world={world!r} is neither the path of a TOML file nor a mapping."
    else:
        return
    pytest.fail(f"{NAME}: {fault}", pytrace=False)
