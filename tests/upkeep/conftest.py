"""Targets and registered servers for the pages of upkeep."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.engine.connections.addresses import AddressPolicy
from apps.engine.target import Address, Kind, Target
from apps.servers.models import Server
from tests.real_servers import PostgresDatabase, RedisServer

OPEN = AddressPolicy(loopback=True, sockets=True)


def redis_target(server: RedisServer, *, username: str = "", password: str = "") -> Target:
    return Target(
        id="r", name="r", kind=Kind.REDIS, addresses=(Address(host=str(server.socket), port=0),),
        username=username, password=password, policy=OPEN,
    )  # fmt: skip


def postgres_target(database: PostgresDatabase, *, username: str = "postgres") -> Target:
    return Target(
        id="p", name="p", kind=Kind.POSTGRES, database=database.name, username=username,
        addresses=(Address(host=str(database.server.socket_dir), port=database.server.port),),
        policy=OPEN,
    )  # fmt: skip


@pytest.fixture
def registered_redis(db: None) -> Callable[..., Server]:
    def register(server: RedisServer, **fields: object) -> Server:
        addresses = [{"host": str(server.socket), "port": 0}]
        return Server.objects.create(key="cache", kind="redis", environment="dev", addresses=addresses, **fields)

    return register


@pytest.fixture
def registered_postgres(db: None) -> Callable[..., Server]:
    def register(database: PostgresDatabase, username: str = "postgres") -> Server:
        addresses = [{"host": str(database.server.socket_dir), "port": database.server.port}]
        server = Server.objects.create(
            key="orders", kind="postgres", environment="dev", addresses=addresses, database=database.name
        )
        server.credentials.create(username=username)
        return server

    return register
