"""The probes against real servers of every version at hand."""

from __future__ import annotations

import threading
from dataclasses import replace
from time import sleep

import pytest

from apps.engine.errors import NotPermitted
from apps.engine.files import sql_text, statements
from apps.engine.target import Target
from apps.history.answers import SQL
from apps.history.asking import ask
from apps.history.catalogue import probes
from apps.history.probes import postgres_size, postgres_stats, redis_info
from tests.history.conftest import register_postgres, register_redis
from tests.real_servers import PostgresDatabase, PostgresServer, RedisServer

pytestmark = pytest.mark.django_db


def target_of(redis: RedisServer) -> Target:
    return register_redis(redis).target()


def test_every_probe_states_its_cost_and_can_be_found_by_its_key() -> None:
    assert {"redis_info", "postgres_stats", "postgres_size"} <= set(probes())
    assert all(probe.cost for probe in probes().values())


def test_a_redis_tells_its_figures(each_redis: RedisServer) -> None:
    each_redis.command("MSET", "a", "1", "b", "2")
    seen = redis_info.read(target_of(each_redis))
    assert seen["keys_count"] == 2
    assert seen["product"] in ("Redis", "Valkey")
    assert str(seen["version"]).split(".")[0] == str(each_redis.version[0])
    assert seen["role"] == "primary"
    assert seen["maxmemory_bytes"] == 0
    assert seen["replica_lag_s"] is None
    assert 0 < float(seen["latency_s"] or 0) < 1
    assert float(seen["used_memory_bytes"] or 0) > 100_000


def test_probing_a_redis_writes_nothing_there(redis_clean: RedisServer) -> None:
    redis_clean.command("SET", "a", "1")
    target = target_of(redis_clean)
    changes = redis_clean.command("INFO", "persistence")["rdb_changes_since_last_save"]
    ask(target, {})
    assert redis_clean.command("INFO", "persistence")["rdb_changes_since_last_save"] == changes


def test_a_redis_account_without_info_is_named_what_it_lacks(redis_clean: RedisServer) -> None:
    redis_clean.command("ACL", "SETUSER", "poor", "on", "nopass", "+ping")
    target = replace(target_of(redis_clean), username="poor", password="any")
    with pytest.raises(NotPermitted) as refused:
        redis_info.read(target)
    assert refused.value.missing == "+info"


def test_two_samples_of_a_redis_make_rates_and_a_restart_makes_none(redis_clean: RedisServer) -> None:
    target = target_of(redis_clean)
    first = ask(target, {})
    for _ in range(200):
        redis_clean.command("GET", "nothing")
    sleep(0.05)
    second = ask(target, first)
    figures = second[""]["redis_info"]["figures"]
    assert figures["ops_per_s"] > 100
    assert figures["hit_ratio"] == 0.0
    redis_clean.command("CONFIG", "RESETSTAT")
    assert "ops_per_s" not in ask(target, second)[""]["redis_info"]["figures"]
    second[""]["redis_info"]["counters"]["run"] = "another run"
    assert "ops_per_s" not in ask(target, second)[""]["redis_info"]["figures"]


def test_a_postgres_tells_its_figures(each_postgres: PostgresDatabase) -> None:
    target = register_postgres(each_postgres.server, database=each_postgres.name).target()
    seen = postgres_stats.read(target)
    assert str(seen["version"]).startswith(str(each_postgres.server.version[0]))
    assert (seen["role"], seen["clients_max_count"], seen["waiting_count"]) == ("primary", 60, 0)
    assert seen["archive_status"] is None
    assert float(seen["longest_transaction_s"] or 0) < 5
    sized = postgres_size.read(target)
    assert float(sized["size_bytes"] or 0) > 5_000_000
    assert sized["size_unseen_count"] == 0


def test_a_lock_that_is_waited_for_is_seen(postgres_database: PostgresDatabase) -> None:
    postgres_database.sql("CREATE TABLE orders (id int)")
    target = register_postgres(postgres_database.server, database=postgres_database.name).target()
    with postgres_database.connect() as holder, postgres_database.connect() as waiter:
        holder.execute("BEGIN; LOCK TABLE orders")
        thread = threading.Thread(target=waiter.execute, args=("SELECT * FROM orders",))
        thread.start()
        sleep(0.3)
        seen = postgres_stats.read(target)
        holder.execute("ROLLBACK")
        thread.join()
    assert seen["waiting_count"] == 1
    assert 0 < float(seen["longest_wait_s"] or 0) < 5
    assert float(seen["longest_transaction_s"] or 0) > 0.2


def test_without_rights_the_ages_are_not_known_and_the_rest_is(postgres_server: PostgresServer) -> None:
    postgres_server.sql("DROP ROLE IF EXISTS looker")
    postgres_server.sql("CREATE ROLE looker LOGIN")
    postgres_server.sql("DROP DATABASE IF EXISTS closed_shop")
    postgres_server.sql("CREATE DATABASE closed_shop")
    postgres_server.sql("REVOKE CONNECT ON DATABASE closed_shop FROM PUBLIC")
    target = register_postgres(postgres_server, username="looker").target()
    try:
        seen = postgres_stats.read(target)
        sized = postgres_size.read(target)
    finally:
        postgres_server.sql("DROP DATABASE closed_shop")
        postgres_server.sql("DROP ROLE looker")
    assert seen["longest_transaction_s"] is None
    assert float(seen["clients_count"] or 0) >= 1
    assert sized["size_unseen_count"] == 1


def test_the_size_is_asked_rarely_and_kept_meanwhile(postgres_server: PostgresServer) -> None:
    target = register_postgres(postgres_server).target()
    first = ask(target, {})
    second = ask(target, first)
    assert second[""]["postgres_size"] == first[""]["postgres_size"]
    assert second[""]["postgres_stats"]["at_s"] > first[""]["postgres_stats"]["at_s"]


@pytest.mark.parametrize("name", sorted(statements(SQL)))
def test_every_statement_runs_on_every_version(name: str, each_postgres: PostgresDatabase) -> None:
    """Planned and run; none tells more than 500 rows."""
    assert len(each_postgres.sql(sql_text(SQL, name, major=each_postgres.server.version[0]))) <= 500
