"""One session that somebody chose: what it is and does now, and who waits behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from apps.activity.identity import SessionRef
from apps.activity.reads.sessions import HIDDEN, MOST_WAITS, SQL, Session, Wait
from apps.engine.connections.postgres import PostgresNode
from apps.engine.errors import Gone
from apps.engine.files import sql_text

RUNS = ("active", "fastpath function call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A session and what ending it would mean. Times and state are None where nothing was begun, or the account may not see it."""

    pid: int
    account: str | None
    database: str | None
    application: str | None
    client: str | None
    backend_type: str | None
    state: str | None
    wait_event_type: str | None
    wait_event: str | None
    begun_at: datetime | None
    statement_at: datetime | None
    transaction_at: datetime | None
    statement_s: float | None
    transaction_s: float | None
    state_s: float | None
    is_written: bool
    locks_count: int
    text: str | None
    is_superuser: bool
    own_account: str
    is_this: bool
    may_signal: bool

    @property
    def is_hidden(self) -> bool:
        return self.begun_at is None or self.text == HIDDEN

    @property
    def runs(self) -> bool:
        """Whether there is a statement to cancel."""
        return self.state in RUNS

    @property
    def is_in_transaction(self) -> bool:
        """Whether more than the statement itself is at stake: it is one of several of a transaction."""
        begun, statement = self.transaction_at, self.statement_at
        return begun is not None and statement is not None and (begun < statement or not self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A session that waits behind another. `is_freed`: for nobody else."""

    wait: Wait
    session: Session | None
    is_freed: bool


def chosen(node: PostgresNode, ref: SessionRef) -> Chosen:
    """The session behind a reference.

    Shape: one record. Units: seconds. Cost: one statement, below 1 ms. Source: pg_stat_get_activity, pg_locks, pg_roles.
    Errors: those of the node; Gone where it ended, or where another has its process by now.
    """
    found = node.records(Chosen, sql_text(SQL, "session", major=node.version), {"pid": ref.pid})
    if not found or found[0].begun_at not in (ref.begun_at, None):
        raise Gone(f"The session {ref.pid} has ended by itself.", way_out="Look at Activity again.")
    return found[0]


def behind(node: PostgresNode, pid: int) -> tuple[Waiting, ...]:
    """Who waits behind a session, near and far, the longest waiting first.

    Shape: at most 500. Units: seconds. Cost: one statement where nobody waits, else two; some 6 ms with waiting sessions.
    Errors: those of the node. Source: pg_locks, pg_blocking_pids, pg_stat_activity.
    """
    waits = node.records(Wait, sql_text(SQL, "waits", major=node.version), {"most": MOST_WAITS})
    blockers = {wait.pid: frozenset(wait.blockers) for wait in waits}
    victims = held_up(blockers, pid)
    if not victims:
        return ()
    sessions = node.records(
        Session,
        sql_text(SQL, "sessions", major=node.version),
        {"most": len(victims), "idle": False, "needed": sorted(victims)},
    )
    by_pid = {session.pid: session for session in sessions}
    return tuple(
        Waiting(wait=wait, session=by_pid.get(wait.pid), is_freed=blockers[wait.pid] <= victims | {pid})
        for wait in waits
        if wait.pid in victims
    )


def held_up(blockers: Mapping[int, Iterable[int]], pid: int) -> frozenset[int]:
    """Everybody who waits for a session, directly or behind others that do. Pure."""
    found: set[int] = set()
    pending = [pid]
    while pending:
        ahead = pending.pop()
        new = {waiter for waiter, all_before in blockers.items() if ahead in all_before} - found - {pid}
        found |= new
        pending += new
    return frozenset(found)
