"""Registered servers over the real ones, and servers of one test, which it may stop and set anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.engine.embedded import binaries
from apps.engine.embedded.place import free_port
from apps.engine.embedded.postgres import EmbeddedPostgres
from apps.engine.embedded.redis import EmbeddedRedis
from apps.servers.models import Server
from tests.real_servers import CACHE, PostgresServer, RedisServer


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


@pytest.fixture
def folder() -> Iterator[Path]:
    """An unprivileged PostgreSQL passes through."""
    with tempfile.TemporaryDirectory(prefix="sb-own-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def own_redis(folder: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(binaries.find_redis(CACHE), folder / "own", port=free_port()) as embedded:
        yield embedded


@pytest.fixture
def own_postgres(folder: Path) -> Iterator[PostgresServer]:
    with EmbeddedPostgres(binaries.find_postgres(CACHE), folder / "own-pg", durable=False) as embedded:
        yield PostgresServer(embedded=embedded)
