"""Which databases could be dumped, what a dump would hold, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from apps.backups.reads.programs import Fit, fit_postgres, programs
from apps.engine.connections.postgres import PostgresNode, postgres_node
from apps.engine.files import sql_text
from apps.engine.target import Target

SQL = Path(__file__).resolve().parent.parent / "sql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """`size_bytes` is None where this account may not read it."""

    name: str
    size_bytes: int | None
    may_connect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpContent:
    """`table_bytes` are those of the tables without indexes, as the last vacuum or analyze counted; 0 where there was none yet."""

    table_count: int
    table_bytes: int
    unreadable_count: int
    unreadable: str | None
    filtered_count: int
    has_large_objects: bool
    may_read_passwords: bool
    is_standby: bool
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpFacts:
    """One database of one server, seen by the account that would dump it, and the program that would."""

    version_text: str
    fit: Fit
    content: DumpContent


def databases(target: Target) -> list[Database]:
    """Shape: at most 1,000, the largest first. Units: bytes. Cost: one statement. Errors: EngineError. Source: pg_database."""
    with postgres_node(target) as node:
        return node.records(Database, sql_text(SQL, "databases", major=node.version))


def dump_facts(target: Target, *, database: str) -> DumpFacts:
    """Shape: one record. Units: bytes. Cost: one session in that database, one statement over its catalogue.

    Errors: Gone for a database that is not there, NotPermitted, EngineError. Source: pg_class and privileges.
    """
    with postgres_node(target, database=database) as node:
        return facts_of(node)


def facts_of(node: PostgresNode) -> DumpFacts:
    """The same over a session that is there already."""
    (content,) = node.records(DumpContent, sql_text(SQL, "dump_content", major=node.version))
    fit = fit_postgres(programs(), major=node.version)
    return DumpFacts(version_text=f"PostgreSQL {node.version_text}", fit=fit, content=content)
