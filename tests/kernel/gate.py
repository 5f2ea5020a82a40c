"""A gate before a server: some requests wait in front of it until it is opened, everything else passes."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

PATIENCE = 60.0


class Gate(socketserver.ThreadingTCPServer):
    """Passes connections on to a server; some have to wait for `opened`.

    Parameters
    ----------
    url : str
        The server.
    hold : bytes
        What the requests begin with that have to wait; submits by default.

    Attributes
    ----------
    arrived, opened : threading.Event
        A request stands before the gate; it may go on.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, url: str, hold: bytes = b"POST /api/run") -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.hold = hold
        target = urlsplit(url)
        self.target = (target.hostname or "", target.port or 80)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.arrived = threading.Event()
        self.opened = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.set()
        self.shutdown()
        self._thread.join(PATIENCE)
        self.server_close()


class _Passage(socketserver.BaseRequestHandler):
    server: Gate
    request: socket.socket

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as there, suppress(OSError):
            back = threading.Thread(target=_pass_on, args=(there, self.request), daemon=True)
            back.start()
            while data := self.request.recv(65536):
                if data.startswith(self.server.hold):
                    self.server.arrived.set()
                    self.server.opened.wait(PATIENCE)
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)
            back.join(PATIENCE)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
