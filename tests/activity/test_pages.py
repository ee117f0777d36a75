"""The pages: headings that answer, masked statements, and names that try to be markup."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis
from django.test import Client

from apps.accounts.models import Operator
from tests.activity.locks import Sessions, sessions
from tests.real_servers import PostgresDatabase, RedisServer
from tests.targets import register_postgres, register_redis

pytestmark = pytest.mark.django_db
SignIn = Callable[[Operator], Client]
UPDATE = "UPDATE stock SET qty = 12345 WHERE sku = {}"


@pytest.fixture
def people(postgres_database: PostgresDatabase) -> Iterator[Sessions]:
    with sessions(postgres_database) as made:
        yield made


def test_the_heading_names_the_idle_transaction(
    postgres_database: PostgresDatabase, people: Sessions, bob: Operator, as_operator: SignIn
) -> None:
    register_postgres(postgres_database)
    people.begin("<script>x</script>", UPDATE.format(1))
    for number in range(2):
        people.wait(people.begin(f"checkout-{number}"), UPDATE.format(1))
    page = as_operator(bob).get("/servers/shop/activity/").content.decode()
    assert "<h1>2 sessions wait for one idle transaction</h1>" in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<script>x" not in page
    assert "12345" not in page
    assert "<code>" in page
    assert "public.stock" in page


def test_literals_are_shown_to_who_may_see_data(
    postgres_database: PostgresDatabase, people: Sessions, alice: Operator, bob: Operator, as_operator: SignIn
) -> None:
    register_postgres(postgres_database, environment="dev")
    people.begin("batch", UPDATE.format(1))
    assert "12345" in as_operator(alice).get("/servers/shop/activity/?show=1").content.decode()
    refused = as_operator(bob).get("/servers/shop/activity/?show=1")
    assert refused.status_code == 403
    assert b"12345" not in refused.content


@pytest.mark.parametrize("which", ["working", "transaction", "all", "nonsense"])
def test_every_list_is_a_page(
    postgres_database: PostgresDatabase, people: Sessions, bob: Operator, as_operator: SignIn, which: str
) -> None:
    register_postgres(postgres_database)
    people.begin("resting", "COMMIT")
    people.begin("busy", UPDATE.format(1))
    page = as_operator(bob).get("/servers/shop/activity/", {"list": which}).content.decode()
    assert "Nobody waits" in page
    listed = page.split("<h2>Sessions</h2>")[1].split("Connections by source")[0]
    assert "busy" in listed
    assert ("resting" in listed) == (which == "all")


def test_an_account_without_the_right_gets_the_grant(
    postgres_database: PostgresDatabase, people: Sessions, bob: Operator, as_operator: SignIn
) -> None:
    postgres_database.sql("CREATE ROLE watcher LOGIN")
    try:
        register_postgres(postgres_database, username="watcher")
        people.begin("batch", UPDATE.format(1))
        page = as_operator(bob).get("/servers/shop/activity/").content.decode()
        assert "GRANT pg_monitor TO &quot;watcher&quot;;" in page
        assert "insufficient privilege" not in page
    finally:
        postgres_database.sql("DROP ROLE watcher")


def test_only_the_fragment_is_sent_to_who_asks_for_it(
    postgres_database: PostgresDatabase, bob: Operator, as_operator: SignIn
) -> None:
    register_postgres(postgres_database)
    headers = {"HX-Request": "true", "HX-Target": "activity-now"}
    page = as_operator(bob).get("/servers/shop/activity/", headers=headers).content.decode()
    assert page.strip().startswith('<div id="activity-now"')
    assert "<html" not in page


@pytest.fixture
def hostile_client(redis_clean: RedisServer) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(redis_clean.socket), client_name="<script>x</script>", protocol=2)
    client.ping()
    yield client
    client.close()


@pytest.mark.parametrize("sort", ["worst", "age", "idle", "output", "name", "nonsense"])
def test_clients_are_listed_in_every_order(
    redis_clean: RedisServer, hostile_client: redis.Redis, bob: Operator, as_operator: SignIn, sort: str
) -> None:
    register_redis(redis_clean)
    page = as_operator(bob).get("/servers/cache/activity/", {"sort": sort}).content.decode()
    assert "clients are connected" in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<script>x" not in page
    assert "this console" in page


def test_a_monitor_is_the_heading(
    redis_clean: RedisServer, hostile_client: redis.Redis, bob: Operator, as_operator: SignIn
) -> None:
    register_redis(redis_clean)
    with hostile_client.monitor():  # type: ignore[no-untyped-call]
        page = as_operator(bob).get("/servers/cache/activity/").content.decode()
    assert "<h1>One client watches every command with MONITOR</h1>" in page


def test_a_half_permitted_account_loses_panels_and_not_the_page(
    redis_clean: RedisServer, bob: Operator, as_operator: SignIn
) -> None:
    redis_clean.command("ACL", "SETUSER", "half", "on", ">pw", "-@all", "+info")
    register_redis(redis_clean, username="half", password="pw")
    answer = as_operator(bob).get("/servers/cache/activity/")
    assert answer.status_code == 200
    assert "+client|list" in answer.content.decode()


def test_a_stranger_finds_nothing(redis_clean: RedisServer, charlie: Operator, as_operator: SignIn) -> None:
    register_redis(redis_clean)
    assert as_operator(charlie).get("/servers/cache/activity/").status_code == 404
