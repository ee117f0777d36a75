"""Databases and tables of a PostgreSQL server: size, dead rows against each table's own trigger, age of transaction ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.engine import units
from apps.engine.connections.postgres import postgres_node
from apps.engine.files import sql_text
from apps.engine.target import Address, Target
from apps.upkeep.reads.folder import FOLDER
from apps.upkeep.reads.remark import Remark, bar_kind, safe_name

TABLES_MOST = 100
OLDEST_MOST = 20
DEAD_SHARE = 0.2
DEAD_MATTERS_COUNT = 10_000
XID_WARN, XID_CRIT = 500_000_000, 1_000_000_000
# Beyond this age the server takes no more transactions.
XID_END = 2**31 - 3_000_000
PAST_LIMIT_RATIO = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Ages are counted in transactions and multixacts. `size_bytes` is None without the right to know it."""

    name: str
    size_bytes: int | None
    is_connectable: bool
    is_template: bool
    xid_age: int
    multixact_age: int
    freeze_max_age: int
    multixact_freeze_max_age: int

    @property
    def xid_ratio(self) -> float:
        """Of the age at which the server begins a vacuum that nothing but a restart stops."""
        return self.xid_age / self.freeze_max_age

    @property
    def multixact_ratio(self) -> float:
        return self.multixact_age / self.multixact_freeze_max_age

    @property
    def signal(self) -> str:
        age = max(self.xid_age, self.multixact_age)
        if age >= XID_CRIT:
            return "crit"
        return "warn" if age >= XID_WARN or max(self.xid_ratio, self.multixact_ratio) >= PAST_LIMIT_RATIO else "ok"

    @property
    def bar_kind(self) -> str:
        return bar_kind(self.signal)

    @property
    def label(self) -> str:
        """The name where markup cannot stand, hidden characters written out."""
        return safe_name(self.name)

    @property
    def left_count(self) -> int:
        return max(0, XID_END - self.xid_age)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Sizes are None while somebody holds the table exclusively; counters are the statistics' own estimates."""

    schema: str
    name: str
    kind: str
    table_bytes: int | None
    toast_bytes: int | None
    indexes_bytes: int | None
    estimated_rows: int | None
    live_count: int | None
    dead_count: int | None
    changed_count: int | None
    vacuumed_at: datetime | None
    is_vacuumed_automatically: bool
    analyzed_at: datetime | None
    sequential_count: int | None
    index_count: int | None
    trigger_count: int
    is_autovacuum_on: bool
    xid_age: int | None

    @property
    def total_bytes(self) -> int | None:
        sizes = (self.table_bytes, self.toast_bytes, self.indexes_bytes)
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def dead_ratio(self) -> float | None:
        rows = (self.live_count or 0) + (self.dead_count or 0)
        return (self.dead_count or 0) / rows if rows and self.dead_count is not None else None

    @property
    def trigger_ratio(self) -> float | None:
        """Dead rows of those that start an autovacuum: 1 and more is past it."""
        return self.dead_count / self.trigger_count if self.dead_count is not None and self.trigger_count else None

    @property
    def trigger_bar_ratio(self) -> float | None:
        """The same, drawn so that the trigger stands at five eighths of the bar."""
        return None if self.trigger_ratio is None else self.trigger_ratio * 0.625

    @property
    def bar_kind(self) -> str:
        return bar_kind(self.remark.signal if self.remark else "ok")

    @property
    def remark(self) -> Remark | None:
        dead, ratio = self.dead_count or 0, self.trigger_ratio or 0
        if not self.is_autovacuum_on and dead >= DEAD_MATTERS_COUNT:
            return Remark(signal="warn", short="autovacuum is off", why="Nobody removes its dead rows.")
        if ratio >= 2 and dead >= DEAD_MATTERS_COUNT:
            why = "Autovacuum is late here: busy elsewhere, or held back by an old transaction."
            return Remark(signal="warn", short="twice past its trigger", why=why)
        if (self.dead_ratio or 0) > DEAD_SHARE and dead >= DEAD_MATTERS_COUNT:
            share = units.share(self.dead_ratio or 0)
            return Remark(
                signal="info", short=f"{share} % of its rows are dead", why="Its trigger may be set too high."
            )
        if not self.is_autovacuum_on:
            return Remark(signal="info", short="autovacuum is off", why="Set for this table, or for the whole server.")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class OldTable:
    schema: str
    name: str
    xid_age: int
    multixact_age: int


def reach(target: Target) -> None:
    """Connect, and keep the session for the questions that follow. Cost: nothing where one is idle.

    Errors: those of postgres_node. Source: no statement.
    """
    with postgres_node(target):
        pass


def databases(target: Target, *, address: Address | None = None) -> tuple[Database, ...]:
    """The databases of the cluster, the one that is nearest to a forced freeze first.

    Shape: at most 500. Units: bytes; ages in transactions. Cost: sizes look at every file, some ms per thousand.
    Errors: those of postgres_node. Source: pg_database.
    """
    with postgres_node(target, address=address) as node:
        return tuple(node.records(Database, sql_text(FOLDER, "databases", major=node.version)))


def tables(target: Target, *, database: str, address: Address | None = None) -> tuple[Table, ...]:
    """The largest tables of a database, those with a remark first, then by size.

    Shape: at most 100. Units: bytes, rows. Cost: see sql/tables.sql; nothing is scanned.
    Errors: those of postgres_node; Busy where a lock came in between. Source: pg_class, the pg_stat_get_ functions, pg_locks.
    """
    with postgres_node(target, address=address, database=database) as node:
        found = node.records(Table, sql_text(FOLDER, "tables", major=node.version), {"most": TABLES_MOST})
    return tuple(sorted(found, key=_table_order))


def _table_order(table: Table) -> tuple[int, int]:
    return (table.remark.rank if table.remark else 99, -(table.total_bytes or 0))


def oldest_tables(target: Target, *, database: str, address: Address | None = None) -> tuple[OldTable, ...]:
    """The tables whose rows are frozen least. Shape: at most 20. Units: transactions.

    Cost: one pass over pg_class. Errors: those of postgres_node. Source: pg_class.
    """
    with postgres_node(target, address=address, database=database) as node:
        statement = sql_text(FOLDER, "oldest_tables", major=node.version)
        return tuple(node.records(OldTable, statement, {"most": OLDEST_MOST}))


def age_remarks(found: Sequence[Database]) -> Iterator[Remark]:
    for database in found:
        if database.signal != "ok":
            why = f"Its oldest row is {database.xid_age:,} transactions old; at {XID_END:,} the server takes no more."
            yield Remark(signal=database.signal, short=f"{safe_name(database.name)} has to be frozen", why=why)
