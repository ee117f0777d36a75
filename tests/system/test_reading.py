"""Reading changes nothing: every page of both kinds is opened, and the servers are compared before and after."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import Operator
from tests.real_servers import PostgresDatabase, RedisServer
from tests.system.conftest import World
from tests.system.routes import server_pages

# Commands that change data, settings or users: by the server's own word, not by a list of ours.
WRITING = ("write", "admin")
# Flagged admin, and only telling.
TELLING = frozenset({
    "acl|cat", "acl|dryrun", "acl|getuser", "acl|list", "acl|log", "acl|users", "acl|whoami", "client|getname", "client|id", "client|info",
    "client|list", "config|get", "latency|doctor", "latency|history", "latency|latest", "latency|histogram", "module|list", "slowlog|get",
    "slowlog|len", "replconf", "role", "lastsave",
})  # fmt: skip


def keys_digest(server: RedisServer) -> str:
    """Every key with its value, and its expiry."""
    digest = hashlib.sha256()
    for key in sorted(server.command("KEYS", "*")):
        digest.update(key + server.command("DUMP", key) + str(server.command("PTTL", key)).encode())
    return digest.hexdigest()


def commands_run(server: RedisServer) -> dict[str, int]:
    text = server.client.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(stats["calls"]) for name, stats in text.items()}


def is_writing(server: RedisServer, command: str) -> bool:
    name, _, sub = command.partition("|")
    rows = server.command("COMMAND", "INFO", command if sub else name)
    row = next(iter(rows.values() if isinstance(rows, dict) else rows), None)
    flags = {str(flag) for flag in (row["flags"] if isinstance(row, dict) else [])}
    return bool(flags & set(WRITING)) and command not in TELLING


@pytest.mark.django_db
def test_no_page_changes_a_redis(world: World, alice: Operator, as_operator: Callable[[Operator], Client]) -> None:
    client = as_operator(alice)
    digest, acl = keys_digest(world.redis), world.redis.command("ACL", "LIST")
    world.redis.command("CONFIG", "RESETSTAT")
    for route in server_pages("redis"):
        client.get(route.path("redis-dev"))
        client.get(route.path("redis-dev") + "?show=1")
    client.get("/queues/")
    ran = commands_run(world.redis)
    assert len(ran) > 15, "the pages asked almost nothing: this test would prove nothing"
    assert [c for c in ran if c != "config|resetstat" and is_writing(world.redis, c)] == []
    assert keys_digest(world.redis) == digest
    assert world.redis.command("ACL", "LIST") == acl


def rows_written(database: PostgresDatabase) -> tuple[object, ...]:
    return database.sql(
        "SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del), (SELECT count(*) FROM pg_class), pg_current_wal_insert_lsn() IS NOT NULL"
        " FROM pg_stat_user_tables"
    )[0]


@pytest.mark.django_db
def test_no_page_changes_a_postgres(world: World, alice: Operator, as_operator: Callable[[Operator], Client]) -> None:
    client = as_operator(alice)
    before, settings = (
        rows_written(world.postgres),
        world.postgres.sql("SELECT name, setting FROM pg_settings ORDER BY name"),
    )
    roles = world.postgres.sql("SELECT oid, rolname FROM pg_roles ORDER BY oid")
    for route in server_pages("postgres"):
        client.get(route.path("postgres-dev"))
    assert rows_written(world.postgres) == before
    assert world.postgres.sql("SELECT name, setting FROM pg_settings ORDER BY name") == settings
    assert world.postgres.sql("SELECT oid, rolname FROM pg_roles ORDER BY oid") == roles


def test_the_console_cannot_write_where_it_reads(world: World) -> None:
    """A session of the console refuses to write even with an account that could."""
    from apps.engine.connections.postgres import postgres_node
    from apps.engine.errors import CommandFailed

    target = world.server("postgres", "dev").target()
    with postgres_node(target) as node, pytest.raises(CommandFailed, match="read-only"):
        node.rows("DELETE FROM orders")
    assert world.postgres.sql("SELECT count(*) FROM orders") == [(500,)]
