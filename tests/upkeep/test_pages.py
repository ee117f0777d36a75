"""The upkeep page of a Redis and of a PostgreSQL: whole, half permitted, hostile, and with its server gone."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.engine.text import ref
from apps.servers.models import Server
from apps.upkeep.settable import SETTABLE
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


def links(page: str, action: str) -> list[str]:
    """The addresses of an action's buttons."""
    return [
        html.unescape(found) for found in re.findall(rf'href="(/servers/[^"]*/do/{re.escape(action)}/[^"]*)"', page)
    ]


def test_each_table_and_index_has_its_buttons_and_they_lead_to_it(
    each_postgres: PostgresDatabase,
    registered_postgres: Callable[..., Server],
    alice: Operator,
    as_operator: AsOperator,
) -> None:
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    each_postgres.sql(f"CREATE TABLE {quoted} (id serial PRIMARY KEY, x int)")
    registered_postgres(each_postgres)
    client = as_operator(alice)
    page = client.get("/servers/orders/upkeep/").content.decode()
    for action, shown in (("upkeep.vacuum", HOSTILE), ("upkeep.analyze_table", HOSTILE), ("upkeep.reindex", "_id_seq")):
        found = links(page, action)
        assert len(found) == 1, action
        form = client.get(found[0])
        assert form.status_code == 200 and "<script>alert" not in form.content.decode(), shown
    fields = {"database": ref(each_postgres.name.encode()), "schema": ref(b"public"), "name": ref(HOSTILE.encode())}
    planned = client.post("/servers/orders/do/upkeep.vacuum/", {**fields, "analyze": "on", "pace": "gentle"})
    assert planned.status_code == 302
    said = client.get(planned.headers["Location"]).content.decode()
    assert "VACUUM (ANALYZE)" in said and "<script>alert" not in said


def test_what_a_rebuild_left_has_the_button_that_removes_it(
    postgres_database: PostgresDatabase,
    registered_postgres: Callable[..., Server],
    alice: Operator,
    as_operator: AsOperator,
) -> None:
    postgres_database.sql("CREATE TABLE orders (id int)")
    postgres_database.sql("CREATE INDEX by_id_ccnew ON orders (id)")
    postgres_database.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_id_ccnew'::regclass")
    registered_postgres(postgres_database)
    page = as_operator(alice).get("/servers/orders/upkeep/").content.decode()
    removed = links(page, "upkeep.drop_leftover")
    assert removed and all(ref(b"by_id_ccnew") in each for each in removed)
    assert not links(page, "upkeep.reindex")


def test_who_may_only_look_sees_no_button(
    postgres_database: PostgresDatabase,
    redis_clean: RedisServer,
    registered_postgres: Callable[..., Server],
    registered_redis: Callable[..., Server],
    bob: Operator,
    as_operator: AsOperator,
) -> None:
    postgres_database.sql("CREATE TABLE orders (id int PRIMARY KEY)")
    registered_postgres(postgres_database)
    registered_redis(redis_clean)
    for key in ("orders", "cache"):
        assert "/do/" not in as_operator(bob).get(f"/servers/{key}/upkeep/").content.decode()


def test_a_frozen_server_has_grey_buttons_with_the_reason(
    postgres_database: PostgresDatabase,
    registered_postgres: Callable[..., Server],
    alice: Operator,
    as_operator: AsOperator,
) -> None:
    postgres_database.sql("CREATE TABLE orders (id int PRIMARY KEY)")
    registered_postgres(postgres_database)
    Server.objects.update(read_only=True)
    page = as_operator(alice).get("/servers/orders/upkeep/").content.decode()
    assert "is registered as read-only" in page and "/do/upkeep" not in page


def test_settings_that_may_be_changed_have_a_button_and_no_other(
    redis_clean: RedisServer, registered_redis: Callable[..., Server], alice: Operator, as_operator: AsOperator
) -> None:
    registered_redis(redis_clean)
    client = as_operator(alice)
    page = client.get("/servers/cache/upkeep/").content.decode()
    named = {parse_qs(urlsplit(each).query)["name"][0] for each in links(page, "upkeep.config_set")}
    assert {"maxmemory", "maxmemory-policy", "timeout"} <= named <= set(SETTABLE)
    assert "/do/upkeep.bgsave/" in page and "/do/upkeep.memory_purge/" in page
    assert client.get(links(page, "upkeep.config_set")[0]).status_code == 200
