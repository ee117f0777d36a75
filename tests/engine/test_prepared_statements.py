"""Statements that come again are prepared, where it is certain that the same process of the server answers."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import replace
from pathlib import Path

from apps.engine.connections.postgres import forget_connections, postgres_node, sql
from apps.engine.target import Address, Target
from tests.network import SlowProxy
from tests.real_servers import PostgresDatabase
from tests.targets import postgres_target

ASKED = "SELECT %(number)s::int AS number /* asked again */"
PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%asked again%%' AND statement NOT LIKE '%%LIKE%%'"
KEY_DATA = b"K\x00\x00\x00\x0c"


class Pooler(SlowProxy):
    """Tells its clients, like a pooler, another process than the one that answers them."""

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(other_process(data) if is_answer else data)
        source.close()
        sink.close()


def other_process(data: bytes) -> bytes:
    """The message with the key of a session names the process first."""
    at = data.find(KEY_DATA)
    if at < 0:
        return data
    first = at + len(KEY_DATA)
    return data[:first] + bytes(4 * [1]) + data[first + 4 :]


def prepared_count(target: Target) -> int:
    """How many of three equal questions' statements their session holds prepared."""
    with postgres_node(target) as node:
        for number in range(3):
            assert node.row(ASKED, {"number": number}) == (number,)
        return int(node.row(PREPARED)[0])


def test_a_statement_that_comes_again_is_prepared(each_postgres: PostgresDatabase) -> None:
    assert prepared_count(postgres_target(each_postgres)) == 1


def test_what_is_asked_once_is_not(each_postgres: PostgresDatabase) -> None:
    with postgres_node(postgres_target(each_postgres)) as node:
        node.row(ASKED, {"number": 1})
        assert node.row(PREPARED) == (0,)


def test_what_is_put_together_for_a_table_follows_its_columns(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("CREATE TABLE events (id int)")
    each_postgres.sql("INSERT INTO events VALUES (7)")
    statement = sql.SQL("SELECT id FROM {}").format(sql.Identifier("events"))
    with postgres_node(postgres_target(each_postgres)) as node:
        assert [node.rows(statement) for _ in range(3)] == [[(7,)]] * 3
        each_postgres.sql("ALTER TABLE events ALTER id TYPE text USING 'number ' || id")
        assert node.rows(statement) == [("number 7",)]


def test_nothing_is_prepared_behind_a_pooler(postgres_database: PostgresDatabase) -> None:
    server = postgres_database.server
    with Pooler(Path(server.socket_dir) / f".s.PGSQL.{server.port}", delay_s=0) as pooler:
        target = postgres_target(postgres_database)
        assert prepared_count(replace(target, addresses=(Address(host=pooler.host, port=pooler.port),))) == 0
        forget_connections()
