"""Servers of the tests as the console sees them."""

from __future__ import annotations

import pytest

from apps.engine.connections import postgres, redis
from apps.engine.target import Target
from tests.real_servers import PostgresDatabase, RedisServer
from tests.targets import postgres_target, redis_target


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
