"""Playing the cells of one operation at the same time, since most of each is waiting."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from cells import ALONE, FAULTS, NEVER, OPERATIONS, Cell, Names, Seen, Told

from comfynb.sandbox import Sandbox

AT_ONCE: Final = 8

Played = Mapping[str, Seen | BaseException]
"""By fault: what was seen, or what went wrong with the test of it."""


def play(operation: str, folder: Path) -> Played:
    """Play an operation with every fault that makes sense.

    Parameters
    ----------
    operation : str
        One of `OPERATIONS`.
    folder : pathlib.Path
        Where files may be left.
    """
    names, told = Names(), Told()
    known, socket.getaddrinfo = socket.getaddrinfo, names.getaddrinfo
    try:
        with Sandbox(history=0, speed=200.0) as sandbox, told.listening(), ThreadPoolExecutor(AT_ONCE) as pool:

            def one(fault: str) -> Seen | BaseException:
                own = folder / fault.replace(" ", "-")
                own.mkdir()
                try:
                    with Cell(sandbox, operation, fault, own, names, told).opened() as cell:
                        return OPERATIONS[operation](cell)
                except BaseException as error:
                    return error

            wanted = [fault for fault in FAULTS if (operation, fault) not in NEVER]
            together = [fault for fault in wanted if fault not in ALONE]
            found = dict(zip(together, pool.map(one, together), strict=True))
            return found | {fault: one(fault) for fault in wanted if fault in ALONE}
    finally:
        socket.getaddrinfo = known
