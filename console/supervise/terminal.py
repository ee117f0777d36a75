"""What the person at the terminal reads: our own lines, and those of each part under its name."""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from typing import IO

LOG_MAX_BYTES = 10 * 1024 * 1024
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # no part may move the cursor or recolour the terminal
_writing = threading.Lock()


def say(text: str, *, name: str = "signalbox", stream: IO[str] | None = None) -> None:
    """One line (or more) under a name. A terminal that is gone stops nothing."""
    lines = "".join(f"{name:<9} | {CONTROL.sub('', line)}\n" for line in text.splitlines() or [""])
    target = stream or sys.stdout
    with _writing:
        try:
            target.write(lines)
            target.flush()
        except (OSError, ValueError):
            return


class OutputLog:
    """Copies what a part writes to the terminal and to its own log file, which is turned over at 10 MB."""

    def __init__(self, name: str, folder: Path, *, to_terminal: bool = True) -> None:
        self.name = name
        self.path = folder / f"{name}.log"
        self._to_terminal = to_terminal
        self._last: list[str] = []
        self._threads: list[threading.Thread] = []

    @property
    def last_lines(self) -> str:
        return "\n".join(self._last)

    def follow(self, stream: IO[bytes]) -> None:
        """Copy until the stream ends, in a thread."""
        thread = threading.Thread(target=self._copy, args=(stream,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def finish(self, timeout_s: float = 2.0) -> None:
        for thread in self._threads:
            thread.join(timeout_s)
        self._threads.clear()

    def _copy(self, stream: IO[bytes]) -> None:
        try:
            for raw in stream:
                self._write(raw.decode("utf-8", "replace").rstrip("\r\n"))
        except ValueError:  # closed under us: the part was stopped
            return

    def _write(self, line: str) -> None:
        self._last = [*self._last[-4:], line]
        if self._to_terminal:
            say(line, name=self.name)
        if self.path.exists() and self.path.stat().st_size > LOG_MAX_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "a") as file:  # noqa: PTH123 - a descriptor
            file.write(f"{line}\n")
