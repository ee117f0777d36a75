"""What the sampler notices of real servers: stopped, started, reset, promoted, set anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from apps.engine.embedded import binaries
from apps.engine.embedded.place import free_port
from apps.engine.embedded.redis import EmbeddedRedis
from apps.history.models import Event
from apps.servers.models import Server
from tests.history.conftest import register, register_postgres, register_redis
from tests.history.looks import looks, told
from tests.real_servers import CACHE, PostgresServer, RedisServer, connected
from tests.targets import no_old_connections  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_old_connections")]


def register_own(embedded: EmbeddedRedis) -> Server:
    return register("own", "redis", "127.0.0.1", embedded.port)


def test_a_redis_that_was_killed_and_started_again(own_redis: EmbeddedRedis) -> None:
    server = register_own(own_redis)
    looks()
    own_redis.stop()
    looks()
    looks()
    assert told(server) == [("down", "cannot be reached")]
    own_redis.start()
    time.sleep(1.1)  # Redis counts its uptime in whole seconds
    looks()
    down, restart = sorted(Event.objects.filter(server=server), key=lambda event: event.kind)
    assert (down.kind, restart.kind) == ("down", "restart")
    assert down.ended_at is not None and down.ended_at > down.at
    assert restart.words.startswith("restarted, was down at most ")
    assert restart.at - down.at < timedelta(seconds=30)
    looks()
    assert len(told(server)) == 2, "each is told once"


def test_a_redis_whose_statistics_were_reset(redis_clean: RedisServer) -> None:
    for _ in range(50):
        redis_clean.command("PING")
    server = register_redis(redis_clean)
    looks()
    redis_clean.command("CONFIG", "RESETSTAT")
    looks()
    assert told(server) == [("reset", "counters began anew without a restart: statistics were reset")]


def test_a_redis_replica_that_is_promoted(own_redis: EmbeddedRedis, folder: Path) -> None:
    server, replica = register_own(own_redis), connected(own_redis)
    with EmbeddedRedis(binaries.find_redis(CACHE), folder / "primary", port=free_port()) as primary:
        replica.command("REPLICAOF", "127.0.0.1", str(primary.port))
        _until(lambda: replica.client.info("replication")["master_link_status"] == "up")
        looks()
        replica.command("REPLICAOF", "NO", "ONE")
        looks()
    replica.client.close()
    assert ("failover", "promoted: it is the primary, and was a replica") in told(server)


def test_a_redis_that_fills_up_and_is_emptied(redis_clean: RedisServer) -> None:
    server = register_redis(redis_clean)
    looks()
    redis_clean.command("CONFIG", "SET", "maxmemory", str(int(redis_clean.client.info("memory")["used_memory"] * 1.03)))
    looks()
    (event,) = Event.objects.filter(server=server, kind="finding")
    assert event.words.startswith("memory ") and event.signal == "crit" and event.ended_at is None
    redis_clean.command("CONFIG", "SET", "maxmemory", "0")
    looks()
    event.refresh_from_db()
    assert event.ended_at is not None


def test_a_postgres_that_was_restarted(own_postgres: PostgresServer) -> None:
    server = register_postgres(own_postgres)
    looks()
    own_postgres.embedded.stop()
    own_postgres.embedded.start()
    looks()
    looks()  # the first finds the session of before closed, and says so
    restarts = [words for kind, words in told(server) if kind == "restart"]
    assert len(restarts) == 1 and restarts[0].startswith("restarted, was down at most ")
    assert not Event.objects.filter(kind="down", ended_at=None).exists()


def test_nothing_is_told_of_servers_that_only_work(redis_clean: RedisServer, postgres_server: PostgresServer) -> None:
    register_redis(redis_clean)
    register_postgres(postgres_server)
    for number in range(3):
        redis_clean.command("SET", f"k{number}", "v")
        looks()
    assert not Event.objects.exists()


def _until(true: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    ends_at = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < ends_at
        time.sleep(0.05)
