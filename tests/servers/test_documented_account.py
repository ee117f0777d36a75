"""The accounts of docs/permissions.md are enough: with nothing more, every page answers and the server denies nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.engine.target import Kind, Profile
from apps.engine.text import ref
from apps.history.tasks import sample
from apps.servers.capabilities import POSTGRES, REDIS, RIGHTS
from apps.servers.models import Credential, Server
from apps.servers.probing import probe_server
from tests.real_servers import PostgresDatabase, RedisServer
from tests.servers.conftest import PASSWORD, redis_account

REDIS_PAGES = ("", "capabilities/", "keyspace/", "queues/", "slow/", "activity/", "acl/", "upkeep/", "backups/")
POSTGRES_PAGES = ("", "capabilities/", "queues/", "slow/", "activity/", "acl/", "upkeep/", "backups/")
SignedIn = Callable[[Operator], Client]


def fill(server: RedisServer) -> list[bytes]:
    """One key of every type, and a queue."""
    for words in (
        ("SET", "text", "x"),
        ("HSET", "hash", "f", "v"),
        ("RPUSH", "list", "a"),
        ("SADD", "set", "a"),
        ("ZADD", "zset", "1", "a"),
        ("XADD", "stream", "*", "f", "v"),
        ("XGROUP", "CREATE", "stream", "group", "0"),
        ("SADD", "rq:queues", "rq:queue:mails"),
        ("RPUSH", "rq:queue:mails", "job"),
        ("SADD", "_kombu.binding.celery", "x"),
        ("RPUSH", "celery", "{}"),
    ):
        server.command(*words)
    return [b"text", b"hash", b"list", b"set", b"zset", b"stream"]


def test_the_redis_account_of_the_documentation_is_denied_nothing(
    each_redis: RedisServer, fresh_client: SignedIn, alice: Operator
) -> None:
    version = each_redis.version[:2]
    rules = [rule for f in REDIS if f.looks and f.since <= version for rule in f.rules(version)]
    redis_account(each_redis, rules)
    names = fill(each_redis)
    address = {"host": "127.0.0.1", "port": each_redis.port}
    server = Server.objects.create(key="cache", kind=Kind.REDIS, environment="dev", addresses=[address])
    Credential.objects.keep(server, Profile.MONITOR, username="signalbox", password=PASSWORD)
    client = fresh_client(alice)
    pages = [f"/servers/cache/{page}" for page in REDIS_PAGES]
    pages += [f"/servers/cache/keyspace/{ref(name)}/" for name in names]
    probe_server(server)
    sample()
    for page in [*pages, "/", "/queues/"]:
        response = client.get(page)
        assert response.status_code == 200, page
    entries = each_redis.command("ACL", "LOG")
    assert [dict(zip(e[::2], e[1::2], strict=True))[b"object"] for e in entries] == []


@pytest.fixture
def documented_role(each_postgres: PostgresDatabase) -> Iterator[str]:
    name = f"sb_{uuid.uuid4().hex[:8]}"
    each_postgres.sql(f"CREATE ROLE {name} LOGIN")
    has_statements = each_postgres.server.has_statement_statistics
    for right in dict.fromkeys(right for f in POSTGRES if f.looks for right in f.rights):
        if right != "pg_stat_statements" and (has_statements or right != "select_pg_stat_statements"):
            each_postgres.sql(RIGHTS[right].grant.format(user=name))
    yield name
    each_postgres.sql(f"DROP OWNED BY {name}")
    each_postgres.sql(f"DROP ROLE {name}")


def test_the_postgres_account_of_the_documentation_is_denied_nothing(
    each_postgres: PostgresDatabase, documented_role: str, fresh_client: SignedIn, alice: Operator
) -> None:
    each_postgres.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)")
    address = {"host": str(each_postgres.server.socket_dir), "port": each_postgres.server.port}
    server = Server.objects.create(
        key="shop", kind=Kind.POSTGRES, environment="dev", addresses=[address], database=each_postgres.name
    )
    Credential.objects.keep(server, Profile.MONITOR, username=documented_role, password="")
    client = fresh_client(alice)
    probe_server(server)
    sample()
    for page in POSTGRES_PAGES:
        response = client.get(f"/servers/shop/{page}")
        assert response.status_code == 200, page
        assert b"permission denied" not in response.content, page
        assert b"may not read this" not in response.content, page
    lacking = [key for key, found in Server.objects.get().capabilities["monitor"].items() if not found["ok"]]
    assert lacking == ([] if each_postgres.server.has_statement_statistics else ["slow.statements"])
