"""A run that somebody waits for in the background goes on while the kernel computes."""

from __future__ import annotations

import pytest
from kernels import Kernel

from comfynb.sandbox import Sandbox

COMPUTE = """
import time
print("computing")
seen, end = [], time.monotonic() + 20
while not run.ended and time.monotonic() < end:
    sum(range(1000))
    if run.progress not in seen:
        seen.append(run.progress)
        print(run.stage)
"""
IN_A_THREAD = """
import threading
waiting = threading.Thread(target=run.wait)
waiting.start()
"""
IN_A_TASK = """
import asyncio
async def wait():
    return await run
waiting = asyncio.create_task(wait())
"""


@pytest.mark.parametrize("wait", [IN_A_THREAD, IN_A_TASK], ids=["thread", "task"])
def test_status_moves_while_a_cell_computes(kernel: Kernel, sandbox: Sandbox, wait: str) -> None:
    """Nobody asks for it and the kernel's loop stands still, yet the handle knows more and more."""
    sandbox.knobs.change(speed=0)
    connect = f"import comfynb\nws = comfynb.connect({sandbox.url!r}, {sandbox.api_key!r})"
    cells = kernel.send(connect, "run = ws.submit('text2img', prompt='x')", wait, COMPUTE, "run.status, len(seen) > 2")
    computing = cells[3]
    assert kernel.until(lambda: "computing" in computing.text)
    while not computing.answered:
        shown = len(computing.text)
        sandbox.advance(1.0)
        kernel.until(lambda shown=shown: len(computing.text) > shown or computing.answered, 1.0)
    assert kernel.until(lambda: all(cell.answered for cell in cells))
    assert [(cell.status, cell.error) for cell in cells] == [("ok", "")] * len(cells)
    assert cells[-1].value == "('success', True)", computing.text


def test_the_bar_moves_while_a_cell_computes(kernel: Kernel, sandbox: Sandbox) -> None:
    """A wait in a thread of the user's shows its bar, and that moves."""
    sandbox.knobs.change(speed=0)
    connect = f"import comfynb\nws = comfynb.connect({sandbox.url!r}, {sandbox.api_key!r})"
    cells = kernel.send(connect, "run = ws.submit('text2img', prompt='x')", IN_A_THREAD, COMPUTE)
    computing = cells[3]
    assert kernel.until(lambda: "computing" in computing.text)
    sandbox.advance(3.0)
    assert kernel.until(lambda: any(0 < part < 1 for part in bars(kernel)))
    assert not computing.answered
    sandbox.advance(1000.0)
    assert kernel.until(lambda: all(cell.answered for cell in cells))
    assert kernel.until(lambda: bars(kernel)[-1:] == [1.0])


def bars(kernel: Kernel) -> list[float]:
    """Return the values that bars were set to."""
    values = [state.get("value") for state in kernel.widgets]
    return [value for value in values if isinstance(value, float)]
