"""The servers of the tests as the console knows them: as a target of the engine, and as a registered server."""

from __future__ import annotations

import pytest

from apps.engine.connections import postgres, redis
from apps.engine.connections.addresses import AddressPolicy
from apps.engine.target import Address, Kind, Profile, Target
from apps.servers.models import Credential, Server
from tests.real_servers import PostgresDatabase, RedisServer

POLICY = AddressPolicy(loopback=True, sockets=True)


def redis_target(server: RedisServer, *, username: str = "", password: str = "") -> Target:
    return Target(
        id="cache",
        name="cache",
        kind=Kind.REDIS,
        addresses=(Address(host=str(server.socket), port=0),),
        username=username,
        password=password,
        policy=POLICY,
    )


def postgres_target(database: PostgresDatabase, *, username: str = "postgres") -> Target:
    return Target(
        id="shop",
        name="shop",
        kind=Kind.POSTGRES,
        addresses=(Address(host=str(database.server.socket_dir), port=database.server.port),),
        database=database.name,
        username=username,
        policy=POLICY,
    )


def register_redis(server: RedisServer, *, environment: str = "dev", username: str = "", password: str = "") -> Server:
    """The Redis as a registered server named `cache`."""
    row = Server.objects.create(
        key="cache", kind=Kind.REDIS, environment=environment, addresses=[{"host": str(server.socket), "port": 1}]
    )
    Credential.objects.keep(row, Profile.MONITOR, username=username, password=password)
    return row


def register_postgres(database: PostgresDatabase, *, environment: str = "dev", username: str = "postgres") -> Server:
    """The database as a registered server named `shop`."""
    address = {"host": str(database.server.socket_dir), "port": database.server.port}
    row = Server.objects.create(
        key="shop", kind=Kind.POSTGRES, environment=environment, addresses=[address], database=database.name
    )
    Credential.objects.keep(row, Profile.MONITOR, username=username, password="")
    return row


@pytest.fixture(autouse=True)
def no_old_connections() -> None:
    """A test closes users and databases under connections that would otherwise be used again."""
    postgres.forget_connections()
    redis.forget_connections()


@pytest.fixture
def redis_here(redis_clean: RedisServer) -> Target:
    return redis_target(redis_clean)


@pytest.fixture
def postgres_here(postgres_database: PostgresDatabase) -> Target:
    return postgres_target(postgres_database)
