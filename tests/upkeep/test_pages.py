"""The upkeep page of a Redis and of a PostgreSQL: whole, half permitted, hostile, and with its server gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.servers.models import Server
from tests.real_servers import PostgresDatabase, RedisServer

AsOperator = Callable[[Operator], Client]
HOSTILE = "a\"b'; <script>alert(1)</script>\n\u202e; drop"


def test_redis_page_says_what_a_crash_would_lose(
    each_redis: RedisServer, registered_redis: Callable[..., Server], bob: Operator, as_operator: AsOperator
) -> None:
    registered_redis(each_redis, roles=["queue"])
    each_redis.command("SET", "k", "v", "PX", "100000")
    page = as_operator(bob).get("/servers/cache/upkeep/").content.decode()
    assert "nothing is kept over a restart" in page or "Memory has no limit" in page
    assert "it never saves" in page
    assert "maxmemory-policy" in page
    assert "db0" in page
    assert each_redis.command("DBSIZE") == 1


def test_a_fragment_asks_only_for_its_own_panel(
    redis_clean: RedisServer, registered_redis: Callable[..., Server], bob: Operator, as_operator: AsOperator
) -> None:
    registered_redis(redis_clean)
    headers = {"HX-Request": "true", "HX-Target": "upkeep-settings"}
    page = as_operator(bob).get("/servers/cache/upkeep/", headers=headers).content.decode()
    assert page.strip().startswith('<section class="panel" id="upkeep-settings"')
    calls = redis_clean.command("INFO", "commandstats")
    assert not [name for name in calls if name.startswith("cmdstat_memory")]


def test_an_account_without_config_names_the_missing_rule(
    each_redis: RedisServer, registered_redis: Callable[..., Server], bob: Operator, as_operator: AsOperator
) -> None:
    each_redis.command("ACL", "SETUSER", "look", "on", "nopass", "+ping", "+client", "+select", "+info")
    registered_redis(each_redis).credentials.create(username="look", secret="")
    page = as_operator(bob).get("/servers/cache/upkeep/").content.decode()
    assert "+config|get" in page
    assert "+memory|doctor" in page
    assert "is used" in page


def test_a_stopped_redis_leaves_a_page_with_failing_panels(db: None, bob: Operator, as_operator: AsOperator) -> None:
    Server.objects.create(
        key="cache", kind="redis", environment="dev", addresses=[{"host": "/nowhere/redis.sock", "port": 0}]
    )
    answer = as_operator(bob).get("/servers/cache/upkeep/")
    assert answer.status_code == 200
    assert b"notice-crit" in answer.content


def test_a_stranger_is_told_nothing(
    redis_clean: RedisServer, registered_redis: Callable[..., Server], charlie: Operator, as_operator: AsOperator
) -> None:
    registered_redis(redis_clean)
    assert as_operator(charlie).get("/servers/cache/upkeep/").status_code == 404


def test_postgres_page_shows_tables_indexes_and_sequences_with_hostile_names(
    each_postgres: PostgresDatabase, registered_postgres: Callable[..., Server], bob: Operator, as_operator: AsOperator
) -> None:
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    each_postgres.sql(f"CREATE TABLE {quoted} (id serial PRIMARY KEY, x int)")
    each_postgres.sql(f"CREATE INDEX first_x ON {quoted} (x)")
    each_postgres.sql(f"CREATE INDEX second_x ON {quoted} (x)")
    registered_postgres(each_postgres)
    page = as_operator(bob).get("/servers/orders/upkeep/").content.decode()
    assert "<script>alert" not in page
    assert "\u202e" not in page.replace("&#x202e;", "")
    assert "second_x" in page
    assert "The same as first_x" in page
    assert "Nothing was scanned or written" in page


@pytest.mark.parametrize("name", ["no_such_database", "x" * 200, "host=evil port=1"])
def test_a_database_that_is_not_there_fails_its_own_panels_only(
    name: str,
    postgres_database: PostgresDatabase,
    registered_postgres: Callable[..., Server],
    bob: Operator,
    as_operator: AsOperator,
) -> None:
    registered_postgres(postgres_database)
    answer = as_operator(bob).get("/servers/orders/upkeep/", {"database": name})
    assert answer.status_code == 200
    assert "shared_buffers" in answer.content.decode()
    assert "such" in answer.content.decode()


def test_a_plain_role_sees_what_it_may(
    each_postgres: PostgresDatabase, registered_postgres: Callable[..., Server], bob: Operator, as_operator: AsOperator
) -> None:
    each_postgres.sql("CREATE TABLE secret_thing (id serial)")
    each_postgres.sql("DROP ROLE IF EXISTS plain_one")
    each_postgres.sql("CREATE ROLE plain_one LOGIN")
    registered_postgres(each_postgres, "plain_one")
    page = as_operator(bob).get("/servers/orders/upkeep/").content.decode()
    assert "secret_thing" in page
    assert "GRANT SELECT ON SEQUENCE" in page
    each_postgres.sql("DROP ROLE plain_one")
