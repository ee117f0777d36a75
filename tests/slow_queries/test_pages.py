"""The pages: who may see them, what is masked, and how they fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.servers.models import Credential, Server
from tests.real_servers import PostgresDatabase, RedisServer
from tests.targets import register_postgres, register_redis

pytestmark = pytest.mark.django_db
SignIn = Callable[[Operator], Client]
HOSTILE = b"<script>alert(1)</script>\x00\xff\xe2\x80\xae"


def slow_secret(server: RedisServer) -> None:
    """One slow command with a hostile client name's worth of trouble in its arguments."""
    server.command("CONFIG", "SET", "slowlog-log-slower-than", "0")
    server.command("SLOWLOG", "RESET")
    server.command("SET", b"token:1:" + HOSTILE, b"the secret value")
    server.command("KEYS", "nothing:*")
    server.command("CONFIG", "SET", "slowlog-log-slower-than", "1000000")


def test_the_slow_log_is_grouped_and_masked(redis_clean: RedisServer, alice: Operator, as_operator: SignIn) -> None:
    register_redis(redis_clean)
    slow_secret(redis_clean)
    page = as_operator(alice).get("/servers/cache/slow/").content.decode()
    assert "slow commands in" in page
    assert "blocks all" in page
    assert "SCAN in slices" in page
    assert "the secret value" not in page
    assert "<script>alert" not in page


def test_values_are_shown_to_who_may_see_data(redis_clean: RedisServer, alice: Operator, as_operator: SignIn) -> None:
    register_redis(redis_clean, environment="dev")
    slow_secret(redis_clean)
    page = as_operator(alice).get("/servers/cache/slow/?show=1").content.decode()
    assert "the secret value" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_values_stay_masked_for_a_viewer(
    redis_clean: RedisServer, bob: Operator, as_operator: SignIn, environment: str
) -> None:
    register_redis(redis_clean, environment=environment)
    slow_secret(redis_clean)
    browser = as_operator(bob)
    assert browser.get("/servers/cache/slow/").status_code == 200
    assert "?show=1" not in browser.get("/servers/cache/slow/").content.decode()
    refused = browser.get("/servers/cache/slow/?show=1")
    assert refused.status_code == 403
    assert b"the secret value" not in refused.content


def test_a_stranger_finds_nothing(redis_clean: RedisServer, charlie: Operator, as_operator: SignIn) -> None:
    register_redis(redis_clean)
    assert as_operator(charlie).get("/servers/cache/slow/").status_code == 404


def test_only_the_fragment_is_sent_to_who_asks_for_it(
    redis_clean: RedisServer, bob: Operator, as_operator: SignIn
) -> None:
    register_redis(redis_clean)
    headers = {"HX-Request": "true", "HX-Target": "slow-log"}
    page = as_operator(bob).get("/servers/cache/slow/", headers=headers).content.decode()
    assert page.strip().startswith('<div id="slow-log"')
    assert "<html" not in page


def test_a_node_that_is_not_there_is_not_found(redis_clean: RedisServer, bob: Operator, as_operator: SignIn) -> None:
    register_redis(redis_clean)
    assert as_operator(bob).get("/servers/cache/slow/?node=10.0.0.1:1").status_code == 404
    assert as_operator(bob).get("/servers/cache/slow/", {"node": str(redis_clean.socket)}).status_code == 200


def test_a_half_permitted_account_loses_panels_and_not_the_page(
    redis_clean: RedisServer, bob: Operator, as_operator: SignIn
) -> None:
    redis_clean.command("ACL", "SETUSER", "half", "on", ">pw", "-@all", "+info", "+client|setname")
    register_redis(redis_clean, username="half", password="pw")
    answer = as_operator(bob).get("/servers/cache/slow/")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "+slowlog|get" in page
    assert "+latency|latest" in page
    assert "Per call" in page


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_server_that_is_gone_fails_its_panels(
    bob: Operator, as_operator: SignIn, refusing_port: int, kind: str
) -> None:
    address = {"host": "127.0.0.1", "port": refusing_port}
    server = Server.objects.create(key="gone", kind=kind, environment="dev", addresses=[address])
    Credential.objects.create(server=server)
    paths = ["/servers/gone/slow/", "/servers/gone/activity/"]
    for path in [*paths, *(["/servers/gone/slow/5/"] if kind == "postgres" else [])]:
        answer = as_operator(bob).get(path)
        assert answer.status_code == 200
        assert "refused" in answer.content.decode()


@pytest.fixture
def shop(postgres_database: PostgresDatabase) -> PostgresDatabase:
    if not postgres_database.server.has_statement_statistics:
        pytest.skip("this PostgreSQL brings no pg_stat_statements")
    postgres_database.sql("SELECT pg_stat_statements_reset()")
    with postgres_database.connect() as connection:
        connection.execute('SELECT count(*) AS "<b>x</b>" FROM generate_series(1, 100000)')
        connection.execute("ALTER ROLE postgres SET application_name = 'the secret'")
        connection.execute("ALTER ROLE postgres RESET application_name")
    return postgres_database


def test_statements_are_listed_masked_and_open_in_full(
    shop: PostgresDatabase, bob: Operator, as_operator: SignIn
) -> None:
    register_postgres(shop)
    browser = as_operator(bob)
    page = browser.get("/servers/shop/slow/").content.decode()
    assert "statement" in page
    assert "the secret" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x</b>" not in page
    link = next(
        part
        for part in page.split('href="')
        if part.startswith("/servers/shop/slow/")
        and "/?" not in part.split('"')[0]
        and part.split('"')[0] != "/servers/shop/slow/"
    )
    detail = browser.get(link.split('"')[0]).content.decode()
    assert "By account" in detail
    assert '<pre class="code"' in detail


@pytest.mark.parametrize("sort", ["time", "mean", "calls", "nonsense"])
def test_every_order_is_a_page(shop: PostgresDatabase, bob: Operator, as_operator: SignIn, sort: str) -> None:
    register_postgres(shop)
    assert as_operator(bob).get(f"/servers/shop/slow/?sort={sort}&own=1").status_code == 200


@pytest.mark.parametrize("queryid", ["0", "-5", "99999999999999999999", "9223372036854775808", "abc", "--1"])
def test_a_statement_that_is_not_there_breaks_nothing(
    shop: PostgresDatabase, bob: Operator, as_operator: SignIn, queryid: str
) -> None:
    register_postgres(shop)
    answer = as_operator(bob).get(f"/servers/shop/slow/{queryid}/")
    assert answer.status_code == (200 if queryid in ("0", "-5") else 404)


def test_a_missing_extension_names_the_statement_to_run(
    postgres_database: PostgresDatabase, bob: Operator, as_operator: SignIn
) -> None:
    if not postgres_database.server.has_statement_statistics:
        pytest.skip("this PostgreSQL brings no pg_stat_statements")
    postgres_database.sql("DROP EXTENSION pg_stat_statements")
    register_postgres(postgres_database)
    assert "CREATE EXTENSION pg_stat_statements;" in as_operator(bob).get("/servers/shop/slow/").content.decode()
