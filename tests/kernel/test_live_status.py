"""A run that somebody waits for in the background goes on while the kernel computes."""

from __future__ import annotations

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
IN_A_TASK = """
import asyncio
async def wait():
    return await run
waiting = asyncio.create_task(wait())
"""
IN_A_THREAD = """
import threading
waiting = threading.Thread(target=run.wait)
waiting.start()
"""


def connect_to(sandbox: Sandbox) -> str:
    """Return a cell that connects to a sandbox."""
    return f"import comfynb\nws = comfynb.connect({sandbox.url!r}, {sandbox.api_key!r})"


def test_status_moves_while_a_cell_computes(kernel: Kernel, sandbox: Sandbox) -> None:
    """Nobody asks for it and the kernel's loop stands still, yet the handle knows more and more."""
    sandbox.knobs.change(speed=0)
    cells = kernel.send(
        connect_to(sandbox), "run = ws.submit('text2img', prompt='x')", IN_A_TASK, COMPUTE, "(await waiting).status"
    )
    computing = cells[3]
    assert kernel.until(lambda: "computing" in computing.text)
    while not computing.answered:
        shown = len(computing.text)
        sandbox.advance(2.0)
        kernel.until(lambda shown=shown: len(computing.text) > shown or computing.answered, 1.0)
    assert kernel.until(lambda: all(cell.answered for cell in cells))
    assert [(cell.status, cell.error) for cell in cells] == [("ok", "")] * len(cells)
    assert len(computing.text.splitlines()) > 2
    assert cells[-1].value == "'success'"


def test_the_bar_moves_while_a_cell_computes(kernel: Kernel, sandbox: Sandbox) -> None:
    """A wait on a thread of the user's has a bar, which moves during other cells."""
    sandbox.knobs.change(speed=0)
    cells = kernel.send(connect_to(sandbox), "run = ws.submit('text2img', prompt='x')", IN_A_THREAD, COMPUTE)
    computing = cells[3]
    assert kernel.until(lambda: "computing" in computing.text)
    sandbox.advance(3.0)
    assert kernel.until(lambda: any(0 < share < 1 for share in shares(kernel)))
    assert not computing.answered
    sandbox.advance(1000.0)
    assert kernel.until(lambda: all(cell.answered for cell in cells))
    assert kernel.until(lambda: shares(kernel)[-1] == 1.0)
    assert [(cell.status, cell.error) for cell in cells] == [("ok", "")] * len(cells)


def shares(kernel: Kernel) -> list[float]:
    """Return what bars were set to."""
    values = [state.get("value") for state in kernel.widgets]
    return [value for value in values if isinstance(value, float)]
