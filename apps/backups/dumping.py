"""pg_dump and pg_dumpall at work: their output as a stream, their words kept, and nothing left on the server when they are stopped."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from apps.backups.reads.dumps import SQL
from apps.engine.connections import shell
from apps.engine.connections.shell import Process, ProcessFailed
from apps.engine.contracts.action import Progress
from apps.engine.errors import Busy, EngineError, NotPermitted, TimedOut
from apps.engine.files import sql_text

STALLS_AFTER_S = 900.0  # reading the catalogue of a large database gives nothing for a while
LOCK_WAIT_S = 30
TELLING = (b"error:", b"warning:", b"detail:", b"hint:", b"FATAL")
A_TABLE = b"dumping contents of table"
MOST_LINES, MOST_LINE_BYTES = 20, 2000


class Words:
    """What a program says on stderr, read by a thread of its own: how many tables it began, and what it complains of."""

    def __init__(self, stream: IO[bytes], *, secret: str) -> None:
        self.tables_count = 0
        self._stream, self._secret = stream, secret
        self._kept: deque[str] = deque(maxlen=MOST_LINES)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(ValueError, OSError):  # closed under us: the program is being stopped
            while line := self._stream.readline(MOST_LINE_BYTES):
                self.tables_count += A_TABLE in line
                if any(word in line for word in TELLING):
                    self._kept.append(self._masked(line))

    def _masked(self, line: bytes) -> str:
        text = line.decode("utf-8", "replace").strip()
        return text.replace(self._secret, "…") if self._secret else text

    def finish(self) -> list[str]:
        self._thread.join(5)
        return list(self._kept)


class Stream:
    """The output of one program. Iterate over `blocks()` to the end, then ask `remarks`."""

    def __init__(self, process: Process, *, secret: str) -> None:
        if process.stderr is None:
            raise ValueError("its words have to be read")
        self._process = process
        self._words = Words(process.stderr, secret=secret)
        self.remarks: tuple[str, ...] = ()

    @property
    def tables_count(self) -> int:
        """How many tables it has begun."""
        return self._words.tables_count

    def blocks(self) -> Iterator[bytes]:
        """What it writes; b"" about once a second while it writes nothing.

        Errors: ProcessFailed or NotPermitted with its own words where it ended with an error, TimedOut where it gave nothing for long.
        """
        heard_at = time.monotonic()
        for block in self._process.blocks():
            if block:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > STALLS_AFTER_S:
                raise TimedOut(f"{self._process.name} gave nothing for {STALLS_AFTER_S / 60:.0f} min.")
            yield block
        code, said = self._process.wait(30), self._words.finish()
        if code != 0:
            raise _failure(self._process.name, code, said)
        self.remarks = tuple(said)


def _failure(name: str, code: int | None, said: Sequence[str]) -> EngineError:
    told = " ".join(said[-3:])[:600] or f"it ended with code {code}"
    if "LOCK TABLE" in told and "timeout" in told:
        return Busy(
            f"{name} got no lock on a table in time, as somebody changes it: {told}.",
            way_out="See who blocks whom under Activity, and take it again.",
        )
    if "permission denied" in told:
        return NotPermitted(f"{name} may not read everything: {told}", missing="GRANT pg_read_all_data TO its account")
    return ProcessFailed(f"{name} failed: {told}")


def name_of(progress: Progress) -> str:
    """What the program's sessions are called on the server: not as the run's own, which look after them."""
    return f"signalbox run {progress.run_number} dump"


@contextmanager
def dumping(words: Sequence[str | Path], *, progress: Progress, database: str, secret: str) -> Iterator[Stream]:
    """A program that dumps. Whatever ends the block, the program is gone with it, and its sessions."""
    process = shell.start(words, stdout=shell.PIPE, stderr=shell.PIPE)
    try:
        yield Stream(process, secret=secret)
    except BaseException:
        process.stop(timeout_s=5)
        _end_sessions(progress, database)
        raise
    finally:
        process.stop(timeout_s=5)


def _end_sessions(progress: Progress, database: str) -> None:
    """A backend that waits for a lock does not notice by itself that nobody reads any more."""
    with suppress(EngineError), progress.postgres(database=database, timeout_s=5) as node:
        node.rows(sql_text(SQL, "end_dump", major=node.version), {"name": name_of(progress)})
