"""Bad networks for the tests: a server that never answers, a port that refuses, a proxy that is slow."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

Address = Path | tuple[str, int]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Listener:
    """A loopback listener with a thread that hands each connection to `_serve`; closes everything at the end."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1"
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            _close(each)
        self._thread.join(2)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        raise NotImplementedError


class HangingServer(_Listener):
    """Accepts, says nothing, ever. `accepted_count` tells how many tried."""

    @property
    def accepted_count(self) -> int:
        return len(self._open)

    def _serve(self, connection: socket.socket) -> None:
        """Nothing: that is the point."""


class SlowProxy(_Listener):
    """Passes bytes on to `target` (a TCP address, or the path of a unix socket); answers come `delay_s` late.

    `delay_s` may be changed while it runs; `cut()` breaks every connection.
    """

    def __init__(self, target: Address, *, delay_s: float) -> None:
        super().__init__()
        self._target = target
        self.delay_s = delay_s

    def cut(self) -> None:
        for each in self._open:
            _close(each)

    def _serve(self, connection: socket.socket) -> None:
        upstream = self._dial()
        self._open.append(upstream)
        for source, sink, is_answer in ((connection, upstream, False), (upstream, connection, True)):
            threading.Thread(target=self._pump, args=(source, sink, is_answer), daemon=True).start()

    def _dial(self) -> socket.socket:
        if isinstance(self._target, tuple):
            return socket.create_connection(self._target)
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(str(self._target))
        return upstream

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_answer:
                    time.sleep(self.delay_s)
                sink.sendall(data)
        _close(source)
        _close(sink)


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@pytest.fixture
def hanging_server() -> Iterator[HangingServer]:
    """A TCP listener that accepts and never answers."""
    with HangingServer() as server:
        yield server


@pytest.fixture
def refusing_port() -> int:
    """A port of 127.0.0.1 on which connections are refused."""
    return closed_port()


@pytest.fixture
def slow_proxy() -> Iterator[Callable[..., SlowProxy]]:
    """`slow_proxy(target_address, delay_s)`: a proxy on a loopback port that holds every answer back for `delay_s`."""
    with ExitStack() as stack:
        yield lambda target_address, delay_s: stack.enter_context(SlowProxy(target_address, delay_s=delay_s))
