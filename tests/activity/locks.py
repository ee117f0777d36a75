"""Sessions that hold and wait for real locks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from tests.real_servers import PostgresDatabase

Connection = psycopg.Connection[tuple[object, ...]]


class Sessions:
    """Named sessions on one database; each either holds what it locked, or waits in the background."""

    def __init__(self, database: PostgresDatabase, stack: ExitStack) -> None:
        self._database = database
        self._stack = stack

    def begin(self, name: str, *statements: str, user: str = "postgres") -> Connection:
        """A session with an open transaction in which these statements ran."""
        connection = self._database.connect(user=user, application_name=name)
        self._stack.callback(connection.close)
        for statement in ("BEGIN", *statements):
            connection.execute(statement)
        return connection

    def wait(self, connection: Connection, statement: str) -> int:
        """Send a statement that has to wait for a lock; returns its process id once it does wait."""
        pid = connection.info.backend_pid
        connection.pgconn.send_query(statement.encode())
        ends_at = time.monotonic() + 10
        while time.monotonic() < ends_at:
            if self._database.sql("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", pid):
                return pid
            time.sleep(0.01)
        raise AssertionError(f"{statement} did not wait")


@contextmanager
def sessions(database: PostgresDatabase) -> Iterator[Sessions]:
    database.sql("CREATE TABLE stock (sku int PRIMARY KEY, qty int)")
    database.sql("INSERT INTO stock SELECT n, 0 FROM generate_series(1, 9) n")
    with ExitStack() as stack:
        yield Sessions(database, stack)
