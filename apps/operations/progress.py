"""What a run is given: connections that write down what they sent, its archive, its pace; and the heartbeat that keeps it alive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

import structlog
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone

from apps.engine import redact, text
from apps.engine.connections.postgres import PostgresNode, writing_session
from apps.engine.connections.recorder import Recorder
from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts import action as contract
from apps.engine.contracts.action import Cancelled, Fenced, Stopped
from apps.engine.pacing import Pacer
from apps.engine.target import Address, Target
from apps.operations import locks
from apps.operations.archives import RunArchive
from apps.operations.course import Course
from apps.operations.models import LogLine, Run
from apps.operations.models.runs import RunState
from apps.operations.stored import from_json, to_json

State = TypeVar("State")

BEAT_S = 1.0
FENCED_AFTER_S = 45.0
AGAIN_S = 0.5
MOST_LOG_LINES = 500
FLUSH = "flush"
log = structlog.get_logger(__name__)


class RunProgress(contract.Progress):
    """Of one try of one run. The heartbeat is a thread of its own, so that a slow server does not make a live run look dead."""

    def __init__(self, run: Run, target: Target, *, exclusive: bool, budget_ratio: float) -> None:
        self.run_number = run.pk
        self.archive = self._archive = RunArchive(run)
        self.originals = None
        self.pacer = Pacer(target, budget_ratio=budget_ratio)
        self.recorder = Recorder(shape=redact.shape, shown=redact.shown)
        self.statements = Recorder(shape=_statement, shown=_statement)
        self.touched = False
        self._run, self._target, self._exclusive = run, target, exclusive
        self._done_count, self._total_count, self._note = run.done_count, run.total_count, run.note
        self._stop_asked = self._fenced = False
        self._beat_at = time.monotonic()
        self._course = Course.from_json(run.progress.get("course"))
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._log_count = 0

    # -- what an action calls ------------------------------------------------------------------------------------------

    @contextmanager
    def redis(self, address: Address | None = None) -> Iterator[RedisNode]:
        with redis_node(self._target, address=address, fresh=True) as node:
            node.recorder = self.recorder
            yield node

    @contextmanager
    def postgres(
        self,
        *,
        database: str = "",
        timeout_s: float | None = None,
        lock_timeout_s: float | None = 1.0,
        address: Address | None = None,
    ) -> Iterator[PostgresNode]:
        name = f"signalbox run {self.run_number}"
        target = self._target.at(address) if address else self._target
        with writing_session(
            target, name=name, database=database, timeout_s=timeout_s, lock_timeout_s=lock_timeout_s
        ) as node:
            node.recorder = self.statements
            yield node

    def check(self) -> None:
        self._check()
        self.touched = True

    def _check(self) -> None:
        if self._fenced or time.monotonic() - self._beat_at > FENCED_AFTER_S:
            raise Fenced("Another worker has this run, or the console's database was out of reach for too long.")
        if self._stop_asked:
            raise Cancelled("Stopped by hand.")
        if self._run.deadline_at and timezone.now() > self._run.deadline_at:
            raise Stopped("The run took longer than it may.", way_out="Plan the rest again.")

    def step(self, done_count: int, *, total_count: int | None = None, note: str = "") -> None:
        self._done_count, self._note = done_count, note
        if total_count is not None:
            self._total_count = total_count
        self._check()

    def log(self, words: str, *, warn: bool = False) -> None:
        self._log_count += 1
        if self._log_count <= MOST_LOG_LINES:
            LogLine.objects.create(run=self._run, words=words[:400], warn=warn)

    def checkpoint(self, state: Any) -> None:
        stored = to_json(state)
        while True:
            try:
                mine = self._mine().update(checkpoint=stored, done_count=self._done_count)
                break
            except OperationalError:  # the console's database is locked, or restarts: waited for, within the run's lock
                connection.close()
                self._check()
                time.sleep(AGAIN_S)
        if not mine:
            self._fenced = True
            raise Fenced("Another worker has this run.")

    def resumed(self, state: type[State]) -> State | None:
        return from_json(state, self._run.checkpoint) if self._run.checkpoint else None

    # -- the heartbeat -------------------------------------------------------------------------------------------------

    @property
    def done_count(self) -> int:
        return self._done_count

    @property
    def was_fenced(self) -> bool:
        return self._fenced

    def begin(self) -> None:
        """Start the heartbeat, except in a request: a click that takes under a second needs none."""
        if not self._run.inline:
            self._thread = threading.Thread(target=self._beat_until_ended, name=f"run-{self._run.pk}", daemon=True)
            self._thread.start()

    def end(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self.pacer.__exit__(None, None, None)

    def close_archive(self, *, whole: bool) -> None:
        self._archive.close(whole=whole)

    def _beat_until_ended(self) -> None:
        try:
            while not self._ended.wait(BEAT_S):
                with suppress(DatabaseError):
                    self._beat()
        finally:
            connection.close()

    def _beat(self) -> None:
        if not self._mine().update(**self.figures()):
            self._fenced = True
            return
        if self._exclusive and not locks.renew(self._run):
            self._fenced = True
            return
        self._beat_at = time.monotonic()
        self._stop_asked = Run.objects.filter(pk=self._run.pk, stop_asked_at__isnull=False).exists()

    def _mine(self) -> Any:
        return Run.objects.filter(pk=self._run.pk, token=self._run.token, state=RunState.RUNNING)

    def figures(self) -> dict[str, Any]:
        """What is stored of the progress each time."""
        p99_s = self.pacer.pace.p99_s
        self._course.add(timezone.now(), self._done_count, p99_s)
        return {
            "heartbeat_at": timezone.now(),
            "done_count": self._done_count,
            "total_count": self._total_count,
            "note": self._note[:200],
            "progress": {
                "course": self._course.to_json(),
                "commands": _commands(self.recorder) + _commands(self.statements),
                "last": [*list(self.recorder.last), *list(self.statements.last)][-100:],
                "felt_p99_s": p99_s,
                "slowed": self.pacer.pace.slowed,
                "archived_bytes": self._archive.size_bytes,
            },
        }

    def deadline(self) -> datetime | None:
        return self._run.deadline_at


def _statement(said: str) -> str:
    """A statement on one line, without the header of its file; a name in it may hold such lines. Values are not in it."""
    while said.startswith("--"):
        said = said.partition("\n")[2].lstrip()
    return text.plain(" ".join(said.split()).encode("utf-8", "surrogateescape"), most=300)


def _commands(recorder: Recorder) -> list[dict[str, Any]]:
    with suppress(RuntimeError):  # a shape was added meanwhile by the run's own thread: the next beat has it
        return [
            {"words": words, "count": sent.count, "total_s": sent.total_s, "slowest_s": sent.slowest_s}
            for words, sent in recorder.shapes.items()
        ]
    return []
