"""The pages: headings that answer, masked statements, and names that try to be markup."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Operator
from apps.activity.reads.clients import parsed
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


# -- buttons -----------------------------------------------------------------------------------------------------------


def buttons(page: str, form: str) -> list[dict[str, str]]:
    """The buttons of the rows that send a form, as name, value and label."""
    found = re.findall(r"<button ([^>]*)>", page)
    attributes = [dict(re.findall(r'([a-z-]+)="([^"]*)"', each)) for each in found]
    return [each for each in attributes if each.get("form") == form]


def sent_by(page: str, form: str) -> tuple[str, dict[str, str]]:
    """Where a form goes, and what it sends besides the button."""
    match = re.search(rf'<form id="{form}" method="post" action="([^"]*)" hidden>(.*?)</form>', page)
    assert match
    fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', match[2]))
    return match[1], {name: html.unescape(value) for name, value in fields.items()}


def press(client: Client, page: str, form: str, label: str) -> str:
    """Press one button of one row; the page of its plan."""
    button = next(each for each in buttons(page, form) if each["aria-label"] == label)
    path, fields = sent_by(page, form)
    answer = client.post(path, {**fields, button["name"]: button["value"]}, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_every_session_has_what_can_be_done_to_it(
    postgres_database: PostgresDatabase, people: Sessions, alice: Operator, as_operator: SignIn
) -> None:
    register_postgres(postgres_database)
    holder = people.begin("<script>x</script>", UPDATE.format(1)).info.backend_pid
    waiter = people.wait(people.begin("checkout"), UPDATE.format(1))
    client = as_operator(alice)
    page = client.get("/servers/shop/activity/").content.decode()
    cancels = {each["aria-label"] for each in buttons(page, "do-activity-cancel_statement")}
    ends = {each["aria-label"] for each in buttons(page, "do-activity-terminate_session")}
    assert cancels == {f"Cancel {waiter}"}, "an idle transaction runs nothing that could be cancelled"
    assert ends == {f"End {holder}", f"End {waiter}"}
    plan = press(client, page, "do-activity-cancel_statement", f"Cancel {waiter}")
    assert f"Cancel the statement of {waiter} on shop" in plan
    plan = press(client, page, "do-activity-terminate_session", f"End {holder}")
    assert f"End session {holder} on shop" in plan
    assert "&lt;script&gt;x&lt;/script&gt;" in plan and "<script>x" not in plan
    assert "12345" not in plan
    assert postgres_database.sql("SELECT count(*) FROM pg_stat_activity WHERE pid IN (%s, %s)", holder, waiter) == [
        (2,)
    ]


def test_who_may_not_has_no_buttons_and_no_column(
    postgres_database: PostgresDatabase, people: Sessions, bob: Operator, as_operator: SignIn
) -> None:
    register_postgres(postgres_database)
    people.begin("busy", UPDATE.format(1))
    page = as_operator(bob).get("/servers/shop/activity/").content.decode()
    assert 'class="acts"' not in page and "do-activity" not in page and "<th></th>" not in page


def test_on_a_read_only_server_the_buttons_are_grey_and_say_why(
    postgres_database: PostgresDatabase, people: Sessions, alice: Operator, as_operator: SignIn
) -> None:
    server = register_postgres(postgres_database)
    type(server).objects.update(read_only=True)
    people.begin("busy", UPDATE.format(1))
    page = as_operator(alice).get("/servers/shop/activity/").content.decode()
    assert 'title="shop is registered as read-only."><button class="btn btn-sm" type="button" disabled' in page
    assert "do-activity" not in page


def test_the_consoles_own_connections_have_no_button_and_its_imitators_have(
    redis_clean: RedisServer, alice: Operator, as_operator: SignIn
) -> None:
    register_redis(redis_clean)
    redis_clean.command("ACL", "SETUSER", "pretender", "on", ">pw", "~*", "+@all")
    imitator = redis.Redis(
        unix_socket_path=str(redis_clean.socket),
        username="pretender",
        password="pw",
        client_name="signalbox",
        protocol=2,
    )
    number = imitator.client_id()
    client = as_operator(alice)
    page = client.get("/servers/cache/activity/").content.decode()
    labels = [each["aria-label"] for each in buttons(page, "do-activity-kill_client")]
    assert f"End {number}" in labels
    own = parsed(redis_clean.command("CLIENT", "LIST"))
    assert not {f"End {each.id}" for each in own if each.is_own and each.user == b"default"} & set(labels)
    plan = press(client, page, "do-activity-kill_client", f"End {number}")
    assert f"End client {number} on cache" in plan
    imitator.close()


def test_a_hostile_name_is_only_a_name_in_the_plan_that_ends_it(
    redis_clean: RedisServer, hostile_client: redis.Redis, alice: Operator, as_operator: SignIn
) -> None:
    register_redis(redis_clean)
    client = as_operator(alice)
    page = client.get("/servers/cache/activity/").content.decode()
    plan = press(client, page, "do-activity-kill_client", f"End {hostile_client.client_id()}")
    assert "&lt;script&gt;x&lt;/script&gt;" in plan and "<script>x" not in plan


def test_many_rows_with_buttons_ask_the_consoles_database_no_more_than_few(
    redis_clean: RedisServer, alice: Operator, as_operator: SignIn
) -> None:
    register_redis(redis_clean)
    client = as_operator(alice)
    client.get("/servers/cache/activity/")
    with CaptureQueriesContext(connection) as few:
        client.get("/servers/cache/activity/")
    with ExitStack() as stack:
        for _ in range(50):
            more = redis.Redis(unix_socket_path=str(redis_clean.socket), protocol=2)
            stack.callback(more.close)
            more.ping()
        with CaptureQueriesContext(connection) as many:
            page = client.get("/servers/cache/activity/").content.decode()
    assert len(buttons(page, "do-activity-kill_client")) > 50
    assert len(many) == len(few)


def test_what_stands_in_the_way_is_asked_once_for_all_buttons_of_a_page(
    postgres_database: PostgresDatabase, alice: Operator, as_operator: SignIn
) -> None:
    register_postgres(postgres_database)
    client = as_operator(alice)
    with CaptureQueriesContext(connection) as asked:
        client.get("/servers/shop/activity/")
    freezes = [query["sql"] for query in asked.captured_queries if "operations_freeze" in query["sql"]]
    assert len(freezes) == 1, "the banner and the buttons go by the same answer"
