"""The page of users and roles: whole, half permitted, hostile, and with its server gone."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import Operator
from apps.acl import grammar
from apps.engine.text import ref
from apps.operations.buttons import start_url
from apps.operations.catalogue import action_for
from apps.servers.models import Server
from tests.acl.users import console_account, register
from tests.network import HangingServer
from tests.real_servers import PostgresDatabase, RedisServer

AsOperator = Callable[[Operator], Client]
Register = Callable[..., Server]


def test_users_are_listed_worst_first_and_said_in_words(
    each_redis: RedisServer, registered_redis: Register, bob: Operator, as_operator: AsOperator
) -> None:
    each_redis.command("ACL", "SETUSER", "shop", "on", ">topsecret", "~cart:*", "-@all", "+get")
    registered_redis(each_redis)
    page = as_operator(bob).get("/servers/cache/acl/").content.decode()
    assert "everything, without a password" in page
    assert page.index(">default<") < page.index(">shop<")
    assert "Switched off" not in page
    digest = "53336a676c64c1396553b2b7c92f38126768827c93b64d9142069c10eda7a721"
    assert digest not in page


def test_hostile_user_names_and_patterns_are_escaped(
    each_redis: RedisServer, registered_redis: Register, alice: Operator, as_operator: AsOperator
) -> None:
    name = '<script>"\u202e\x01'.encode() + b"\xff"
    each_redis.command("ACL", "SETUSER", name, "on", "nopass", "~<b>*", "-@all", "+get")
    registered_redis(each_redis)
    client = as_operator(alice)
    page = client.get("/servers/cache/acl/").content.decode()
    reference = page.split("?user=")[2].split('"')[0]
    for shown in (page, client.get(f"/servers/cache/acl/?user={reference}").content.decode()):
        assert '<script>"' not in shown
        assert "<b>*" not in shown
        assert "\u202e" not in shown
    assert "\\xff" in page


def test_a_user_that_is_not_there_fails_its_panel_only(
    redis_clean: RedisServer, registered_redis: Register, bob: Operator, as_operator: AsOperator
) -> None:
    registered_redis(redis_clean)
    for reference in ("bm9ib2R5", "!!!", ""):
        answer = as_operator(bob).get("/servers/cache/acl/", {"user": reference})
        assert answer.status_code == 200
        assert "no such user" in answer.content.decode()
        assert ">default<" in answer.content.decode()


def test_an_account_without_acl_names_the_missing_rules(
    each_redis: RedisServer, registered_redis: Register, bob: Operator, as_operator: AsOperator
) -> None:
    each_redis.command("ACL", "SETUSER", "look", "on", "nopass", "+ping", "+client", "+select", "+info")
    registered_redis(each_redis).credentials.create(username="look")
    page = as_operator(bob).get("/servers/cache/acl/").content.decode()
    assert "+acl|list" in page
    assert "+acl|log" in page


def test_nodes_are_compared(
    redis_servers_all: tuple[RedisServer, ...], bob: Operator, as_operator: AsOperator, db: None
) -> None:
    for server in redis_servers_all:
        server.flush()
    redis_servers_all[0].command("ACL", "SETUSER", "only_here", "on", "nopass", "-@all")
    addresses = [{"host": str(server.socket), "port": 0} for server in redis_servers_all]
    addresses.append({"host": "/nowhere/redis.sock", "port": 0})
    Server.objects.create(key="pair", kind="redis", environment="dev", addresses=addresses)
    page = as_operator(bob).get("/servers/pair/acl/").content.decode()
    assert "The same on every node?" in page
    assert "/nowhere" in page
    if len(redis_servers_all) > 1:
        assert "is missing" in page


def test_a_stranger_is_told_nothing(
    redis_clean: RedisServer, registered_redis: Register, charlie: Operator, as_operator: AsOperator
) -> None:
    registered_redis(redis_clean)
    assert as_operator(charlie).get("/servers/cache/acl/").status_code == 404


@pytest.mark.parametrize("page", ["upkeep", "acl", "backups"])
@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_server_that_hangs_is_waited_for_twice_at_most(
    kind: str, page: str, hanging_server: HangingServer, bob: Operator, as_operator: AsOperator
) -> None:
    addresses = [{"host": "127.0.0.1", "port": hanging_server.port}]
    Server.objects.create(
        key="hangs", kind=kind, environment="dev", addresses=addresses, connect_timeout_s=1, read_timeout_s=1
    )
    begun = time.monotonic()
    answer = as_operator(bob).get(f"/servers/hangs/{page}/")
    assert "did not answer in time" in answer.content.decode()
    assert time.monotonic() - begun < 5


def test_roles_are_shown_with_hostile_names(
    each_postgres: PostgresDatabase, registered_postgres: Register, bob: Operator, as_operator: AsOperator
) -> None:
    hostile = '"a<script>""\u202e\nb"'
    each_postgres.sql(f"CREATE ROLE {hostile} LOGIN CREATEROLE")
    try:
        registered_postgres(each_postgres)
        client = as_operator(bob)
        page = client.get("/servers/orders/acl/").content.decode()
        one = client.get("/servers/orders/acl/", {"role": 'a<script>"\u202e\nb'}).content.decode()
    finally:
        each_postgres.sql(f"DROP ROLE {hostile}")
    for shown in (page, one):
        assert "a<script>" not in shown
        assert "\u202e" not in shown
        assert "creates roles" in shown
    assert "Is a member of" in one
    gone = client.get("/servers/orders/acl/", {"role": "nobody\x00"})
    assert gone.status_code == 200
    assert "There is no role" in gone.content.decode()


def test_a_stopped_server_leaves_a_page(db: None, bob: Operator, as_operator: AsOperator) -> None:
    for kind in ("redis", "postgres"):
        addresses = [{"host": "/nowhere", "port": 5432}]
        Server.objects.create(key=kind, kind=kind, environment="dev", addresses=addresses)
        answer = as_operator(bob).get(f"/servers/{kind}/acl/")
        assert answer.status_code == 200
        assert b"cannot be" in answer.content


# -- the levers --------------------------------------------------------------------------------------------------------


def levers(page: str) -> set[str]:
    """The actions that a page has a button for."""
    return set(re.findall(r"/(acl\.[a-z_]+)/", page))


def test_each_user_has_the_levers_that_fit_and_the_consoles_own_has_none(
    redis_clean: RedisServer, registered_redis: Callable[..., Server], alice: Operator, as_operator: AsOperator
) -> None:
    redis_clean.command("ACL", "SETUSER", "app", "on", ">x", "~*", "+get")
    redis_clean.command("ACL", "SETUSER", "former", "off", ">x", "~*", "+get")
    registered_redis(redis_clean)
    client = as_operator(alice)

    def page(name: bytes) -> str:
        return client.get(f"/servers/cache/acl/?user={ref(name)}").content.decode()

    assert levers(page(b"app")) == {"acl.create_user", "acl.change_user", "acl.disable_user", "acl.delete_user"}
    assert levers(page(b"former")) == {"acl.create_user", "acl.change_user", "acl.enable_user", "acl.delete_user"}
    own = page(b"default")
    assert levers(own) == {"acl.create_user"} and "changed on the server itself" in own


def test_default_is_changed_and_switched_where_the_console_is_another_and_never_deleted(
    redis_clean: RedisServer, alice: Operator, as_operator: AsOperator
) -> None:
    register(redis_clean, monitor=console_account(redis_clean))
    page = as_operator(alice).get(f"/servers/cache/acl/?user={ref(b'default')}").content.decode()
    assert levers(page) == {"acl.create_user", "acl.change_user", "acl.disable_user"}


def test_whoever_may_not_change_users_sees_no_lever(
    redis_clean: RedisServer, registered_redis: Callable[..., Server], bob: Operator, as_operator: AsOperator
) -> None:
    redis_clean.command("ACL", "SETUSER", "app", "on", ">x", "~*", "+get")
    registered_redis(redis_clean)
    page = as_operator(bob).get(f"/servers/cache/acl/?user={ref(b'app')}").content.decode()
    assert levers(page) == set() and "app" in page


def test_the_form_of_a_change_begins_with_the_present_rules_whatever_bytes_they_hold(
    each_redis: RedisServer, registered_redis: Callable[..., Server], alice: Operator, as_operator: AsOperator
) -> None:
    pattern = b"~cart:\xff<b>*"
    each_redis.command("ACL", "SETUSER", "app", "on", ">x", "resetkeys", pattern, "-@all", "+get")
    server = registered_redis(each_redis)
    path = start_url(action_for("acl.change_user"), server, {"name": b"app"})
    page = as_operator(alice).get(path).content.decode()
    assert "~cart:\\xff&lt;b&gt;*" in page and "+get" in page
    text = html.unescape(page.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0])
    assert pattern in grammar.parsed(text).words
