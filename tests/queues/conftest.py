"""Targets, registered servers and frameworks for the tests of queues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.engine.connections import postgres as postgres_connections
from apps.engine.connections import redis as redis_connections
from apps.engine.connections.addresses import AddressPolicy
from apps.engine.contracts.adapter import Queue
from apps.engine.target import Address, Kind, Target
from apps.queues.census import CENSUS
from apps.queues.fleet import Reading, read_server
from apps.queues.verdicts import Judged
from apps.queues.watermarks import WATERMARKS
from apps.servers.models import Server
from tests.real_servers import PostgresDatabase, RedisServer


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """What this process learnt of servers in one test is not known in the next."""
    CENSUS.forget()
    WATERMARKS.forget()
    yield
    redis_connections.forget_connections()
    postgres_connections.forget_connections()


def redis_target(server: RedisServer, *, database: str = "", username: str = "", password: str = "") -> Target:
    return Target(
        id="jobs",
        name="jobs",
        kind=Kind.REDIS,
        addresses=(Address(host=str(server.socket), port=6379),),
        database=database,
        username=username,
        password=password,
        policy=AddressPolicy(sockets=True),
    )


def postgres_target(database: PostgresDatabase, *, user: str = "") -> Target:
    server = database.server
    return Target(
        id="shop",
        name="shop",
        kind=Kind.POSTGRES,
        addresses=(Address(host=str(server.socket_dir), port=server.port),),
        database=database.name,
        username=user or server.admin_user,
        policy=AddressPolicy(sockets=True),
    )


def registered_redis(server: RedisServer, key: str = "jobs", environment: str = "dev") -> Server:
    addresses = [{"host": str(server.socket), "port": 6379}]
    return Server.objects.create(key=key, kind="redis", environment=environment, addresses=addresses)


def queue_named(reading: Reading, name: bytes, part: bytes = b"") -> Judged:
    """The one queue of a reading with this name; fails where there is none or more."""
    (found,) = [q for q in reading.queues if q.snapshot.queue.name == name and q.snapshot.queue.part == part]
    return found


def read(server: RedisServer, name: bytes, part: bytes = b"") -> Judged:
    """Read the whole server and pick one queue: every test goes through detection."""
    return queue_named(read_server(redis_target(server)), name, part)


def queue_of(server: RedisServer, name: bytes, part: bytes = b"") -> Queue:
    return read(server, name, part).snapshot.queue
