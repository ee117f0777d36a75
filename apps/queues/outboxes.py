"""Outbox tables of a PostgreSQL: told by their names and columns, for there is no standard. Only what is certain is counted.

A table is taken for an outbox when its name says so, it has a key of one column, and a column tells what is done: a time
such as `published_at` that is null while a row waits, or a flag such as `processed`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from weakref import WeakKeyDictionary

from apps.engine.connections.postgres import PostgresNode, sql
from apps.engine.errors import Gone
from apps.engine.files import sql_text

SQL = Path(__file__).parent / "sql"
MOST_TABLES = 50
MOST_COUNTED = 10_000
JUST_NOW_S = 1.0
DONE_AT = (
    "published_at",
    "processed_at",
    "sent_at",
    "dispatched_at",
    "delivered_at",
    "completed_at",
    "completion_date",
)
DONE = ("published", "processed", "sent", "dispatched", "delivered", "done")
CREATED = ("created_at", "occurred_at", "inserted_at", "enqueued_at", "created", "created_on", "timestamp")
TRIED = ("attempts", "retry_count", "retries", "attempt", "tries")
ERROR = ("last_error", "error", "error_msg", "error_message")
TOPIC = ("topic", "event_type", "aggregate_type", "aggregatetype", "type", "name")
PAYLOAD = ("payload", "body", "data", "event", "message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A candidate as the catalogue describes it. `estimated_count` is -1 where it was never analysed."""

    schema: str
    name: str
    estimated_count: int
    readable: bool
    key: str | None
    columns: list[str]
    types: list[str]

    def column(self, names: Sequence[str], kinds: Sequence[str] = ()) -> str | None:
        """The first of these names that is a column, of one of these types where they matter."""
        types = dict(zip(self.columns, self.types, strict=True))
        return next(
            (name for name in names if name in types and (not kinds or types[name].startswith(tuple(kinds)))), None
        )

    @property
    def is_outbox(self) -> bool:
        return self.key is not None and (self.done_at or self.done) is not None

    @property
    def done_at(self) -> str | None:
        return self.column(DONE_AT, ("timestamp",))

    @property
    def done(self) -> str | None:
        return self.column(DONE, ("boolean",))


_just_told: WeakKeyDictionary[PostgresNode, tuple[float, list[Table]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    ready_count: int
    oldest_s: float | None
    tried_count: int
    failing_count: int
    first_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    key: str
    topic: str | None
    created_at: datetime | None
    tried_count: int
    error: str | None
    payload: str | None
    payload_bytes: int | None


def tables(node: PostgresNode) -> list[Table]:
    """Shape: every outbox of the session's database, at most 50. Cost: one query of the catalogue.

    Errors: EngineError. Source: pg_class, pg_attribute, pg_index.
    """
    text = sql_text(SQL, "outbox_tables", major=node.version)
    found = [table for table in node.records(Table, text, {"most": MOST_TABLES}) if table.is_outbox]
    _just_told[node] = time.monotonic(), found
    return found


def tables_just_told(node: PostgresNode) -> list[Table]:
    """As `tables`. Cost: none directly after `tables` on the same connection; what was told is used once."""
    at, found = _just_told.pop(node, (0.0, []))
    if at and time.monotonic() - at < JUST_NOW_S:
        return found
    found = tables(node)
    del _just_told[node]
    return found


def table_named(node: PostgresNode, schema: str, name: str) -> Table:
    """Errors: Gone where it is no outbox (any more)."""
    found = next((table for table in tables(node) if (table.schema, table.name) == (schema, name)), None)
    if found is None:
        raise Gone("The table is gone, or is no outbox any more.")
    return found


def figures(node: PostgresNode, table: Table) -> Figures:
    """Shape: one row; counts end at 10,001. Units: seconds. Cost: see outbox_figures.sql. Errors: NotPermitted, TimedOut."""
    statement = _composed(node, "outbox_figures", table)
    return node.records(Figures, statement, {"most": MOST_COUNTED + 1})[0]


def events(
    node: PostgresNode, table: Table, *, most: int, after: str = "", key: str = "", payload_most: int = 160
) -> list[Event]:
    """Shape: waiting rows after a key, or the one with this key. Units: characters, bytes. Cost: see outbox_page.sql."""
    words = _identifier(table.key or "")
    which = (
        sql.SQL("{} = %(id)s").format(words)
        if key
        else sql.SQL("{} > %(after)s").format(words)
        if after
        else sql.SQL("TRUE")
    )
    statement = _composed(node, "outbox_page", table, which=which)
    return node.records(Event, statement, {"most": most, "after": after, "id": key, "payload_most": payload_most})


def _composed(node: PostgresNode, name: str, table: Table, **more: sql.Composable) -> sql.Composed:
    key = _identifier(table.key or "")
    names: dict[str, sql.Composable] = {
        "table": _identifier(table.schema, table.name),
        "pending": _pending(table),
        "created": _time(table),
        "tried": _or(table.column(TRIED, ("integer", "bigint", "smallint")), "0"),
        "error": _or(table.column(ERROR), "NULL"),
        "failing": _failing(table),
        "topic": _or(table.column(TOPIC), "NULL"),
        "payload": _or(table.column(PAYLOAD), "NULL"),
        "key": key if name == "outbox_page" else sql.SQL("{}::text").format(key),
    }
    return sql.SQL(sql_text(SQL, name, major=node.version)).format(**{**names, **more})


def _pending(table: Table) -> sql.Composable:
    if table.done_at:
        return sql.SQL("{} IS NULL").format(_identifier(table.done_at))
    return sql.SQL("NOT {}").format(_identifier(table.done or ""))


def _time(table: Table) -> sql.Composable:
    """The time of creation; one without a time zone is taken as UTC, as nearly every framework writes it."""
    column = table.column(CREATED, ("timestamp",))
    if column is None:
        return sql.SQL("NULL::timestamptz")
    kind = dict(zip(table.columns, table.types, strict=True))[column]
    words = "{} AT TIME ZONE 'UTC'" if "without time zone" in kind else "{}"
    return sql.SQL(words).format(_identifier(column))


def _failing(table: Table) -> sql.Composable:
    column = table.column(ERROR)
    return sql.SQL("{} IS NOT NULL").format(_identifier(column)) if column else sql.SQL("FALSE")


def _or(column: str | None, otherwise: str) -> sql.Composable:
    return _identifier(column) if column else sql.SQL(otherwise)


def _identifier(*names: str) -> sql.Identifier:
    """A quoted name. The driver reads % in a statement with parameters, and does not double it in names itself."""
    return sql.Identifier(*(name.replace("%", "%%") for name in names))
