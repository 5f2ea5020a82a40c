"""Kernels of two environments: this one, and one with an ipykernel before 7 where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kernels import Kernel
from requirements_gate import require

HOW_TO_GET_KERNEL6 = (
    "COMFYNB_KERNEL6 names no Python whose environment has comfynb and an ipykernel before 7; "
    "python3 -m venv K && K/bin/pip install -e . 'ipykernel<7' jupyter_client makes one, at K/bin/python"
)


@pytest.fixture(scope="session")
def python6() -> str:
    """Find the Python of an environment with an ipykernel before 7."""
    python = os.environ.get("COMFYNB_KERNEL6", "")
    question = "import comfynb, ipykernel; raise SystemExit(ipykernel.version_info[0] >= 7)"
    found = Path(python).is_file() and subprocess.run([python, "-c", question], cwd="/", check=False).returncode == 0
    require("kernel6", found, HOW_TO_GET_KERNEL6)
    return python


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Start kernels, which end with the test, by themselves."""
    started: list[Kernel] = []
    with ExitStack() as running:

        def begin(python: str = sys.executable) -> Kernel:
            folder = tmp_path / f"kernel{len(started)}"
            folder.mkdir()
            started.append(running.enter_context(Kernel(folder, python)))
            return started[-1]

        yield begin
    assert all(kernel.ended_by_itself for kernel in started), "a kernel had to be killed"


@pytest.fixture
def kernel(start: Callable[..., Kernel]) -> Kernel:
    """Start a kernel of this environment."""
    return start()


@pytest.fixture
def kernel6(start: Callable[..., Kernel], python6: str) -> Kernel:
    """Start a kernel of the other environment."""
    return start(python6)
