"""How one action is tried by the suite that all of them pass. Each action's own test module defines one as SCENARIO."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.real_servers import PostgresDatabase, RedisServer

Place = Any  # RedisServer or PostgresDatabase, by the action's kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`prepare` furnishes a clean server and gives the parameters; a session that has to live is kept open until `clean`.

    `state` is everything on the server that the action might change, as something that compares; a plan must leave it equal.
    `changed` says whether the run did what its plan said. `secrets` must be found nowhere. `undone` says whether an undo
    put it back, where equal state would ask too much. `sends` is False for what changes the console's own disk alone.
    """

    prepare: Callable[[Place], Mapping[str, Any]]
    changed: Callable[[Place], bool]
    state: Callable[[Place], object] = field(default=lambda place: digest(place))
    clean: Callable[[Place], None] = field(default=lambda place: None)
    undone: Callable[[Place], bool] | None = None
    secrets: tuple[str, ...] = ()
    sends: bool = True


def digest(place: Place) -> str:
    return redis_digest(place) if isinstance(place, RedisServer) else postgres_digest(place)


def redis_digest(server: RedisServer) -> str:
    """Every key with value and expiry, users, settings and the length of the slow log."""
    made = hashlib.sha256()
    for database in (0, 1, 3):
        server.command("SELECT", database)
        for key, held in sorted(values(server).items()):
            expires = server.command("PTTL", key) > 0
            made.update(key + repr(held).encode() + str(expires).encode())
    server.command("SELECT", 0)
    made.update(repr(sorted(server.command("ACL", "LIST"))).encode())
    made.update(repr(server.command("CONFIG", "GET", "*")).encode())
    return made.hexdigest()


READING: Mapping[bytes, tuple[Any, ...]] = {
    b"string": ("GET",),
    b"hash": ("HGETALL",),
    b"list": ("LRANGE", 0, -1),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    b"stream": ("XRANGE", "-", "+"),
}


def values(server: RedisServer) -> dict[bytes, object]:
    """What every key of the database holds. Not DUMP: the members of a set come back in another order."""
    found: dict[bytes, object] = {}
    for name in server.command("KEYS", "*"):
        key_type = server.command("TYPE", name)
        verb, *rest = READING[key_type]
        held = server.command(verb, name, *rest)
        found[name] = sorted(held) if key_type == b"set" else held
    return found


def postgres_digest(database: PostgresDatabase) -> str:
    """Rows of every table, definitions of every index, roles, settings."""
    made = hashlib.sha256()
    tables = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    for (table,) in database.sql(f"{tables} ORDER BY 1"):
        rows = f"SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t"
        made.update(repr(database.sql(rows)).encode())
    for statement in (
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid FROM pg_index ORDER BY 1",
        "SELECT rolname, rolsuper, rolcanlogin FROM pg_roles ORDER BY 1",
        "SELECT name, setting FROM pg_settings ORDER BY 1",
        "SELECT relname, n_dead_tup > 0, last_vacuum, last_analyze FROM pg_stat_user_tables ORDER BY 1",
    ):
        made.update(repr(database.sql(statement)).encode())
    return made.hexdigest()
