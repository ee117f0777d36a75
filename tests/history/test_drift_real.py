"""Settings of real servers that somebody changes: told with both values, secrets as a change alone."""

from __future__ import annotations

import time

import pytest

from apps.engine.embedded.redis import EmbeddedRedis
from apps.history import drift
from apps.history.models import Event, LastKnown, Setting
from tests.history.conftest import register, register_postgres
from tests.history.looks import looks_at_settings, told
from tests.real_servers import PostgresServer, connected
from tests.targets import no_old_connections  # noqa: F401 - a fixture

pytest.importorskip("apps.history.probes.redis_config", reason="no probe of configuration is there yet")
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_old_connections")]


def test_a_redis_that_is_set_anew(own_redis: EmbeddedRedis) -> None:
    server, redis = register("own", "redis", "127.0.0.1", own_redis.port), connected(own_redis)
    looks_at_settings()
    looks_at_settings()
    assert told(server) == [] and drift.known_since(server)[0] > 50
    redis.command("CONFIG", "SET", "maxmemory", "200mb")
    redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    redis.command("CONFIG", "SET", "masterauth", "CANARY-1")
    looks_at_settings()
    redis.command("CONFIG", "SET", "masterauth", "CANARY-2")
    looks_at_settings()
    redis.client.close()
    changes = list(Event.objects.filter(server=server, kind="setting").order_by("at").values_list("words", flat=True))
    assert changes == [
        "3 settings changed: masterauth not set → set, maxmemory 0 → 209715200,"
        " maxmemory-policy noeviction → allkeys-lru",
        "masterauth set to another secret",
    ]
    kept = [str(row) for model in (Setting, Event, LastKnown) for row in model.objects.values()]
    assert not any("CANARY" in row for row in kept)


def test_a_postgres_whose_setting_is_made_and_taken_back(own_postgres: PostgresServer) -> None:
    server = register_postgres(own_postgres)
    looks_at_settings()
    looks_at_settings()
    assert told(server) == []
    for statement in ("ALTER SYSTEM SET work_mem = '64MB'", "ALTER SYSTEM RESET work_mem"):
        own_postgres.sql(statement)
        own_postgres.sql("SELECT pg_reload_conf()")
        time.sleep(0.3)
        looks_at_settings()
    assert told(server) == [("setting", "work_mem not set → 64MB"), ("setting", "work_mem 64MB → not set")]


def test_a_postgres_whose_statistics_were_reset(own_postgres: PostgresServer) -> None:
    server = register_postgres(own_postgres)
    looks_at_settings()
    own_postgres.sql("SELECT pg_stat_reset()")
    time.sleep(0.6)
    looks_at_settings()
    assert told(server) == [("reset", "counters began anew without a restart: statistics were reset")]
