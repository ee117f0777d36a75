"""Real servers for the tests: one per session and version, on unix sockets, emptied between tests.

Fixtures: `redis_server`, `redis_clean` (emptied), `redis_servers_all`, `each_redis`; `postgres_server`, `postgres_database`
(a fresh database), `postgres_servers_all`, `each_postgres`. Bad networks are in tests/network.py.
Folders are per pytest process, so that pytest-xdist workers share nothing.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from psycopg import sql

from apps.engine.embedded import binaries
from apps.engine.embedded.place import free_port
from apps.engine.embedded.postgres import SUPERUSER, EmbeddedPostgres
from apps.engine.embedded.redis import EmbeddedRedis

CACHE = Path(__file__).resolve().parent.parent / ".work" / "binaries"
TEMPLATE = "signalbox_template"
REDIS_SETTINGS = {
    "maxmemory-policy": "noeviction",
    "slowlog-log-slower-than": "1000",
    "latency-monitor-threshold": "5",
    "repl-diskless-sync-delay": "0",  # a backup would wait five seconds for replicas to come along
}
POSTGRES_SETTINGS = {"max_connections": "60", "track_io_timing": "on", "log_min_messages": "fatal"}
_numbers = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class RedisServer:
    """A running Redis. `command` goes straight to it, as its administrator, with bytes out."""

    embedded: EmbeddedRedis
    client: redis.Redis
    admin_password: str = ""

    @property
    def socket(self) -> Path:
        return self.embedded.socket

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return self.embedded.port

    @property
    def version(self) -> tuple[int, int, int]:
        return self.embedded.binary.version

    @property
    def label(self) -> str:
        return self.embedded.binary.label

    def command(self, *args: Any) -> Any:
        return self.client.execute_command(*args)  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        """Everything back to how it was: keys, scripts, ACL users, configuration that tests use to change, logs, clients."""
        self.command("FLUSHALL")
        self.command("SCRIPT", "FLUSH")
        self._reset_users()
        for name, value in {
            **REDIS_SETTINGS,
            "maxmemory": "0",
            "notify-keyspace-events": "",
            "requirepass": "",
        }.items():
            self.command("CONFIG", "SET", name, value)
        self.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for words in (("SLOWLOG", "RESET"), ("LATENCY", "RESET"), ("ACL", "LOG", "RESET"), ("CONFIG", "RESETSTAT")):
            self.command(*words)

    def _reset_users(self) -> None:
        for user in self.command("ACL", "USERS"):
            if user != b"default":
                self.command("ACL", "DELUSER", user)
        channels = ("&*",) if self.version >= (6, 2, 0) else ()
        self.command("ACL", "SETUSER", "default", "reset", "on", "nopass", "~*", *channels, "+@all")


@dataclass(slots=True, kw_only=True)
class PostgresServer:
    """A running PostgreSQL. `sql` runs one statement as its superuser, outside of a transaction."""

    embedded: EmbeddedPostgres
    admin_password: str = ""
    admin_user: str = SUPERUSER
    _databases: list[str] = field(default_factory=list)

    @property
    def socket_dir(self) -> Path:
        return self.embedded.socket_dir

    @property
    def port(self) -> int:
        return self.embedded.port

    @property
    def version(self) -> tuple[int, int]:
        return self.embedded.binaries.version

    @property
    def label(self) -> str:
        return self.embedded.binaries.label

    @property
    def has_statement_statistics(self) -> bool:
        return "no pg_stat_statements or other extensions" not in self.embedded.binaries.lacks

    def connect(
        self, database: str = "postgres", *, user: str = SUPERUSER, **options: Any
    ) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=str(self.socket_dir),
            port=self.port,
            user=user,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
            **options,
        )

    def sql(self, statement: str, *params: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        with self.connect(database) as connection:
            cursor = connection.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str = "") -> str:
        """A copy of the prepared template (with pg_stat_statements where the server has it). Returns its name."""
        name = name or f"test_{uuid.uuid4().hex[:12]}"
        with self.connect() as connection:
            copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(copy.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        self._databases.append(name)
        return name

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def prepare(self) -> None:
        self.sql(f"CREATE DATABASE {TEMPLATE}")
        if self.has_statement_statistics:
            for database in ("postgres", TEMPLATE):
                self.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements", database=database)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresDatabase:
    """One test's own database on the shared server."""

    server: PostgresServer
    name: str

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        return self.server.sql(statement, *params, database=self.name)

    def connect(self, *, user: str = SUPERUSER, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
        return self.server.connect(self.name, user=user, **options)


def connected(embedded: EmbeddedRedis) -> RedisServer:
    """A client of a running server."""
    client = redis.Redis(unix_socket_path=str(embedded.socket), socket_timeout=10, protocol=2)
    return RedisServer(embedded=embedded, client=client)


class Servers:
    """Starts each version once, on first use, and stops all at the end of the session."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._redis: dict[binaries.RedisBinary, RedisServer] = {}
        self._postgres: dict[binaries.PostgresBinaries, PostgresServer] = {}

    def redis(self, binary: binaries.RedisBinary | None = None) -> RedisServer:
        chosen = binary or binaries.find_redis(CACHE)
        if chosen not in self._redis:
            embedded = EmbeddedRedis(chosen, self._new_folder(), port=free_port(), settings=_redis_settings(chosen))
            self._stack.enter_context(embedded)
            server = connected(embedded)
            self._stack.callback(server.client.close)
            self._redis[chosen] = server
        return self._redis[chosen]

    def postgres(self, chosen: binaries.PostgresBinaries | None = None) -> PostgresServer:
        chosen = chosen or binaries.find_postgres(CACHE)
        if chosen not in self._postgres:
            has_statistics = "no pg_stat_statements or other extensions" not in chosen.lacks
            embedded = EmbeddedPostgres(
                chosen,
                self._new_folder(),
                settings=POSTGRES_SETTINGS,
                preload=("pg_stat_statements",) if has_statistics else (),
                durable=False,
            )
            self._stack.enter_context(embedded)
            server = PostgresServer(embedded=embedded)
            server.prepare()
            self._postgres[chosen] = server
        return self._postgres[chosen]

    def _new_folder(self) -> Path:
        return self._folder / f"server-{next(_numbers)}"


def _redis_settings(binary: binaries.RedisBinary) -> dict[str, str]:
    """From 7.0 on, DEBUG has to be allowed: tests use DEBUG SLEEP and JMAP on their own server only."""
    allowed = {"enable-debug-command": "local"} if binary.version >= (7, 0, 0) else {}
    return {**REDIS_SETTINGS, **allowed}


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The starter of servers, for tests that choose a version themselves."""
    folder = Path(tempfile.mkdtemp(prefix="sb-tests-"))
    folder.chmod(0o711)  # an unprivileged PostgreSQL passes through
    try:
        with ExitStack() as stack:
            yield Servers(folder, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(servers: Servers) -> RedisServer:
    """The best Redis at hand, as the test before left it: prefer `redis_clean`."""
    return servers.redis()


@pytest.fixture
def redis_clean(redis_server: RedisServer) -> RedisServer:
    """The best Redis at hand, emptied."""
    redis_server.flush()
    return redis_server


@pytest.fixture(scope="session")
def redis_servers_all(servers: Servers) -> tuple[RedisServer, ...]:
    """Every version of Redis and Valkey at hand."""
    return tuple(servers.redis(each) for each in binaries.all_redis(CACHE))


@pytest.fixture(params=binaries.all_redis(CACHE), ids=lambda each: each.label)
def each_redis(request: pytest.FixtureRequest, servers: Servers) -> RedisServer:
    """Runs the test once per version at hand, on an emptied server."""
    server = servers.redis(request.param)
    server.flush()
    return server


@pytest.fixture(scope="session")
def postgres_server(servers: Servers) -> PostgresServer:
    """The best PostgreSQL at hand; make databases in it by `create_database`."""
    return servers.postgres()


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[PostgresDatabase]:
    """A fresh database on the best PostgreSQL at hand."""
    yield from _fresh_database(postgres_server)


@pytest.fixture(scope="session")
def postgres_servers_all(servers: Servers) -> tuple[PostgresServer, ...]:
    """Every version of PostgreSQL at hand."""
    return tuple(servers.postgres(each) for each in binaries.all_postgres(CACHE))


@pytest.fixture(params=binaries.all_postgres(CACHE), ids=lambda each: each.label)
def each_postgres(request: pytest.FixtureRequest, servers: Servers) -> Iterator[PostgresDatabase]:
    """Runs the test once per version at hand, in a fresh database."""
    yield from _fresh_database(servers.postgres(request.param))


def _fresh_database(server: PostgresServer) -> Iterator[PostgresDatabase]:
    name = server.create_database()
    try:
        yield PostgresDatabase(server=server, name=name)
    finally:
        server.drop_database(name)
