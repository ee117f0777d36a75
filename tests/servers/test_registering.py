"""Registering, changing and removing servers by form: who may, what is checked, and what never leaves the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import Operator, Role
from apps.engine.target import Kind, Profile
from apps.servers.models import ConnectionTry, Credential, Server
from tests.conftest import grant, person
from tests.real_servers import RedisServer
from tests.servers.conftest import PASSWORD, redis_account

SignedIn = Callable[[Operator], Client]


def fields(port: int, **other: Any) -> dict[str, Any]:
    return {
        "kind": "redis",
        "key": "orders-cache",
        "addresses": f"127.0.0.1:{port}",
        "environment": "dev",
        "roles": ["cache"],
        "tags": "shop eu",
        "tls": "off",
        "connect_timeout_s": "2",
        "read_timeout_s": "3",
        "load_budget_percent": "5",
        **other,
    }


def problems(response: Any) -> dict[str, list[str]]:
    return {name: list(errors) for name, errors in response.context["form"].errors.items()}


@pytest.fixture
def registrar(fresh_client: SignedIn, alice: Operator) -> Client:
    """Alice, who maintains dev and staging, freshly signed in."""
    return fresh_client(alice)


def test_a_redis_is_registered_by_form_and_its_rights_are_known_at_once(
    registrar: Client, redis_clean: RedisServer
) -> None:
    redis_account(redis_clean, ["~*", "+@all", "-acl|log"] if redis_clean.version >= (7, 0, 0) else ["~*", "+@all"])
    page = fields(redis_clean.port, monitor_username="signalbox", monitor_password=PASSWORD, save="1", rpo_minutes="5")
    response = registrar.post("/servers/new/", page)
    assert (response.status_code, response["Location"]) == (302, "/servers/orders-cache/connection/")
    server = Server.objects.get()
    assert (server.environment, server.roles, server.tags) == ("dev", ["cache"], ["shop", "eu"])
    assert (server.rpo_s, server.load_budget_ratio, server.created_by) == (300, 0.05, "alice")
    assert server.target().password == PASSWORD
    log = server.capability("acl.log")
    assert log and log.missing == "ACL SETUSER signalbox +acl|log"
    shown = registrar.get("/servers/orders-cache/connection/").content.decode()
    assert "ACL SETUSER signalbox +acl|log" in shown
    assert PASSWORD not in shown


def test_trying_says_what_is_there_and_registers_nothing(registrar: Client, redis_clean: RedisServer) -> None:
    redis_clean.command("SET", "a", "1")
    redis_account(redis_clean, ["~*", "+@all"])
    page = fields(redis_clean.port, monitor_username="signalbox", monitor_password=PASSWORD)
    response = registrar.post("/servers/new/", page | {"try": "monitor"})
    shown = response.content.decode()
    assert response.status_code == 200
    assert "connected" in shown and f'Redis <bdi title="{".".join(map(str, redis_clean.version))}' in shown
    assert 'value="orders-cache"' in shown and "shop eu" in shown, "what was typed is kept"
    assert PASSWORD not in shown, "the password is never sent back"
    assert not Server.objects.exists()
    tried = ConnectionTry.objects.get()
    assert (tried.operator.username, tried.outcome) == ("alice", "ok")


def test_a_failed_try_shows_its_reason_beside_the_kept_form(registrar: Client, refusing_port: int) -> None:
    response = registrar.post("/servers/new/", fields(refusing_port) | {"try": "monitor"})
    shown = response.content.decode()
    assert "Connection refused by 127.0.0.1" in shown
    assert 'value="orders-cache"' in shown
    assert ConnectionTry.objects.get().outcome == "unreachable"


def test_twenty_tries_an_hour_are_the_most(registrar: Client, alice: Operator, refusing_port: int) -> None:
    made = [ConnectionTry(operator=alice, kind="redis", address="x:1", outcome="ok") for _ in range(20)]
    ConnectionTry.objects.bulk_create(made)
    response = registrar.post("/servers/new/", fields(refusing_port) | {"try": "monitor"})
    assert "nothing was connected to" in response.content.decode()
    assert ConnectionTry.objects.filter(outcome="limit").count() == 1


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"addresses": "redis://u:hunter2@10.1.1.1:6379/3"}, "addresses", "Address 10.1.1.1:6379, User u"),
        ({"addresses": "169.254.169.254:80"}, "addresses", "never dialled"),
        ({"key": "Orders Cache"}, "key", "Small letters"),
        ({"key": "new"}, "key", "Small letters"),
        ({"environment": "prod"}, "environment", "Select a valid choice"),
        ({"database": "db"}, "database", "numbers"),
        ({"kind": "postgres", "database": "host=evil"}, "database", "name of the database only"),
        ({"kind": "postgres"}, "monitor_username", "asks for a user"),
        ({"tls": "own"}, "tls_ca", "CA"),
        ({"tls": "own", "tls_ca": "hello"}, "tls_ca", "no certificate"),
        ({"tls": "system", "tls_key": "x"}, "tls_certificate", "client certificate"),
        ({"roles": ["toaster"]}, "roles", "toaster"),
        ({"tags": "Über"}, "tags", "small letters"),
        ({"connect_timeout_s": "600"}, "connect_timeout_s", "30"),
        ({"monitor_username": "a b"}, "monitor_username", "no space"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(registrar: Client, change: dict[str, Any], field: str, words: str) -> None:
    response = registrar.post("/servers/new/", fields(6379) | change | {"save": "1"})
    assert response.status_code == 422
    assert words in " ".join(problems(response)[field])
    assert b"hunter2" not in response.content, "a pasted password is not sent back"
    assert not Server.objects.exists()


def test_a_name_is_taken_once(registrar: Client, cache: Server) -> None:
    response = registrar.post("/servers/new/", fields(6379) | {"save": "1"})
    assert "already" in problems(response)["key"][0]


def test_a_change_keeps_the_password_where_the_place_stays(registrar: Client, cache: Server) -> None:
    port = cache.addresses[0]["port"]
    page = fields(port, monitor_username="signalbox", tags="shop", environment="staging", save="1")
    assert registrar.post("/servers/orders-cache/edit/", page).status_code == 302
    changed = Server.objects.get()
    assert (changed.environment, changed.tags) == ("staging", ["shop"])
    assert changed.target().password == PASSWORD


@pytest.mark.parametrize(
    "change",
    [{"addresses": "127.0.0.1:1"}, {"database": "3"}, {"tls": "system"}],
    ids=["address", "database", "tls"],
)
@pytest.mark.parametrize("button", ["save", "try"])
def test_a_change_of_place_asks_for_the_password_again(
    registrar: Client, cache: Server, change: dict[str, Any], button: str
) -> None:
    page = fields(cache.addresses[0]["port"], monitor_username="signalbox") | change | {button: "monitor"}
    response = registrar.post("/servers/orders-cache/edit/", page)
    assert response.status_code == 422
    assert "enter the password again" in problems(response)["monitor_password"][0]
    assert Server.objects.get().target().password == PASSWORD
    assert not ConnectionTry.objects.exists(), "nothing was connected to"


def test_with_a_new_password_a_server_moves(registrar: Client, cache: Server) -> None:
    page = fields(1, monitor_username="signalbox", monitor_password="another", save="1")
    assert registrar.post("/servers/orders-cache/edit/", page).status_code == 302
    moved = Server.objects.get()
    assert (moved.addresses[0]["port"], moved.target().password) == (1, "another")


def test_neither_name_nor_kind_can_be_changed(registrar: Client, cache: Server) -> None:
    page = fields(cache.addresses[0]["port"], monitor_username="signalbox", key="other", kind="postgres", save="1")
    registrar.post("/servers/orders-cache/edit/", page)
    assert (Server.objects.get().key, Server.objects.get().kind) == ("orders-cache", Kind.REDIS)


def test_the_form_of_a_server_shows_no_secret(registrar: Client, cache: Server) -> None:
    Credential.objects.keep(cache, Profile.ADMIN, username="boss", password="boss-secret")
    shown = registrar.get("/servers/orders-cache/edit/").content.decode()
    assert "boss" in shown and "key k1; empty keeps it" in shown
    for hidden in (PASSWORD, "boss-secret", Credential.objects.first().secret):  # type: ignore[union-attr]
        assert hidden not in shown


def test_an_account_that_is_no_longer_named_is_forgotten(registrar: Client, cache: Server) -> None:
    Credential.objects.keep(cache, Profile.ADMIN, username="boss", password="boss-secret")
    page = fields(cache.addresses[0]["port"], monitor_username="signalbox", save="1")
    registrar.post("/servers/orders-cache/edit/", page)
    assert [c.profile for c in Credential.objects.all()] == [Profile.MONITOR]


def test_what_the_file_declares_is_not_changed_by_form(registrar: Client, cache: Server) -> None:
    Server.objects.update(declared=True)
    page = fields(1, monitor_username="x", monitor_password="y", save="1")
    assert registrar.post("/servers/orders-cache/edit/", page).status_code == 302
    assert Server.objects.get().addresses == cache.addresses


def test_removing_asks_for_the_name(registrar: Client, cache: Server, redis_clean: RedisServer) -> None:
    redis_clean.command("SET", "kept", "1")
    assert registrar.post("/servers/orders-cache/remove/", {"typed": "orders"}).status_code == 422
    assert Server.objects.exists()
    assert registrar.get("/servers/orders-cache/remove/").status_code == 200
    assert registrar.post("/servers/orders-cache/remove/", {"typed": "orders-cache"}).status_code == 302
    assert not Server.objects.exists() and not Credential.objects.exists()
    assert redis_clean.command("GET", "kept") == b"1"


# -- who may ------------------------------------------------------------------------------------------------------------


def test_looking_is_not_managing(fresh_client: SignedIn, bob: Operator, cache: Server) -> None:
    client = fresh_client(bob)
    for path in ("/servers/new/", "/servers/orders-cache/edit/", "/servers/orders-cache/remove/"):
        assert client.get(path).status_code == 403
        assert client.post(path, {"typed": "orders-cache"}).status_code == 403
    assert client.get("/servers/orders-cache/connection/").status_code == 200
    assert "Change" not in client.get("/servers/orders-cache/connection/").content.decode()
    assert Server.objects.exists()


def test_a_stranger_finds_nothing(fresh_client: SignedIn, charlie: Operator, cache: Server) -> None:
    client = fresh_client(charlie)
    for path in ("", "edit/", "remove/", "capabilities/"):
        assert client.get(f"/servers/orders-cache/{path}").status_code == 404
    assert client.post("/servers/orders-cache/probe/").status_code == 404
    assert b"orders-cache" not in client.get("/servers/").content


def test_a_maintainer_of_one_environment_registers_there_only(fresh_client: SignedIn, db: None) -> None:
    dev_only = person("dora")
    grant(dev_only, Role.MAINTAINER, "environment", "dev")
    client = fresh_client(dev_only)
    assert client.get("/servers/new/").status_code == 200
    refused = client.post("/servers/new/", fields(1, environment="staging", save="1"))
    assert "environment" in problems(refused)
    assert client.post("/servers/new/", fields(1, save="1")).status_code == 302


def test_a_maintainer_does_not_move_a_server_out_of_their_scope(fresh_client: SignedIn, cache: Server) -> None:
    dev_only = person("dora")
    grant(dev_only, Role.MAINTAINER, "environment", "dev")
    page = fields(cache.addresses[0]["port"], monitor_username="signalbox", environment="staging", save="1")
    response = fresh_client(dev_only).post("/servers/orders-cache/edit/", page)
    assert response.status_code == 422
    assert Server.objects.get().environment == "dev"


def test_only_admins_manage_production(fresh_client: SignedIn, alice: Operator, dana: Operator, cache: Server) -> None:
    Server.objects.update(environment="prod")
    assert fresh_client(alice).get("/servers/orders-cache/remove/").status_code == 403
    assert fresh_client(dana).get("/servers/orders-cache/remove/").status_code == 200


# -- pages --------------------------------------------------------------------------------------------------------------


def test_the_page_of_a_server_that_is_down_says_so_and_stands(
    fresh_client: SignedIn, bob: Operator, cache: Server, refusing_port: int
) -> None:
    Credential.objects.all().delete()
    Server.objects.update(addresses=[{"host": "127.0.0.1", "port": refusing_port}])
    response = fresh_client(bob).get("/servers/orders-cache/connection/")
    assert response.status_code == 200
    assert b"Connection refused" in response.content


def test_the_page_of_a_server_that_moved_says_to_enter_the_password_again(
    fresh_client: SignedIn, bob: Operator, cache: Server
) -> None:
    Server.objects.update(addresses=[{"host": "127.0.0.1", "port": 1}])
    response = fresh_client(bob).get("/servers/orders-cache/connection/")
    assert response.status_code == 200
    assert b"Enter the password again" in response.content


def test_one_node_that_is_down_does_not_hide_the_others(
    fresh_client: SignedIn, bob: Operator, cache: Server, refusing_port: int
) -> None:
    Credential.objects.all().delete()
    here = cache.addresses[0]
    Server.objects.update(addresses=[here, {"host": "127.0.0.1", "port": refusing_port}])
    shown = fresh_client(bob).get("/servers/orders-cache/connection/").content.decode()
    assert "Connection refused" in shown and "answers" in shown


def test_the_nodes_are_a_fragment_of_their_own(fresh_client: SignedIn, bob: Operator, cache: Server) -> None:
    client = fresh_client(bob)
    part = client.get(
        "/servers/orders-cache/connection/", headers={"HX-Request": "true", "HX-Target": "nodes"}
    ).content.decode()
    assert part.strip().startswith('<section class="panel" id="nodes"')
    assert "<html" not in part


def test_a_probe_is_asked_for_by_post_and_shown(fresh_client: SignedIn, bob: Operator, cache: Server) -> None:
    client = fresh_client(bob)
    assert client.get("/servers/orders-cache/probe/").status_code == 405
    assert Server.objects.get().probed_at is None
    assert client.post("/servers/orders-cache/probe/").status_code == 302
    assert Server.objects.get().probed_at is not None
    assert b"features work" in client.get("/servers/orders-cache/capabilities/").content


def test_a_failed_probe_keeps_what_was_known(fresh_client: SignedIn, bob: Operator, cache: Server) -> None:
    client = fresh_client(bob)
    client.post("/servers/orders-cache/probe/")
    known = Server.objects.get().capabilities
    Server.objects.update(addresses=[{"host": "127.0.0.1", "port": 1}])
    shown = client.post("/servers/orders-cache/probe/", follow=True).content
    assert b"Not probed" in shown
    assert Server.objects.get().capabilities == known


def test_what_a_server_says_is_escaped(
    fresh_client: SignedIn, bob: Operator, redis_clean: RedisServer, cache: Server
) -> None:
    name = '<img/src=x>"&'
    redis_account(redis_clean, ["+@all", "-acl|log", "-slowlog|get"], name=name)
    Credential.objects.keep(cache, Profile.MONITOR, username=name, password=PASSWORD)
    client = fresh_client(bob)
    client.post("/servers/orders-cache/probe/")
    for path in ("", "capabilities/"):
        shown = client.get(f"/servers/orders-cache/{path}").content
        assert b"<img" not in shown
        assert b"&lt;img/src=x&gt;" in shown


def test_the_list_says_how_each_was_registered(fresh_client: SignedIn, bob: Operator, cache: Server) -> None:
    Server.objects.update(declared=True)
    shown = fresh_client(bob).get("/servers/").content.decode()
    assert "servers.toml" in shown and "1 server in your scope" in shown
