"""A small world: one Redis and one PostgreSQL with something of everything, registered in every environment."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from apps.servers.models import Server
from tests.real_servers import PostgresDatabase, RedisServer

ENVIRONMENTS = ("dev", "staging", "prod")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    redis: RedisServer
    postgres: PostgresDatabase

    def server(self, kind: str, environment: str) -> Server:
        return Server.objects.get(key=f"{kind}-{environment}")


def furnish_redis(server: RedisServer) -> None:
    """A key of every type, an RQ queue, a Celery queue, a stream with a group, a named user."""
    command = server.command
    command("SET", "text", "hello")
    command("HSET", "cart:1", "items", zlib.compress(json.dumps([1, 2]).encode()), "currency", "EUR")
    command("RPUSH", "list", *range(30))
    command("SADD", "set", *range(30))
    command("ZADD", "zset", 1, "a", 2, "b")
    command("XADD", "events", "1-1", "type", "placed")
    command("XADD", "events", "1-2", "type", "paid")
    command("XGROUP", "CREATE", "events", "billing", "0")
    command("XREADGROUP", "GROUP", "billing", "b-1", "COUNT", "1", "STREAMS", "events", ">")
    command("SADD", "rq:queues", "rq:queue:emails")
    command("RPUSH", "rq:queue:emails", "job-1")
    command(
        "HSET",
        "rq:job:job-1",
        "description",
        "send_mail(1)",
        "origin",
        "emails",
        "status",
        "queued",
        "data",
        b"\x80garbage",
    )
    command("SADD", "_kombu.binding.thumbnails", "thumbnails\x06\x16\x06\x16thumbnails")
    message = {
        "body": "W10=",
        "headers": {"task": "shop.thumbnail", "id": "t-1"},
        "properties": {"delivery_tag": "t-1"},
    }
    command("LPUSH", "thumbnails", json.dumps(message))
    command("ACL", "SETUSER", "app-web", "on", ">app-password", "~cart:*", "+@read")


def furnish_postgres(database: PostgresDatabase) -> None:
    """Tables with rows, an index, an outbox, a role."""
    database.sql("CREATE TABLE orders (id int PRIMARY KEY, customer text, note text)")
    database.sql("INSERT INTO orders SELECT n, 'customer ' || n, '' FROM generate_series(1, 500) AS n")
    database.sql("CREATE INDEX ix_orders_customer ON orders (customer)")
    database.sql(
        "CREATE TABLE outbox_event (id bigserial PRIMARY KEY, topic text, payload jsonb, created_at timestamptz DEFAULT now(),"
        " published_at timestamptz, attempts int DEFAULT 0)"
    )
    database.sql("INSERT INTO outbox_event (topic, payload) VALUES ('order.placed', '{}')")
    database.sql("ANALYZE")


def register(redis: RedisServer, postgres: PostgresDatabase) -> None:
    for environment in ENVIRONMENTS:
        Server.objects.create(
            key=f"redis-{environment}",
            kind="redis",
            environment=environment,
            addresses=[{"host": str(redis.socket), "port": 6379}],
        )
        Server.objects.create(
            key=f"postgres-{environment}",
            kind="postgres",
            environment=environment,
            addresses=[{"host": str(postgres.server.socket_dir), "port": postgres.server.port}],
            database=postgres.name,
        )
    for server in Server.objects.filter(kind="postgres"):
        server.credentials.create(profile="monitor", username=postgres.server.admin_user)


@pytest.fixture
def world(db: None, redis_clean: RedisServer, postgres_database: PostgresDatabase) -> Iterator[World]:
    furnish_redis(redis_clean)
    furnish_postgres(postgres_database)
    register(redis_clean, postgres_database)
    yield World(redis=redis_clean, postgres=postgres_database)
