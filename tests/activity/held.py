"""Sessions that a scenario keeps open until it is cleaned, and how they are named."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from apps.activity.identity import SessionRef
from tests.activity.locks import Connection, Sessions
from tests.real_servers import PostgresDatabase

SLEEP = "SELECT pg_sleep(600)"
EVERYBODY = (
    "SELECT pid, application_name, backend_start, state, query_start FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name LIKE 'app-%' ORDER BY pid"
)


class Held:
    """The sessions of one scenario. One at a time: a suite prepares, tries and cleans."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def sessions(self, database: PostgresDatabase) -> Sessions:
        database.sql("CREATE TABLE stock (sku int PRIMARY KEY, qty int)")
        database.sql("INSERT INTO stock SELECT n, 0 FROM generate_series(1, 9) n")
        return Sessions(database, self._stack)

    def clean(self, _: PostgresDatabase) -> None:
        self._stack.close()


def everybody(database: PostgresDatabase) -> list[tuple[Any, ...]]:
    """The applications' sessions and what they run."""
    return database.sql(EVERYBODY)


def runs(database: PostgresDatabase, pid: int) -> bool:
    return bool(database.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'", pid))


def is_there(database: PostgresDatabase, pid: int) -> bool:
    return bool(database.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid))


def send(database: PostgresDatabase, connection: Connection, statement: str = SLEEP) -> int:
    """Begin a statement and come back while it runs; returns the process id."""
    connection.pgconn.send_query(statement.encode())
    pid = connection.info.backend_pid
    eventually(lambda: runs(database, pid))
    return pid


def ref(database: PostgresDatabase, pid: int) -> str:
    """As a button of the page names it."""
    begun_at, statement_at = database.sql(
        "SELECT backend_start, query_start FROM pg_stat_activity WHERE pid = %s", pid
    )[0]
    return SessionRef(pid=pid, begun_at=begun_at, statement_at=statement_at).text


def eventually(question: Callable[[], Any], *, within_s: float = 15.0) -> Any:
    """The first answer that is true; fails when there is none in time."""
    ends_at = time.monotonic() + within_s
    while not (answer := question()):
        assert time.monotonic() < ends_at, "it never came"
        time.sleep(0.01)
    return answer
