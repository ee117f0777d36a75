"""Registered servers over the real ones."""

from __future__ import annotations

from typing import Any

from apps.servers.models import Server
from tests.real_servers import PostgresServer, RedisServer


def register(key: str, kind: str, host: str, port: int, **fields: Any) -> Server:
    username = fields.pop("username", "")
    server = Server.objects.create(
        key=key,
        kind=kind,
        environment=fields.pop("environment", "dev"),
        addresses=[{"host": host, "port": port}],
        **fields,
    )
    if username:
        server.credentials.create(username=username)
    return server


def register_redis(redis: RedisServer, key: str = "orders-cache", **fields: Any) -> Server:
    return register(key, "redis", str(redis.socket), redis.port, **fields)


def register_postgres(postgres: PostgresServer, key: str = "orders-db", **fields: Any) -> Server:
    return register(
        key, "postgres", str(postgres.socket_dir), postgres.port, **{"username": postgres.admin_user, **fields}
    )
