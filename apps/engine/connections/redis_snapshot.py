"""A server's snapshot over the replication stream, as a replica asks for it: an RDB that nobody has to have file access for.

The server forks once and sends what it held at that moment; its keys are not read one by one. It answers in two forms: the size and
then as many bytes (it wrote a file first), or a mark of 40 characters that comes again at the end (it sends while it writes).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis.exceptions

from apps.engine import errors
from apps.engine.connections.redis import RedisNode, translated

IDLE_S = 1.0
RECEIVED_BYTES = 256 * 1024
MOST_LINE_BYTES = 512
MARK_BYTES = 40
REFUSALS = ("NOMASTERLINK", "MASTERDOWN", "LOADING", "BUSY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """`total_bytes` is None where the server sends while it writes: it does not know itself how much it will be."""

    total_bytes: int | None
    mark: bytes


class Snapshot:
    """Of one connection, which is of no other use afterwards. Iterate over `blocks()` to the end.

    While the server prepares or sends nothing, `blocks()` gives b"" about once a second: the moment to look whether to go on.
    """

    def __init__(self, node: RedisNode, *, stalls_after_s: float) -> None:
        self._node = node
        self._stalls_after_s = stalls_after_s
        self._wire: Any = None
        self._waiting = b""
        self._heard_at = time.monotonic()
        self.total_bytes: int | None = None
        self.position = ""
        self.is_begun = False

    def blocks(self) -> Iterator[bytes]:
        """The RDB, in order and nothing else.

        Errors: NotPermitted, Unsupported, Busy before the first byte; Unreachable where the server ended the stream, TimedOut where
        it fell silent.
        """
        self._ask()
        beginning: Beginning | None = None
        while beginning is None:
            line = self._line()
            if line is None:
                yield b""
            elif line:
                beginning = self._begun(line)
        self.total_bytes, self.is_begun = beginning.total_bytes, True
        yield from (
            self._counted(beginning.total_bytes) if beginning.total_bytes is not None else self._marked(beginning.mark)
        )

    def _ask(self) -> None:
        """From 7.0 on a server need not keep for us what is written meanwhile. Older ones know no `rdb-only`, and say so."""
        self._node.command("REPLCONF", "capa", "eof")
        self._node.pipeline([("REPLCONF", "rdb-only", "1")])
        self._node.send([("PSYNC", "?", "-1")])
        self._node.record_owed()
        self._wire = self._node._connection._sock
        self._wire.settimeout(IDLE_S)

    def _begun(self, line: bytes) -> Beginning | None:
        """None for a line that comes before the beginning."""
        if line.startswith(b"-"):
            raise _refused(line[1:], self._node)
        if line.startswith(b"+FULLRESYNC"):
            self.position = line[12:100].decode("ascii", "replace")
            return None
        if line.startswith(b"$EOF:") and len(line) == 5 + MARK_BYTES:
            return Beginning(total_bytes=None, mark=line[5:])
        if line.startswith(b"$") and line[1:].isdigit():
            return Beginning(total_bytes=int(line[1:]), mark=b"")
        raise errors.WrongKind(f"{self._node.address} does not speak the replication protocol.")

    def _line(self) -> bytes | None:
        """Without its end; empty for the newlines by which a server that prepares says that it lives. None: not yet whole."""
        if b"\n" not in self._waiting:
            self._waiting += self._received()
        if b"\n" not in self._waiting:
            if len(self._waiting) > MOST_LINE_BYTES:
                raise errors.WrongKind(f"{self._node.address} does not speak the replication protocol.")
            return None
        line, self._waiting = self._waiting.split(b"\n", 1)
        return line.rstrip(b"\r")

    def _counted(self, total_bytes: int) -> Iterator[bytes]:
        left = total_bytes
        while left > 0:
            block = self._next()[:left]
            left -= len(block)
            yield block

    def _marked(self, mark: bytes) -> Iterator[bytes]:
        """The last 40 bytes are held back: they may be the mark."""
        held = b""
        while held != mark:
            block = self._next()
            held += block
            yield held[:-MARK_BYTES] if block else b""
            held = held[-MARK_BYTES:]

    def _next(self) -> bytes:
        """What was read with the beginning, then what comes."""
        if self._waiting:
            block, self._waiting = self._waiting, b""
            return block
        return self._received()

    def _received(self) -> bytes:
        """b"" after a second of silence. Errors: Unreachable, TimedOut."""
        try:
            block: bytes = self._wire.recv(RECEIVED_BYTES)
        except TimeoutError:
            silent_s = time.monotonic() - self._heard_at
            if silent_s > self._stalls_after_s:
                raise errors.TimedOut(
                    f"{self._node.address} has sent nothing for {silent_s:.0f} s.",
                    way_out="See whether it still lives.",
                ) from None
            return b""
        except (OSError, redis.exceptions.RedisError) as error:
            raise translated(error, self._node.address) from error
        if not block:
            raise errors.Unreachable(
                f"{self._node.address} ended the stream before its end.",
                way_out="It may have stopped, or its limit for replicas' buffers was reached: see its log.",
            )
        self._heard_at = time.monotonic()
        return block


def _refused(said: bytes, node: RedisNode) -> errors.EngineError:
    """The server's no to PSYNC, in words. What it says while its primary is away has no class of its own in the driver."""
    text = said.decode("utf-8", "replace")
    if text.startswith(REFUSALS):
        return errors.Busy(f"{node.address} cannot send a snapshot now: {text[:200]}", way_out="Try again later.")
    return translated(redis.exceptions.ResponseError(text), node.address, command=("PSYNC",))
