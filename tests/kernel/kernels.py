"""A real kernel, and what becomes of cells that are sent to it all at once.

Notebook runners send one cell, wait, and send the next. A person who runs all cells, or goes on typing, has several of
them queued in the kernel, and only then can one be lost: its answer never comes.
"""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

PATIENCE = 40.0
"""Seconds after which a cell without an answer counts as lost."""


@dataclass
class Cell:
    """A cell that was sent, and what came back for it.

    Attributes
    ----------
    source : str
        Its code.
    status : str
        "ok", "error" or "aborted" as the kernel says; "lost" as long as there is no answer.
    count : int or None
        The number in its brackets.
    text, warnings : str
        What it wrote to standard output and to standard error.
    shown : list of dict
        What it displayed and its value, by media type, in order.
    error : str
        Kind and text of the error that ended it.
    """

    source: str
    status: str = "lost"
    count: int | None = None
    text: str = ""
    warnings: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    idle: bool = False

    @property
    def answered(self) -> bool:
        """Whether it was answered and all of its output is there."""
        return self.status != "lost" and self.idle

    @property
    def value(self) -> str:
        """The plain text of the last thing that it showed."""
        return str(self.shown[-1]["text/plain"]) if self.shown else ""


class _OneSpec(KernelSpecManager):
    """Knows one kernel, installed or not."""

    def __init__(self, python: str) -> None:
        super().__init__()
        self.argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(argv=self.argv, display_name="Python", language="python", interrupt_mode="signal")


class Kernel:
    """A kernel of an environment, started with `with`; it is gone afterwards, whatever happened.

    Parameters
    ----------
    folder : pathlib.Path
        An empty folder: the kernel works there, and its settings and its log are there.
    python : str
        The environment's Python; this one's by default.

    Attributes
    ----------
    started : list of Cell
        Cells whose execution has begun, in order.
    widgets : list of dict
        What was set on widgets, in order.
    ended_by_itself : bool
        Whether it ended when it was asked to, without being killed.
    """

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self._folder = folder
        self._manager = KernelManager(
            kernel_spec_manager=_OneSpec(python), connection_file=str(folder / "connection.json")
        )
        self._cells: dict[str, Cell] = {}
        self.started: list[Cell] = []
        self.widgets: list[dict[str, Any]] = []
        self.ended_by_itself = False

    def __enter__(self) -> Self:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("COMFY", "WEBHOOK"))}
        places = {
            "IPYTHONDIR": str(self._folder / "ipython"),
            "JUPYTER_CONFIG_DIR": str(self._folder / "config"),
            "JUPYTER_RUNTIME_DIR": str(self._folder / "runtime"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        with self._log.open("wb") as log:
            self._manager.start_kernel(cwd=str(self._folder), env={**own, **places}, stdout=log, stderr=log)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        try:
            self._client.wait_for_ready(timeout=PATIENCE)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._client.shutdown()
            deadline = time.monotonic() + 15
            while self._manager.is_alive() and time.monotonic() < deadline:
                time.sleep(0.05)
            self.ended_by_itself = not self._manager.is_alive()
        finally:
            self._stop()

    def _stop(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    @property
    def _log(self) -> Path:
        return self._folder / "kernel.log"

    @property
    def log(self) -> str:
        """What the kernel's process itself wrote; lost cells leave tracebacks there."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def send(self, *sources: str) -> list[Cell]:
        """Send cells, all at once, and wait for nothing."""
        cells = [Cell(source) for source in sources]
        for cell in cells:
            self._cells[self._client.execute(cell.source, stop_on_error=False, allow_stdin=False)] = cell
        return cells

    def run(self, *sources: str, timeout: float = PATIENCE) -> list[Cell]:
        """Send cells, all at once, and wait until all are answered, or until the time is over."""
        cells = self.send(*sources)
        self.until(lambda: all(cell.answered for cell in cells), timeout)
        return cells

    def until(self, condition: Callable[[], bool], timeout: float = PATIENCE) -> bool:
        """Take in what the kernel says until a condition holds; return whether it came to hold."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            for get, take in (
                (self._client.get_iopub_msg, self._take_output),
                (self._client.get_shell_msg, self._take_answer),
            ):
                try:
                    message = get(timeout=0.02)
                except queue.Empty:
                    continue
                if message["msg_type"] == "comm_msg":
                    self.widgets.append(message["content"]["data"].get("state", {}))
                cell = self._cells.get(message["parent_header"].get("msg_id", ""))
                if cell is not None:
                    take(cell, message["msg_type"], message["content"])
        return True

    def interrupt(self) -> None:
        """Do what the stop button does."""
        self._manager.interrupt_kernel()

    def restart(self) -> None:
        """Kill it, and start it anew, as the restart button does; cells without an answer stay lost."""
        with self._log.open("ab") as log:
            self._manager.restart_kernel(now=True, stdout=log, stderr=log)
        self._client.wait_for_ready(timeout=PATIENCE)

    def _take_answer(self, cell: Cell, kind: str, content: dict[str, Any]) -> None:
        if kind == "execute_reply":
            cell.status, cell.count = content["status"], content.get("execution_count")

    def _take_output(self, cell: Cell, kind: str, content: dict[str, Any]) -> None:
        if kind == "execute_input":
            self.started.append(cell)
        elif kind == "stream" and content["name"] == "stdout":
            cell.text += content["text"]
        elif kind == "stream":
            cell.warnings += content["text"]
        elif kind in ("execute_result", "display_data"):
            cell.shown.append(content["data"])
        elif kind == "error":
            cell.error = f"{content['ename']}: {content['evalue']}"
        elif kind == "status" and content["execution_state"] == "idle":
            cell.idle = True
