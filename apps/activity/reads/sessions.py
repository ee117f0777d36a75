"""PostgreSQL's sessions: what they do, since when, from where, and who waits for whose lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from apps.activity.reads.tree import Node, tree
from apps.engine.connections.postgres import PostgresNode, postgres_node
from apps.engine.files import sql_text
from apps.engine.target import Address, Target

SQL = Path(__file__).resolve().parent.parent / "sql"
MOST_SESSIONS = 500
MOST_SOURCES = 100
MOST_WAITS = 500
MOST_PREPARED = 50
HIDDEN = "<insufficient privilege>"
PREPARED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session. State, times and text are None where the account may not see them, or where there is none."""

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
    age_s: float | None
    transaction_s: float | None
    statement_s: float | None
    state_s: float | None
    text: str | None

    @property
    def is_hidden(self) -> bool:
        return self.text == HIDDEN

    @property
    def is_idle_in_transaction(self) -> bool:
        return (self.state or "").startswith("idle in transaction")

    @property
    def for_s(self) -> float | None:
        """How long it has been at it: the statement that runs, or the state it rests in."""
        return self.statement_s if self.state == "active" else self.state_s

    @property
    def wait(self) -> str:
        """What it waits for; "on a CPU" where an active one waits for nothing."""
        if self.wait_event:
            return f"{self.wait_event_type}: {self.wait_event}"
        return "on a CPU" if self.state == "active" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Connections of one account, database, application and client address. *_in_all repeat the totals of the server."""

    account: str | None
    database: str | None
    application: str | None
    client: str | None
    connections_count: int
    active_count: int
    idle_in_transaction_count: int
    idle_count: int
    hidden_count: int
    longest_idle_in_transaction_s: float | None
    connections_in_all: int
    active_in_all: int
    idle_in_transaction_in_all: int
    idle_in_all: int
    hidden_in_all: int
    most_connections_count: int
    sees_all: bool
    own_account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One session that waits for a lock. `wait_s` is None below PostgreSQL 14."""

    pid: int
    blockers: list[int]
    lock_type: str
    mode: str
    relation: str | None
    wait_s: float | None
    waits_in_all: int

    @property
    def mode_words(self) -> str:
        """AccessExclusiveLock as AccessExclusive."""
        return self.mode.removesuffix("Lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A prepared transaction: it holds its locks without a session, until somebody commits or rolls it back by name."""

    name: str
    account: str
    database: str
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """One row of the blocking tree. `session` is None for prepared transactions and for one that ended meanwhile."""

    node: Node
    session: Session | None
    wait: Wait | None
    longest_wait_s: float | None

    @property
    def is_prepared(self) -> bool:
        return self.node.pid == PREPARED

    @property
    def indent(self) -> int:
        """How far to move it to the right; deeper than three steps looks like three."""
        return min(self.node.depth, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Everything of one look. `sources` hold the totals; `rows` is the blocking tree, `waiting_count` all who wait."""

    sessions: tuple[Session, ...]
    sources: tuple[Source, ...]
    blocked: tuple[Blocked, ...]
    waiting_count: int
    prepared: tuple[Prepared, ...]
    statements_sent: int

    @property
    def totals(self) -> Source | None:
        return self.sources[0] if self.sources else None

    @property
    def roots(self) -> tuple[Blocked, ...]:
        return tuple(row for row in self.blocked if row.node.depth == 0)

    @property
    def missing_grant(self) -> str:
        """The statement that lets the account see everybody's statements; empty when it does."""
        if self.totals is None or self.totals.sees_all:
            return ""
        account = self.totals.own_account.replace('"', '""')
        return f'GRANT pg_monitor TO "{account}";'


def activity(target: Target, *, idle: bool = False, address: Address | None = None) -> Activity:
    """One look at the sessions of a node and at the locks they wait for.

    Shape: at most 500 sessions and those that wait or block (these first, then busy ones; idle ones only if asked),
    100 sources, 500 waiting. Units: seconds.
    Cost: three statements, 2 ms at 200 sessions; with waiting sessions some 6 ms more, and one or two statements more.
    Errors: those of postgres_node. Source: pg_stat_activity, pg_locks, pg_blocking_pids, pg_prepared_xacts.
    """
    with postgres_node(target, address=address) as node:
        waits = node.records(Wait, sql_text(SQL, "waits", major=node.version), {"most": MOST_WAITS})
        needed = sorted({pid for wait in waits for pid in (wait.pid, *wait.blockers)})
        sessions = node.records(
            Session,
            sql_text(SQL, "sessions", major=node.version),
            {"most": MOST_SESSIONS + len(needed), "idle": idle, "needed": needed},
        )
        sources = node.records(Source, sql_text(SQL, "sources", major=node.version), {"most": MOST_SOURCES})
        prepared = _prepared(node) if any(PREPARED in wait.blockers for wait in waits) else []
        sent = node.sent
    return Activity(
        sessions=tuple(sessions),
        sources=tuple(sources),
        blocked=blocked(waits, sessions),
        waiting_count=waits[0].waits_in_all if waits else 0,
        prepared=tuple(prepared),
        statements_sent=sent,
    )


def blocked(waits: list[Wait], sessions: list[Session]) -> tuple[Blocked, ...]:
    """The blocking tree with what is known of each session. Pure."""
    by_pid = {session.pid: session for session in sessions}
    waiting = {wait.pid: wait for wait in waits}
    nodes = tree({wait.pid: wait.blockers for wait in waits})
    longest = _longest_waits(nodes, waiting)
    return tuple(
        Blocked(
            node=node,
            session=by_pid.get(node.pid),
            wait=waiting.get(node.pid),
            longest_wait_s=longest.get(node.pid),
        )
        for node in nodes
    )


def _longest_waits(nodes: tuple[Node, ...], waiting: dict[int, Wait]) -> dict[int, float]:
    """For each session the longest wait among those that stand below it in the tree."""
    longest: dict[int, float] = {}
    for node in reversed(nodes):
        own = waiting[node.pid].wait_s if node.pid in waiting else None
        below = longest.get(node.pid)
        most = max((wait for wait in (own, below) if wait is not None), default=None)
        if node.parent is not None and most is not None:
            longest[node.parent] = max(most, longest.get(node.parent, 0.0))
    return longest


def _prepared(node: PostgresNode) -> list[Prepared]:
    return node.records(Prepared, sql_text(SQL, "prepared", major=node.version), {"most": MOST_PREPARED})
