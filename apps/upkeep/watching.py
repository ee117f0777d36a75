"""A statement that takes long, looked at from a second session, and stopped there when somebody asks.

The first session waits for its answer and calls the watch ten times a second; so nothing is shared between threads, and a
statement whose server is gone is given up instead of being waited for for ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.engine.connections.postgres import PostgresNode, postgres_node, sql
from apps.engine.contracts.action import Progress, Stopped
from apps.engine.errors import EngineError, TimedOut, Unreachable
from apps.engine.files import sql_text
from apps.engine.target import Target
from apps.upkeep.reads.folder import FOLDER

EVERY_S = 0.4
GIVEN_UP_AFTER_S = 60.0


class NotBegun(Stopped):
    """Somebody held the lock that it needs first, for longer than it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """See sql/at_work.sql."""

    phase: str | None
    done_count: int | None
    total_count: int | None
    unit: str
    rounds_count: int | None
    waits_for: list[int]
    lockers_count: int | None
    lockers_done_count: int | None
    locker_pid: int | None

    @property
    def note(self) -> str:
        """What it does now, in the server's word for its phase; and for whom it waits."""
        words = [self.phase or "begins"]
        if self.rounds_count:
            words.append(f"round {self.rounds_count} over the indexes")
        if self.locker_pid:
            words.append(f"for pid {self.locker_pid}, {self.lockers_done_count or 0} of {self.lockers_count or 0} past")
        elif self.waits_for:
            words.append(f"waits for pid {', '.join(map(str, self.waits_for[:3]))}")
        return ", ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSession:
    """See sql/own_session.sql."""

    pid: int
    begun_at: datetime
    written: int


@dataclass(slots=True, kw_only=True)
class Watch:
    """Called while the statement works. `stopped` is why it was asked to end; the statement then ends by itself, soon."""

    target: Target
    database: str
    progress: Progress
    session: OwnSession
    begins_within_s: float | None = None
    stopped: Stopped | None = None
    is_cancelled: bool = False
    waited_for: list[int] = field(default_factory=list)
    has_begun: bool = False
    total_count: int = 1
    _next_at: float = 0.0
    _heard_at: float = field(default_factory=time.monotonic)
    _began_at: float = field(default_factory=time.monotonic)

    def __call__(self) -> None:
        """Errors: Unreachable where the server was not heard of for a minute."""
        now = time.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + EVERY_S
        self._ask_whether_to_stop()
        try:
            with postgres_node(self.target, database=self.database) as node:
                self._look(node)
                if self.stopped is not None:
                    self._cancel(node)
        except EngineError as error:
            if now - self._heard_at > GIVEN_UP_AFTER_S:
                raise Unreachable(f"The server was not heard of for a minute: {error.message}") from error
        else:
            self._heard_at = now

    def _ask_whether_to_stop(self) -> None:
        if self.stopped is None:
            try:
                self.progress.check()
            except Stopped as stopped:
                self.stopped = stopped

    def _look(self, node: PostgresNode) -> None:
        found = node.records(AtWork, sql_text(FOLDER, "at_work", major=node.version), {"pid": self.session.pid})
        if not found:
            return
        seen = found[0]
        self.has_begun = self.has_begun or seen.phase is not None
        self.waited_for = seen.waits_for or self.waited_for
        self.total_count = seen.total_count or self.total_count
        self._give_up_waiting(seen)
        note = "is asked to stop" if self.stopped else seen.note
        try:
            self.progress.step(seen.done_count or 0, total_count=seen.total_count or None, note=f"{seen.unit}, {note}")
        except Stopped as stopped:
            self.stopped = self.stopped or stopped

    def _give_up_waiting(self, seen: AtWork) -> None:
        """Before it has begun it has made nothing that would be left behind; later a lock time-out would."""
        waited_s = time.monotonic() - self._began_at
        if self.begins_within_s is None or self.has_begun or not seen.waits_for or waited_s < self.begins_within_s:
            return
        pids = ", ".join(map(str, seen.waits_for[:3]))
        words = f"It waited {self.begins_within_s:.0f} s for a lock that pid {pids} holds, and gave up. See Activity."
        self.stopped = self.stopped or NotBegun(words)

    def _cancel(self, node: PostgresNode) -> None:
        """Again with each look until it ends: between two of its transactions there is nothing to cancel."""
        where = {
            "pid": self.session.pid,
            "began_at": self.session.begun_at,
            "application": application(self.progress),
        }
        node.rows(sql_text(FOLDER, "cancel", major=node.version), where)
        self.is_cancelled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a statement ended: well where there is neither `error` nor `stopped`. `warnings` are the server's own words."""

    error: EngineError | None
    stopped: Stopped | None
    warnings: tuple[str, ...]
    waited_for: tuple[int, ...]
    has_begun: bool
    total_count: int
    took_s: float

    @property
    def is_well(self) -> bool:
        return self.error is None

    @property
    def was_cancelled_there(self) -> bool:
        """Somebody else cancelled it on the server."""
        return isinstance(self.error, TimedOut) and self.stopped is None

    @property
    def is_lost(self) -> bool:
        """The server did not say how it ended."""
        return isinstance(self.error, Unreachable) and not isinstance(self.error, TimedOut)


def application(progress: Progress) -> str:
    """The name of the run's sessions on the server."""
    return f"signalbox run {progress.run_number}"


def own_session(node: PostgresNode) -> OwnSession:
    return node.records(OwnSession, sql_text(FOLDER, "own_session", major=node.version))[0]


def watched(
    target: Target,
    node: PostgresNode,
    statement: sql.SQL | sql.Composed,
    *,
    database: str,
    progress: Progress,
    settings: Sequence[sql.SQL] = (),
    begins_within_s: float | None = None,
) -> Ended:
    """Run one statement to its end, however long that takes. Errors: those of progress.check() before it began."""
    session = own_session(node)
    for each in settings:
        node.rows(each)
    node.notices.clear()
    progress.check()
    watch = Watch(target=target, database=database, progress=progress, session=session, begins_within_s=begins_within_s)
    begun, error = time.monotonic(), None
    try:
        node.watched(statement, between=watch)
    except EngineError as failed:
        error = failed
    return Ended(
        error=error,
        stopped=watch.stopped if error is not None else None,
        warnings=tuple(notice.text for notice in node.notices if notice.severity == "WARNING"),
        waited_for=tuple(watch.waited_for),
        has_begun=watch.has_begun,
        total_count=watch.total_count,
        took_s=time.monotonic() - begun,
    )
