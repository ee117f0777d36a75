"""Registered servers of the tests, and accounts with exactly the rights that a test names."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.engine.connections import postgres, redis
from apps.engine.connections.addresses import AddressPolicy
from apps.engine.embedded import binaries
from apps.engine.embedded.postgres import EmbeddedPostgres
from apps.engine.target import Address, Kind, Profile, Target
from apps.servers.models import Credential, Server
from tests.real_servers import CACHE, PostgresServer, RedisServer

HERE = AddressPolicy(loopback=True, sockets=True)
PASSWORD = "letmein-12345"


def redis_target(server: RedisServer, **other: Any) -> Target:
    """The server's administrator over its socket, or whoever `other` names."""
    address = Address(host=str(server.socket), port=server.port)
    fields: dict[str, Any] = {"addresses": (address,), "policy": HERE, **other}
    return Target(id="r", name="r", kind=Kind.REDIS, **fields)


def tcp_target(kind: Kind, port: int, **other: Any) -> Target:
    fields: dict[str, Any] = {"addresses": (Address(host="127.0.0.1", port=port),), "policy": HERE, **other}
    return Target(id="t", name="t", kind=kind, **fields)


def postgres_target(server: PostgresServer, database: str, **other: Any) -> Target:
    address = Address(host=str(server.socket_dir), port=server.port)
    fields: dict[str, Any] = {"addresses": (address,), "policy": HERE, "username": "postgres", **other}
    return Target(id="p", name="p", kind=Kind.POSTGRES, database=database, **fields)


def redis_account(server: RedisServer, rules: Iterable[str], *, name: str = "signalbox") -> None:
    """A user with exactly these rules and the password of the tests."""
    server.command("ACL", "SETUSER", name, "reset", "on", f">{PASSWORD}", *rules)


@pytest.fixture(autouse=True)
def _no_idle_connections() -> Any:
    """Rights are judged when a connection is made and by who made it: none is carried into the next test."""
    yield
    redis.forget_connections()
    postgres.forget_connections()


@pytest.fixture
def cache(db: None, redis_clean: RedisServer) -> Server:
    """A registered Redis with an account that has a password."""
    redis_account(redis_clean, ("~*", "&*", "+@all") if redis_clean.version >= (6, 2, 0) else ("~*", "+@all"))
    server = Server.objects.create(
        key="orders-cache",
        kind=Kind.REDIS,
        environment="dev",
        addresses=[{"host": "127.0.0.1", "port": redis_clean.port}],
        roles=["cache"],
    )
    Credential.objects.keep(server, Profile.MONITOR, username="signalbox", password=PASSWORD)
    return server


@pytest.fixture(scope="session")
def tcp_postgres() -> Iterator[int]:
    """The port of a PostgreSQL that also listens on 127.0.0.1 and asks for a password there."""
    folder = Path(tempfile.mkdtemp(prefix="sb-tcp-pg-"))
    folder.chmod(0o711)
    binary = binaries.find_postgres(CACHE)
    try:
        with EmbeddedPostgres(binary, folder / "pg", password=PASSWORD, tcp_port=0, durable=False) as server:
            yield server.port
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh_client(as_operator: Callable[[Operator], Client]) -> Callable[[Operator], Client]:
    """A client of an operator who signed in just now, as managing servers asks for."""

    def signed_in(operator: Operator) -> Client:
        client = as_operator(operator)
        session = client.session
        session["account_authentication_methods_user"] = str(operator.pk)
        session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
        session.save()
        return client

    return signed_in


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    """Second factors are tried where operators are; here every environment goes without."""
    settings.REQUIRE_SECOND_FACTOR = False
