"""PostgreSQL's statement statistics (pg_stat_statements): the costliest statements, one statement in full, or what is missing."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from apps.engine.connections.postgres import PostgresNode, postgres_node, sql
from apps.engine.errors import Gone, NotPermitted, Unsupported
from apps.engine.files import sql_text
from apps.engine.target import Address, Target

SQL = Path(__file__).resolve().parent.parent / "sql"
MOST_STATEMENTS = 100
# Columns belong to versions of the extension, which may be older than the server; each came with a PostgreSQL.
CAME_WITH = {(1, 8): 13, (1, 9): 14, (1, 10): 15, (1, 11): 17, (1, 12): 18}


class Order(enum.StrEnum):
    """What the list is sorted by; the value is the column of statements.sql."""

    TIME = "total_s"
    MEAN = "mean_s"
    CALLS = "calls_count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """The state of pg_stat_statements as the account sees it. `libraries` is None where it may not be asked for.

    `may_use` its schema and `may_read` its view: None where it is not created.
    """

    available: bool
    preloaded: bool
    version: str | None
    schema: str | None
    libraries: str | None
    sees_all: bool
    most_count: int | None
    track: str | None
    account: str
    database: str
    may_use: bool | None
    may_read: bool | None

    @property
    def major(self) -> int:
        """The PostgreSQL that brought this version of the extension; 0 when it is older than all that are supported."""
        version = tuple(int(part) for part in re.findall(r"\d+", self.version or "")[:2])
        return max((major for came, major in CAME_WITH.items() if came <= version), default=0)

    @property
    def missing_grant(self) -> str:
        """The statement that lets the account see everybody's statements; empty when it does."""
        return "" if self.sees_all else f"GRANT pg_read_all_stats TO {quoted(self.account)};"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFigures:
    """One row of statements.sql: a statement in one database, all users added up, since the statistics began."""

    queryid: int
    database: str | None
    text: str
    users_count: int
    is_own: bool
    calls_count: int
    total_s: float
    mean_s: float | None
    slowest_s: float
    rows_count: int
    hit_blocks: int
    read_blocks: int
    temp_blocks: int
    wal_bytes: int
    block_bytes: int
    statements_in_all: int
    seconds_in_all: float
    own_seconds: float
    own_statements: int

    @property
    def share_ratio(self) -> float:
        return self.total_s / self.seconds_in_all if self.seconds_in_all else 0.0

    @property
    def rows_per_call(self) -> float:
        return self.rows_count / self.calls_count if self.calls_count else 0.0

    @property
    def hit_ratio(self) -> float | None:
        """The share of blocks that were found in shared buffers; None when no block was needed."""
        blocks = self.hit_blocks + self.read_blocks
        return self.hit_blocks / blocks if blocks else None

    @property
    def temp_bytes(self) -> int:
        return self.temp_blocks * self.block_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """When counting began. `reset_at` and `evicted_count` are None where the extension does not tell them."""

    reset_at: datetime | None
    evicted_count: int | None
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """`rows` in the order asked for, at most 100 of `in_all_count`. Shares are of `in_all_s`, the console's own included."""

    rows: tuple[StatementFigures, ...]
    since: Since
    extension: Extension

    @property
    def in_all_count(self) -> int:
        return self.rows[0].statements_in_all if self.rows else 0

    @property
    def in_all_s(self) -> float:
        return self.rows[0].seconds_in_all if self.rows else 0.0

    @property
    def own_count(self) -> int:
        return self.rows[0].own_statements if self.rows else 0

    @property
    def is_cut(self) -> bool:
        """Whether more statements are counted than told, the console's own aside."""
        return self.in_all_count > len(self.rows) + (0 if any(row.is_own for row in self.rows) else self.own_count)

    @property
    def own_ratio(self) -> float:
        return self.rows[0].own_seconds / self.in_all_s if self.in_all_s else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """One row of statement.sql: one statement of one account in one database."""

    queryid: int
    database: str | None
    account: str
    is_top_level: bool | None
    text: str
    text_length: int
    calls_count: int
    rows_count: int
    run_s: float
    mean_s: float
    fastest_s: float
    slowest_s: float
    deviation_s: float
    plans_count: int
    plan_s: float
    hit_blocks: int
    read_blocks: int
    dirtied_blocks: int
    written_blocks: int
    temp_read_blocks: int
    temp_written_blocks: int
    reading_s: float
    writing_s: float
    wal_records_count: int
    wal_bytes: int
    since_at: datetime | None
    block_bytes: int
    is_io_timed: bool

    @property
    def rows_per_call(self) -> float:
        return self.rows_count / self.calls_count if self.calls_count else 0.0

    @property
    def hit_bytes(self) -> int:
        return self.hit_blocks * self.block_bytes

    @property
    def read_bytes(self) -> int:
        return self.read_blocks * self.block_bytes

    @property
    def io_s(self) -> float:
        return self.reading_s + self.writing_s

    @property
    def dirtied_bytes(self) -> int:
        return self.dirtied_blocks * self.block_bytes

    @property
    def temp_bytes(self) -> int:
        return self.temp_written_blocks * self.block_bytes

    @property
    def hit_ratio(self) -> float | None:
        blocks = self.hit_blocks + self.read_blocks
        return self.hit_blocks / blocks if blocks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Statements of other sessions that run for longer than a second now. `longest_s` is None when there is none."""

    running_count: int
    longest_s: float | None


def statements(
    target: Target, *, order: Order = Order.TIME, own: bool = False, address: Address | None = None
) -> Statements:
    """The costliest statements since the statistics began.

    Shape: at most 100 rows, `order` first; texts cut at 1,000 characters. Units: seconds, bytes, blocks.
    Cost: three statements; the server reads its whole file of texts, 5 to 50 ms.
    Errors: those of postgres_node; Unsupported or NotPermitted with the exact statement that mends it.
    Source: pg_stat_statements, pg_stat_statements_info, pg_extension, settings.
    """
    with postgres_node(target, address=address) as node:
        extension = _usable_extension(node)
        statement = _of_extension("statements", extension, order=sql.Identifier(order.value))
        rows = node.records(StatementFigures, statement, {"own": own, "most": MOST_STATEMENTS})
        since = node.records(Since, _of_extension("since", extension))[0]
    return Statements(rows=tuple(rows), since=since, extension=extension)


def statement(target: Target, *, queryid: int, address: Address | None = None) -> tuple[StatementRow, ...]:
    """All figures of one statement, the account with most time first.

    Shape: at most 100 rows; texts cut at 20,000 characters. Units: seconds, bytes, blocks. Cost: as `statements`.
    Errors: those of `statements`; Gone when it was evicted or reset meanwhile. Source: pg_stat_statements.
    """
    with postgres_node(target, address=address) as node:
        extension = _usable_extension(node)
        rows = node.records(StatementRow, _of_extension("statement", extension), {"queryid": queryid})
    if not rows:
        raise Gone("No such statement is counted any more.", way_out="It was evicted, or the statistics were reset.")
    return tuple(rows)


def running(target: Target, *, address: Address | None = None) -> Running:
    """What runs for longer than a second now.

    Shape: one record. Units: seconds. Cost: one statement, below 1 ms. Errors: those of postgres_node.
    Source: pg_stat_activity.
    """
    with postgres_node(target, address=address) as node:
        return node.records(Running, sql_text(SQL, "running", major=node.version))[0]


def quoted(name: str) -> str:
    """An identifier as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def _of_extension(name: str, extension: Extension, **parts: sql.Composable) -> str:
    """A file of this folder in the variant for the extension's version, its schema filled in."""
    text = sql.SQL(sql_text(SQL, name, major=extension.major))
    return text.format(schema=sql.Identifier(extension.schema or "public"), **parts).as_string()


