"""No cell is lost when several are queued at once, whatever they do."""

from __future__ import annotations

import pytest
from kernels import Kernel

CONNECT = """
import comfynb
ws = comfynb.connect(sandbox=comfynb.Sandbox(speed=200).start(){options})
"""
THREAD = """
import threading
found = []
thread = threading.Thread(target=lambda: found.append(len(ws.workflows(refresh=True))))
thread.start()
thread.join()
found
"""
WHERE = """
import sys
"nest_asyncio" in sys.modules, "comfynb-io" in [thread.name for thread in threading.enumerate()]
"""
NEST = "import nest_asyncio\nnest_asyncio.apply()"


def morning(options: str = "") -> dict[str, str]:
    """Return what somebody does with a workspace, cell by cell, and what each cell shows."""
    return {
        CONNECT.format(options=options): "",
        "print('connected')": "connected\n",
        "len(ws.workflows())": "8",
        "sorted(ws.catalog(refresh=True)['name'])[0]": "'MAKEIMAGE'",
        "print('between')": "between\n",
        "run = ws.run('text2img', prompt='a red fox', seed=7)\nrun.status, len(run.images())": "('success', 1)",
        "len(await ws.aio.catalog(refresh=True))": "8",
        "again = ws.submit('text2img', prompt='a red fox')\n(await again).status": "'success'",
        "(await ws.aio.run('text2img', prompt='a blue fox')).status": "'success'",
        THREAD: "[8]",
        "print('last')": "last\n",
    }


def queue_all(kernel: Kernel, expected: dict[str, str]) -> None:
    """Send the cells at once, and check that each was answered, in order, with its own output and no other."""
    cells = kernel.run(*expected)
    assert [(cell.status, cell.error) for cell in cells] == [("ok", "")] * len(cells)
    assert [cell.text + cell.value for cell in cells] == list(expected.values())
    assert [cell.warnings for cell in cells] == [""] * len(cells)
    assert [id(cell) for cell in kernel.started] == [id(cell) for cell in cells]
    assert [cell.count for cell in cells] == list(range(1, len(cells) + 1))
    assert "Traceback" not in kernel.log
    assert "never awaited" not in kernel.log


def test_cells_that_are_queued_at_once_are_all_answered(kernel: Kernel) -> None:
    """Tables, runs, top-level await and a thread, eleven cells in one go."""
    queue_all(kernel, morning())


def test_nest_asyncio_of_somebody_else_costs_no_cell(kernel: Kernel) -> None:
    """The same where nest-asyncio was applied first: our calls do not nest."""
    queue_all(kernel, {NEST: "", **morning()})


def test_nest_asyncio_that_comes_later_costs_no_cell(kernel: Kernel) -> None:
    """The same where nest-asyncio is applied when the I/O thread runs already."""
    cells = morning()
    connect = next(iter(cells))
    queue_all(kernel, {connect: cells.pop(connect), "ws.workflows().shape[0]": "8", NEST: "", **cells})


def test_no_cell_is_lost_on_an_older_ipykernel(kernel6: Kernel) -> None:
    """The same with the default loop on ipykernel 6."""
    queue_all(kernel6, morning())


def test_no_cell_is_lost_on_the_loop_of_the_kernel(kernel6: Kernel) -> None:
    """The same with loop="kernel", where our calls do nest, on ipykernel 6."""
    queue_all(kernel6, {**morning(", loop='kernel'"), WHERE: "(True, False)"})


def test_the_loop_of_the_kernel_is_refused_on_ipykernel_7(kernel: Kernel) -> None:
    """It says why and what to do, leaves asyncio alone, and the cells behind it run."""
    imported, refused, patched, threads, connected, read = kernel.run(
        "import comfynb, ipykernel, sys, threading",
        "comfynb.connect(sandbox=True, loop='kernel')",
        "'nest_asyncio' in sys.modules",
        "[thread.name for thread in threading.enumerate() if thread.name.startswith('comfynb')]",
        "ws = comfynb.connect(sandbox=True)",
        "len(ws.workflows()), ipykernel.version_info[0] >= 7",
    )
    assert [cell.status for cell in (imported, patched, threads, connected, read)] == ["ok"] * 5
    assert refused.error.startswith('ConfigurationError: connect(loop="kernel") is not possible here: on ipykernel '), (
        refused
    )
    assert refused.error.endswith(
        " nest-asyncio makes the kernel lose queued cells. Leave loop= out; the default works everywhere."
    )
    assert (patched.value, threads.value, read.value) == ("False", "[]", "(8, True)")


def test_a_lost_cell_would_be_seen(kernel: Kernel) -> None:
    """A nested call of one's own, on ipykernel 7, loses the cells behind it, and these tests can see that."""
    nested = "import asyncio\nasyncio.get_event_loop().run_until_complete(asyncio.sleep(0.5))"
    cells = kernel.run(NEST, nested, "print('behind')", "print('last')", timeout=3)
    assert cells[0].status == "ok"
    if all(cell.answered for cell in cells):
        pytest.skip("nest-asyncio loses no cells of this ipykernel, so there is nothing to see")
    assert [cell.status for cell in cells[2:]] == ["lost", "lost"]
