"""Reads both streams of a process at once and keeps the tail of each, so that no flood fills our memory or its pipe."""

from __future__ import annotations

import contextlib
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from apps.engine.connections.shell import Process

CHUNK_BYTES = 64 * 1024


class Tail:
    """The last `cap_bytes` of a stream, filled by its own thread until the stream ends."""

    def __init__(self, stream: IO[bytes], cap_bytes: int) -> None:
        self._stream = stream
        self._cap_bytes = cap_bytes
        self._kept = bytearray()
        self.truncated = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError, OSError):  # closed under us: the process is being stopped
            while chunk := self._stream.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
                self._kept += chunk
                if len(self._kept) > self._cap_bytes:
                    self.truncated = True
                    del self._kept[: len(self._kept) - self._cap_bytes]

    def finish(self, timeout_s: float) -> bytes:
        self._thread.join(timeout_s)
        return bytes(self._kept)


class Capture:
    """Feeds stdin and drains stdout and stderr of a process whose three streams are pipes."""

    def __init__(self, process: Process, *, stdin: bytes, cap_bytes: int) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("capture needs the three pipes")
        self._stdin = process.stdin
        self._streams = (process.stdout, process.stderr)
        self._tails = tuple(Tail(stream, cap_bytes) for stream in self._streams)
        self._writer = threading.Thread(target=self._write, args=(process.stdin, stdin), daemon=True)
        self._writer.start()

    @staticmethod
    def _write(pipe: IO[bytes], data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError, OSError):
            pipe.write(data)
        with contextlib.suppress(BrokenPipeError, ValueError, OSError):
            pipe.close()

    def finish(self) -> tuple[bytes, bytes, bool]:
        """Shape: (stdout, stderr, whether one was cut). Call it when the process has ended or was killed."""
        self._writer.join(2.0)
        output, errors = (tail.finish(2.0) for tail in self._tails)
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.close()
        return output, errors, any(tail.truncated for tail in self._tails)