def _usable_extension(node: PostgresNode) -> Extension:
    """Errors: Unsupported with the next step when the statistics cannot be read yet."""
    extension = node.records(Extension, sql_text(SQL, "extension", major=node.version))[0]
    if not extension.available:
        raise Unsupported(
            "This server has no pg_stat_statements: its files are not installed.",
            way_out="Install the contrib package of this PostgreSQL, or use a build that has it.",
        )
    if not extension.preloaded:
        raise Unsupported("pg_stat_statements is installed but not loaded.", way_out=_preload_way_out(extension))
    if extension.version is None:
        raise Unsupported(
            f"pg_stat_statements counts, but cannot be asked in the database {extension.database}.",
            way_out=f"Run in {extension.database}, as its owner or a superuser: CREATE EXTENSION pg_stat_statements;",
        )
    if not extension.major:
        raise Unsupported(
            f"pg_stat_statements is still at version {extension.version} here.",
            way_out=f"Run in {extension.database}: ALTER EXTENSION pg_stat_statements UPDATE;",
        )
    _check_right(extension)
    return extension


def _preload_way_out(extension: Extension) -> str:
    if extension.libraries is None:
        return (
            "Add pg_stat_statements to shared_preload_libraries, beside what is there already "
            "(this account may not see it), and restart the server."
        )
    names = [name.strip() for name in extension.libraries.split(",") if name.strip()]
    wanted = ", ".join([*names, "pg_stat_statements"])
    return f"Run, and restart the server: ALTER SYSTEM SET shared_preload_libraries = {wanted};"


def _check_right(extension: Extension) -> None:
    schema = extension.schema or "public"
    account = quoted(extension.account)
    if not extension.may_use:
        raise NotPermitted(
            "The schema of pg_stat_statements is closed to this account.",
            missing=f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {account};",
        )
    if not extension.may_read:
        raise NotPermitted(
            "This account may not read pg_stat_statements.",
            missing=f"GRANT SELECT ON {quoted(schema)}.pg_stat_statements TO {account};",
        )
