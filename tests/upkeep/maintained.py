"""Tables with dead rows and indexes for the actions of upkeep: nothing but the test tidies them up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from apps.accounts.models import Operator
from apps.operations import execution
from apps.operations.models import Run
from tests.operations.door import Door, actor_for, register_postgres
from tests.real_servers import PostgresDatabase

ROWS = 2000
HOSTILE = "a\"b'; %s %(x)s\n\u202e; DROP t;\n-- still the name"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def furnish(database: PostgresDatabase, *names: str, rows: int = ROWS) -> None:
    """Tables of which every second row is dead, each with a primary key and an index."""
    for number, name in enumerate(names):
        table = quoted(name)
        database.sql(f"CREATE TABLE {table} (id int PRIMARY KEY, x int, words text) WITH (autovacuum_enabled = false)")
        database.sql(f"CREATE INDEX {quoted(f'x_{number}_{name}'[:50])} ON {table} (x)")
        database.sql(f"INSERT INTO {table} SELECT n, n % 97, repeat('w', 80) FROM generate_series(1, {rows}) n")
        database.sql(f"DELETE FROM {table} WHERE id % 2 = 0")


def params(database: PostgresDatabase, name: str, schema: str = "public") -> dict[str, Any]:
    return {"database": database.name.encode(), "schema": schema.encode(), "name": name.encode()}


def at(database: PostgresDatabase, operator: Operator, username: str = "") -> Door:
    server = register_postgres(database)
    if username:
        server.credentials.update(username=username)
    return Door(actor=actor_for(operator), server=server)


def slow_vacuum(database: PostgresDatabase) -> None:
    """So slow, without the pace of the console, that a test can do something meanwhile."""
    database.sql(f"ALTER DATABASE {database.name} SET vacuum_cost_delay = '50ms'")
    database.sql(f"ALTER DATABASE {database.name} SET vacuum_cost_limit = 1")


def slow_index(database: PostgresDatabase, table: str, name: str = "slow_one") -> None:
    """An index whose rows take `test.slow_s` each to build, 0 while that is not set."""
    database.sql(
        "CREATE OR REPLACE FUNCTION public.slowly(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
        " PERFORM pg_catalog.pg_sleep(coalesce(nullif(pg_catalog.current_setting('test.slow_s', true), ''), '0')::float8);"
        " RETURN n; END $$"
    )
    database.sql(f"CREATE INDEX {quoted(name)} ON {quoted(table)} (public.slowly(x))")
    database.sql(f"ALTER DATABASE {database.name} SET test.slow_s = '0.02'")


def indexes(database: PostgresDatabase) -> dict[str, tuple[int, bool]]:
    """Name to number and whether it is valid, of every index that is no catalogue's."""
    rows = database.sql(
        "SELECT c.relname::text, c.oid::bigint, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE c.oid >= 16384 AND c.relnamespace <> 'pg_catalog'::regnamespace"
    )
    return {name: (oid, valid) for name, oid, valid in rows if "pg_toast" not in name}


def at_work(database: PostgresDatabase, run: Run | None = None) -> list[tuple[Any, ...]]:
    """Sessions of runs that are at work in this database."""
    like = f"signalbox run {run.pk}" if run else "signalbox run %"
    return database.sql(
        "SELECT pid, query FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE %s"
        " AND state = 'active'",
        like,
    )


def until(true: Callable[[], object], *, within_s: float = 20) -> None:
    ends_at = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends_at, "it never came to that"
        time.sleep(0.02)


@contextmanager
def carrying_out(run: Run) -> Iterator[None]:
    """A worker in a thread, waited for at the end."""
    from django.db import connection

    def work() -> None:
        try:
            execution.execute(run.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)
        assert not thread.is_alive(), "the run did not end"
        run.refresh_from_db()


@contextmanager
def holding(database: PostgresDatabase, *statements: str) -> Iterator[int]:
    """A session whose transaction stays open; gives its pid."""
    with database.connect() as other:
        other.execute("BEGIN")
        for each in statements:
            other.execute(each)
        yield other.info.backend_pid
        other.execute("ROLLBACK")
